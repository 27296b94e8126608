"""Targets of anchors: the decoder of the pipeline reads back the labelled palms."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from knuckle.media.sources import load_image  # noqa: E402
from knuckle.metrics import iou_matrix  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.models.session import Session  # noqa: E402
from knuckle.pipeline.palm import PalmDetector, PalmModel, anchors  # noqa: E402
from knuckle.results import Palm  # noqa: E402
from knuckle.testing import FakeNetwork  # noqa: E402
from knuckle.train.nets import palm_net, reference_palm  # noqa: E402
from knuckle.train.palm.targets import AnchorGrid, AnchorTargets, targets  # noqa: E402

SIDE = 192
OURS = AnchorGrid(SIDE, palm_net.STRIDES, palm_net.SPANS)
LARGE = AnchorGrid(320, palm_net.STRIDES, palm_net.SPANS)
THEIRS = AnchorGrid(SIDE, reference_palm.STRIDES, reference_palm.SPANS)
NONE = np.zeros((0, 4))


def square(x: float, y: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(int(1000 * x + y))
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
    return box, rng.uniform([x - size / 2, y - size / 2], [x + size / 2, y + size / 2], (7, 2))


def of(palms: list[tuple[float, float, float]], grid: AnchorGrid, unsure: np.ndarray = NONE) -> AnchorTargets:
    squares = [square(*palm) for palm in palms]
    boxes, points = np.array([s[0] for s in squares]), np.array([s[1] for s in squares])
    return targets(boxes.reshape(-1, 4), points.reshape(-1, 7, 2), unsure, grid)


def read_back(said: AnchorTargets, grid: AnchorGrid) -> list[Palm]:
    logits = np.where(said.score > 0, 8.0, -8.0)[:, None].astype(np.float32)
    network = FakeNetwork(grid.side, {"boxes": [said.values], "scores": [logits]})
    detector = PalmDetector(network, PalmModel(grid.strides, "boxes", "scores"))
    palms: list[Palm] = detector.graph()(np.zeros((grid.side, grid.side, 3), np.uint8))
    return palms


PLACE = st.floats(0.05, 0.95)
SIZE = st.floats(np.log(0.018), np.log(0.6)).map(np.exp)


@pytest.mark.parametrize("grid", [OURS, LARGE, THEIRS], ids=["ours", "320 px", "reference"])
@settings(max_examples=60)
@given(palms=st.lists(st.tuples(PLACE, PLACE, SIZE), min_size=1, max_size=6))
def test_decoded_targets_equal_the_palms(grid: AnchorGrid, palms: list[tuple[float, float, float]]) -> None:
    """All palms that suppression does not take for one another come back, and nothing else."""
    scaled = [(grid.side * x, grid.side * y, grid.side * size) for x, y, size in palms]
    boxes = np.array([square(*palm)[0] for palm in scaled])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    if any(np.abs(middles[i] - middles[j]).max() < 16 for i, j in combinations(range(len(boxes)), 2)):
        return  # one cell has one anchor
    alike = iou_matrix(boxes, boxes)
    if (alike[~np.eye(len(boxes), dtype=bool)] > 0.25).any():
        return
    found = read_back(of(scaled, grid), grid)
    assert len(found) == len(scaled)
    for palm in scaled:
        box, points = square(*palm)
        nearest = min(found, key=lambda each: float(np.abs(each.box - box).max()))
        np.testing.assert_allclose(nearest.box, box, atol=2e-3)
        np.testing.assert_allclose(nearest.keypoints, points, atol=2e-3)


def test_every_palm_has_an_anchor_even_if_palms_overlap() -> None:
    said = of([(80, 80, 30), (86, 82, 30), (20, 150, 4)], OURS)
    taken = said.score > 0
    assert len({tuple(np.round(row[4:6] - row[:2], 2)) for row in said.values[taken]}) == 3
    crowd = of([(100, 100, 20), (101, 100, 9), (99, 101, 8)], OURS)
    assert set(np.round(crowd.unit[crowd.score > 0]).tolist()) == {20.0, 9.0, 8.0}


def test_large_palms_do_not_outweigh_small_ones() -> None:
    said = of([(60, 60, 100), (170, 170, 5)], OURS)
    large, small = (said.weight[said.unit == unit] for unit in (100, 5))
    assert len(large) > 8 and len(small) == 1 and small[0] == 1
    assert large.sum() == pytest.approx(np.sqrt(len(large)), rel=1e-5)


def test_without_palms_all_is_background_except_ignored_regions() -> None:
    empty = of([], OURS)
    assert empty.score.sum() == 0 and empty.weight.all()
    unsure = of([], OURS, np.array([[0.0, 0, 96, 192]]))
    assert abs(unsure.weight.mean() - 0.5) < 0.01
    both = of([(48, 48, 20)], OURS, np.array([[0.0, 0, 96, 192]]))
    assert (both.score * both.weight).sum() > 0


def bags(boxes: list[list[float]], palms: list[tuple[float, float, float]] = []) -> AnchorTargets:  # noqa: B006
    squares = [square(*palm) for palm in palms]
    points = np.array([s[1] for s in squares]).reshape(-1, 7, 2)
    return targets(np.array([s[0] for s in squares]).reshape(-1, 4), points, NONE, OURS, np.array(boxes))


def test_the_anchors_inside_a_box_without_landmarks_are_a_bag() -> None:
    """They lie in its middle and fit its size; nothing there is background; the smaller of two boxes comes first."""
    centres = anchors(SIDE, palm_net.STRIDES)
    said = bags([[20, 20, 180, 180], [93, 93, 117, 117]])
    inside = ((centres >= 20) & (centres <= 180)).all(axis=1)
    assert not said.score.any() and not said.weight[inside].any() and said.weight[~inside].all()
    for number, (middle, longer) in enumerate([(100, 160), (105, 24)], 1):
        away = np.abs(centres[said.bag == number] - middle).max(axis=1)
        assert len(away) and (away <= 0.35 * longer).all()
    assert said.bag[np.abs(centres[: 24 * 24] - 105).sum(axis=1).argmin()] == 2
    strides = {number: {8 if k < 24 * 24 else 16 for k in np.flatnonzero(said.bag == number)} for number in (1, 2)}
    assert strides == {1: {16}, 2: {8}}


def test_labelled_palms_take_their_anchors_from_bags() -> None:
    said = bags([[20, 20, 180, 180]], [(100, 100, 60)])
    assert (said.score * said.weight).sum() > 0 and said.bag.any()
    assert not said.bag[said.score > 0].any()


@pytest.mark.parametrize(("size", "strides"), [(0.05, {8}), (0.15, {8, 16}), (0.4, {16})])
def test_each_size_belongs_to_its_grid(size: float, strides: set[int]) -> None:
    taken = np.flatnonzero(of([(104, 104, SIDE * size)], OURS).score)
    assert {8 if place < 24 * 24 else 16 for place in taken} == strides


def test_the_reference_fires_at_its_targets(shared: Path) -> None:
    """The spans of its anchors, which were read off photos, hold on others."""
    rows = [json.loads(line) for line in (shared / "data" / "index.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["source"] in ("subhih", "asl_letters")][::90]
    session = Session(catalogue.find("mediapipe").palm_path, 1)
    detector = PalmDetector(session)
    agree = fires = 0
    for row in rows:
        image = load_image(shared / "data" / row["image"])
        raw = session(detector.prepare(image))
        scale = SIDE / max(image.shape[:2])
        corner = (np.array([max(image.shape[:2])] * 2) - image.shape[1::-1]) / 2
        palms = detector.graph()(image)
        boxes = np.array([(palm.box.reshape(2, 2) + corner).reshape(4) * scale for palm in palms]).reshape(-1, 4)
        points = np.array([(palm.keypoints + corner) * scale for palm in palms]).reshape(-1, 7, 2)
        said = targets(boxes, points, NONE, THEIRS)
        certain = raw["Identity_1"][0, :, 0] > 1
        fires += int(certain.sum())
        agree += int((certain & ((said.score > 0) | (said.weight == 0))).sum())
    assert fires > 30 and agree > 0.95 * fires
