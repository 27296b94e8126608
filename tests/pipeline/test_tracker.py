from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from conftest import two_hands
from scene import TIPS, blank, draw_hand

import knuckle
from knuckle import HandTracker, InputError, Roi
from knuckle.graph import Step
from knuckle.images import Image
from knuckle.models.session import Outputs
from knuckle.pipeline.hand import roi_from_landmarks
from knuckle.pipeline.palm import anchors
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand
from knuckle.testing import FakeNetwork


def same(one: list[Hand], other: list[Hand]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.landmarks, b.landmarks) and (a.track_id, a.handedness) == (b.track_id, b.handedness)
        for a, b in zip(one, other, strict=True)
    )


def searches(tracker: HandTracker, frames: list[Image]) -> list[bool]:
    """Whether the palm detector ran, for each frame."""
    ran: list[bool] = []

    def note(step: Step) -> None:
        if step.path == ("hand_tracking", "palms"):
            ran.append(not step.skipped)

    tracker.observe = note
    for image in frames:
        tracker(image)
    return ran


def test_a_wall_has_no_hands() -> None:
    assert knuckle.detect(blank()) == []
    assert knuckle.detect_palms(blank()) == []
    assert HandTracker()(blank()) == []


def test_landmarks_lie_on_the_drawn_finger_tips() -> None:
    size, x, y = 240, 300, 220
    (hand,) = knuckle.detect(draw_hand(blank(), x, y, size))
    assert hand.handedness == "Left" and hand.presence > 0.9 and hand.palm_score and hand.palm_score > 0.5
    for name, (px, py) in TIPS.items():
        tip = np.array([x + (px - 0.45) * size, y + (py - 0.52) * size])
        assert np.linalg.norm(getattr(hand, f"{name}_tip")[:2] - tip) < 0.07 * size, name
    assert 0.1 < np.linalg.norm(hand.world[0] - hand.world[12]) < 0.25  # metres from wrist to middle tip


def test_a_turned_image_gives_turned_landmarks() -> None:
    image = draw_hand(blank(480, 480), 240, 220, 220)
    (hand,), (turned,) = knuckle.detect(image), knuckle.detect(np.ascontiguousarray(np.rot90(image)))
    back = np.stack([479 - turned.landmarks[:, 1], turned.landmarks[:, 0]], axis=1)
    assert np.abs(back - hand.landmarks[:, :2]).mean() < 4
    assert turned.handedness == hand.handedness


def test_mirroring_image_and_option_gives_the_same_hand() -> None:
    image = draw_hand(blank(), 300, 220, 240)
    (hand,) = knuckle.detect(image)
    (flipped,) = knuckle.detect(image[:, ::-1], mirrored=True)
    assert flipped.handedness == hand.handedness
    assert knuckle.detect(image[:, ::-1])[0].handedness != hand.handedness


def test_the_tracker_s_first_frame_is_what_detect_finds(clip_frames: list[Image]) -> None:
    tracked, found = HandTracker()(clip_frames[0]), knuckle.detect(clip_frames[0])
    assert sorted(h.landmarks.tobytes() for h in tracked) == sorted(h.landmarks.tobytes() for h in found)


@pytest.mark.parametrize("wrong", [1, "yes"])
def test_second_look_must_be_true_false_or_none(wrong: object) -> None:
    assert knuckle.TrackerOptions(second_look=None).second_look is None
    with pytest.raises(InputError, match="second_look must be True or False"):
        HandTracker(second_look=wrong)


@pytest.mark.parametrize("bundle", ["knuckle", "mediapipe"])
def test_a_second_look_reads_hands_in_their_own_regions(clip_frames: list[Image], bundle: str) -> None:
    """Each hand is read again in the region of its own landmarks: with bundle `knuckle`, not with `mediapipe`."""
    image = clip_frames[0]
    once = knuckle.detect(image, bundle, second_look=False)
    twice = knuckle.detect(image, bundle, second_look=True)
    again = knuckle.landmarks_in(image, [roi_from_landmarks(hand.landmarks) for hand in once], bundle)
    assert len(once) == len(twice) == 2 and not same(once, twice)
    for hand, expected, first in zip(twice, again, once, strict=True):
        assert expected is not None and np.array_equal(hand.landmarks, expected.landmarks)
        assert hand.roi == roi_from_landmarks(first.landmarks) and hand.palm_score == first.palm_score
    assert same(knuckle.detect(image, bundle), twice if bundle == "knuckle" else once)


