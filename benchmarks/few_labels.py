"""Sixty labelled photos of one source: how far the error falls on other photos of it.

The photos are those of ti1k (first-person pinches), whose makers marked the tips of thumb and index finger. Sixty
photos are labelled as a careful person would with `knuckle label`: the marked tips, and for the other points the median
of twelve views of MediaPipe's full network. `knuckle train hand --data labels.jsonl --init knuckle` does the rest with
its defaults. The error is measured on the other forty photos, which neither training nor early stopping has seen, on
the crops that a tracker would cut, and only at the tips that people marked. Neighbouring photos stay on one side.

`--photos` is the developers' folder of photos. Writes results/few_labels.json, which `docs/make_tables.py` puts into
docs/label.md.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import click
import numpy as np
import torch

from knuckle.datasets import open_image, read_dataset
from knuckle.datasets.developer_sets import ti1k_group
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.metrics import palm_size
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.networks import load
from knuckle.pipeline.options import TrackerOptions
from knuckle.results import FloatArray, Roi
from knuckle.train.autolabel.agreement import Agreement, read_with_agreement
from knuckle.train.hand.data import plain_sample
from knuckle.train.hand.network import load_hand_network, start_hand_network
from knuckle.train.label_file import open_label_file
from knuckle.train.nets.hand_net import HandNetShape

RESULT = Path(__file__).parent / "results" / "few_labels.json"
TIPS = [4, 8]  # thumb and index finger
LABELLED, SIDE = 60, 224
ANY_AGREEMENT = Agreement(views=6, typical=1.0, worst=9.0, one_handedness=False)


@click.command()
@click.option("--photos", type=click.Path(path_type=Path), required=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For labels and the run.")
@click.option("--set", "flags", multiple=True, help="More flags of `knuckle train hand`, as --set steps=100.")
def main(photos: Path, folder: Path, flags: tuple[str, ...]) -> None:
    """Label sixty photos, train, and measure on the others."""
    shots = read_dataset(photos / "index.jsonl", split="ti1k").shots
    group = {shot.source: ti1k_group(Path(shot.source).name) for shot in shots}
    order = sorted(shots, key=lambda shot: (zlib.crc32(group[shot.source].encode()), shot.source))
    labelled, others = order[:LABELLED], order[LABELLED:]
    labels = {shot.source: label_of(shot) for shot in shots}
    with open_label_file(folder, "labels") as file:
        for shot in labelled:
            height, width = open_image(shot.source).shape[:2]
            hand = labels[shot.source]
            file.write_row(shot.source, (width, height), [hand], group=group[shot.source], labelled_by="people")
    began = time.monotonic()
    command = [sys.executable, "-m", "knuckle.cli", "train", "hand", "--data", str(folder / "labels.jsonl")]
    command += ["--init", "knuckle", "--out", str(folder / "run"), "--device", "cpu"]
    command += [part for flag in flags for part in ("--" + flag.replace("=", " ")).split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    click.echo(done.stdout)
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
        "minutes": round((time.monotonic() - began) / 60, 1),
        "steps": int(checks[-1]["step"]),
        **{f"{name}_median": round(float(np.median(found)), 2) for name, found in errors.items()},
        **{f"{name}_mean": round(float(found.mean()), 2) for name, found in errors.items()},
        "better": int((errors["after"] < errors["before"]).sum()),
        "tips": int(errors["after"].size),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    click.echo(json.dumps(result, indent=2))


def label_of(shot: Shot) -> LabelledHand:
    """The hand of a photo as a careful person would label it."""
    image, true = open_image(shot.source), (shot.hands or ())[0]
    assert true.box is not None and true.landmarks is not None
    networks = load("mediapipe", precision="float")
    landmarker: HandLandmarker = networks.hand_landmarker(TrackerOptions(min_presence=0.1))
    hands = [read_with_agreement(image, roi, landmarker, ANY_AGREEMENT) for roi in regions(true.box)]
    found = [hand for hand in hands if hand is not None]
    assert found, f"no view of {shot.source} shows the hand"
    hand = min(found, key=lambda one: np.linalg.norm(one.landmarks[TIPS, :2] - true.landmarks[TIPS], axis=1).sum())
    points = hand.landmarks.copy()
    points[TIPS, :2] = true.landmarks[TIPS]
    return LabelledHand(landmarks=points, handedness=hand.handedness or None)


def regions(box: FloatArray) -> list[Roi]:
    """Regions around a box in four directions."""
    return [Roi.around(box.tolist(), angle) for angle in np.arange(4) * np.pi / 2]


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
