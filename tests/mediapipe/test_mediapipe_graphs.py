"""Laws of the reference's graphs: how regions are associated, rotated and updated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from knuckle import Palm, Roi
from knuckle.mediapipe.graphs import earlier_wins, later_wins, overlap_of, turned, turned_back
from knuckle.pipeline.hand import MCP_JOINTS, Candidate, roi_from_landmarks

ROIS = st.builds(Roi, st.floats(0, 100), st.floats(0, 100), st.floats(1, 80), st.floats(-3, 3))
CANDIDATES = st.builds(Candidate, ROIS)


@given(st.lists(CANDIDATES, max_size=6), st.lists(CANDIDATES, max_size=4))
def test_association_keeps_one_of_two_overlapping_regions(palms: list[Candidate], held: list[Candidate]) -> None:
    later = later_wins(palms, held)
    assert later[-1:] == (held or palms)[-1:]
    earlier = earlier_wins(held, palms, 0.5)
    assert earlier[: len(held)] == held
    for kept in (later, earlier[len(held) :]):
        assert all(overlap_of(a, b) <= 0.5 for i, a in enumerate(kept) for b in kept[:i])
    assert set(later) | set(earlier) <= {*palms, *held}


def test_two_equal_regions_become_the_later_one() -> None:
    one, other = Candidate(Roi(50, 50, 20)), Candidate(Roi(51, 50, 20))
    assert later_wins([one], [other]) == [other] and earlier_wins([one], [other], 0.5) == [one]


@given(st.integers(-5, 5))
def test_turning_an_image_and_its_palms_back_is_identity(quarter_turns: int) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[12, 41] = 255
    upright = turned(image, quarter_turns)
    ((row, column),) = np.argwhere(upright[..., 0])
    palm = Palm(np.array([column - 1, row - 2, column + 3, row + 4]), np.array([[column, row]] * 7), 0.9)
    (back,) = turned_back([palm], image, quarter_turns)
    assert back.keypoints[0].tolist() == [41, 12] and back.score == 0.9
    assert (back.box[2:] > back.box[:2]).all() and (back.box[:2] < [41, 12]).all() and (back.box[2:] > [41, 12]).all()


def test_next_regions_follow_the_mcp_joints(shared: Path) -> None:
    oracle = json.loads((shared / "oracle" / "legacy_stills.json").read_text())
    for expected in oracle.values():
        height, width, _ = expected["shape"]
        for points, (x, y, w, _, angle) in zip(expected["landmarks"], expected["rois_from_landmarks"], strict=True):
            landmarks = np.array(points, np.float32) * np.array([width, height, width], np.float32)
            roi = roi_from_landmarks(landmarks, MCP_JOINTS)
            assert np.allclose([roi.x / width, roi.y / height, roi.size / width], [x, y, w], atol=1e-5)
            assert abs(np.sin(roi.angle_rad - angle)) < 1e-4
