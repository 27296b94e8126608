"""Regions that a palm network proposes: hands on people's boxes, others in photos without hands."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from drawn import drawn_hand
from PIL import Image as pillow
from scene import blank

pytest.importorskip("torch")

from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.graph import Graph, Node
from knuckle.pipeline.palm import roi_from_palm
from knuckle.results import Hand, Palm, Roi
from knuckle.train.augment import PhotometricAugment
from knuckle.train.hand import candidates
from knuckle.train.hand.candidates import (
    CandidateCrops,
    CandidateOptions,
    ProposedRegion,
    decided_regions,
    proposed_regions,
    read_source,
)
from knuckle.train.hand.data import HandCrops
from knuckle.train.hand.task import HandTask
from knuckle.train.loop import LoopOptions
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.sources import Source


def palm_at(x: float, y: float, side: float = 40, score: float = 0.8) -> Palm:
    half = side / 2
    keypoints = np.array([[x, y + half], *[[x, y - half]] * 6], np.float32)
    return Palm(np.array([x - half, y - half, x + half, y + half], np.float32), keypoints, score)


@dataclass
class FakeNetworks:
    """Proposes fixed palms; its landmarks are small crosses in the middle of each region."""

    palms: list[Palm]
    presence: float = 0.0
    scores: list[float] = field(default_factory=list)

    def palm_detector(self, options: object) -> FakeNetworks:
        return self

    def graph(self) -> Graph:
        return Graph(
            "palms", inputs=["image"], nodes=[Node(lambda image: self.palms, ("image",), "palms")], output="palms"
        )

    def hand_landmarker(self, options: object) -> FakeNetworks:
        return self

    def read(self, image: np.ndarray, rois: list[Roi]) -> list[Hand]:
        hands = []
        for roi in rois:
            points = np.zeros((21, 3), np.float32)
            points[:, :2] = np.random.default_rng(0).uniform(-0.2, 0.2, (21, 2)) * roi.size + [roi.x, roi.y]
            hands.append(Hand(points, points, "Left", 1.0, self.presence, roi, landmarks_raw=points))
        return hands


@pytest.fixture
def photo(tmp_path: Path) -> str:
    pillow.fromarray(blank(320, 240)).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def test_regions_on_boxes_are_hands_and_nothing_is_said_beside_them(photo: str) -> None:
    on_box, beside, too_small = palm_at(100, 100), palm_at(250, 200), palm_at(100, 100, 8)
    region = roi_from_palm(on_box)
    box = np.array([region.x - 50, region.y - 50, region.x + 50, region.y + 50], np.float32)
    shot = Shot(photo, hands=(LabelledHand(box),), complete=False)
    found = list(proposed_regions(FakeNetworks([too_small, beside, on_box]), shot))
    assert [(r.source, r.is_hand) for r in found] == [(photo, True)]
    assert found[0].roi == region
    assert len(list(proposed_regions(FakeNetworks([on_box] * 5), shot))) == candidates.MOST_PER_BOX


def test_regions_away_from_all_boxes_hold_none_where_every_hand_has_a_box(photo: str) -> None:
    on_box, near, away = palm_at(100, 100, score=0.9), palm_at(155, 100, score=0.8), palm_at(260, 200, score=0.7)
    region = roi_from_palm(on_box)
    box = np.array([region.x - 50, region.y - 50, region.x + 50, region.y + 50], np.float32)
    shot, networks = Shot(photo, hands=(LabelledHand(box),)), FakeNetworks([on_box, near, away], presence=0.01)
    found = list(proposed_regions(networks, shot, beside=True))
    assert [(r.roi, r.is_hand, r.presence) for r in found] == [
        (region, True, 0.01),
        (roi_from_palm(away), False, 0.01),
    ]
    incomplete = replace(shot, complete=False)
    assert list(proposed_regions(networks, incomplete, beside=True)) == found[:1]


def test_regions_that_look_like_hands_are_drawn_most(photo: str) -> None:
    """Of two regions without a hand the one with presence 0.9 is drawn ten times as often as the one with 0."""
    hand = ProposedRegion(photo, Roi(40, 40, 30), True)
    dark, bright = ProposedRegion(photo, Roi(80, 120, 60), False), ProposedRegion(photo, Roi(240, 120, 60), False, 0.9)
    image = np.zeros((240, 320, 3), np.uint8)
    image[:, 160:] = 255
    pillow.fromarray(image).save(photo)
    crops = CandidateCrops([hand], [dark, bright], 64, CandidateOptions(), PhotometricAugment(0))
    rng = np.random.default_rng(0)
    others = [sample for sample in (crops.sample(rng) for _ in range(600)) if not sample["presence"][0]]
    share = np.mean([sample["picture"].mean() > 128 for sample in others])
    assert share == pytest.approx(10 / 11, abs=0.05)


def test_regions_of_photos_without_hands_are_none_and_both_looks_count(photo: str) -> None:
    shot = Shot(photo, hands=(), complete=True)
    networks = FakeNetworks([palm_at(100, 100, score=0.3), palm_at(200, 100)], presence=0.5)
    found = list(proposed_regions(networks, shot))
    assert len(found) == 4 and not any(region.is_hand for region in found)
    assert found[0].roi == roi_from_palm(networks.palms[1])  # the best palm first, then its second look
    networks.presence = 0.0
    assert len(list(proposed_regions(networks, shot))) == 2


@dataclass
class Teacher(FakeNetworks):
    """Sees a hand with `left` in the left half of the photo and of its mirror image, and with `right` in the right."""

    left: float = 0.0
    right: float = 0.0

    def read(self, image: np.ndarray, rois: list[Roi]) -> list[Hand]:
        sides = [self.left if roi.x < image.shape[1] / 2 else self.right for roi in rois]
        return [replace(hand, presence=score) for hand, score in zip(super().read(image, rois), sides, strict=True)]


def test_a_teacher_decides_where_it_is_sure_in_both_mirror_images(photo: str) -> None:
    networks = FakeNetworks([palm_at(60, 100, score=0.9), palm_at(260, 100, score=0.8)])
    left, right = map(roi_from_palm, networks.palms)
    shot = Shot(photo)

    def decided(left: float, right: float) -> list[ProposedRegion]:
        return list(decided_regions(networks, Teacher([], left=left, right=right), shot))

    assert decided(0.9, 0.9) == [ProposedRegion(photo, left, True), ProposedRegion(photo, right, True)]
    assert decided(0.01, 0.01) == [ProposedRegion(photo, left, False), ProposedRegion(photo, right, False)]
    # The mirror image swaps the halves, so here the teacher contradicts itself about both regions.
    assert decided(0.9, 0.01) == [] and decided(0.9, 0.5) == [] and decided(0.3, 0.3) == []


def test_what_may_show_the_same_hand_is_no_example_of_none(photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = FakeNetworks([palm_at(60, 100, score=0.9), palm_at(70, 100, score=0.8), palm_at(230, 100, score=0.7)])
    first, near, far = map(roi_from_palm, networks.palms)
    scores = {first: 0.9, near: 0.01, far: 0.01}

    def read(self: Teacher, image: np.ndarray, rois: list[Roi]) -> list[Hand]:
        hands = FakeNetworks.read(self, image, rois)
        if rois[0] not in scores:  # the mirror image
            rois = [replace(roi, x=image.shape[1] - roi.x, angle_rad=-roi.angle_rad) for roi in rois]
        return [replace(hand, presence=scores[roi]) for hand, roi in zip(hands, rois, strict=True)]

    monkeypatch.setattr(Teacher, "read", read)
    found = list(decided_regions(networks, Teacher([]), Shot(photo)))
    assert [(region.roi, region.is_hand) for region in found] == [(first, True), (far, False)]


def test_hands_in_motion_are_taught(photo: str) -> None:
    """A bright dot becomes a line in some crops of a hand, and in no crop without one."""
    image = np.zeros((240, 320, 3), np.uint8)
    image[118:122, 158:162] = 255
    pillow.fromarray(image).save(photo)
    region, rng = Roi(160, 120, 100), np.random.default_rng(0)
    hand, other = ProposedRegion(photo, region, True), ProposedRegion(photo, region, False)
    crops = CandidateCrops([hand], [other], 224, CandidateOptions(), PhotometricAugment(0))
    brightest: dict[float, list[int]] = {0.0: [], 1.0: []}
    for _ in range(80):
        sample = crops.sample(rng)
        brightest[float(sample["presence"][0])].append(int(sample["picture"].max()))
    assert min(brightest[0.0]) > 200
    assert 0.2 < np.mean(np.array(brightest[1.0]) < 200) < 0.6


def test_only_presence_is_learned_on_candidates(photo: str) -> None:
    region = Roi(160, 120, 100)
    hands, others = [ProposedRegion(photo, region, True)], [ProposedRegion(photo, region, False)]
    options = CandidateOptions(share=0.5, weight=3.0)
    crops = CandidateCrops(hands, others, 64, options, PhotometricAugment())
    free = Source("free", [Shot(photo, hands=(), complete=True)])
    samples = [HandCrops([free], 64, candidates=crops)(number) for number in range(60)]
    proposed = [sample for sample in samples if sample["presence_weight"][0] == 3]
    assert 15 < len(proposed) < 45
    assert {float(sample["presence"][0]) for sample in proposed} == {0.0, 1.0}
    for sample in proposed:
        assert sample["picture"].shape == (3, 64, 64) and sample["picture"].dtype == np.uint8
        taught = {name for name, value in sample.items() if name.endswith("_weight") and value.any()}
        assert taught == {"presence_weight"}


def test_photos_with_boxes_or_certainly_without_hands_are_read(photo: str) -> None:
    rows = [{"hand_boxes": [[10, 10, 60, 60]]}, {"hand_boxes": []}, {}, {"hands": [], "complete": False}]
    index = Path(photo).parent / "index.jsonl"
    index.write_text("\n".join(json.dumps({"image": "a.png", **row}) for row in rows))
    assert [len(shot.hands or ()) for shot in read_source(str(index)).shots] == [1, 0]


def test_a_run_needs_both_kinds_and_says_so(tmp_path: Path) -> None:
    """A real palm network proposes the drawn hand, and nothing on a bare wall."""
    image, hand = drawn_hand(np.random.default_rng(0))
    pillow.fromarray(image).save(tmp_path / "hand.png")
    pillow.fromarray(blank(320, 240)).save(tmp_path / "wall.png")
    box = np.round(hand.extent).tolist()
    rows = [{"image": "hand.png", "hand_boxes": [box]}, {"image": "wall.png", "hand_boxes": []}]
    index = tmp_path / "index.jsonl"
    index.write_text("\n".join(map(json.dumps, rows)))
    shape = HandNetShape(side=64, stem=8, widths=(8, 8, 16, 16), depths=(1, 0, 0, 1), token=16, bin_px=4)
    options = CandidateOptions(data=(str(index),), models="mediapipe-lite")
    task = HandTask(init="new", data=(str(index),), shape=shape, candidates=options, loop=LoopOptions(steps=1))
    with pytest.raises(InputError, match=r"mediapipe-lite proposes [1-9] and 0 in these photos"):
        task.job()


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.0}, {"weight": 0.0}])
def test_shares_and_weights_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="share of candidates"):
        CandidateOptions(**wrong)
