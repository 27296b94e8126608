"""What a tracker remembers between frames, and how the hands of a frame are matched to its tracks.

These are plain functions from one frozen memory to the next, so a tracker can be pickled, reset and tested without a
network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from knuckle.geometry import iou, is_usable
from knuckle.images import Image
from knuckle.pipeline.hand import MCP_JOINTS, STEADY, Candidate, roi_from_landmarks
from knuckle.pipeline.smooth import CENTRE_BETA_HZ_PER_SPEED, Smoothed, SmoothedHand, one_euro, smooth_hand
from knuckle.results import PALM_LANDMARKS, FloatArray, Hand, Palm

# A hand is matched to a track within this many palm baselines of where it was expected, plus `MATCH_DISTANCE_PER_S` for
# each second unseen: a hand raised fast moved 8 baselines in a quarter of a second. A hand of the other handedness may
# be at most `MATCH_DISTANCE` away.
MATCH_DISTANCE = 2.0
MATCH_DISTANCE_PER_S = 30.0
# A hand of the other handedness counts as this many baselines further away.
OTHER_HANDEDNESS_PENALTY = 1.5
# The handedness of a track is the mean over about this many frames, so a track that began wrong can recover.
VOTES = 30
# Motion below this many palm baselines per second is landmark noise. It is subtracted from faster motion: otherwise the
# noise moves the next region and comes back as jitter (`python benchmarks/variants.py tracking`).
NOISE_SPEED_PER_S = 1.5
# A lost hand is expected to keep moving for this long.
EXTRAPOLATE_S = 0.1
# A hand of the previous frame can be matched for at least this long, even if `remember_s` is shorter.
MIN_MATCH_S = 1.0
# Images whose ratio of width to height differs by less than this have the same shape.
SAME_SHAPE = 0.02
PALM_POINTS = np.array(PALM_LANDMARKS)


@dataclass(frozen=True, eq=False)
class Track:
    """One hand through time.

    Attributes:
        track_id: its number.
        hand: the hand as last found, not smoothed, with the handedness of that frame.
        seen_s: time of that frame, seconds.
        velocity: (2,) velocity of its centre, image pixels per second.
        left: mean probability of "Left" over the last `VOTES` frames.
        votes: number of frames in that mean.
        landmarks, world: state of the filters, in the rows of `Hand.rows`.
    """

    track_id: int
    hand: Hand
    seen_s: float
    velocity: FloatArray
    left: float
    votes: int
    landmarks: SmoothedHand
    world: Smoothed


@dataclass(frozen=True)
class Memory:
    """Everything that a tracker knows when a frame arrives.

    Attributes:
        tracks: hands found in the previous frame or lost recently, by id.
        next_id: id of the next new hand.
        time_s: time of the previous frame, seconds.
        since_search: frames since the palm detector last ran.
        searched_s: time when it last ran.
        changed_s: time when a hand last came or went.
        size: (width, height) of the previous frame, pixels; None before the first.
    """

    tracks: tuple[Track, ...] = ()
    next_id: int = 1
    time_s: float = -math.inf
    since_search: int = 0
    searched_s: float = -math.inf
    changed_s: float = -math.inf
    size: tuple[int, int] | None = None

    @property
    def held(self) -> list[Track]:
        """Tracks that were found in the previous frame."""
        return [track for track in self.tracks if track.seen_s == self.time_s]


def at_size(memory: Memory, image: Image) -> Memory:
    """The memory in pixels of this image. A video that changes its size midway shows the same view in other pixels.

    If the shape changes too, the view is another one: tracks stay where they are, and may not be matched.
    """
    height, width = image.shape[:2]
    if memory.size == (width, height):
        return memory
    tracks = memory.tracks
    if memory.size is not None:
        scale = width / memory.size[0]
        if abs(height / memory.size[1] / scale - 1) < SAME_SHAPE:
            tracks = tuple(_scaled(track, scale) for track in tracks)
    return replace(memory, tracks=tracks, size=(width, height))


def _scaled(track: Track, scale: float) -> Track:
    """A track in an image that is `scale` times as large. Pixel centres are whole numbers, so places shift as well."""
    shift = np.array([scale - 1, scale - 1, 0], np.float32) / 2

    def placed(points: FloatArray) -> FloatArray:
        return (points * scale + shift).astype(points.dtype)

    def filtered(state: Smoothed, value: FloatArray) -> Smoothed:
        return replace(state, value=value.astype(state.value.dtype), speed=state.speed * scale)

    hand, before = track.hand, track.landmarks
    arrays = {name: placed(hand.rows(name)) for name in ("landmarks", "landmarks_raw")}
    if hand.landmark_std is not None:
        arrays["landmark_std"] = hand.rows("landmark_std") * scale
    return replace(
        track,
        hand=hand.with_rows(arrays),
        velocity=track.velocity * scale,
        landmarks=SmoothedHand(
            placed(before.value),
            filtered(before.centre, placed(before.centre.value)),
            filtered(before.shape, before.shape.value * scale),
        ),
    )


def tracked_candidates(
    memory: Memory,
    time_s: float,
    predict_motion: bool,
    noise_speed_per_s: float = NOISE_SPEED_PER_S,
    joints: tuple[int, int, int] = MCP_JOINTS,
) -> list[Candidate]:
    """Where the tracked hands should be now: the region of each one's landmarks, moved on by its last motion.

    Args:
        memory: the memory of the previous frame.
        time_s: time of this frame, seconds.
        predict_motion: move the regions on.
        noise_speed_per_s: see `NOISE_SPEED_PER_S`.
        joints: the joints that give the direction of a hand, see `roi_from_landmarks`.
    """
    candidates = []
    for track in memory.held:
        roi = roi_from_landmarks(track.hand.landmarks_raw, joints)
        if predict_motion:
            speed = float(np.hypot(*track.velocity)) / baseline(track.hand)
            sure = max(0.0, 1 - noise_speed_per_s / max(speed, 1e-9))
            dx, dy = sure * track.velocity * min(time_s - track.seen_s, EXTRAPOLATE_S)
            roi = replace(roi, x=roi.x + float(dx), y=roi.y + float(dy))
        if is_usable(roi):
            candidates.append(Candidate(roi))
    return candidates


def is_palm_of(palm: Palm, hand: Hand) -> bool:
    """Whether a palm belongs to a hand: their seven common points are on average within half a palm baseline."""
    distance = palm.keypoints - hand.landmarks_raw[PALM_POINTS, :2]
    return float(np.hypot(distance[:, 0], distance[:, 1]).mean()) < 0.5 * baseline(hand)


def baseline(hand: Hand) -> float:
    """The longest side of the triangle wrist, index MCP, pinky MCP in image pixels, the tracker's unit of distance.

    It differs from `Hand.palm_size` on purpose: it stays large when the fingers point at the camera.
    """
    wrist, index, pinky = hand.landmarks_raw[[0, 5, 17], :2].tolist()
    return max(1e-3, math.dist(wrist, index), math.dist(index, pinky), math.dist(pinky, wrist))  # NaN is passed over


def without_duplicates(hands: Sequence[Hand], min_palm_score: float = 0.0) -> list[Hand]:
    """The hands without duplicates of earlier ones.

    A duplicate has 10 of 21 landmarks within 0.2 palm baselines, and its box overlaps the other's by more than 0.2 (the
    rule of MediaPipe's Tasks API). A hand whose palm scored less than `min_palm_score` is also a duplicate if the
    middle of its palm lies in the box of an earlier hand.
    """
    kept: list[Hand] = []
    for hand in hands:
        faint = hand.palm_score is not None and hand.palm_score < min_palm_score
        if not any(_same(hand, other) or (faint and _lies_in(hand, other)) for other in kept):
            kept.append(hand)
    return kept


def _lies_in(hand: Hand, other: Hand) -> bool:
    middle = hand.landmarks_raw[PALM_POINTS, :2].mean(axis=0)
    return bool((other.box[:2] <= middle).all() and (middle <= other.box[2:]).all())


def _same(one: Hand, other: Hand) -> bool:
    distance = one.landmarks_raw[:, :2] - other.landmarks_raw[:, :2]
    near = np.hypot(distance[:, 0], distance[:, 1]) < 0.2 * max(baseline(one), baseline(other))
    return int(near.sum()) >= 10 and float(iou(one.box, other.box[None])[0]) > 0.2


def update_tracks(
    memory: Memory,
    hands: Sequence[Hand],
    searched: bool,
    time_s: float,
    remember_s: float,
    centre_beta: float = CENTRE_BETA_HZ_PER_SPEED,
) -> Memory:
    """The memory after this frame: each hand goes to its track or begins a new one; tracks lost for longer than
    `remember_s` are forgotten. `centre_beta` is for `smooth_hand`."""
    held, next_id, tracks = memory.held, memory.next_id, list[Track]()
    known = []
    for track in memory.tracks:
        limit_s = max(remember_s, MIN_MATCH_S) if track in held else remember_s
        if time_s - track.seen_s <= limit_s:
            known.append(track)
    owners = match(known, hands, time_s)
    for hand, owner in zip(hands, owners, strict=True):
        tracks.append(_updated(owner, hand, time_s, next_id, owner in held if owner else False, centre_beta))
        next_id += owner is None
    lost = [track for track in memory.tracks if track not in owners and time_s - track.seen_s <= remember_s]
    changed = {track.track_id for track in tracks} != {track.track_id for track in held}
    return Memory(
        tracks=tuple(sorted([*tracks, *lost], key=lambda track: track.track_id)),
        next_id=next_id,
        time_s=time_s,
        since_search=1 if searched else memory.since_search + 1,
        searched_s=time_s if searched else memory.searched_s,
        changed_s=time_s if changed else memory.changed_s,
        size=memory.size,
    )


def match(tracks: Sequence[Track], hands: Sequence[Hand], time_s: float) -> list[Track | None]:
    """The track of each hand; None where no track is in reach."""
    # Nearest pairs first. With a few hands an optimal assignment differs only where hands are closer to each other than
    # they move per frame; scipy's would add its import to the start of every program.
    pairs = []
    for t, track in enumerate(tracks):
        for h, hand in enumerate(hands):
            distance, disagreement = _distance(track, hand, time_s), abs(_left(hand) - track.left)
            if distance <= MATCH_DISTANCE + MATCH_DISTANCE_PER_S * (time_s - track.seen_s) * (1 - disagreement):
                pairs.append((distance + OTHER_HANDEDNESS_PENALTY * disagreement, t, h))
    owners: list[Track | None] = [None] * len(hands)
    taken: set[int] = set()
    for _, t, h in sorted(pairs):
        if t not in taken and owners[h] is None:
            owners[h] = tracks[t]
            taken.add(t)
    return owners


def _distance(track: Track, hand: Hand, time_s: float) -> float:
    """Mean distance of a hand from where the track's hand is expected, in palm baselines."""
    moved = track.velocity * min(time_s - track.seen_s, EXTRAPOLATE_S)
    gap = hand.landmarks_raw[STEADY, :2] - (track.hand.landmarks_raw[STEADY, :2] + moved)
    return float(np.hypot(gap[:, 0], gap[:, 1]).mean()) / max(baseline(track.hand), baseline(hand))


