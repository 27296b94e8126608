"""Frames per second of the tracker in Chromium with its CPU slowed down fourfold, as for a phone.

python benchmarks/phone.py           # prints a table, and writes results/phone.json

Chromium throttles the page's own thread only ("Operation is only supported for pages, not workers"). So there are two
kinds of rows: the tracker in its worker, as the page runs it, beside a throttled page; and the tracker in the throttled
thread itself, on one thread, which is what a phone with a fourth of this computer's speed has. The clip is the page's
sample: two hands, 640x400.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from chromium import WEB, WITHOUT_WEBGL, open_browser, serve_folders  # noqa: E402

RESULTS = HERE / "results" / "phone.json"
BUNDLE, RATE, FRAMES, WARM = "knuckle", 4, 60, 10
PAGE = """<!doctype html><meta charset="utf-8"><title>phone</title><link rel="icon" href="data:,">
<body><script type="module">
import { HandTracker } from "/lib/index.js";
const open = async (source) => {
  const video = Object.assign(document.createElement("video"), { src: source, muted: true, loop: true });
  await video.play();
  return video;
};
window.measure = async (options, frames, warm) => {
  const video = await open("/page/sample.mp4");
  const tracker = await HandTracker.create({ wasm: "/lib/wasm/", engine: "cpu", ...options });
  const [times, hands] = [[], []];
  for (let k = 0; k < frames + warm; k++) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const start = performance.now();
    hands.push((await tracker.track(video, k / 30)).length);
    if (k >= warm) times.push(performance.now() - start);
  }
  tracker.close();
  return { times, hands: hands.slice(warm) };
};
window.ready = true;
</script>"""


def measure(page: Any, devtools: Any, name: str, **options: Any) -> dict[str, Any]:
    """One row: the time of a frame, and the processor time of the page's thread, which other programs hardly change."""

    def thread_s() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "ThreadTime")

    before = thread_s()
    page.evaluate("([options, warm]) => measure(options, 0, warm)", [options, WARM])
    start = thread_s()
    given = page.evaluate("([options, frames, warm]) => measure(options, frames, warm)", [options, FRAMES, WARM])
    times = sorted(given["times"])
    median = statistics.median(times)
    row = {
        "name": name,
        "median_ms": round(median, 1),
        "p90_ms": round(times[int(0.9 * len(times))], 1),
        "frames_per_s": round(1000 / median, 1),
        "thread_ms": round(1000 * (thread_s() - start - (start - before)) / FRAMES, 1),
        "hands": statistics.mean(given["hands"]),
    }
    print(f"{name:60s} " + "  ".join(f"{key} {value}" for key, value in row.items() if key != "name"), flush=True)
    return row


def main() -> None:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(PAGE)
        folders = {
            "/lib/": WEB / "dist",
            "/page/": WEB / "page" / "public",
            "/": folder,
        }
        with serve_folders(folders) as address, open_browser(*WITHOUT_WEBGL) as browser:
            page = browser.new_page()
            page.set_default_timeout(300_000)
            page.goto(f"{address}/index.html")
            page.wait_for_function("window.ready")
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            rows = []
            for network in ("int8", "float"):
                for rate in (1, RATE):
                    devtools.send("Emulation.setCPUThrottlingRate", {"rate": rate})
                    slowed = f"slowed down {rate} times" if rate > 1 else "at full speed"
                    rows.append(measure(page, devtools, f"{network}, in a worker, page {slowed}", precision=network))
                    own = f"{network}, in the page's thread {slowed}, one thread"
                    rows.append(measure(page, devtools, own, precision=network, worker=False, threads=1))
    result = {"bundle": BUNDLE, "machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    RESULTS.write_text(
        json.dumps({**result, "load": [round(load, 1), round(os.getloadavg()[0], 1)], "rows": rows}, indent=1)
    )


if __name__ == "__main__":
    main()
