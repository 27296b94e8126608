"""Run any hand tracker over a dataset into a predictions file. A run that was interrupted can be resumed."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets import file_of, open_image
from knuckle.datasets.labels import Clip, Dataset
from knuckle.errors import InputError, SourceError
from knuckle.evaluate.predictions import count_in, file_key, merge_parts, read_predictions, write_predictions
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.evaluate.trackers import MIN_PALM_SCORE, Answer, Ask, TrackerUnderTest
from knuckle.media.sources import read
from knuckle.results import Frame, Hand, Palm

PHOTOS_PER_PART = 64
UNKNOWN_WORLD = np.full((21, 3), np.nan, np.float32)
Advance = Callable[[int], None]


def predict(
    tracker: TrackerUnderTest,
    dataset: Dataset,
    path: Path,
    max_hands: int = 2,
    advance: Advance = lambda images: None,
) -> Predictions:
    """Run a tracker over all photos and clips of a dataset, or read the file of an earlier run.

    The results are kept in parts in a folder next to `path`, so an interrupted run continues where it stopped.
    `path` is written when everything is done.

    Args:
        path: the predictions file, `.parquet`.
        max_hands: the largest number of hands per image.
        advance: is called with the number of images that were finished since the last call.

    Raises:
        SourceError: a photo or clip of the dataset cannot be read.
    """
    key = _key(tracker, dataset, max_hands)
    if file_key(path) == key:
        known = read_predictions(path)
        advance(len(known.by_image))
        return known
    folder = path.parent / f"{path.stem}.parts-{key[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = _photo_parts(tracker, dataset, folder, max_hands, advance)
    for number, clip in enumerate(dataset.clips):
        part = folder / f"clip-{number:05}.parquet"
        if part.exists():
            advance(count_in(part))
        else:
            write_predictions(part, track_clip(tracker, clip, max_hands, advance))
        parts.append(part)
    merge_parts(path, parts, {"key": key, "model": tracker.name, "dataset": dataset.name})
    for part in parts:
        part.unlink()
    folder.rmdir()
    return read_predictions(path)


def _photo_parts(
    tracker: TrackerUnderTest, dataset: Dataset, folder: Path, max_hands: int, advance: Advance
) -> list[Path]:
    """The files of all photos. The tracker is opened when the first photo is not in a file yet."""
    photos = list(dict.fromkeys(shot.source for shot in dataset.shots))
    parts = []
    with ExitStack() as opened:
        ask: Ask | None = None
        for first in range(0, len(photos), PHOTOS_PER_PART):
            batch = photos[first : first + PHOTOS_PER_PART]
            part = folder / f"stills-{first:07}.parquet"
            if part.exists():
                advance(len(batch))
            else:
                if ask is None:
                    ask = opened.enter_context(tracker.open(False, max_hands))
                write_predictions(part, detect_in_photos(ask, batch, advance))
            parts.append(part)
    return parts


def detect_in_photos(ask: Ask, photos: Sequence[str], advance: Advance) -> Iterator[ImagePrediction]:
    """The answers of an opened tracker for some photos."""
    for photo in photos:
        frame = Frame(open_image(photo), source=photo)
        yield prediction_of(frame, ask(frame.image, None))
        advance(1)


def track_clip(tracker: TrackerUnderTest, clip: Clip, max_hands: int, advance: Advance) -> Iterator[ImagePrediction]:
    """The answers of a tracker for all frames of a clip."""
    with tracker.open(True, max_hands) as ask, read(clip.source) as frames:
        for frame in frames:
            yield prediction_of(frame, ask(frame.image, frame.time_s))
            advance(1)


def count_images(dataset: Dataset) -> int:
    """Number of photos and frames in a dataset, not counting clips whose header has no length."""
    count = len({shot.source for shot in dataset.shots})
    for clip in dataset.clips:
        with read(clip.source) as frames:
            count += frames.frame_count or 0
    return count


def most_hands(dataset: Dataset) -> int:
    """The largest number of labelled hands in an image, at least 2. A lower limit would cause missed hands."""
    shots = [*dataset.shots, *(shot for clip in dataset.clips for shot in clip.shots)]
    return max([2, *(len(shot.hands or ()) for shot in shots)])


def prediction_of(frame: Frame, answer: Answer | Sequence[Any]) -> ImagePrediction:
    """A tracker's answer for a frame as an `ImagePrediction`.

    Raises:
        InputError: the answer has no list of hands, or a hand has no landmarks.
    """
    row: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {"hands": answer}
    if "hands" not in row:
        raise InputError(f"a tracker must give a list of hands or a mapping with 'hands', got {answer!r:.80}")
    palms = row.get("palms")
    return ImagePrediction(
        source=frame.source,
        frame=frame.index,
        time_s=frame.time_s,
        size=(frame.width, frame.height),
        hands=tuple(_hand(hand) for hand in row["hands"]),
        palms=None if palms is None else tuple(_palm(palm) for palm in palms),
        searched=row.get("searched"),
        ms=float(row.get("ms", math.nan)),
    )


def _hand(hand: Hand | Mapping[str, Any]) -> Hand:
    if isinstance(hand, Hand):
        return hand
    landmarks = np.asarray(hand.get("landmarks", ()), np.float32)
    if landmarks.shape not in ((21, 2), (21, 3)):
        raise InputError(f"a hand's landmarks must be 21 rows of x, y and optionally z, got shape {landmarks.shape}")
    if landmarks.shape[1] == 2:
        landmarks = np.column_stack([landmarks, np.full(21, np.nan, np.float32)])
    unknown = {"world": UNKNOWN_WORLD, "handedness": "", "handedness_score": math.nan, "presence": math.nan}
    return Hand.from_dict({**unknown, **hand, "landmarks": landmarks})


def _palm(palm: Palm | Mapping[str, Any]) -> Palm:
    if isinstance(palm, Palm):
        return palm
    return Palm(np.asarray(palm["box"], np.float32), np.asarray(palm["keypoints"], np.float32), palm["score"])


def _key(tracker: TrackerUnderTest, dataset: Dataset, max_hands: int) -> str:
    """A hash of everything that predictions depend on: the tracker, its images, the options."""
    files = []
    for source in dict.fromkeys([shot.source for shot in dataset.shots] + [clip.source for clip in dataset.clips]):
        try:
            status = os.stat(file_of(source))
        except OSError as error:
            raise SourceError(f"{source}, which the dataset names, cannot be read: {error.strerror}") from error
        files.append((source, status.st_size, status.st_mtime_ns))
    depends_on = {
        "name": tracker.name,
        "identity": tracker.identity,
        "files": files,
        "max_hands": max_hands,
        "palms": MIN_PALM_SCORE,
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
