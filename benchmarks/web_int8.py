"""Compare the float and the int8 landmark network of bundle `knuckle` in LiteRT.js, in Chromium and in Firefox.

    python benchmarks/web_int8.py

It needs `web/dist` (`make web`) and one of the browsers. A landmark call takes a fixed region of one image, so that its
time is that of the crop and the network. Both networks alternate; the ratio is taken within each round. It writes
benchmarks/results/web_int8.json, and `python docs/make_tables.py` puts that into docs/web.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chromium import CHROMIUM, WEB, WITHOUT_WEBGL, open_browser, serve_folders  # noqa: E402
from firefox import FIREFOX, open_firefox  # noqa: E402

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
window.compare = async (rounds, calls, threads) => {
  const trackers = { float: await open("float", threads), int8: await open("int8", threads) };
  const ms = { float: [], int8: [] };
  for (let round = 0; round < rounds; round++)
    for (const [name, tracker] of Object.entries(trackers)) {
      const times = [];
      for (let k = 0; k < calls; k++) {
        const start = performance.now();
        await tracker.landmarksIn(image, rois);
        times.push(performance.now() - start);
      }
      ms[name].push(times.sort((a, b) => a - b)[calls >> 1]);
    }
  const about = trackers.float.threads;
  for (const tracker of Object.values(trackers)) tracker.close();
  return { ...ms, threads: about };
};
</script>"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7, help="how often the networks alternate")
    options.add_argument("--browsers", nargs="+", default=["chromium", "firefox"], help="browsers to measure")
    options.add_argument("--calls", type=int, default=60, help="calls per round")
    chosen = options.parse_args()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text(PAGE)
        with serve_folders({"/lib/": WEB / "dist", "/": folder}) as address:
            for browser, visit in (("chromium", in_chromium), ("firefox", in_firefox)):
                if browser in chosen.browsers and (CHROMIUM if browser == "chromium" else FIREFOX):
                    report[browser] = [
                        summary(visit(address, folder, f"compare({chosen.rounds}, {chosen.calls}, {threads})"))
                        for threads in (1, 4)
                    ]
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def in_chromium(address: str, _: Path, call: str) -> dict[str, Any]:
    with open_browser(*WITHOUT_WEBGL) as browser:
        page = browser.new_page()
        page.goto(f"{address}/index.html")
        page.wait_for_function("() => !!window.compare")
        found: dict[str, Any] = page.evaluate(f"() => {call}")
        return found


def in_firefox(address: str, folder: Path, call: str) -> dict[str, Any]:
    profile = folder / f"profile{len(list(folder.iterdir()))}"
    with open_firefox(profile) as tab:
        tab.goto(f"{address}/index.html")
        tab.wait_for("window.compare")
        tab.evaluate(f"void ({call}).then((found) => {{ window.found = found; }})")
        while not tab.evaluate("!!window.found"):
            pass
        found: dict[str, Any] = tab.evaluate("window.found")
        return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Medians of the rounds, and how many times faster int8 is: the median, the least and the most of the rounds."""
    ratios = sorted(one / other for one, other in zip(found["float"], found["int8"], strict=True))
    ms = {name: round(statistics.median(found[name]), 2) for name in ("float", "int8")}
    picked = (statistics.median(ratios), ratios[0], ratios[-1])
    return {"threads": found["threads"], "ms": ms, "int8_is_faster": [round(ratio, 2) for ratio in picked]}


if __name__ == "__main__":
    main()
