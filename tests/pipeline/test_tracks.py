from __future__ import annotations

from dataclasses import replace

import numpy as np
from conftest import make_hand
from hypothesis import given
from hypothesis import strategies as st

from knuckle.pipeline.tracks import (
    NOISE_SPEED_PER_S,
    PALM_LANDMARKS,
    Memory,
    at_size,
    baseline,
    current_hands,
    is_palm_of,
    tracked_candidates,
    update_tracks,
    without_duplicates,
)
from knuckle.results import Hand, Palm

FPS = 30


def play(frames: list[list[Hand]], remember_s: float = 1.0) -> list[list[Hand]]:
    """Hands in, hands with ids out, frame by frame."""
    memory, shown = Memory(), []
    for k, hands in enumerate(frames):
        memory = update_tracks(memory, hands, searched=True, time_s=k / FPS, remember_s=remember_s)
        shown.append(current_hands(memory, smooth=False, vote=True))
    return shown


def ids(hands: list[Hand]) -> list[int | None]:
    return [hand.track_id for hand in hands]


def test_no_hands_give_no_tracks() -> None:
    assert play([[], []]) == [[], []]


def test_a_hand_keeps_its_id_and_a_new_one_gets_the_next() -> None:
    frames = [[make_hand(100 + 4 * k)] for k in range(5)]
    frames += [[make_hand(120 + 4 * k), make_hand(500, 300, side="Right")] for k in range(5)]
    shown = play(frames)
    assert [ids(hands) for hands in shown] == [[1]] * 5 + [[1, 2]] * 5


def test_the_order_of_the_hands_does_not_matter() -> None:
    one, other = make_hand(100), make_hand(400, side="Right")
    shown = play([[one, other], [other, one], [one, other]])
    assert [[hand.handedness for hand in hands] for hands in shown] == [["Left", "Right"]] * 3


def test_ids_stay_with_their_hands_when_these_cross() -> None:
    frames = [[make_hand(100 + 12 * k), make_hand(460 - 12 * k, 110, side="Right")] for k in range(30)]
    assert all([(h.track_id, h.handedness) for h in hands] == [(1, "Left"), (2, "Right")] for hands in play(frames))


def test_a_hand_that_hid_for_half_a_second_is_the_same_hand() -> None:
    before, after = [make_hand(100 + 3 * k) for k in range(10)], [make_hand(170 + 3 * k) for k in range(5)]
    shown = play([[h] for h in before] + [[]] * 15 + [[h] for h in after])
    assert ids(shown[-1]) == [1]


def test_a_hand_that_was_gone_for_too_long_is_a_new_one() -> None:
    shown = play([[make_hand()]] + [[]] * 40 + [[make_hand()]])
    assert ids(shown[-1]) == [2]


def test_ids_do_not_outlive_a_long_gap_between_frames() -> None:
    memory = update_tracks(Memory(), [make_hand()], True, 0.0, 1.0)
    memory = update_tracks(memory, [make_hand(300)], True, 3600.0, 1.0)
    assert [track.track_id for track in memory.tracks] == [2]


def test_another_hand_elsewhere_is_not_the_lost_one() -> None:
    shown = play([[make_hand(100)]] * 5 + [[]] * 5 + [[make_hand(560, 400, side="Right")]])
    assert ids(shown[-1]) == [2]


def test_handedness_is_voted_over_the_track() -> None:
    frames = [[make_hand(side="Right" if k == 6 else "Left", score=0.8)] for k in range(12)]
    assert {hand.handedness for hands in play(frames) for hand in hands} == {"Left"}


def test_a_palm_score_stays_with_its_track() -> None:
    found = make_hand()
    object.__setattr__(found, "palm_score", 0.77)
    shown = play([[found], [make_hand(102)], [make_hand(104)]])
    assert [hands[0].palm_score for hands in shown] == [0.77] * 3


def test_the_expected_region_runs_ahead_of_a_moving_hand() -> None:
    memory = Memory()
    for k in range(2):
        memory = update_tracks(memory, [make_hand(100 + 9 * k)], True, k / FPS, 1.0)
    still, ahead = (tracked_candidates(memory, 2 / FPS, on)[0].roi for on in (False, True))
    noise = NOISE_SPEED_PER_S * baseline(make_hand()) / FPS
    assert np.isclose(ahead.x - still.x, 9 - noise, atol=1e-3) and np.isclose(ahead.y, still.y, atol=1e-3)


