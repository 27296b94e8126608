"""The metrics of clips: `MEASURES`. Each is a row of the report; its equation is in `metrics.video`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from knuckle import metrics
from knuckle.datasets.labels import Clip, Shot
from knuckle.errors import InputError
from knuckle.evaluate.image_metrics import Better
from knuckle.evaluate.matching import FOUND_IOU, MatchedImage
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.metrics import TrackedFrame, palm_size, sum_and_count
from knuckle.results import FloatArray, Hand

SLOW_PALMS_PER_S = 0.5  # jitter is measured on hands that move less
FAST_PALMS_PER_S = 4.0  # the lag of the filter is measured on hands that move more
SPEED_FRAMES = 4  # the speed of a slow hand is measured over this many frames
Parts = tuple[float, float]


@dataclass(frozen=True, eq=False)
class LinkedHand:
    """One hand in consecutive frames, linked by the overlap of its boxes. The tracker's own ids are not used.

    Attributes:
        frames: (t,) indices of the frames in the clip.
        times_s: (t,) seconds.
        hands: the hand in each of these frames.
    """

    frames: Sequence[int]
    times_s: FloatArray
    hands: Sequence[Hand]

    @cached_property
    def smoothed(self) -> FloatArray:
        """(t, 21, 2) pixels."""
        return np.stack([hand.landmarks[:, :2] for hand in self.hands])

    @cached_property
    def raw(self) -> FloatArray:
        """(t, 21, 2) pixels, before smoothing."""
        return np.stack([hand.landmarks_raw[:, :2] for hand in self.hands])

    def points(self, raw: bool) -> FloatArray:
        """(t, 21, 2) pixels."""
        return self.raw if raw else self.smoothed


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """A clip and a tracker's predictions for it.

    Attributes:
        frames: all of them, in order.
        ids: an id for each hand of each frame: the tracker's own, else by overlap from frame to frame.
        linked_hands: the hands, linked by overlap.
        shots: the labelled frames, by their index in `frames`.
        matched: the frames whose hands are labelled, with the predicted hands matched to them; by the same index.
    """

    clip: Clip
    frames: Sequence[ImagePrediction]
    ids: Sequence[Sequence[int]]
    linked_hands: Sequence[LinkedHand]
    shots: Mapping[int, Shot]
    matched: Mapping[int, MatchedImage]

    @property
    def times_s(self) -> list[float]:
        """Time of each frame in seconds."""
        return [frame.time_s for frame in self.frames]

    @property
    def is_labelled_throughout(self) -> bool:
        """Whether every frame is labelled."""
        return len(self.shots) == len(self.frames)

    @cached_property
    def tracked(self) -> list[TrackedFrame]:
        """The labelled frames with ids. Where not all hands are labelled, unmatched predictions are ignored."""
        found = []
        for index, shot in sorted(self.shots.items()):
            extents = [(hand.track_id, hand.extent) for hand in shot.hands or ()]
            truths = [(track_id, extent) for track_id, extent in extents if extent is not None]
            ids = [track_id for track_id, _ in truths if track_id is not None]
            hands = self.frames[index].hands
            overlap = metrics.iou_matrix([extent for _, extent in truths], [hand.box for hand in hands])
            kept = [k for k in range(len(hands)) if shot.complete or (overlap[:, k] >= FOUND_IOU).any()]
            if len(ids) == len(truths):
                found.append(TrackedFrame(ids, [self.ids[index][k] for k in kept], overlap[:, kept]))
        return found if any(frame.true_ids for frame in found) else []


def follow_clip(clip: Clip, predictions: Predictions, matched: Mapping[tuple[str, int], MatchedImage]) -> TrackedClip:
    """A clip's frames in order, its hands linked from frame to frame.

    Args:
        matched: the labelled images of the dataset by source and frame.

    Raises:
        InputError: the predictions do not have this clip.
    """
    frames = predictions.frames_of(clip.source)
    if not frames:
        raise InputError(f"predictions of {predictions.model} have no clip {clip.source}; run the tracker again")
    linked = link(frames)
    own = [[hand.track_id for hand in frame.hands] for frame in frames]
    ids = linked if any(track_id is None for of_frame in own for track_id in of_frame) else own
    appearances: dict[int, list[tuple[int, Hand]]] = {}
    for index, (frame, numbers) in enumerate(zip(frames, linked, strict=True)):
        for hand, number in zip(frame.hands, numbers, strict=True):
            appearances.setdefault(number, []).append((index, hand))
    linked_hands = []
    for of_hand in appearances.values():
        indices = [index for index, _ in of_hand]
        times_s = np.array([frames[index].time_s for index in indices])
        linked_hands.append(LinkedHand(indices, times_s, [hand for _, hand in of_hand]))
    index_of = {frame.frame: index for index, frame in enumerate(frames)}
    shots = {index_of[shot.frame]: shot for shot in clip.shots if shot.frame in index_of}
    known = {index: matched[clip.source, shot.frame] for index, shot in shots.items() if shot.hands is not None}
    return TrackedClip(clip, frames, ids, linked_hands, shots, known)  # type: ignore[arg-type]  # no id is None


def link(frames: Sequence[ImagePrediction]) -> list[list[int]]:
    """A number for each hand of each frame: that of the hand it overlaps most in the previous frame, else a new one.

    This is the simplest possible tracker, for hands that have no ids.
    """
    numbers: list[list[int]] = []
    count = 0
    for k, frame in enumerate(frames):
        now = [-1] * len(frame.hands)
        if k:
            overlap = metrics.iou_matrix([h.box for h in frames[k - 1].hands], [h.box for h in frame.hands])
            for i, j in metrics.match(overlap, FOUND_IOU).tolist():
                now[j] = numbers[k - 1][i]
        for j, number in enumerate(now):
            if number < 0:
                now[j], count = count, count + 1
        numbers.append(now)
    return numbers


def searches(one: TrackedClip) -> Parts:
    """Number of frames in which the palm detector ran, and number of frames for which that is known."""
    known = [frame.searched for frame in one.frames if frame.searched is not None]
    return sum(known), len(known)


def hands_per_frame(one: TrackedClip) -> Parts:
    """Hands and frames."""
    return sum(len(frame.hands) for frame in one.frames), len(one.frames)


def idf1(one: TrackedClip) -> Parts:
    """Numerator and denominator of `metrics.identity`."""
    kept = metrics.identity(one.tracked, FOUND_IOU)
    return 2 * kept.hits, 2 * kept.hits + kept.false_ids + kept.missed


def switches(one: TrackedClip) -> Parts:
    """Identity switches of this clip."""
    return metrics.id_switches(one.tracked, FOUND_IOU), float(bool(one.tracked))


def ids_per_hand(one: TrackedClip) -> Parts:
    """Number of ids that the labelled hands of this clip had, and number of labelled hands."""
    pairs = set()
    for frame in one.tracked:
        for i, j in metrics.match(frame.similarity, FOUND_IOU).tolist():
            pairs.add((frame.true_ids[i], frame.seen_ids[j]))
    return len(pairs), len({true for frame in one.tracked for true in frame.true_ids})


def id_changes(one: TrackedClip) -> Parts:
    """Number of hands whose id changed since the previous frame, and number of hands that overlap a hand there."""
    if any(hand.track_id is None for frame in one.frames for hand in frame.hands):
        return 0, 0  # this tracker gives no ids, and ids made by overlap cannot change
    boxes = [np.array([hand.box for hand in frame.hands]).reshape(-1, 4) for frame in one.frames]
    return metrics.id_changes(boxes, one.ids, FOUND_IOU)


def still_jitter(one: TrackedClip, raw: bool) -> Parts:
    """All motion in a clip in which nothing moves, by `metrics.steps`."""
    total, count = 0.0, 0
    for linked in one.linked_hands if one.clip.still else ():
        if len(linked.hands) > 1:
            points = linked.points(raw)
            part, values = sum_and_count(metrics.steps(points, palm_size(points)))
            total, count = total + part, count + values
    return total, count


def slow_jitter(one: TrackedClip, raw: bool) -> Parts:
    """`metrics.jitter` of hands that hardly move.

    Fast hands are left out: a tracker that loses them would look steady. A hand is slow in a frame if its raw landmarks
    moved less than `SLOW_PALMS_PER_S` on average over the five frames around it.
    """
    total, count = 0.0, 0
    for linked in one.linked_hands if not one.clip.still else ():
        has_gap = linked.frames[-1] - linked.frames[0] != len(linked.frames) - 1
        if len(linked.hands) <= SPEED_FRAMES or has_gap:
            continue
        palm = float(np.median(palm_size(linked.raw)))
        centre, times_s = linked.raw.mean(axis=1), linked.times_s
        moved = np.linalg.norm(centre[SPEED_FRAMES:] - centre[:-SPEED_FRAMES], axis=-1) / palm
        slow = moved / (times_s[SPEED_FRAMES:] - times_s[:-SPEED_FRAMES]) < SLOW_PALMS_PER_S
        part, values = sum_and_count(metrics.jitter(linked.points(raw), palm)[1:-1][slow])
        total, count = total + part, count + values
    return total, count


def lag(one: TrackedClip, raw: bool) -> Parts:
    """`metrics.lag_ms` of the first hand of a clip, if its landmarks are labelled in every frame."""
    labels = [shot.hands[0].landmarks if shot.hands else None for _, shot in sorted(one.shots.items())]
    known = [points[:, :2].ravel() for points in labels if points is not None]
    if len(known) < len(one.frames):
        return 0, 0
    true = np.stack(known)
    predicted = np.full_like(true, np.nan)
    for k, frame in enumerate(one.frames):
        for index, _ in one.matched[k].pairs[:1].tolist():
            hand = frame.hands[index]
            predicted[k] = (hand.landmarks_raw if raw else hand.landmarks)[:, :2].ravel()
    labelled = np.isfinite(true).all(axis=0)
    late_ms = metrics.lag_ms(one.times_s, true[:, labelled], predicted[:, labelled])
    return (late_ms, 1) if np.isfinite(late_ms) else (0, 0)


def filter_lag(one: TrackedClip) -> Parts:
    """Distance of the smoothed from the raw landmarks in palms, of hands faster than `FAST_PALMS_PER_S`."""
    total, count = 0.0, 0
    for linked in one.linked_hands:
        if len(linked.hands) < 2:
            continue
        palm = np.median(palm_size(linked.raw))
        speed = np.linalg.norm(np.diff(linked.raw, axis=0).mean(axis=1), axis=-1) / palm / np.diff(linked.times_s)
        apart = np.linalg.norm(linked.smoothed - linked.raw, axis=-1)[1:][speed > FAST_PALMS_PER_S] / palm
        total, count = total + float(apart.sum()), count + apart.size
    return total, count


def time_lost(one: TrackedClip) -> Parts:
    """`metrics.time_lost_s` in ms, if every frame says whether hands are in view."""
    if not one.is_labelled_throughout:
        return 0, 0
    visible = [bool(one.shots[k].hands) for k in range(len(one.frames))]
    found = [k in one.matched and len(one.matched[k].pairs) > 0 for k in range(len(one.frames))]
    lost = metrics.time_lost_s(one.times_s, visible, found)
    return float(1000 * lost.sum()), len(lost)


@dataclass(frozen=True)
class ClipMeasure:
    """A metric of clips: the figure is the sum of the numerators by the sum of the denominators, times `factor`.

    Attributes:
        parts: numerator and denominator of one clip; 0 and 0 if it cannot be measured.
    """

    name: str
    unit: str
    better: Better
    parts: Callable[[TrackedClip], Parts]
    factor: float = 1


MEASURES = (
    ClipMeasure("palm detector calls per frame", "", "lower", searches),
    ClipMeasure("hands per frame", "", None, hands_per_frame),
    ClipMeasure("IDF1", "%", "higher", idf1, 100),
    ClipMeasure("identity switches per clip", "", "lower", switches),
    ClipMeasure("ids per hand", "", "lower", ids_per_hand),
    ClipMeasure("ids that change from frame to frame", "% of hands", "lower", id_changes, 100),
    ClipMeasure("jitter of a still hand", "% of palm a frame", "lower", lambda one: still_jitter(one, raw=False)),
    ClipMeasure("jitter of a still hand, raw", "% of palm a frame", "lower", lambda one: still_jitter(one, raw=True)),
    ClipMeasure("jitter of slow hands", "% of palm a frame", "lower", lambda one: slow_jitter(one, raw=False)),
    ClipMeasure("jitter of slow hands, raw", "% of palm a frame", "lower", lambda one: slow_jitter(one, raw=True)),
    ClipMeasure("lag", "ms", "lower", lambda one: lag(one, raw=False)),
    ClipMeasure("lag, raw", "ms", "lower", lambda one: lag(one, raw=True)),
    ClipMeasure("smoothed from raw, hands above 4 palms a second", "% of palm", None, filter_lag, 100),
    ClipMeasure("time lost after a hand comes back", "ms", "lower", time_lost),
    ClipMeasure("time per frame, mean", "ms", None, lambda one: sum_and_count([frame.ms for frame in one.frames])),
)
