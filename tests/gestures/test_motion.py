"""Gestures in motion and the lock, on hands that move as told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from posed import misread, posed_hand

from knuckle.errors import InputError
from knuckle.gestures.events import GestureEvent
from knuckle.gestures.lock import GestureLock
from knuckle.gestures.motion import MotionGestures
from knuckle.gestures.strokes import PARTED, PINCHED, gap
from knuckle.results import Gesture, Hand
from knuckle.synth.body.hand_poses import NAMED, eased

FPS = 30
Place = tuple[float, float]


def moving(
    pose: Callable[[float], str | tuple[str, str, float]],
    place: Callable[[float], Place] = lambda t: (320, 240),
    seconds: float = 1.5,
    track_id: int = 1,
    turned: Callable[[float], float] = lambda t: 0.0,
    noise_px: float = 0.5,
) -> list[list[Hand]]:
    """Frames of one hand: its pose, or share between two poses, its place and its roll at each time."""
    rng = np.random.default_rng(3)
    frames = []
    for k in range(round(seconds * FPS)):
        t = k / FPS
        hand = mixed(pose(t), place(t), turned(t))
        noisy = hand.landmarks + rng.normal(0, noise_px, (21, 3)).astype(np.float32)
        frames.append([replace(hand, landmarks=noisy, landmarks_raw=noisy, track_id=track_id)])
    return frames


def mixed(pose: str | tuple[str, str, float], centre: Place, roll_deg: float) -> Hand:
    if isinstance(pose, str):
        return posed_hand(pose, centre=centre, turned_deg=(0, 0, roll_deg))
    first, second, share = pose
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NAMED, "between", NAMED[first].mix(NAMED[second], share))  # type: ignore[arg-type]
        return posed_hand("between", centre=centre, turned_deg=(0, 0, roll_deg))


def events_of(frames: Iterable[Sequence[Hand]], hold_s: float = 0.0) -> list[GestureEvent]:
    recognise = MotionGestures(hold_s)
    return [event for k, hands in enumerate(frames) for event in recognise(hands, k / FPS)]


def swept(
    direction: tuple[float, float], length_px: float = 250, start_s: float = 0.4, lasts_s: float = 0.3
) -> Callable[[float], Place]:
    def place(t: float) -> Place:
        share = eased((t - start_s) / lasts_s)
        return 320 + direction[0] * length_px * share, 240 + direction[1] * length_px * share

    return place


@pytest.mark.parametrize(
    ("name", "direction"), [("right", (1, 0)), ("left", (-1, 0)), ("up", (0, -1)), ("down", (0, 1))]
)
def test_swipes_have_a_direction_a_speed_and_an_end(name: str, direction: tuple[float, float]) -> None:
    (event,) = events_of(moving(lambda t: "open", swept(direction)))
    assert (event.name, event.phase, event.direction, event.track_ids) == ("swipe", "once", name, (1,))
    assert 0.3 < event.start_s < 0.6 and 0.6 < event.end_s < 0.95
    assert 4 < event.speed < 14


def test_the_way_back_of_a_swipe_is_no_swipe() -> None:
    def place(t: float) -> Place:
        return 320 + 250 * (eased((t - 0.4) / 0.3) - eased((t - 0.85) / 0.3)), 240

    assert [event.direction for event in events_of(moving(lambda t: "open", place, 1.6))] == ["right"]


def test_slow_crooked_and_small_motion_is_no_swipe() -> None:
    assert not events_of(moving(lambda t: "open", swept((1, 0), lasts_s=1.6), 2.2))
    assert not events_of(moving(lambda t: "open", swept((0.7, 0.7))))
    assert not events_of(moving(lambda t: "open", swept((1, 0), length_px=90)))
    assert not events_of(moving(lambda t: "open"))


def test_grab_and_release() -> None:
    def pose(t: float) -> tuple[str, str, float]:
        return "open", "fist", eased((t - 0.4) / 0.25) - eased((t - 1.5) / 0.25)

    found = events_of(moving(pose, seconds=2.2))
    assert [event.name for event in found] == ["grab", "release"]
    assert 0.4 < found[0].end_s < 0.9 and 1.5 < found[1].end_s < 2.0


def test_two_pinches_are_a_double_pinch_and_one_is_none() -> None:
    def pinches(*times_s: float) -> Callable[[float], tuple[str, str, float]]:
        def pose(t: float) -> tuple[str, str, float]:
            shares = [eased((t - one) / 0.1) - eased((t - one - 0.12) / 0.1) for one in times_s]
            return "pinch_open", "pinch", max(0.0, *shares) if len(shares) > 1 else max(0.0, shares[0])

        return pose

    opened = [hand for hand in (posed_hand("pinch_open"),)]
    assert (
        opened[0].distance("thumb_tip", "index_tip")
        > 0.5
        > 0.3
        > posed_hand("pinch").distance("thumb_tip", "index_tip")
    )
    (event,) = events_of(moving(pinches(0.4, 0.75)))
    assert event.name == "double_pinch" and 0.35 < event.start_s < 0.6
    assert not events_of(moving(pinches(0.4)))
    assert not events_of(moving(pinches(0.3, 1.4), seconds=2.2))


def test_a_dip_of_the_index_finger_is_a_tap() -> None:
    def pose(t: float) -> tuple[str, str, float]:
        return "point", "asl_X", eased((t - 0.5) / 0.1) - eased((t - 0.65) / 0.1)

    assert [event.name for event in events_of(moving(pose))] == ["tap"]
    assert not events_of(moving(lambda t: ("point", "asl_X", eased((t - 0.5) / 0.1))))

    def unsteady(t: float) -> tuple[str, str, float]:
        return "point", "asl_X", max(pose(t)[2], 0.4 * (round(t * FPS) % 2))

    assert [event.name for event in events_of(moving(unsteady))] == ["tap"]  # the dip stands out


@pytest.mark.parametrize("palms", [-0.25, 0.25])
def test_tips_that_touch_in_the_picture_pinch_wherever_depth_puts_them(palms: float) -> None:
    pinching, parted = (misread(posed_hand(pose), palms) for pose in ("pinch", "pinch_open"))
    assert pinching.distance("thumb_tip", "index_tip") > 0.4  # half a palm, give or take how the tips lie
    assert gap(pinching) < PINCHED < PARTED < gap(parted)


def test_a_raised_hand_that_turns_from_side_to_side_waves() -> None:
    def turned(t: float) -> float:
        return 25 * math.sin(2 * math.pi * 2 * t)

    (event,) = events_of(moving(lambda t: "open", turned=turned, seconds=1.5))
    assert event.name == "wave" and event.speed > 1
    assert not events_of(moving(lambda t: "fist", turned=turned, seconds=1.5))


@pytest.mark.parametrize(("sign", "direction"), [(1, "clockwise"), (-1, "counterclockwise")])
def test_circles_have_a_direction(sign: int, direction: str) -> None:
    def place(t: float) -> Place:
        angle = sign * 2 * math.pi * t / 1.2
        return 320 + 70 * math.cos(angle), 240 + 70 * math.sin(angle)

    (event,) = events_of(moving(lambda t: "point", place, 1.3))
    assert (event.name, event.direction) == ("circle", direction) and 0.9 < event.amount < 1.2


def pinching_from(start_s: float) -> Callable[[float], str]:
    return lambda t: "pinch" if t >= start_s else "pinch_open"


def two(
    place: Callable[[float, int], Place], pose: Callable[[float], str] | None = None, seconds: float = 1.4
) -> list[list[Hand]]:
    left, right = (
        moving(pose or pinching_from(0.1), lambda t, k=k: place(t, k), seconds, track_id=k + 1)
        for k in (0, 1)  # type: ignore[misc]
    )
    return [[*one, *other] for one, other in zip(left, right, strict=True)]


def test_two_pinching_hands_zoom_and_rotate() -> None:
    def apart(t: float, k: int) -> Place:
        return 320 + (k - 0.5) * (200 + 200 * eased((t - 0.3) / 0.8)), 240

    found = [event for event in events_of([*two(apart), []]) if event.name == "zoom"]
    assert [found[0].phase, found[-2].phase, found[-1].phase] == ["begin", "change", "end"]
    assert 1 < found[0].amount < 1.3 and abs(found[-1].amount - 2) < 0.05 and found[-1].direction == "out"
    assert abs(found[-1].start_s - 0.1) < 0.05 and abs(found[-1].end_s - 1.4) < 0.01

    def around(t: float, k: int) -> Place:
        angle = math.radians(150) * eased((t - 0.3) / 0.8) + math.pi * (1 - k)
        return 320 + 150 * math.cos(angle), 240 + 150 * math.sin(angle)

    names = {event.name for event in events_of(two(around))}
    last = [event for event in events_of(two(around)) if event.name == "rotate"][-1]
    assert abs(last.amount - math.radians(150)) < 0.05 and last.direction == "clockwise"
    assert names == {"rotate"}  # the hands stay equally far apart


def test_hands_that_hold_something_or_keep_still_do_not_zoom() -> None:
    def apart(t: float, k: int) -> Place:
        return 320 + (k - 0.5) * (200 + 200 * eased((t - 0.3) / 0.8)), 240

    assert not events_of(two(apart, pinching_from(-1)))
    assert not events_of(two(lambda t, k: (220 + 200 * k, 240)))
    assert not [event for event in events_of(two(apart, pinching_from(0.1), 0.2)) if event.name == "zoom"]


def test_two_ls_frame_a_part_of_the_image() -> None:
    found = events_of(two(lambda t, k: (220 + 200 * k, 240), lambda t: "asl_L", 0.3))
    assert {event.name for event in found} == {"frame"} and found[0].end_s >= 0.15
    box = found[-1].box
    assert box and box[2] - box[0] > 200 and box[1] < 200 < box[3]


def test_only_motion_from_rest_to_rest_is_a_swipe() -> None:
    entering = [hands for hands in moving(lambda t: "open", swept((0, -1))) if hands[0].landmarks[0, 1] < 300]
    assert not events_of(entering)  # raised into view
    leaving = moving(lambda t: "open", swept((1, 0)))[:19]
    assert not events_of(leaving)
    changing = moving(lambda t: ("open", "fist", eased((t - 0.4) / 0.3)), swept((1, 0)))
    assert not [event for event in events_of(changing) if event.name == "swipe"]


def test_a_lock_asks_for_a_raised_hand_at_rest_before_the_motion() -> None:
    def late(t: float) -> Place:
        return swept((1, 0))(t - 0.5)

    assert [event.name for event in events_of(moving(lambda t: "open", late, 2), hold_s=0.5)] == ["swipe"]
    assert not events_of(moving(lambda t: "open", swept((1, 0))), hold_s=0.5)  # at rest for 0.4 s only
    hanging = moving(lambda t: "open", late, 2, turned=lambda t: 180)
    assert [event.name for event in events_of(hanging)] == ["swipe"] and not events_of(hanging, hold_s=0.5)
    pinched = two(lambda t, k: (320 + (k - 0.5) * (200 + 200 * eased((t - 0.3) / 0.8)), 240))
    begins = [[e.end_s for e in events_of(pinched, hold) if e.phase == "begin"] for hold in (0.0, 0.6)]
    assert begins[0][0] < 0.6 < begins[1][0]
    with pytest.raises(InputError, match=r"hold_s must be a number from 0 to 10\.0, got -1"):
        MotionGestures(-1)


def test_an_open_hand_that_goes_round_and_a_fist_that_was_never_open_are_nothing() -> None:
    def place(t: float) -> Place:
        angle = 2 * math.pi * t / 1.2
        return 320 + 70 * math.cos(angle), 240 + 70 * math.sin(angle)

    assert not [event for event in events_of(moving(lambda t: "open", place, 1.3)) if event.name == "circle"]
    assert not events_of(moving(lambda t: ("open", "fist", eased((t + 0.1) / 0.2)), seconds=1))


def test_hands_without_an_id_and_damaged_ones_are_ignored() -> None:
    frames = moving(lambda t: "open", swept((1, 0)))
    assert not events_of([[replace(hand, track_id=None) for hand in hands] for hands in frames])
    broken = [[replace(hand, landmarks=hand.landmarks * np.nan) for hand in hands] for hands in frames]
    assert not events_of(broken)


def held(
    name: str | None, seconds: float, score: float = 0.95, speed_px: float = 0, roll_deg: float = 0
) -> list[list[Hand]]:
    frames = moving(lambda t: "two", lambda t: (320 + speed_px * t, 240), seconds, turned=lambda t: roll_deg)
    gesture = Gesture(name, score) if name else None
    return [[replace(hand, gesture=gesture) for hand in hands] for hands in frames]


def triggers(lock: GestureLock, frames: Iterable[Sequence[Hand]]) -> list[str]:
    return [event.name for k, hands in enumerate(frames) for event in lock(hands, k / FPS)]


def test_a_gesture_triggers_once_when_it_is_held() -> None:
    assert triggers(GestureLock(hold_s=0.5), held("Victory", 3)) == ["Victory"]
    assert triggers(GestureLock(hold_s=0.5), held("Victory", 0.4)) == []
    twice = [*held("Victory", 1), *held(None, 0.5), *held("Victory", 1)]
    assert triggers(GestureLock(hold_s=0.5, refractory_s=0.2), twice) == ["Victory", "Victory"]
    assert triggers(GestureLock(hold_s=0.5, refractory_s=9), twice) == ["Victory"]


def test_unsure_moving_and_hanging_hands_trigger_nothing() -> None:
    assert triggers(GestureLock(hold_s=0.5), held("Victory", 3, score=0.6)) == []
    assert triggers(GestureLock(hold_s=0.5), held("Victory", 3, speed_px=200)) == []
    assert triggers(GestureLock(hold_s=0.5), held("Victory", 3, roll_deg=180)) == []
    assert triggers(GestureLock(hold_s=0.5, raised=False), held("Victory", 3, roll_deg=180)) == ["Victory"]


def test_hands_that_talk_trigger_nothing_until_they_are_calm() -> None:
    still = posed_hand("open")

    def named(name: str, track_id: int) -> Hand:
        return replace(still, track_id=track_id, gesture=Gesture(name, 0.95))

    def signing(t: float) -> list[Hand]:
        """One hand makes three gestures a second for two seconds, the other one keeps still."""
        return [named(("Victory", "OK", "Call")[int(3 * min(t, 2)) % 3], 1), named("Open_Palm", 2)]

    frames = [signing(k / FPS) for k in range(8 * FPS)]
    assert triggers(GestureLock(), frames[: 4 * FPS]) == []
    assert set(triggers(GestureLock(), frames)) == {"Victory", "Open_Palm"}  # held until well after the talk
    assert triggers(GestureLock(calm_s=0), frames[: 4 * FPS])
    alone = [[named("Thumb_Up" if k > FPS else "Open_Palm", 1)] for k in range(3 * FPS)]
    assert triggers(GestureLock(hold_s=0.5), alone) == ["Open_Palm", "Thumb_Up"]  # two gestures are no talk


def test_a_hand_triggers_nothing_while_another_one_moves() -> None:
    still = replace(posed_hand("open"), track_id=2, gesture=Gesture("Open_Palm", 0.95))

    def frame(t: float) -> list[Hand]:
        """The first hand makes no gesture; it goes to and fro for two seconds, and then rests."""
        shift = np.array([3 * still.palm_size * math.sin(math.pi * min(t, 2)), 0, 0], np.float32)
        return [replace(still, track_id=1, gesture=None, landmarks=still.landmarks + shift), still]

    frames = [frame(k / FPS) for k in range(6 * FPS)]
    assert triggers(GestureLock(), frames[: 4 * FPS]) == []
    assert triggers(GestureLock(), frames) == ["Open_Palm"]
    assert triggers(GestureLock(calm_s=0), frames[: 4 * FPS]) == ["Open_Palm"]


def test_a_hand_that_was_lowered_triggers_nothing_until_it_has_rested() -> None:
    still = replace(posed_hand("open"), track_id=1, gesture=Gesture("Open_Palm", 0.95))

    def frame(t: float, down: float) -> list[Hand]:
        """The hand comes down, or up, by three palm lengths in half a second."""
        shift = np.array([0, down * 3 * still.palm_size * min(2 * t, 1), 0], np.float32)
        return [replace(still, landmarks=still.landmarks + shift)]

    lowered, raised = ([frame(k / FPS, down) for k in range(8 * FPS)] for down in (1, -1))
    assert triggers(GestureLock(), raised[: 3 * FPS]) == ["Open_Palm"]
    assert triggers(GestureLock(), lowered[: 4 * FPS]) == []
    assert triggers(GestureLock(), lowered) == ["Open_Palm"]
    assert triggers(GestureLock(raised=False), lowered[: 4 * FPS]) == ["Open_Palm"]


def test_a_lock_refuses_values_out_of_range() -> None:
    with pytest.raises(InputError, match="min_score must be a number from 0 to 1, got 3"):
        GestureLock(min_score=3)
    with pytest.raises(InputError, match="hold_s must be a number from 0 to 60, got 'long'"):
        GestureLock(hold_s="long")  # type: ignore[arg-type]


def test_the_vectors_that_the_browser_is_held_to_are_current() -> None:
    from make_motion_vectors import PATH, vectors

    wanted, found = json.loads(PATH.read_text()), json.loads(json.dumps(vectors()))
    assert wanted["acts"] == found["acts"]
    for name, act in wanted["acts"].items():
        assert bool(act["free"]) == bool(act["locked"]) == (name != "raise")