def test_motion_as_slow_as_noise_does_not_move_the_region() -> None:
    memory = Memory()
    for k in range(2):
        memory = update_tracks(memory, [make_hand(100 + 2 * k)], True, k / FPS, 1.0)
    still, ahead = (tracked_candidates(memory, 2 / FPS, on)[0].roi for on in (False, True))
    assert ahead == still


def test_a_hand_found_twice_is_returned_once_and_neighbours_stay() -> None:
    hands = [make_hand(100), make_hand(102), make_hand(160)]
    kept = without_duplicates(hands)
    assert kept == [hands[0], hands[2]]


def test_a_faint_palm_within_another_hand_is_a_duplicate() -> None:
    hand, within, beside = make_hand(100), make_hand(115), make_hand(300)
    for score, kept in ((None, 3), (0.6, 3), (0.3, 2)):
        others = [replace(other, palm_score=score) for other in (within, beside)]
        found = without_duplicates([hand, *others], min_palm_score=0.5)
        assert len(found) == kept and found[-1] is others[1]


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400)), max_size=6))
def test_removing_duplicates_twice_is_removing_them_once(centres: list[tuple[float, float]]) -> None:
    once = without_duplicates([make_hand(x, y) for x, y in centres])
    assert without_duplicates(once) == once and bool(once) == bool(centres)


def test_a_palm_belongs_to_the_hand_it_lies_on() -> None:
    hand = make_hand()
    palm = Palm(np.zeros(4), hand.landmarks[PALM_LANDMARKS, :2] + 3, 0.9)
    assert is_palm_of(palm, hand)
    assert not is_palm_of(palm, make_hand(200))


def test_smoothing_leaves_the_raw_landmarks() -> None:
    memory = Memory()
    for k in range(3):
        memory = update_tracks(memory, [make_hand(100 + 5 * (k % 2))], True, k / FPS, 1.0)
    (hand,) = current_hands(memory, smooth=True, vote=True)
    assert np.array_equal(hand.landmarks_raw, make_hand(100).landmarks)
    assert not np.array_equal(hand.landmarks, hand.landmarks_raw)


def test_a_video_that_changes_its_size_keeps_its_tracks() -> None:
    large, small = np.zeros((480, 640, 3), np.uint8), np.zeros((240, 320, 3), np.uint8)
    memory = Memory()
    for k in range(4):
        memory = update_tracks(at_size(memory, large), [make_hand(100 + 9 * k)], True, k / FPS, 1.0)
    halved = at_size(memory, small)
    (track,), (before,) = halved.tracks, memory.tracks
    assert np.allclose(track.hand.landmarks_raw[:, :2], (before.hand.landmarks_raw[:, :2] + 0.5) / 2 - 0.5)
    assert np.allclose(track.velocity, before.velocity / 2) and halved.size == (320, 240)
    centre, shape = track.landmarks.centre.value, track.landmarks.shape.value
    assert np.allclose(centre + shape, track.landmarks.value, atol=1e-3)
    back = at_size(halved, large).tracks[0]
    assert np.allclose(back.landmarks.value, before.landmarks.value, atol=1e-3)
    assert at_size(memory, large) is memory
    other = at_size(memory, np.zeros((640, 480, 3), np.uint8))
    assert other.tracks == memory.tracks and other.size == (480, 640)


UNIT = baseline(make_hand())


def after(gap_s: float, moved: float, remember_s: float = 1.0, **hand: str | float) -> list[int]:
    """The ids of a hand that stood still, and is next seen after a time, so many baselines away."""
    memory = Memory()
    for k in range(3):
        memory = update_tracks(memory, [make_hand()], True, k / FPS, remember_s)
    memory = update_tracks(memory, [make_hand(100 + moved * UNIT, **hand)], True, 2 / FPS + gap_s, remember_s)  # type: ignore[arg-type]
    return [track.track_id for track in memory.held]


def test_a_hand_is_expected_within_2_baselines_and_30_more_for_each_second_unseen() -> None:
    for gap_s in (0.01, 0.1, 0.25):
        reach = 2 + 30 * gap_s
        assert after(gap_s, 0.97 * reach) == [1] and after(gap_s, 1.03 * reach) == [2]


