"""The speed of landmark networks of several shapes, with random weights: `python benchmarks/shapes.py`.

They are timed alternately with MediaPipe's landmark network on the same engine: LiteRT, and LiteRT.js in Chromium.
The speed depends on the shape only. Needs `web/node_modules` (`make web`) and Chromium. Figures are written to
benchmarks/results/shapes.json; docs/make_tables.py makes a table of them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from networks import hand_session, in_turn, ratios
from torch import nn

from knuckle.models import catalogue
from knuckle.models.session import Session
from knuckle.train.export import export, sample_pictures
from knuckle.train.nets.hand_net import HandNet, HandNetShape
from knuckle.train.nets.layers import fold

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chromium import WEB, open_browser, serve_folders  # noqa: E402

RESULTS, SCRATCH = HERE / "results" / "shapes.json", HERE / "scratch" / "shapes"
REFERENCE = "mediapipe"
# Changes of the chosen shape: more pixels and fewer channels, more channels, more blocks.
SHAPES: dict[str, Mapping[str, Any]] = {
    "128 px (chosen)": {},
    "128 px, deeper": {"widths": (32, 64, 112, 160), "depths": (1, 2, 3, 1)},
    "128 px, wider": {"stem": 32, "widths": (40, 80, 160, 224)},
    "160 px": {"stem": 16, "widths": (24, 48, 112, 192), "depths": (1, 2, 2, 1)},
    "192 px": {"stem": 16, "widths": (24, 40, 96, 160)},
    "224 px": {"stem": 12, "widths": (16, 40, 80, 144)},
}
# Loads the networks and times one of them, on the CPU.
PAGE = """<!doctype html><meta charset="utf-8"><title>shapes</title>
<script type="importmap">{"imports": {"@litertjs/wasm-utils": "/packages/wasm-utils/dist/index.js"}}</script>
<script type="module">
import { loadAndCompile, loadLiteRt, Tensor } from "/packages/core/dist/index.js";
window.load = async (files, threads) => {
  await loadLiteRt("/packages/core/wasm/", { threads: true });
  window.models = {};
  for (const file of files)
    window.models[file] = await loadAndCompile(file, { accelerator: "wasm", cpuOptions: { numThreads: threads } });
};
window.round = async (file, runs) => {
  const model = window.models[file];
  const shape = model.getInputDetails()[0].shape;
  const picture = new Float32Array(shape.reduce((a, b) => a * b)).map(() => Math.random());
  let start = 0;
  for (let run = -1; run < runs; run++) {
    if (run === 0) start = performance.now();
    const input = new Tensor(picture, [...shape]);
    for (const out of await model.run([input])) { await out.data(); out.delete(); }
    input.delete();
  }
  return (performance.now() - start) / runs;
};
</script>"""


def main() -> None:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    rows, files = {}, {}
    for name, changes in SHAPES.items():
        side = int(name.split()[0])
        network = HandNet(HandNetShape(**{"side": side, **changes})).eval()
        files[name] = SCRATCH / f"{name.replace(' ', '_')}.tflite", side
        rows[name] = {"multiply_adds_m": multiply_adds(network) / 1e6}
        export(fold(network), files[name][0], "fp16", sample_pictures(side))

    def opened(name: str, threads: int) -> tuple[Session, int]:
        if name == REFERENCE:
            return hand_session(name, threads)
        path, side = files[name]
        return Session(path, threads), side

    time = in_turn([REFERENCE, *SHAPES], opened)
    for name, by_setting in in_browser({name: path for name, (path, _) in files.items()}).items():
        time[name] |= by_setting
    RESULTS.write_text(json.dumps({"time": time, "shapes": rows}, indent=1) + "\n")
    print(json.dumps({"time": time, "shapes": rows}, indent=1))


def in_browser(files: Mapping[str, Path], rounds: int = 20, runs: int = 10) -> dict[str, Any]:
    """The times of the same networks in Chromium, in the form of `in_turn`."""
    shutil.copyfile(catalogue.find(REFERENCE).hand_path, SCRATCH / "reference.tflite")
    names = {REFERENCE: "/files/reference.tflite", **{name: f"/files/{path.name}" for name, path in files.items()}}
    (SCRATCH / "index.html").write_text(PAGE)
    times: dict[str, Any] = {name: {} for name in names}
    folders = {"/packages/": WEB / "node_modules" / "@litertjs", "/files/": SCRATCH, "/": SCRATCH}
    with serve_folders(folders) as address:
        for threads in (1, 2):
            with open_browser() as browser:
                page = browser.new_page()
                page.goto(f"{address}/index.html")
                page.wait_for_function("() => !!window.round")
                page.evaluate("([files, threads]) => load(files, threads)", [list(names.values()), threads])
                measured: dict[str, list[float]] = {name: [] for name in names}
                for _ in range(rounds):
                    for name, file in names.items():
                        measured[name].append(page.evaluate("([file, runs]) => round(file, runs)", [file, runs]))
            for name, figures in ratios(measured).items():
                times[name][f"LiteRT.js, {threads} thread{'s' * (threads > 1)}"] = figures
    return times


def multiply_adds(network: HandNet) -> float:
    """Multiply-adds of one crop in convolutions and matrices."""
    counted: list[float] = []

    def count(module: nn.Module, _: Any, out: torch.Tensor) -> None:
        if isinstance(module, nn.Linear):
            counted.append(out.numel() * module.in_features)
        elif isinstance(module, nn.Conv2d):
            counted.append(out.numel() * module.weight[0].numel())

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network(torch.zeros(1, 3, network.side, network.side))
    for hook in hooks:
        hook.remove()
    return sum(counted)


if __name__ == "__main__":
    main()
