"""How long landmark networks of several shapes take, before anything is trained: `python benchmarks/shapes.py`.

Each is exported with random weights and run in turn with `mediapipe`'s landmark network on the same engine; times
depend on shape alone. Figures go to benchmarks/results/shapes.json, docs/make_tables.py makes a table of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from networks import hand_session, in_turn
from torch import nn

from knuckle.runtime import Session
from knuckle.train.export import export, sample_pictures
from knuckle.train.nets.hand_net import HandNet, HandNetShape, fold

HERE = Path(__file__).resolve().parent
RESULTS, SCRATCH = HERE / "results" / "shapes.json", HERE / "scratch" / "shapes"
REFERENCE = "mediapipe"
# From the chosen one: more pixels for fewer channels, more channels, more blocks.
SHAPES: dict[str, Mapping[str, Any]] = {
    "128 px (chosen)": {},
    "128 px, deeper": {"widths": (32, 64, 112, 160), "depths": (1, 2, 3, 1)},
    "128 px, wider": {"stem": 32, "widths": (40, 80, 160, 224)},
    "160 px": {"stem": 16, "widths": (24, 48, 112, 192), "depths": (1, 2, 2, 1)},
    "192 px": {"stem": 16, "widths": (24, 40, 96, 160)},
    "224 px": {"stem": 12, "widths": (16, 40, 80, 144)},
}


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
    RESULTS.write_text(json.dumps({"time": time, "shapes": rows}, indent=1) + "\n")
    print(json.dumps({"time": time, "shapes": rows}, indent=1))


def multiply_adds(network: HandNet) -> float:
    """Of one crop, in convolutions and matrices."""
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
