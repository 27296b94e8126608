"""Networks for other points: what stays the same, what is learned, and what a bundle of them does."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand
from PIL import Image as pillow

torch = pytest.importorskip("torch")

from knuckle.cli.app import cli  # noqa: E402
from knuckle.cli.train import train as train_command  # noqa: E402
from knuckle.datasets.hand_json import hand_to_json  # noqa: E402
from knuckle.datasets.labels import LabelledHand, Visibility  # noqa: E402
from knuckle.errors import InputError  # noqa: E402
from knuckle.geometry import apply  # noqa: E402
from knuckle.pipeline.hand import MCP_JOINTS  # noqa: E402
from knuckle.results import FINGERTIPS, HAND_POINTS, ExtraPoints, PointSet  # noqa: E402
from knuckle.results.point_set import NAMED  # noqa: E402
from knuckle.train.augment import crop_from_image  # noqa: E402
from knuckle.train.checkpoint import write_weights  # noqa: E402
from knuckle.train.hand.evaluator import crop_figures  # noqa: E402
from knuckle.train.hand.labels import labels_in_crop, region_of  # noqa: E402
from knuckle.train.hand.network import load_hand_network, points_of, start_hand_network  # noqa: E402
from knuckle.train.nets.hand_net import HandNet, HandNetShape  # noqa: E402

NAILS, NO_RING = NAMED["nails"], NAMED["without_ring"]
SIDE = 96
SHORT = [
    "--steps",
    "2",
    "--batch",
    "2",
    "--warmup",
    "1",
    "--precision",
    "float32",
    "--device",
    "cpu",
    "--patience",
    "0",
]


def answers(network: Any, seed: int = 0) -> dict[str, np.ndarray]:
    """The outputs for one picture, a row for each point."""
    torch.manual_seed(seed)
    with torch.no_grad():
        out = network.eval()(torch.rand(1, 3, network.side, network.side))
    by_point = ("landmarks", "world", "visibility", "log_sigma")
    count = out["visibility"].shape[1]
    return {name: values.reshape(count, -1).numpy() for name, values in out.items() if name in by_point}


@pytest.mark.parametrize("init", ["knuckle", "knuckle-fast"])
def test_a_network_with_new_points_gives_the_21_as_before_and_the_new_ones_start_as_their_parents(init: str) -> None:
    before, _ = start_hand_network(init, HandNetShape())
    after, config = start_hand_network(init, HandNetShape(), points=NAILS)
    assert points_of(config) == NAILS
    old, new = answers(before), answers(after)
    for name in old:
        np.testing.assert_allclose(new[name][:21], old[name], atol=1e-5)
        np.testing.assert_allclose(new[name][21:], old[name][list(FINGERTIPS)], atol=1e-5)


def test_points_that_are_left_out_leave_the_others_of_knuckle_as_they_were(tmp_path: Path) -> None:
    before, _ = start_hand_network("knuckle", HandNetShape())
    after, config = start_hand_network("knuckle", HandNetShape(), 160, points=NO_RING)
    assert after.side == 160 and points_of(config) == NO_RING
    same, _ = start_hand_network("knuckle", HandNetShape(), points=NO_RING)
    old, new = answers(before), answers(same)
    for name in old:
        np.testing.assert_allclose(new[name], old[name][NO_RING.standard], atol=1e-4)
    write_weights(after, {"task": "hand", **config}, tmp_path / "hand.pt")
    again, found = load_hand_network(tmp_path / "hand.pt")
    assert points_of(found) == NO_RING and answers(again)["landmarks"].shape == (18, 3)
    widened, _ = start_hand_network("knuckle", HandNetShape(), points=NAILS)
    write_weights(widened, {"task": "hand", "network": "knuckle", "points": NAILS.to_dict()}, tmp_path / "nails.pt")
    with pytest.raises(InputError):  # the configuration names another network than the weights
        load_hand_network(tmp_path / "nails.pt")


def labelled(gone: tuple[int, ...] = ()) -> tuple[Any, LabelledHand]:
    """A drawn photo and its hand, with nails beside the tips."""
    image, label = drawn_hand(np.random.default_rng(3), 320, 240)
    landmarks = np.column_stack([label.landmarks[:, :2], np.zeros(21)]).astype(np.float32)
    world = (landmarks / 1000).astype(np.float32)
    nails = landmarks[list(FINGERTIPS)] + np.float32([4, 0, 0])
    seen = np.full(21, Visibility.VISIBLE, np.uint8)
    for values in (landmarks, world):
        values[list(gone)] = np.nan
    seen[list(gone)] = Visibility.ABSENT
    extra = ExtraPoints(NAILS.extra_names, nails, nails / 1000, seen[:5], parents=NAILS.parents)
    return image, LabelledHand(landmarks=landmarks, world=world, handedness="Right", visibility=seen, extra=extra)


@pytest.mark.parametrize("points", [HAND_POINTS, NAILS, NO_RING], ids=lambda points: points.name)
@pytest.mark.parametrize("gone", [(), (10, 11, 12)])
def test_a_crop_teaches_the_points_of_the_set(points: PointSet, gone: tuple[int, ...]) -> None:
    _, hand = labelled(gone)
    roi = region_of(hand, MCP_JOINTS)
    affine = crop_from_image(roi, SIDE, mirrored=False)
    out = labels_in_crop(hand, roi, affine, SIDE, False, points)
    usual = labels_in_crop(hand, roi, affine, SIDE, False)
    own = len(points.standard)
    for name in ("landmarks", "landmark_weight", "z_weight", "visibility", "visibility_weight", "world_weight"):
        assert len(out[name]) == len(points) and np.array_equal(out[name][:own], usual[name][points.standard]), name
    assert out["palm_size"] == usual["palm_size"]
    if points.extra:
        expected = apply(affine, hand.extra.landmarks[:, :2].astype(np.float64))
        np.testing.assert_allclose(out["landmarks"][own:, :2], expected, atol=1e-4)
        bare = labels_in_crop(replace(hand, extra=None), roi, affine, SIDE, False, points)
        assert not bare["landmark_weight"][own:].any() and not bare["visibility_weight"][own:].any()
    for point in gone:  # where the point would be is unknown, and that it is never visible is known
        assert usual["landmark_weight"][point] == usual["world_weight"][point] == usual["visibility"][point] == 0
        assert usual["visibility_weight"][point] == 1


def test_figures_tell_the_21_from_the_others() -> None:
    _, hand = labelled()
    roi = region_of(hand, MCP_JOINTS)
    sample = labels_in_crop(hand, roi, crop_from_image(roi, SIDE, mirrored=False), SIDE, False, NAILS)
    out = {name: sample[name].copy() for name in ("landmarks", "world", "presence", "handedness", "visibility")}
    out["landmarks"][21:, 0] += 0.1 * sample["palm_size"]
    figures = crop_figures(out, sample, NAILS)
    assert figures["error"] == figures["tips"] == figures["world_mm"] == 0
    assert figures["extra"] == pytest.approx(10, rel=1e-4)
    assert "extra" not in crop_figures({k: v[:21] for k, v in out.items()}, {k: v[:21] for k, v in sample.items()})


def photos(folder: Path) -> Path:
    """Two photos with nails labelled, and one without a hand."""
    rows = []
    for number in range(3):
        image, hand = labelled()
        image = np.zeros_like(image) if number == 2 else image
        pillow.fromarray(image).save(folder / f"{number}.png")
        rows.append({"image": f"{number}.png", "hands": [] if number == 2 else [hand_to_json(hand)]})
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "labels.jsonl"


def test_only_the_new_points_of_knuckle_are_trained(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    labels = photos(tmp_path)
    run = ["hand", "--data", str(labels), "--check", str(labels), "--init", "knuckle", "--points", "nails", *SHORT]
    trained = CliRunner().invoke(train_command, [*run, "--rate", "0.01", "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output
    before, _ = start_hand_network("knuckle", HandNetShape(), points=NAILS)
    after, config = load_hand_network(tmp_path / "run" / "checkpoint.pt")
    assert config["part"] == "points" and points_of(config) == NAILS
    old, new = answers(before), answers(after)
    for name in old:
        assert np.array_equal(old[name][:21], new[name][:21]), name
    assert not np.array_equal(old["landmarks"][21:], new["landmarks"][21:])
    again = CliRunner().invoke(train_command, [*run[: -len(SHORT)], *SHORT, "--distill", "knuckle"])
    assert again.exit_code and "leave out --distill" in str(again.exception or again.output)


def test_a_bundle_of_a_new_network_tracks_with_its_points(tmp_path: Path) -> None:
    """Train, export, detect, and a table with the columns of the new points; a .task file is refused."""
    pytest.importorskip("litert_torch")
    torch.set_num_threads(1)
    labels = photos(tmp_path)
    shape = HandNetShape(side=64, stem=8, widths=(8, 8, 8, 8), depths=(0, 0, 0, 0), token=16, point_count=len(NAILS))
    config = {"task": "hand", "network": "knuckle", "shape": vars(shape), "points": NAILS.to_dict()}
    write_weights(HandNet(shape), config, tmp_path / "tiny.pt")
    run = ["hand", "--data", str(labels), "--init", str(tmp_path / "tiny.pt"), "--hold-out", "0", *SHORT]
    trained = CliRunner().invoke(train_command, [*run, "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output
    checkpoint = str(tmp_path / "run" / "checkpoint.pt")
    exported = CliRunner().invoke(cli, ["export", checkpoint, "--format", "fp32", "--out", str(tmp_path / "mine")])
    assert exported.exit_code == 0, exported.output
    assert json.loads((tmp_path / "mine" / "bundle.json").read_text())["points"] == NAILS.to_dict()
    table = tmp_path / "hands.csv"
    photo, low = str(tmp_path / "0.png"), ["--min-presence", "0.0"]
    tracked = CliRunner().invoke(cli, ["track", photo, "--models", str(tmp_path / "mine"), "--save", str(table), *low])
    assert tracked.exit_code == 0, tracked.output
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert rows and all(row["thumb_nail_x_px"] and row["pinky_nail_world_z_m"] for row in rows)
    refused = CliRunner().invoke(cli, ["export", checkpoint, "--out", str(tmp_path / "mine.task")])
    assert refused.exit_code and "the 26 of nails" in str(refused.exception or refused.output)
