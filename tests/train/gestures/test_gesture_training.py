"""Posed hands as landmarks, the network that learns them, its calibration and its judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from posed import posed_hand

from knuckle.errors import InputError
from knuckle.gestures.network import OTHER, as_json, network_from
from knuckle.gestures.recogniser import GestureSet, load_gestures
from knuckle.results import Hand, Roi
from knuckle.train.gestures.fit import Examples, calibrated, fit
from knuckle.train.gestures.judge import judge
from knuckle.train.gestures.photos import PhotoHands, hands_of_photos, read_labels
from knuckle.train.gestures.poses import POSES, as_read, random_rows
from knuckle.train.gestures.shapes import SHAPES


@pytest.fixture(scope="module")
def hands() -> PhotoHands:
    rows = random_rows(60, 4, np.random.default_rng(1))
    labels = np.array(SHAPES)[rows.shapes]
    return PhotoHands(np.array(["posed"] * len(labels)), rows.landmarks, rows.world, rows.left, labels)


def test_every_shape_has_poses_and_the_network_knows_all_shapes() -> None:
    assert set(POSES) | {OTHER} == set(SHAPES) and len(set(SHAPES)) == len(SHAPES)
    assert load_gestures().network.shapes == SHAPES


def test_the_released_network_recognises_posed_hands(hands: PhotoHands) -> None:
    network, examples = load_gestures().network, hands.examples()
    best = network(examples.features)[1].argmax(axis=1)
    assert (best == examples.allowed.argmax(axis=1)).mean() > 0.8


def test_some_rings_touch_in_the_picture_and_part_in_depth() -> None:
    ring = np.repeat(posed_hand("ok").world[None].astype(np.float64), 400, axis=0)
    landmarks, world = as_read(ring, np.random.default_rng(2))
    pixels = landmarks[:, :, :2]
    touch = np.linalg.norm(pixels[:, 4] - pixels[:, 8], axis=1) < 30  # of 100 pixels of a palm
    parted = np.linalg.norm(world[:, 4] - world[:, 8], axis=1) > 0.5 * np.linalg.norm(world[:, 9] - world[:, 0], axis=1)
    assert 0.03 < (touch & parted).mean() < 0.4  # as photos of large rings are read


def test_rows_are_those_of_a_seed() -> None:
    one, other = (random_rows(3, 2, np.random.default_rng(4)) for _ in range(2))
    assert (one.landmarks == other.landmarks).all() and (one.shapes == other.shapes).all()
    assert one.landmarks.shape == (6, 21, 3) and np.isfinite(one.world).all()
    assert (one.landmarks != random_rows(3, 2, np.random.default_rng(5)).landmarks).any()


def test_a_network_learns_is_stored_and_is_calibrated(hands: PhotoHands) -> None:
    examples, losses = hands.examples(), list[float]()
    network = fit(examples, examples, 150, 0, lambda step, loss: losses.append(loss))
    assert len(losses) == 150 and np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    again = network_from(json.loads(json.dumps(as_json(network))))
    for one, other in zip(network(examples.features), again(examples.features), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    wrong = Examples(examples.features, np.roll(examples.allowed, 7, axis=0))
    assert calibrated(network, examples).temperature < calibrated(network, wrong).temperature


def test_a_label_may_allow_several_shapes() -> None:
    examples = Examples.of(np.zeros((2, 125), np.float32), ["fist|asl_A", "two"])
    assert examples.allowed.sum(axis=1).tolist() == [2, 1] and examples.allowed[1, SHAPES.index("two")] == 1


def test_the_judge_counts_what_was_said(hands: PhotoHands) -> None:
    network, gestures = load_gestures("mediapipe").network, load_gestures("mediapipe").gestures
    assert isinstance(gestures, GestureSet)
    judged = judge(network, gestures, hands)
    assert 0 < judged.confusion.sum() <= len(hands.labels) and 0 <= judged.calibration_error < 0.5
    swapped = np.where(hands.labels == "fist", "open", np.where(hands.labels == "open", "fist", hands.labels))
    worse = judge(network, gestures, PhotoHands(hands.sources, hands.landmarks, hands.world, hands.left, swapped))
    assert worse.accuracies().get("Closed_Fist", 0) < judged.accuracies()["Closed_Fist"]


def test_labels_go_to_the_hand_that_holds_their_place(tmp_path: Path) -> None:
    def hand(x: float) -> Hand:
        points = np.random.default_rng(0).normal(x, 10, (21, 3)).astype(np.float32)
        return Hand(points, points, "Left", 0.9, 0.9, Roi(x, x, 50))

    path = tmp_path / "labels.csv"
    path.write_text("source,image,x,y,shapes\nhome,1.jpg,100,100,two\nhome,1.jpg,300,300,fist\nhome,2.jpg,9,9,two\n")
    seen = hands_of_photos(read_labels(path), tmp_path, lambda photo: [hand(300), hand(100)])
    assert seen.labels.tolist() == ["two", "fist"]
    assert abs(seen.landmarks[0].mean() - 100) < 10 and seen.sources.tolist() == ["home", "home"]
    seen.save(tmp_path / "hands.npz")
    assert PhotoHands.load(tmp_path / "hands.npz").of_sources(["home"]).labels.tolist() == ["two", "fist"]
    path.write_text("source,image\n")
    with pytest.raises(InputError, match="needs the columns source, image, x, y, shapes"):
        read_labels(path)