def test_a_hand_of_the_other_side_is_the_same_one_only_nearby() -> None:
    assert after(0.25, 1.9, side="Right", score=0.9) == [1]
    assert after(0.25, 8, side="Right", score=0.9) == [2] and after(0.25, 8, score=0.9) == [1]


def test_a_hand_of_the_frame_before_is_remembered_for_a_second_at_least() -> None:
    assert after(0.9, 0, remember_s=0.1) == [1] and after(1.1, 0, remember_s=0.1) == [2]
    assert after(1.9, 0, remember_s=2.0) == [1] and after(2.1, 0, remember_s=2.0) == [2]


def test_of_two_places_a_hand_of_the_same_side_takes_the_one_a_bit_further_away() -> None:
    memory = update_tracks(Memory(), [make_hand(100), make_hand(100 + 2 * UNIT, side="Right")], True, 0.0, 1.0)
    for x, expected in ((0.6, 1), (1.4, 1), (1.9, 2)):  # the other side counts as 1.5 baselines further
        found = update_tracks(memory, [make_hand(100 + x * UNIT)], True, 1 / FPS, 1.0)
        assert [track.track_id for track in found.held] == [expected], x


def test_a_lost_hand_is_expected_to_move_on_for_a_tenth_of_a_second() -> None:
    memory = Memory()
    for k in range(2):
        memory = update_tracks(memory, [make_hand(100 + 30 * k)], True, k / FPS, 1.0)
    places = [tracked_candidates(memory, 1 / FPS + gap_s, True)[0].roi.x for gap_s in (0.0, 0.05, 0.1, 0.2, 0.9)]
    assert np.allclose(np.diff(places[:3]), (places[2] - places[0]) / 2, atol=1e-3)
    assert places[2] > places[0] + 50 and np.allclose(places[2:], places[2], atol=1e-3)


def test_a_track_that_began_on_the_wrong_side_recovers_within_30_frames() -> None:
    wrong, right = [[make_hand(side="Right", score=1.0)]] * 100, [[make_hand(score=1.0)]] * 40
    shown = [hands[0].handedness for hands in play(wrong + right)]
    turned = shown.index("Left") - 100
    assert 15 <= turned < 30 and set(shown[100 + turned :]) == {"Left"}
    early = [hands[0].handedness for hands in play(wrong[:2] + right)]
    assert early.index("Left") <= 5  # few votes are outvoted by few


def test_the_score_of_a_side_is_that_of_the_track() -> None:
    (hand,) = play([[make_hand(score=0.9)], [make_hand(score=0.7)]])[-1]
    assert hand.handedness == "Left" and np.isclose(hand.handedness_score, 0.8)
    (hand,) = play([[make_hand(side="Right", score=0.9)], [make_hand(side="Right", score=0.7)]])[-1]
    assert hand.handedness == "Right" and np.isclose(hand.handedness_score, 0.8)


def test_a_palm_lies_on_a_hand_within_half_a_baseline() -> None:
    points = make_hand().landmarks[PALM_LANDMARKS, :2]
    for far, expected in ((0.45, True), (0.55, False)):
        for way in ((1, 0), (0, -1)):
            palm = Palm(np.zeros(4), points + far * UNIT * np.array(way), 0.9)
            assert is_palm_of(palm, make_hand()) == expected


def test_a_duplicate_shares_10_of_21_landmarks() -> None:
    hand = make_hand()
    for shared, kept in ((9, 2), (10, 1)):
        points = hand.landmarks_raw.copy()
        points[:-shared, 0] += 0.4 * UNIT  # the box still overlaps
        points[-shared:, 0] += 0.15 * UNIT
        other = replace(hand, landmarks=points, landmarks_raw=points)
        assert len(without_duplicates([hand, other])) == kept


def test_the_memory_says_when_palms_were_searched_and_when_hands_came_or_went() -> None:
    memory, seen = Memory(), []
    for k, (hands, searched) in enumerate([([], True), ([make_hand()], True), ([make_hand()], False), ([], False)]):
        memory = update_tracks(memory, hands, searched, float(k), 0.5)
        seen.append((memory.since_search, memory.searched_s, memory.changed_s, memory.time_s))
    assert [row[0] for row in seen] == [1, 1, 2, 3] and [row[1] for row in seen] == [0, 1, 1, 1]
    assert [row[2] for row in seen] == [-np.inf, 1, 1, 3] and [row[3] for row in seen] == [0, 1, 2, 3]
