"""Hands as objects of other libraries: `supervision.KeyPoints`, FiftyOne's keypoints and samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from knuckle.exports.pictures import is_photo
from knuckle.extras import required
from knuckle.media.data_format import Tracked
from knuckle.results import Frame, Hand

if TYPE_CHECKING:
    import supervision

SIDES = ("Left", "Right")  # class ids 0 and 1


def to_supervision(hands: Sequence[Hand]) -> supervision.KeyPoints:
    """The hands of one image as `supervision.KeyPoints`, for its annotators and filters.

    Args:
        hands: n hands.

    Returns:
        `xy` (n, 21, 2) image pixels; `class_id` 0 for left and 1 for right hands; the confidence of a landmark is its
        visibility, or the presence of the hand; `data` has `class_name` and, if all hands have one, `tracker_id`.

    Raises:
        MissingExtraError: supervision is not installed.
    """
    sv = required("supervision", "supervision", "supervision.KeyPoints")
    if not hands:
        return sv.KeyPoints.empty()  # type: ignore[no-any-return]
    data: dict[str, Any] = {"class_name": np.array([hand.handedness for hand in hands])}
    ids = [hand.track_id for hand in hands]
    if None not in ids:
        data["tracker_id"] = np.array(ids)
    confidence = [np.full(21, hand.presence) if hand.visibility is None else hand.visibility for hand in hands]
    return sv.KeyPoints(  # type: ignore[no-any-return]
        xy=np.stack([hand.landmarks[:, :2] for hand in hands]).astype(np.float32),
        class_id=np.array([SIDES.index(hand.handedness) for hand in hands]),
        keypoint_confidence=np.stack(confidence).astype(np.float32),
        data=data,
    )


def to_fiftyone_keypoints(frame: Frame, hands: Sequence[Hand]) -> Any:
    """The hands of one image as `fiftyone.Keypoints`: points in fractions of the image, `index` is the track id.

    Raises:
        MissingExtraError: FiftyOne is not installed.
    """
    fo = required("fiftyone", "fiftyone", "FiftyOne samples")
    size = np.array([frame.width, frame.height])
    found = []
    for hand in hands:
        confidence = np.full(21, hand.presence) if hand.visibility is None else hand.visibility
        points = (hand.landmarks[:, :2] / size).astype(float).tolist()
        about = {"label": hand.handedness, "points": points, "confidence": confidence.astype(float).tolist()}
        found.append(fo.Keypoint(**about, **({} if hand.track_id is None else {"index": hand.track_id})))
    return fo.Keypoints(keypoints=found)


def to_fiftyone_samples(tracked: Iterable[Tracked], field: str = "hands") -> list[Any]:
    """Photos and clips as FiftyOne samples; the hands of clips are in the samples' frames.

    Args:
        tracked: frames with their hands, as `HandTracker.track` gives them or a reader of `FORMATS`.
        field: the field of the samples that gets the hands.

    Raises:
        MissingExtraError: FiftyOne is not installed.
    """
    fo = required("fiftyone", "fiftyone", "FiftyOne samples")
    samples: list[Any] = []
    clips: dict[str, Any] = {}
    for frame, hands in tracked:
        keypoints = to_fiftyone_keypoints(frame, hands)
        if is_photo(frame):
            samples.append(fo.Sample(filepath=frame.source, **{field: keypoints}))
            continue
        if frame.source not in clips:
            clips[frame.source] = fo.Sample(filepath=frame.source)
            samples.append(clips[frame.source])
        clips[frame.source].frames[frame.index + 1] = fo.Frame(**{field: keypoints})  # FiftyOne counts from 1
    return samples
