"""What is counted on clips: each measure gives a numerator and a denominator per clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from knuckle.datasets.labels import Clip, Shot
from knuckle.errors import InputError
from knuckle.evaluate import metrics, metrics_video
from knuckle.evaluate.metrics_landmarks import palm_size
from knuckle.evaluate.metrics_video import TrackedFrame
from knuckle.evaluate.results import Predictions, Seen
from knuckle.evaluate.score_images import FOUND_IOU, look
from knuckle.results import FloatArray, Hand

SLOW_PALMS_PER_S, FAST_PALMS_PER_S = (
    0.5,
    4.0,
)  # jitter is a matter of hands that hold still, lag is a matter of hands that move
Parts = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Watched:
    """A clip as a tracker saw it.

    Attributes:
        frames: all of them, in order.
        ids: an id for each hand of each frame: the tracker's own, or by overlap from frame to frame where it has none.
        strands: (frame, hand) of each run of frames that shows one hand, linked by overlap whatever its ids.
        shots: the labelled frames, and by place in `frames`.
    """

    clip: Clip
    frames: Sequence[Seen]
    ids: Sequence[Sequence[int]]
    strands: Sequence[Sequence[tuple[int, Hand]]]
    shots: Mapping[int, Shot]
    predictions: Predictions


def watch(clip: Clip, predictions: Predictions) -> Watched:
    """A clip's frames in order, with hands linked from frame to frame.

    Raises:
        InputError: the predictions do not have this clip.
    """
    frames = sorted((s for (source, _), s in predictions.seen.items() if source == clip.source), key=lambda s: s.frame)
    if not frames:
        raise InputError(f"predictions of {predictions.model} lack the clip {clip.source}; run it again")
    linked = link(frames)
    own = [[hand.track_id for hand in one.hands] for one in frames]
    ids = linked if any(i is None for of in own for i in of) else own
    strands: dict[int, list[tuple[int, Hand]]] = {}
    for place, (one, numbers) in enumerate(zip(frames, linked, strict=True)):
        for hand, number in zip(one.hands, numbers, strict=True):
            strands.setdefault(number, []).append((place, hand))
    places = {one.frame: place for place, one in enumerate(frames)}
    shots = {places[shot.frame]: shot for shot in clip.shots if shot.frame in places}
    return Watched(clip, frames, ids, list(strands.values()), shots, predictions)  # type: ignore[arg-type]


def link(frames: Sequence[Seen]) -> list[list[int]]:
    """Numbers for hands: a hand has the number of the one that it overlaps most in the frame before.

    This is the least that anyone can do with hands that come without ids.
    """
    numbers: list[list[int]] = []
    count = 0
    for k, one in enumerate(frames):
        now = [-1] * len(one.hands)
        if k:
            overlap = metrics.iou_matrix([h.box for h in frames[k - 1].hands], [h.box for h in one.hands])
            for i, j in metrics.match(overlap, FOUND_IOU).tolist():
                now[j] = numbers[k - 1][i]
        for j, number in enumerate(now):
            if number < 0:
                now[j], count = count, count + 1
        numbers.append(now)
    return numbers


@dataclass(frozen=True)
class Measure:
    """A metric of clips; `count` gives numerator and denominator of one clip."""

    name: str
    unit: str
    better: Literal["higher", "lower"] | None
    count: Callable[[Watched], Parts]
    factor: float = 1


def searches(one: Watched) -> Parts:
    told = [seen.searched for seen in one.frames if seen.searched is not None]
    return sum(told), len(told)


def hands_per_frame(one: Watched) -> Parts:
    return sum(len(seen.hands) for seen in one.frames), len(one.frames)


def milliseconds(one: Watched) -> Parts:
    known = [seen.ms for seen in one.frames if np.isfinite(seen.ms)]
    return sum(known), len(known)


def _points(strand: Sequence[tuple[int, Hand]], raw: bool) -> tuple[FloatArray, FloatArray]:
    """(t, 21, 2) over the frames of a strand, and (t,) palm sizes."""
    points = np.stack([(hand.landmarks_raw if raw else hand.landmarks)[:, :2] for _, hand in strand])
    return points, palm_size(points)


def _still_jitter(one: Watched, raw: bool) -> Parts:
    if not one.clip.still:
        return 0, 0
    steps = [metrics_video.steps(*_points(strand, raw)) for strand in one.strands if len(strand) > 1]
    return float(sum(s.sum() for s in steps)), sum(s.size for s in steps)


def _slow_jitter(one: Watched, raw: bool) -> Parts:
    """Second differences of hands that hardly move, as in `metrics_video.jitter`, by their mean.

    Fast hands are left out: a tracker that loses them would look steady. Slow is what the raw landmarks' mean says
    over five frames, less than `SLOW_PALMS_PER_S`.
    """
    total, count = 0.0, 0
    for strand in one.strands if not one.clip.still else ():
        places = np.array([place for place, _ in strand])
        if len(strand) < 5 or places[-1] - places[0] != len(strand) - 1:
            continue
        (points, _), (truly, size) = _points(strand, raw), _points(strand, True)
        time_s = np.array([one.frames[place].time_s for place in places])
        centre, palm = truly.mean(axis=1), float(np.median(size))
        speed = np.linalg.norm(centre[4:] - centre[:-4], axis=-1) / palm / (time_s[4:] - time_s[:-4])
        second = np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1)[1:-1][speed < SLOW_PALMS_PER_S]
        total, count = total + 100 * float(second.sum()) / palm / math.sqrt(3), count + second.size
    return total, count


def _lag(one: Watched, raw: bool) -> Parts:
    """Of the one hand of a clip whose landmarks are labelled in every frame."""
    if len(one.shots) < len(one.frames) or not all(
        s.hands and s.hands[0].landmarks is not None for s in one.shots.values()
    ):
        return 0, 0
    true = np.stack([one.shots[k].hands[0].landmarks[:, :2].ravel() for k in range(len(one.frames))])  # type: ignore[index]
    seen = np.full_like(true, np.nan)
    for k, frame in enumerate(one.frames):
        for i, _ in look(one.shots[k], one.predictions).pairs[:1].tolist():
            hand = frame.hands[i]
            seen[k] = (hand.landmarks_raw if raw else hand.landmarks)[:, :2].ravel()
    known = np.isfinite(true).all(axis=0)
    lag = metrics_video.lag_ms([frame.time_s for frame in one.frames], true[:, known], seen[:, known])
    return (lag, 1) if np.isfinite(lag) else (0, 0)


def _filter_lag(one: Watched) -> Parts:
    """How far the smoothed landmarks are from the raw ones on hands that move fast, in % of the palm."""
    total, count = 0.0, 0
    for strand in one.strands:
        if len(strand) < 2:
            continue
        (raw, size), (smooth, _) = _points(strand, True), _points(strand, False)
        time_s = np.array([one.frames[place].time_s for place, _ in strand])
        speed = np.linalg.norm(np.diff(raw, axis=0).mean(axis=1), axis=-1) / np.median(size) / np.diff(time_s)
        apart = np.linalg.norm(smooth - raw, axis=-1)[1:][speed > FAST_PALMS_PER_S] / np.median(size)
        total, count = total + float(apart.sum()), count + apart.size
    return total, count


def _tracked(one: Watched) -> list[TrackedFrame]:
    """The labelled frames with ids; where not all hands are labelled, hands that are none of the labelled ones are left
    out, as nobody can say whether they are right."""
    found = []
    for place, shot in sorted(one.shots.items()):
        truths = [(hand.track_id, box) for hand in shot.hands or () if (box := hand.extent) is not None]
        ids = [number for number, _ in truths if number is not None]
        seen = one.frames[place].hands
        overlap = metrics.iou_matrix([box for _, box in truths], [hand.box for hand in seen])
        kept = [k for k in range(len(seen)) if shot.complete or (overlap[:, k] >= FOUND_IOU).any()]
        if len(ids) == len(truths):
            found.append(TrackedFrame(ids, [one.ids[place][k] for k in kept], overlap[:, kept]))
    return found if any(frame.true_ids for frame in found) else []


def idf1(one: Watched) -> Parts:
    kept = metrics_video.identity(_tracked(one), FOUND_IOU)
    return 2 * kept.hits, 2 * kept.hits + kept.false_ids + kept.missed


def switches(one: Watched) -> Parts:
    frames = _tracked(one)
    return metrics_video.id_switches(frames, FOUND_IOU), float(bool(frames))


def ids_per_hand(one: Watched) -> Parts:
    """How many ids the hands of this clip went through, by how many hands there are."""
    frames = _tracked(one)
    pairs = {
        (frame.true_ids[i], frame.seen_ids[j])
        for frame in frames
        for i, j in metrics.match(frame.similarity, FOUND_IOU).tolist()
    }
    return len(pairs), len({true for frame in frames for true in frame.true_ids})


def id_changes(one: Watched) -> Parts:
    if any(hand.track_id is None for seen in one.frames for hand in seen.hands):
        return 0, 0  # ids that were made by overlap cannot change
    boxes = [np.array([hand.box for hand in seen.hands]).reshape(-1, 4) for seen in one.frames]
    return metrics_video.id_changes(boxes, one.ids, FOUND_IOU)


def time_lost(one: Watched) -> Parts:
    """After each time that the hands of a clip were out of view, where every frame says whether they are."""
    if len(one.shots) < len(one.frames):
        return 0, 0
    visible = [bool(one.shots[k].hands) for k in range(len(one.frames))]
    found = [bool(len(look(one.shots[k], one.predictions).pairs)) for k in range(len(one.frames))]
    lost = metrics_video.time_lost_s([seen.time_s for seen in one.frames], visible, found)
    return float(1000 * lost.sum()), len(lost)


MEASURES = (
    Measure("palm detector calls per frame", "", "lower", searches),
    Measure("hands per frame", "", None, hands_per_frame),
    Measure("IDF1", "%", "higher", idf1, 100),
    Measure("identity switches per clip", "", "lower", switches),
    Measure("ids per hand", "", "lower", ids_per_hand),
    Measure("ids that change from frame to frame", "% of hands", "lower", id_changes, 100),
    Measure("jitter of a still hand", "% of palm a frame", "lower", lambda one: _still_jitter(one, False)),
    Measure("jitter of a still hand, raw", "% of palm a frame", "lower", lambda one: _still_jitter(one, True)),
    Measure("jitter of slow hands", "% of palm a frame", "lower", lambda one: _slow_jitter(one, False)),
    Measure("jitter of slow hands, raw", "% of palm a frame", "lower", lambda one: _slow_jitter(one, True)),
    Measure("lag", "ms", "lower", lambda one: _lag(one, False)),
    Measure("lag, raw", "ms", "lower", lambda one: _lag(one, True)),
    Measure("smoothed from raw, hands above 4 palms a second", "% of palm", None, _filter_lag, 100),
    Measure("time lost after a hand comes back", "ms", "lower", time_lost),
    Measure("time per frame, mean", "ms", None, milliseconds),
)
