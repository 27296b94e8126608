"""Newly found hands need a higher presence than tracked ones, where the bundle says so."""

from dataclasses import replace

import knuckle
from knuckle import HandTracker
from knuckle.images import Image
from knuckle.models.session import Outputs, Pictures
from knuckle.pipeline.networks import Networks


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


def test_a_new_hand_needs_more_presence_than_a_tracked_one(networks: Networks, clip_frames: list[Image]) -> None:
    image = clip_frames[0]
    strict, believing = with_bars(networks, 0.7, min_presence=0.5, min_new_presence=0.8)
    tracker = HandTracker(strict)
    assert tracker(image) == [] and knuckle.detect(image, strict) == []
    believing.presence = 0.85
    assert len(tracker(image)) == len(knuckle.detect(image, strict)) == 2
    believing.presence = 0.6
    assert len(tracker(image)) == 2, "a tracked hand needs min_presence only"
    believing.presence = 0.4
    assert tracker(image) == []


def test_what_the_caller_chooses_holds_for_new_hands_too(networks: Networks, clip_frames: list[Image]) -> None:
    strict, _ = with_bars(networks, 0.7, min_presence=0.5, min_new_presence=0.8)
    assert len(knuckle.detect(clip_frames[0], strict, min_presence=0.6)) == 2
    assert knuckle.detect(clip_frames[0], strict, min_presence=0.75) == []


def test_a_bundle_without_the_field_asks_the_same_of_all_hands(networks: Networks, clip_frames: list[Image]) -> None:
    strict, believing = with_bars(networks, 0.7, min_presence=0.75)
    assert knuckle.detect(clip_frames[0], strict) == []
    believing.presence = 0.8
    assert len(knuckle.detect(clip_frames[0], strict)) == 2


def test_hands_of_faint_palms_need_the_presence_that_the_bundle_names(
    networks: Networks, clip_frames: list[Image]
) -> None:
    """With a palm threshold above their scores, both palms are faint."""
    bars = {"min_palm_score": 0.99, "faint_palms": 0.4}
    faint, _ = with_bars(networks, 0.7, **bars, min_faint_presence=0.6)
    assert len(knuckle.detect(clip_frames[0], faint)) == 2
    strict, _ = with_bars(networks, 0.7, **bars, min_faint_presence=0.8)
    assert knuckle.detect(clip_frames[0], strict) == []
