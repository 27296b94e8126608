"""Sixty labelled photos of one source: how far the error falls on other photos of it.

The photos are those of ti1k (first-person pinches), whose makers marked the tips of thumb and index finger. Sixty
photos are labelled as with `knuckle label`: the points are knuckle's own, and these two tips lie where the makers put
them. Then
`knuckle train hand --data labels.jsonl --init knuckle` runs with its defaults. The error is measured on the other forty
photos, which neither training nor early stopping has seen, on the crops that the tracker cuts, and only at the tips
that people marked. Groups of ten neighbouring photos stay on one side, except for one that the number of sixty cuts.

`--photos` is the developers' folder of photos. The same command goes on where an ended run stopped. Writes
results/few_labels.json, whose figures `docs/make_label.py` puts into docs/label.md.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from knuckle.datasets import open_image, read_dataset
from knuckle.datasets.developer_sets import ti1k_group
from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.label.propose import add_hand
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import roi_from_landmarks
from knuckle.pipeline.networks import load
from knuckle.results import FloatArray
from knuckle.train.hand.data import plain_sample
from knuckle.train.hand.network import load_hand_network, start_hand_network
from knuckle.train.label_file import open_label_file
from knuckle.train.nets.hand_net import HandNetShape

RESULT = Path(__file__).parent / "results" / "few_labels.json"
TIPS = [4, 8]  # thumb and index finger
LABELLED, SIDE = 60, 224


@click.command()
@click.option("--photos", type=click.Path(path_type=Path), required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For labels and the run.")
@click.option("--minutes", default=25.0, show_default=True, help="Of training, at most.")
@click.option("--set", "flags", multiple=True, help="More flags of `knuckle train hand`, as --set steps=100.")
def main(photos: Path, folder: Path, minutes: float, flags: tuple[str, ...]) -> None:
    """Label sixty photos, train, and measure on the others."""
    shots = read_dataset(photos / "index.jsonl", split="ti1k").shots
    group = {shot.source: ti1k_group(Path(shot.source).name) for shot in shots}
    order = sorted(shots, key=lambda shot: (zlib.crc32(group[shot.source].encode()), shot.source))
    labelled, others = order[:LABELLED], order[LABELLED:]
    labels = {shot.source: label_of(shot) for shot in shots}
    if not (folder / "run").exists():  # the same labels, also by their time, resume the run
        with open_label_file(folder, "labels") as file:
            for shot in labelled:
                height, width = open_image(shot.source).shape[:2]
                hand = labels[shot.source]
                file.write_row(shot.source, (width, height), [hand], group=group[shot.source], labelled_by="people")
    began = time.monotonic()
    command = [sys.executable, "-m", "knuckle.cli", "train", "hand", "--data", str(folder / "labels.jsonl")]
    command += ["--init", "knuckle", "--out", str(folder / "run"), "--device", "cpu", "--minutes", str(minutes)]
    command += [part for flag in flags for part in ("--" + flag.replace("=", " ")).split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    click.echo(done.stdout)
    with (folder / "minutes.txt").open("a") as log:
        log.write(f"{(time.monotonic() - began) / 60}\n")
    before, _ = start_hand_network("knuckle", HandNetShape())
    after, _ = load_hand_network(folder / "run" / "checkpoint.pt")
    errors = {name: tip_errors(net, others, labels) for name, net in (("before", before), ("after", after))}
    promised = re.search(r"about ([\d.]+ \w+)", done.stdout)
    with (folder / "run" / "evaluate.csv").open() as log:
        checks = list(csv.DictReader(log))
    result = {
        "labelled": len(labelled),
        "others": len(others),
        "promised": promised.group(1) if promised else "",
        "minutes": round(sum(map(float, (folder / "minutes.txt").read_text().split())), 1),
        "steps": int(checks[-1]["step"]),
        "best_step": int(min(checks, key=lambda row: float(row["error"]))["step"]),
        **{f"{name}_median": round(float(np.median(found)), 2) for name, found in errors.items()},
        **{f"{name}_mean": round(float(found.mean()), 2) for name, found in errors.items()},
        "better": int((errors["after"] < errors["before"]).sum()),
        "tips": int(errors["after"].size),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    click.echo(json.dumps(result, indent=2))


def label_of(shot: Shot) -> LabelledHand:
    """The hand of a photo as `knuckle label` saves it after a person has moved the two tips."""
    true = (shot.hands or ())[0]
    assert true.box is not None and true.landmarks is not None
    proposed, _ = add_hand(open_image(shot.source), load("knuckle", precision="float"), true.box)
    hand = hand_from_json(proposed)
    assert hand.landmarks is not None
    points = hand.landmarks.copy()
    points[TIPS, :2] = true.landmarks[TIPS]
    return replace(hand, landmarks=points, world=None, corrected=np.isin(np.arange(21), TIPS))


def tip_errors(network: torch.nn.Module, shots: list[Shot], labels: dict[str, LabelledHand]) -> FloatArray:
    """(photos, 2) distances of the tips from where people marked them, % of the palm size."""
    rows = []
    for number, shot in enumerate(shots):
        hand = labels[shot.source]
        labelled = Shot(shot.source, size=shot.size, hands=(hand,))
        sample = plain_sample(labelled, SIDE, np.random.default_rng((0, number)))
        with torch.no_grad():
            out = network(torch.from_numpy(sample["picture"])[None].float() / 255)
        seen = out["landmarks"].reshape(21, 3)[TIPS, :2].numpy()
        away = np.linalg.norm(seen - sample["landmarks"][TIPS, :2], axis=1)
        assert hand.landmarks is not None
        pixels = float(palm_size(hand.landmarks)) * SIDE / roi_from_landmarks(hand.landmarks[:, :2]).size
        rows.append(100 * away / pixels)
    return np.array(rows)


if __name__ == "__main__":
    main()
