"""Palms onto anchors: what the targets say, the run time's decoder reads back."""

from __future__ import annotations


import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from knuckle.palm import PalmDetector, PalmModel  # noqa: E402
from knuckle.runtime import FakeSession  # noqa: E402
from knuckle.train.nets.palm_net import STRIDES  # noqa: E402
from knuckle.train.targets import levels_of, targets  # noqa: E402

SIDE = 192


def palm(x: float, y: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(int(1000 * x + y))
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
    return box, rng.uniform([x - size / 2, y - size / 2], [x + size / 2, y + size / 2], (7, 2))


@settings(max_examples=60, deadline=None)
@given(st.floats(10, 180), st.floats(10, 180), st.floats(3, 110))
def test_the_decoder_reads_back_what_the_targets_say(x: float, y: float, size: float) -> None:
    box, points = palm(x, y, size)
    said = targets(box[None], points[None], np.zeros((0, 4)), SIDE, STRIDES)
    logits = np.where(said.score > 0, 8.0, -8.0)[None, :, None].astype(np.float32)
    session = FakeSession({"boxes": [said.values], "scores": [logits[0]]}, SIDE)
    detector = PalmDetector(session, SIDE, PalmModel(STRIDES, "boxes", "scores"))
    (found,) = detector.graph()(np.zeros((SIDE, SIDE, 3), np.uint8))
    np.testing.assert_allclose(found.box, box, atol=1e-3)
    np.testing.assert_allclose(found.keypoints, points, atol=1e-3)


def test_every_palm_has_an_anchor_even_where_two_lie_together() -> None:
    palms = [palm(80, 80, 30), palm(86, 82, 30), palm(20, 150, 4)]
    boxes, points = (np.stack(column) for column in zip(*palms, strict=True))
    said = targets(boxes, points, np.zeros((0, 4)), SIDE, STRIDES)
    centres = np.unique(np.round(said.unit[said.score > 0], 3))
    assert set(centres) == {30.0, 4.0}
    both = said.values[said.score > 0]
    assert len({tuple(np.round(row[2:4], 2)) for row in both}) == 2
    assert (said.score > 0).sum() >= 3


def test_no_palm_is_all_background_and_unsure_regions_do_not_count() -> None:
    none = np.zeros((0, 4))
    empty = targets(none, np.zeros((0, 7, 2)), none, SIDE, STRIDES)
    assert empty.score.sum() == 0 and empty.weight.all()
    unsure = targets(none, np.zeros((0, 7, 2)), np.array([[0.0, 0, 96, 192]]), SIDE, STRIDES)
    assert abs(unsure.weight.mean() - 0.5) < 0.01


def test_sizes_go_to_their_grid() -> None:
    assert [levels_of(share) for share in (0.05, 0.15, 0.4)] == [[0], [0, 1], [1]]
