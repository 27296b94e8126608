"""Frames per second in Chromium with its CPU slowed down fourfold, as for a phone: the page, and the tracker alone.

python benchmarks/phone.py           # prints a table, and writes results/phone.json

It needs the built page (`make web`). The clip is the page's sample: two hands, 640x400, 30 frames per second.

Chromium's throttling (`Emulation.setCPUThrottlingRate`) slows down the page's own thread only, not its workers. So the
page, as `knuckle serve` gives it to a phone, is measured with that thread slowed down, and with all its threads slowed
down by stopping its process for three fourths of the time; and the tracker without the page, in a worker or in the
slowed-down thread itself on one thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from chromium import WEB, WITHOUT_WEBGL, open_browser, serve_folders  # noqa: E402

RESULTS = HERE / "results" / "phone.json"
BUNDLE, RATE, FRAMES, WARM = "knuckle", 4, 60, 10
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
SECONDS = 15
# Counts results: the page notes the number of hands of each, also where it stays the same.
COUNT = """(seconds) => new Promise((resolve) => {
  const [at, hands] = [[], []];
  const stage = document.getElementById("stage");
  const observer = new MutationObserver((changes) => changes.forEach(() => {
    at.push(performance.now());
    hands.push(Number(stage.dataset.hands));
  }));
  observer.observe(stage, { attributes: true, attributeFilter: ["data-hands"] });
  setTimeout(() => { observer.disconnect(); resolve({ at, hands }); }, 1000 * seconds);
})"""
SERVE = "from knuckle.cli.serve import serve; serve()"
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


def thread_s(devtools: Any) -> float:
    """Processor time of the page's thread so far, which other programs hardly change."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return next(float(metric["value"]) for metric in metrics if metric["name"] == "ThreadTime")


def measure(page: Any, devtools: Any, name: str, **options: Any) -> dict[str, Any]:
    """One row: the time of a frame, and the processor time that the page's thread needs for it."""

    before = thread_s(devtools)
    page.evaluate("([options, warm]) => measure(options, 0, warm)", [options, WARM])
    start = thread_s(devtools)
    given = page.evaluate("([options, frames, warm]) => measure(options, frames, warm)", [options, FRAMES, WARM])
    times = sorted(given["times"])
    median = statistics.median(times)
    row = {
        "name": name,
        "median_ms": round(median, 1),
        "p90_ms": round(times[int(0.9 * len(times))], 1),
        "frames_per_s": round(1000 / median, 1),
        "thread_ms": round(1000 * (thread_s(devtools) - start - (start - before)) / FRAMES, 1),
        "hands": statistics.mean(given["hands"]),
    }
    print(f"{name:60s} " + "  ".join(f"{key} {value}" for key, value in row.items() if key != "name"), flush=True)
    return row


@contextlib.contextmanager
def served_page() -> Iterator[str]:
    """The address of the page, from a `knuckle serve` of its own."""
    command = [sys.executable, "-u", "-c", SERVE, "--models", BUNDLE, "--port", "0", "--limit", "requests_per_s=1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
        try:
            yield found[0]
        finally:
            process.terminate()


@contextlib.contextmanager
def slowed_down(process: int, rate: int) -> Iterator[None]:
    """A process with all its threads, which is stopped for all but one of `rate` equal parts of the time."""
    over = threading.Event()

    def stop_and_go() -> None:
        while not over.is_set():
            os.kill(process, signal.SIGSTOP)
            time.sleep(0.004 * (rate - 1))
            os.kill(process, signal.SIGCONT)
            time.sleep(0.004)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure_page(browser: Any, address: str, network: str) -> list[dict[str, Any]]:
    """Rows of the whole page as on a phone, with one network."""
    context = browser.new_context(**PHONE, service_workers="block")
    page = context.new_page()
    page.set_default_timeout(300_000)
    if network == "float":  # the page takes int8 where a bundle has it
        page.route("**/bundle.json", without_int8)
    page.goto(address)
    page.get_by_text("Ready.").wait_for()
    page.click("#welcome [data-do=sample]")
    page.wait_for_selector("#stage[data-hands='2']")
    devtools = context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    info = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = sorted((each for each in info if each["type"] == "renderer"), key=lambda each: -each["cpuTime"])
    rows = []
    for name, rate, all_threads in (
        ("the page at full speed", 1, False),
        (f"the page slowed down {RATE} times", RATE, False),
        (f"the page with all its threads slowed down {RATE} times", 1, True),
    ):
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        with slowed_down(renderers[0]["id"], RATE) if all_threads else contextlib.nullcontext():
            page.evaluate(COUNT, 2)
            start = thread_s(devtools)
            found = page.evaluate(COUNT, SECONDS)
            needed_s = thread_s(devtools) - start
        steps = [after - before for before, after in zip(found["at"], found["at"][1:], strict=False)]
        row = {
            "name": f"{network}, {name}",
            "frames_per_s": round(len(steps) / (sum(steps) / 1000), 1),
            "p90_ms": round(sorted(steps)[int(0.9 * len(steps))], 1),
            "thread_ms": round(1000 * needed_s / len(steps), 1),
            "hands": round(statistics.mean(found["hands"]), 2),
        }
        print(row, flush=True)
        rows.append(row)
    context.close()
    return rows


def without_int8(route: Any) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "hand_int8": None, "palm_int8": None})


def measure_tracker(browser: Any) -> list[dict[str, Any]]:
    """Rows of the tracker without the page."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(PAGE)
        folders = {
            "/lib/": WEB / "dist",
            "/page/": WEB / "page" / "public",
            "/": folder,
        }
        with serve_folders(folders) as address:
            page = browser.new_page()
            page.set_default_timeout(300_000)
            page.goto(f"{address}/index.html")
            page.wait_for_function("window.ready")
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            for network in ("int8", "float"):
                for rate in (1, RATE):
                    devtools.send("Emulation.setCPUThrottlingRate", {"rate": rate})
                    slowed = f"slowed down {rate} times" if rate > 1 else "at full speed"
                    rows.append(measure(page, devtools, f"{network}, in a worker, page {slowed}", precision=network))
                    own = f"{network}, in the page's thread {slowed}, one thread"
                    rows.append(measure(page, devtools, own, precision=network, worker=False, threads=1))
            page.close()
    return rows


def main() -> None:
    load = os.getloadavg()[0]
    with served_page() as address, open_browser(*WITHOUT_WEBGL) as browser:
        rows = [row for network in ("int8", "float") for row in measure_page(browser, address, network)]
        rows += measure_tracker(browser)
    result = {"bundle": BUNDLE, "machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    RESULTS.write_text(
        json.dumps({**result, "load": [round(load, 1), round(os.getloadavg()[0], 1)], "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
