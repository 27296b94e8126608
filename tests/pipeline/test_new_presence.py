"""Newly found hands must prove more than tracked ones, where the bundle says so."""

from dataclasses import replace

import pytest

import knuckle
from knuckle import HandTracker
from knuckle.images import Image
from knuckle.models.session import Outputs, Pictures
from knuckle.pipeline.networks import Networks
from knuckle.pipeline.tracker import confidence


class Believing:
    """A landmark network whose presence the test sets."""

    def __init__(self, networks: Networks, presence: float) -> None:
        self.network, self.output, self.presence = networks.hand, networks.bundle.hand_outputs["presence"], presence
        self.side = networks.hand.side

    def __call__(self, pictures: Pictures) -> Outputs:
        raw = self.network(pictures)
        return {**raw, self.output: raw[self.output] * 0 + self.presence}


def with_bars(networks: Networks, presence: float, **bars: float) -> tuple[Networks, Believing]:
    """The networks with other thresholds, and the landmark network to set its presence."""
    believing = Believing(networks, presence)
    return replace(networks, hand=believing, bundle=replace(networks.bundle, second_look=True, **bars)), believing


def test_a_new_hand_must_prove_more_than_a_tracked_one(networks: Networks, clip_frames: list[Image]) -> None:
    image = clip_frames[0]
    asked = confidence(max(palm.score for palm in knuckle.detect_palms(image, networks)), 0.7, 0.7)
    strict, believing = with_bars(networks, 0.55, min_presence=0.5, min_new_confidence=asked)
    tracker = HandTracker(strict)
    assert tracker(image) == [] and knuckle.detect(image, strict) == []
    believing.presence = 0.99
    assert len(tracker(image)) == len(knuckle.detect(image, strict)) == 2
    believing.presence = 0.55
    assert len(tracker(image)) == 2, "a tracked hand needs min_presence only"
    believing.presence = 0.4
    assert tracker(image) == []


def test_what_the_caller_chooses_holds_for_new_hands_too(networks: Networks, clip_frames: list[Image]) -> None:
    strict, _ = with_bars(networks, 0.7, min_presence=0.5, min_new_confidence=0.99999)
    assert knuckle.detect(clip_frames[0], strict) == []
    assert len(knuckle.detect(clip_frames[0], strict, min_presence=0.6)) == 2
    assert knuckle.detect(clip_frames[0], strict, min_presence=0.75) == []


def test_a_bundle_without_the_field_asks_for_presence_alone(networks: Networks, clip_frames: list[Image]) -> None:
    """Even where the caller takes palms of any score, as those of MediaPipe's bundles."""
    strict, believing = with_bars(networks, 0.7, min_presence=0.75)
    assert knuckle.detect(clip_frames[0], strict) == []
    believing.presence = 0.8
    assert len(knuckle.detect(clip_frames[0], strict)) == 2
    weak, _ = with_bars(networks, 0.51, min_palm_score=0.01)
    assert len(knuckle.detect(clip_frames[0], weak)) == 2


def test_palm_and_presences_of_a_faint_palm_must_add_up(networks: Networks, clip_frames: list[Image]) -> None:
    """With a palm threshold above their scores, both palms are faint. In lists and in video the rule is the same."""
    image = clip_frames[0]
    weaker = min(palm.score for palm in knuckle.detect_palms(image, networks))
    least = confidence(weaker, 0.7, 0.7)
    bars = {"min_palm_score": 0.995, "faint_palms": 0.4, "min_presence": 0.6}
    for threshold, count in ((least - 1e-4, 2), (least + 1e-6, 1)):
        faint, believing = with_bars(networks, 0.7, **bars, min_faint_confidence=threshold)
        assert len(knuckle.detect(image, faint)) == count
        assert len(knuckle.detect([image], faint)[0]) == count
        assert len(HandTracker(faint)(image)) == count
        believing.presence = 0.55
        assert knuckle.detect(image, faint) == [], "each presence alone must be above min_presence too"


def test_confidence_multiplies_odds() -> None:
    assert confidence(0.3) == pytest.approx(0.3) and confidence(0.3, 0.5) == pytest.approx(0.3)
    assert confidence(0.3, 0.9, 0.98) == pytest.approx(189 / 190)
    assert confidence(0.2, 0.8) == pytest.approx(0.5)
    assert 0.999 < confidence(0.5, 1.0) < 1 and confidence(0.0, 1.0) == 0