def test_a_hand_that_the_second_look_rejects_is_dropped(networks: Networks, clip_frames: list[Image]) -> None:
    def doubtful(pictures: np.ndarray) -> Outputs:
        raw = networks.hand(pictures)
        return {**raw, "Identity_1": raw["Identity_1"] * (len(twice.calls) % 2)}

    options = {"smooth": False, "second_look": True}
    twice = FakeNetwork(224, doubtful)
    doubting = replace(networks, hand=twice)
    assert knuckle.detect(clip_frames[0], doubting, **options) == []
    assert HandTracker(doubting, **options)(clip_frames[0]) == [] and twice.calls == [2, 2, 2, 2]


def faintly(networks: Networks, image: Image, score: float, false_palms: int) -> Networks:
    """The networks, but all palms of this image score `score`, and empty corners have `false_palms` better palms."""
    side, strides = networks.bundle.palm_side, networks.bundle.palm_strides
    corners = anchors(side, strides)[:, 1].argsort(kind="stable")[: 2 * side // strides[0][0] : 2]
    sizes = np.zeros((len(anchors(side, strides)), 18), np.float32)
    sizes[:, 2:4] = side / 40
    sizes[:, 5] = 3

    def palms(pictures: np.ndarray) -> Outputs:
        raw = networks.palm(pictures)
        boxes, scores = raw["Identity"].copy(), raw["Identity_1"].copy()
        scores = np.where(scores > 0, np.float32(math.log(score / (1 - score))), np.float32(-20))
        scores[0, corners[:false_palms]] = 3
        boxes[0, corners[:false_palms]] = sizes[corners[:false_palms]]
        return {"Identity": boxes, "Identity_1": scores}

    return replace(networks, palm=FakeNetwork(192, palms))


def test_faint_palms_become_hands_if_the_landmark_network_confirms_them(
    networks: Networks, clip_frames: list[Image]
) -> None:
    faint = faintly(networks, clip_frames[0], 0.3, 0)
    assert knuckle.detect_palms(clip_frames[0], faint, faint_palms=0.5) == []
    assert knuckle.detect(clip_frames[0], faint) == [] == knuckle.detect(clip_frames[0], faint, faint_palms=0.7)
    for hands in (
        knuckle.detect(clip_frames[0], faint, faint_palms=0.5),
        HandTracker(faint, smooth=False, faint_palms=0.5)(clip_frames[0]),
        knuckle.detect(clip_frames[0], replace(faint, bundle=replace(faint.bundle, faint_palms=0.5))),
    ):
        assert len(hands) == 2 and all(hand.palm_score == pytest.approx(0.3) for hand in hands)
    assert knuckle.detect(blank(640, 480), faint, faint_palms=0.5) == []


def test_false_positives_do_not_take_the_place_of_faint_palms(networks: Networks, clip_frames: list[Image]) -> None:
    crowded = faintly(networks, clip_frames[0], 0.6, 2)
    assert len(knuckle.detect_palms(clip_frames[0], crowded)) == 4
    assert knuckle.detect(clip_frames[0], crowded) == []
    assert len(knuckle.detect(clip_frames[0], crowded, faint_palms=0.9)) == 2
    assert (
        len(knuckle.detect(clip_frames[0], faintly(networks, clip_frames[0], 0.6, 0), max_hands=1, faint_palms=0.9))
        == 1
    )


def test_a_hand_from_a_faint_palm_needs_a_high_presence(networks: Networks, clip_frames: list[Image]) -> None:
    def doubtful(pictures: np.ndarray) -> Outputs:
        raw = networks.hand(pictures)
        return {**raw, "Identity_1": np.full_like(raw["Identity_1"], 0.8)}

    counts = {}
    for score in (0.3, 0.7):
        faint = replace(faintly(networks, clip_frames[0], score, 0), hand=FakeNetwork(224, doubtful))
        counts[score] = len(knuckle.detect(clip_frames[0], faint, faint_palms=0.5))
    assert counts == {0.3: 0, 0.7: 2}


@pytest.mark.parametrize("wrong", [-0.1, 1.5, "all", True])
def test_faint_palms_must_be_a_number_from_0_to_1_or_none(wrong: object) -> None:
    with pytest.raises(InputError, match="faint_palms must be a number from 0 to 1"):
        HandTracker(faint_palms=wrong)


def test_the_thresholds_of_the_bundle_are_the_defaults(networks: Networks, clip_frames: list[Image]) -> None:
    image = clip_frames[0]
    scores = sorted(hand.palm_score or 0 for hand in knuckle.detect(image, networks))
    presences = sorted(hand.presence for hand in knuckle.detect(image, networks))
    assert len(scores) == 2 and scores[0] < scores[1] and presences[0] < presences[1]
    for field, values in (("min_palm_score", scores), ("min_presence", presences)):
        strict = replace(networks, bundle=replace(networks.bundle, **{field: sum(values) / 2}))
        assert len(knuckle.detect(image, strict)) == 1, field
        assert len(HandTracker(strict)(image)) == 1, field
        assert len(knuckle.detect(image, strict, **{field: 0.5})) == 2, "what the user chose wins"
    strict = replace(networks, bundle=replace(networks.bundle, min_palm_score=sum(scores) / 2))
    assert len(knuckle.detect_palms(image, strict)) == 1
    strict = replace(networks, bundle=replace(networks.bundle, min_presence=1.0))
    rois = [hand.roi for hand in knuckle.detect(image, networks)]
    assert knuckle.landmarks_in(image, rois, strict) == [None, None]


def test_two_hands_keep_their_ids_and_the_palm_detector_does_not_run(clip_frames: list[Image]) -> None:
    tracker = HandTracker()
    ran = searches(tracker, clip_frames)
    hands = tracker(two_hands(1.0))
    assert [hand.track_id for hand in hands] == [1, 2]
    assert {hand.handedness for hand in hands} == {"Left", "Right"}
    assert ran == [True] + [False] * 30


@pytest.mark.parametrize("every", [1, 4, 10])
def test_with_one_of_two_hands_the_detector_runs_every_so_many_frames(every: int) -> None:
    image = draw_hand(blank(), 300, 220, 240)
    ran = searches(HandTracker(search_every=every), [image] * 21)
    assert np.flatnonzero(ran).tolist() == list(range(0, 21, every))


def test_by_default_the_detector_runs_about_five_times_a_second() -> None:
    image = draw_hand(blank(), 300, 220, 240)
    ran = searches(HandTracker(), [image] * 90)
    assert sum(ran[30:]) == 10  # two seconds at 30 frames a second


def test_without_hands_every_frame_is_searched() -> None:
    assert searches(HandTracker(), [blank()] * 5) == [True] * 5


def test_a_hand_that_jumps_is_found_in_the_same_frame() -> None:
    tracker = HandTracker(max_hands=1)
    for x, y in ((150, 150), (150, 150), (480, 300), (480, 300)):
        (hand,) = tracker(draw_hand(blank(), x, y, 180))
        assert np.linalg.norm(hand.landmarks[9, :2] - [x, y]) < 60


@pytest.mark.parametrize("most", [1, 2, 3])
def test_never_more_hands_than_asked_for(most: int) -> None:
    image = blank(960, 480)
    for k in range(4):
        draw_hand(image, 130 + 230 * k, 240, 170, right=bool(k % 2))
    tracker = HandTracker(max_hands=most)
    assert [len(tracker(image)) for _ in range(4)] == [most] * 4
    assert len(knuckle.detect(image, max_hands=most)) == most
    assert len(knuckle.detect_palms(image, max_hands=most)) == 4


def test_trackers_do_not_affect_each_other_and_reset_forgets(clip_frames: list[Image]) -> None:
    alone, one, other = HandTracker(), HandTracker(), HandTracker(max_hands=1)
    expected = [alone(image) for image in clip_frames[:8]]
    for k, image in enumerate(clip_frames[:8]):
        other(clip_frames[-k])
        assert same(one(image), expected[k])
    one.reset()
    assert same(one(clip_frames[0]), expected[0])


def test_trackers_in_threads_share_networks_and_agree(clip_frames: list[Image]) -> None:
    def follow(_: int) -> list[list[Hand]]:
        tracker = HandTracker()
        return [tracker(image) for image in clip_frames[:6]]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(follow, range(4))
    assert all(same(a, b) for other in others for a, b in zip(first, other, strict=True))
    assert HandTracker().networks is HandTracker().networks


def test_a_tracker_pickles_with_its_memory(clip_frames: list[Image]) -> None:
    tracker = HandTracker()
    for image in clip_frames[:4]:
        tracker(image)
    copy = pickle.loads(pickle.dumps(tracker))
    assert all(same(tracker(image), copy(image)) for image in clip_frames[4:8])


def test_a_pickled_tracker_keeps_the_networks_that_the_user_exchanged(
    networks: Networks, clip_frames: list[Image]
) -> None:
    nothing = {"Identity": [np.zeros((2016, 18), np.float32)], "Identity_1": [np.full((2016, 1), -9, np.float32)]}
    blind = replace(networks, palm=FakeNetwork(192, nothing))
    tracker = pickle.loads(pickle.dumps(HandTracker(blind)))
    assert tracker(clip_frames[0]) == [] and isinstance(tracker.networks.palm, FakeNetwork)
    strict = replace(networks, bundle=replace(networks.bundle, min_palm_score=1.0))
    assert pickle.loads(pickle.dumps(strict)).bundle.min_palm_score == 1.0
    loaded = knuckle.load("mediapipe")
    assert pickle.loads(pickle.dumps(loaded)) is loaded


def test_landmarks_in_the_caller_s_own_regions() -> None:
    image = draw_hand(blank(), 300, 220, 240)
    (hand,) = knuckle.detect(image)
    there, nothing, boxed = knuckle.landmarks_in(image, [hand.roi, Roi(560, 420, 60), Roi.around(hand.box.tolist())])
    assert there is not None and np.allclose(there.landmarks, hand.landmarks, atol=1e-3) and there.palm_score is None
    assert nothing is None
    assert boxed is not None and np.abs(boxed.landmarks - hand.landmarks)[:, :2].mean() < 8
    assert knuckle.landmarks_in(image, []) == []
    for wrong in (hand.roi, [hand.box]):
        with pytest.raises(InputError, match=r"Roi\.around"):
            knuckle.landmarks_in(image, wrong)  # type: ignore[arg-type]


def test_gray_alpha_and_pillow_images_are_tracked_like_rgb() -> None:
    from PIL import Image as pillow

    image = draw_hand(blank(), 300, 220, 240)
    (hand,) = knuckle.detect(image)
    alpha = np.concatenate([image, np.full_like(image[..., :1], 9)], axis=-1)
    for other in (alpha, pillow.fromarray(image), image.astype(np.uint16) << 8, np.asfortranarray(image)):
        assert np.array_equal(knuckle.detect(other)[0].landmarks, hand.landmarks)


def test_smoothing_can_be_switched_off(clip_frames: list[Image]) -> None:
    for smooth in (True, False):
        tracker = HandTracker(smooth=smooth)
        hands = [tracker(image) for image in clip_frames[:6]][-1]
        assert all(np.array_equal(h.landmarks, h.landmarks_raw) != smooth for h in hands)


def test_bad_input_is_refused_and_the_tracker_goes_on(clip_frames: list[Image]) -> None:
    tracker, plain = HandTracker(), HandTracker()
    for k, image in enumerate(clip_frames[:6]):
        with pytest.raises(InputError):
            tracker(image.astype(np.float32) / 255, k + 0.5)
        assert same(tracker(image, k), plain(image, k))
    with pytest.raises(InputError):
        tracker(clip_frames[0], math.nan)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_hands": 0},
        {"max_hands": 2.0},
        {"max_hands": True},
        {"search_every": 0},
        {"min_palm_score": 1.5},
        {"min_presence": "high"},
        {"min_presence": math.nan},
        {"remember_s": -1},
        {"smooth": "no"},
        {"max_hand": 2},
    ],
)
def test_options_out_of_range_are_refused_at_construction(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        HandTracker(**wrong)


def test_the_networks_of_a_tracker_can_be_replaced(networks: Networks) -> None:
    counted = FakeNetwork(224, networks.hand)
    (hand,) = knuckle.detect(draw_hand(blank(), 300, 220, 240), replace(networks, hand=counted))
    assert counted.calls == [1] and hand.presence > 0.9
