"""The ablations of docs/training_log.md: the effect of data, head, decoder, loss and teacher, all else equal.

    python benchmarks/ablations.py data heads teacher --real REAL.jsonl --renders RENDERS/ \\
        --check photos=REAL.jsonl@held_out --check renders=HELD_OUT/ --steps 1500
    python benchmarks/ablations.py palm palm_teacher --real PALMS.jsonl --renders SCENES/ \\
        --check scenes=HELD_OUT/ --steps 1500

Every row trains our network from random weights with the same seed, steps, batch and augmentation. Its averaged weights
are evaluated on the same pictures. Figures are written to benchmarks/results/ablations.json, one entry per comparison;
docs/make_tables.py makes the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.metrics import precision_recall
from knuckle.train import loop
from knuckle.train.hand import data as hand_data
from knuckle.train.hand.evaluator import HandEvaluator
from knuckle.train.hand.network import load_hand_network
from knuckle.train.hand.task import HandTask
from knuckle.train.loop import LoopOptions
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.palm_net import PalmNetShape
from knuckle.train.palm import data as palm_data
from knuckle.train.palm.evaluator import PalmEvaluator, palm_figures
from knuckle.train.palm.network import grid_of, load_palm_network
from knuckle.train.palm.task import PalmTask
from knuckle.train.task import TrainingTask

HERE = Path(__file__).resolve().parent
RESULTS, SCRATCH = HERE / "results" / "ablations.json", HERE / "scratch" / "ablations"


@dataclass(frozen=True)
class Row:
    """One trained network of a comparison: its data, and the changes of the network's shape and of the task."""

    name: str
    data: str = "both"
    shape: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


COMPARISONS = {
    "data": [Row("real photos only", "real"), Row("renders only", "renders"), Row("both")],
    "heads": [
        Row("direct regression", shape={"head": "direct"}),
        Row("soft-argmax of a heatmap", shape={"head": "heatmap"}),
        Row("distributions over bins (SimCC)"),
    ],
    "palm": [
        Row("no decoder, cross entropy", shape={"decoder": False}, options={"score_loss": "cross-entropy"}),
        Row("decoder, cross entropy", options={"score_loss": "cross-entropy"}),
        Row("decoder, focal loss"),
    ],
    "teacher": [Row("labels"), Row("labels and the teacher's features", options={"teacher": "mediapipe"})],
    "palm_teacher": [Row("labels"), Row("labels and the teacher's features", options={"teacher": "mediapipe"})],
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("comparisons", nargs="+", choices=list(COMPARISONS))
    options.add_argument("--real", required=True, help="labelled photos, as --data of knuckle train takes them")
    options.add_argument("--renders", required=True, help="renders, likewise")
    options.add_argument("--check", action="append", required=True, type=named, help="NAME=PATH to judge on")
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--rate", type=float, default=2e-3)
    chosen = options.parse_args()
    loop_options = LoopOptions(steps=chosen.steps, batch=chosen.batch, rate=chosen.rate, warmup=chosen.steps // 10)
    for name in chosen.comparisons:
        rows: list[dict[str, Any]] = []
        for row in COMPARISONS[name]:
            data = {"real": [chosen.real], "renders": [chosen.renders], "both": [chosen.real, chosen.renders]}[row.data]
            kind = "-".join(map(str, (*row.shape.values(), *row.options.values()))).replace(" ", "") or "default"
            palm = name.startswith("palm")
            folder = SCRATCH / ("palm" if palm else "hand") / f"{row.data}-{kind}-{chosen.steps}"
            row_figures = trained(palm, row, data, dict(chosen.check), loop_options, folder)
            rows.append({"name": row.name, **row_figures})
            print(json.dumps(rows[-1]), flush=True)
        keep(name, {"steps": chosen.steps, "batch": chosen.batch, "rate": chosen.rate, "rows": rows})


def named(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    return name, path


def trained(
    palm: bool, row: Row, data: Sequence[str], checks: Mapping[str, str], options: LoopOptions, folder: Path
) -> dict[str, Any]:
    """Train one row, or resume its training, and evaluate it on every check."""
    task: TrainingTask
    evaluate: Callable[[str, Any], Any]
    choices: dict[str, Any] = {"init": "new", "data": tuple(data), "loop": options, **row.options}
    if palm:
        task = PalmTask(shape=PalmNetShape(**row.shape), **choices)
        load, evaluate = load_palm_network, evaluate_palms
    else:
        task = HandTask(shape=HandNetShape(**{"side": 128, **row.shape}), **choices)
        load, evaluate = load_hand_network, evaluate_hands
    started = time.monotonic()
    loop.train(task.job(), options, folder, lambda step, figures: None)
    seconds = time.monotonic() - started
    network, _ = load(folder / "checkpoint.pt")
    parameters = sum(p.numel() for p in network.parameters())
    figures = {name: evaluate(path, network) for name, path in checks.items()}
    return {"parameters": parameters, "seconds": round(seconds, 1), "figures": figures}


def evaluate_hands(check: str, network: Any) -> dict[str, float]:
    return HandEvaluator(hand_data.read_source(check).shots, network.side)(network)


def evaluate_palms(check: str, network: Any) -> dict[str, Any]:
    """Figures, and the precision at each whole percent of recall."""
    matches = PalmEvaluator(palm_data.read_source(check).shots, grid_of(network)).matches(network)
    recall, precision, _ = precision_recall(matches.scores, matches.hits, len(matches.truths))
    curve = {f"{r:.2f}": float(precision[recall >= r].max()) for r in np.arange(0, 1.005, 0.01) if (recall >= r).any()}
    return {**palm_figures(matches), "curve": curve}


def keep(name: str, entry: Mapping[str, Any]) -> None:
    """Add the figures of a comparison to the file; null where nothing is labelled."""
    there = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(without_nan(there | {name: entry}), indent=1) + "\n")


def without_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by None."""
    if isinstance(value, Mapping):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


if __name__ == "__main__":
    main()