def _left(hand: Hand) -> float:
    """Probability that this is a left hand."""
    return hand.handedness_score if hand.handedness == "Left" else 1 - hand.handedness_score


def _updated(track: Track | None, hand: Hand, time_s: float, new_id: int, was_held: bool, centre_beta: float) -> Track:
    """The track after this frame's hand; a new one if there is no track. `was_held`: the previous frame had it too."""
    size = baseline(hand)
    before = track.landmarks if track and was_held else None
    landmarks = smooth_hand(before, hand.rows("landmarks_raw"), time_s, size, centre_beta)
    world_size = float(np.linalg.norm(hand.world[0] - hand.world[9])) or 1.0
    world = one_euro(track.world if track and was_held else None, hand.rows("world"), time_s, world_size)
    if track is None:
        return Track(new_id, hand, time_s, np.zeros(2), _left(hand), 1, landmarks, world)
    votes = min(track.votes + 1, VOTES)
    moved = (hand.landmarks_raw[STEADY, :2] - track.hand.landmarks_raw[STEADY, :2]).mean(axis=0)
    return Track(
        track.track_id,
        hand if hand.palm_score is not None else replace(hand, palm_score=track.hand.palm_score),
        time_s,
        moved / (time_s - track.seen_s) if was_held else np.zeros(2),
        track.left + (_left(hand) - track.left) / votes,
        votes,
        landmarks,
        world,
    )


def current_hands(memory: Memory, smooth: bool, vote: bool) -> list[Hand]:
    """The hands of this frame as the tracker returns them, by track id.

    Args:
        memory: the memory after this frame.
        smooth: return the filtered landmarks.
        vote: return the handedness of the track instead of the frame's.
    """
    hands = []
    for track in memory.held:
        changes: dict[str, Any] = {"track_id": track.track_id}
        arrays = {"landmarks": track.landmarks.value, "world": track.world.value} if smooth else {}
        if vote:
            changes["handedness"] = "Left" if track.left >= 0.5 else "Right"
            changes["handedness_score"] = max(track.left, 1 - track.left)
        hands.append(track.hand.with_rows(arrays, **changes))
    return hands
