"""Compare the float and the int8 networks of bundle `knuckle` in LiteRT.js, in Chromium and in Firefox.

    python benchmarks/web_int8.py

It needs `web/dist` (`make web`) and one of the browsers. A landmark call takes a fixed region of one image, so that its
time is that of the crop and the network. Both forms alternate; the ratio is taken within each round. It writes
benchmarks/results/web_int8.json after each browser.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import chromium  # noqa: E402
import firefox  # noqa: E402
from browser_tab import BrowserTab  # noqa: E402
from chromium import WEB, serve_folders  # noqa: E402

RESULTS = HERE / "results" / "web_int8.json"
PAGE = """<!doctype html><meta charset="utf-8"><title>int8</title><body><script type="module">
import { HandTracker } from "/lib/index.js";
const image = new ImageData(320, 320);
for (let i = 0; i < image.data.length; i++) image.data[i] = (i * 2654435761) >>> 24;
const rois = [{ x: 160, y: 160, size: 224, angleRad: 0.2 }];
const open = async (precision, threads) => {
  const tracker = await HandTracker.create({ precision, engine: "cpu", threads });
  for (let k = 0; k < 20; k++) await tracker.landmarksIn(image, rois);
  return tracker;
};
window.start = async (threads) => {
  window.trackers = { float: await open("float", threads), int8: await open("int8", threads) };
  return trackers.float.threads;
};
window.round = async (calls) => {
  const ms = {};
  for (const [name, tracker] of Object.entries(trackers)) {
    const times = [];
    for (let k = 0; k < calls; k++) {
      const start = performance.now();
      await tracker.landmarksIn(image, rois);
      times.push(performance.now() - start);
    }
    ms[name] = times.sort((a, b) => a - b)[calls >> 1];
  }
  return ms;
};
window.stop = () => { for (const tracker of Object.values(trackers)) tracker.close(); };
</script>"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7, help="how often the networks alternate")
    options.add_argument("--calls", type=int, default=40, help="calls per round")
    options.add_argument(
        "--browsers", nargs="+", default=list(BROWSERS), choices=list(BROWSERS), help="what to measure"
    )
    chosen = options.parse_args()
    report: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(PAGE)
        with serve_folders({"/lib/": WEB / "dist", "/": folder}) as address:
            for browser in chosen.browsers:
                with BROWSERS[browser](folder) as tab:
                    report[browser] = measure(tab, address, chosen.rounds, chosen.calls)
                RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


@contextmanager
def in_chromium(_: Path) -> Iterator[BrowserTab]:
    with chromium.open_browser(*chromium.WITHOUT_WEBGL) as browser:
        yield chromium.Tab(browser)


@contextmanager
def in_firefox(folder: Path) -> Iterator[BrowserTab]:
    with firefox.open_firefox(folder / "profile") as session:
        yield firefox.Tab(session)


BROWSERS = {"chromium": in_chromium, "firefox": in_firefox}


def measure(tab: BrowserTab, address: str, rounds: int, calls: int) -> dict[str, Any]:
    """Both networks in one browser: a row per number of threads."""
    rows = []
    for threads in (1, 4):
        tab.goto(f"{address}/index.html")
        tab.wait_for("window.stop")
        used = tab.evaluate(f"start({threads})")
        load = round(os.getloadavg()[0], 1)
        rows.append(
            {"threads": used, "load": load, **summary([tab.evaluate(f"round({calls})") for _ in range(rounds)])}
        )
        tab.evaluate("stop()")
    return {"version": tab.evaluate("navigator.userAgent.match(/(Chrome|Firefox)\\/\\d+/)[0]"), "rows": rows}


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Medians of the rounds, and how many times faster int8 is: the median, the least and the most of the rounds."""
    ratios = sorted(ms["float"] / ms["int8"] for ms in rounds)
    ms = {name: round(statistics.median(each[name] for each in rounds), 2) for name in ("float", "int8")}
    picked = (statistics.median(ratios), ratios[0], ratios[-1])
    return {"ms": ms, "int8_is_faster": [round(ratio, 2) for ratio in picked]}


if __name__ == "__main__":
    main()
