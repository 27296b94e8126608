"""The worked example of docs/points.md, measured: nails learned from renders, and hands with a finger less.

    python benchmarks/points.py FOLDER [--renders 800] [--steps 150]

It renders, trains and exports into FOLDER, leaves out what is there already, and writes results/points.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from knuckle.datasets.labels import Visibility
from knuckle.metrics import auroc
from knuckle.results import HAND_POINTS, PointSet, point_set_of
from knuckle.train.hand.data import plain_sample, read_source
from knuckle.train.hand.evaluator import crop_figures
from knuckle.train.hand.network import load_hand_network, points_of, start_hand_network
from knuckle.train.nets.hand_net import HandNetShape

RESULT = Path(__file__).resolve().parent / "results" / "points.json"
RENDER = ("--side", "320", "--margin", "1.4")
LACKING = ("--missing", "any", "--missing-share", "0.6")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--renders", type=int, default=800)
    parser.add_argument("--steps", type=int, default=150)
    given = parser.parse_args()
    torch.set_num_threads(1)
    make(given.folder, given.renders, given.steps)
    found = {"renders": given.renders, "steps": given.steps, "nails": nails(given.folder)}
    found |= {"missing": missing(given.folder / "missing_check"), "parameters": parameters()}
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def make(folder: Path, renders: int, steps: int) -> None:
    """Render, train and export, as docs/points.md does."""
    sets = {"nails_train": (11, renders, ("--points", "nails")), "nails_check": (12, 150, ("--points", "nails"))}
    for name, (seed, count, more) in (sets | {"missing_check": (14, 120, LACKING)}).items():
        if not (folder / name).exists():
            command("synth", "hands", folder / name, "--count", count, "--seed", seed, *RENDER, *more)
    run = folder / "runs" / "nails"
    if not run.exists():
        data = ("--data", folder / "nails_train", "--check", folder / "nails_check", "--steps", steps, "--batch", 16)
        every = ("--warmup", 10, "--evaluate-every", steps, "--patience", 0)
        command("train", "hand", "--points", "nails", "--init", "knuckle", *data, *every, "--out", run)
    if not (folder / "nails").exists():
        command("export", run / "checkpoint.pt", "--format", "fp16", "--out", folder / "nails")


def command(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "knuckle", *map(str, words)], check=True)


def nails(folder: Path) -> dict[str, Any]:
    """Median errors on held-out renders, % of the palm size, before and after the training."""
    source = str(folder / "nails_check")
    before, _ = start_hand_network("knuckle", HandNetShape(), points=point_set_of("nails"))
    after, config = load_hand_network(folder / "runs" / "nails" / "checkpoint.pt")
    points = points_of(config)
    return {"hands": len(samples(source, points, before.side))} | {
        name: errors(network, samples(source, points, network.side), points)  # type: ignore[arg-type]
        for name, network in (("before", before), ("after", after))
    }


def samples(source: str, points: PointSet, side: Any) -> list[dict[str, Any]]:
    """The crops of a dataset that show a hand, as the tracker would cut them."""
    shots = [shot for shot in read_source(source).shots if shot.hands]
    return [plain_sample(shot, int(side), np.random.default_rng(0), points) for shot in shots]


def errors(network: torch.nn.Module, crops: list[dict[str, Any]], points: PointSet) -> dict[str, float]:
    """Medians over the crops: of the 21, of fingertips, of all points beyond the 21, and of each of these.

    "offset" is the error of the way from a fingertip to its nail, in which errors of the fingertip itself do not count.
    """
    rows = []
    for sample in crops:
        out = answer(network, sample)
        row = crop_figures(out, sample, points)
        away = np.hypot(*(out["landmarks"].reshape(-1, 3)[:, :2] - sample["landmarks"][:, :2]).T)
        away = np.where(sample["landmark_weight"] > 0, 100 * away / sample["palm_size"], np.nan)
        own, tips = len(points.standard), list(points.tips)
        seen, true = out["landmarks"].reshape(-1, 3)[:, :2], sample["landmarks"][:, :2]
        ways = np.hypot(*((seen[own:] - seen[tips]) - (true[own:] - true[tips])).T)
        both = (sample["landmark_weight"][own:] > 0) & (sample["landmark_weight"][tips] > 0)
        offset = 100 * float(ways[both].mean() / sample["palm_size"][0]) if both.any() else np.nan
        rows.append(row | {"offset": offset} | dict(zip(points.names, away, strict=True)))
    chosen = ("error", "tips", "extra", "offset", *points.extra_names)
    return {name: round(float(np.nanmedian([row[name] for row in rows])), 2) for name in chosen}


def answer(network: torch.nn.Module, sample: dict[str, Any]) -> dict[str, Any]:
    picture = torch.from_numpy(sample["picture"])[None].float() / 255
    with torch.no_grad():
        return {name: values[0].numpy() for name, values in network.eval()(picture).items()}


def missing(folder: Path) -> dict[str, Any]:
    """What `knuckle` says about hands that lack a finger: errors of the points that are there, visibility of all."""
    network, _ = start_hand_network("knuckle", HandNetShape())
    shots = [shot for shot in read_source(str(folder)).shots if shot.hands]
    shown: dict[str, list[float]] = {"visible": [], "absent": [], "error": [], "error_whole": []}
    for shot in shots:
        sample = plain_sample(shot, int(network.side), np.random.default_rng(0))  # type: ignore[arg-type]
        out, codes = answer(network, sample), shot.hands[0].visibility
        lacks = codes is not None and (codes == Visibility.ABSENT).any()
        shown["error" if lacks else "error_whole"].append(crop_figures(out, sample, HAND_POINTS)["error"])
        if codes is not None and lacks:
            shown["visible"] += out["visibility"][codes == Visibility.VISIBLE].tolist()
            shown["absent"] += out["visibility"][codes == Visibility.ABSENT].tolist()
    scores = np.array(shown["visible"] + shown["absent"])
    real = np.arange(len(scores)) < len(shown["visible"])
    medians = {name: round(float(np.nanmedian(values)), 2) for name, values in shown.items()}
    lacking = len(shown["error"])
    return medians | {"auroc": round(auroc(scores, real), 3), "hands": lacking, "whole": len(shots) - lacking}


def parameters() -> dict[str, int]:
    """Parameters of `knuckle`, and how many the layers of the nails add."""
    network, _ = start_hand_network("knuckle", HandNetShape(), points=point_set_of("nails"))
    further = sum(one.numel() for name, one in network.named_parameters() if name.startswith("further."))
    return {"usual": sum(one.numel() for one in network.parameters()) - further, "added": further}


if __name__ == "__main__":
    main()
