"""Run any hand tracker over a dataset into a predictions file: resumable, the same for all of them."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets import file_of, open_image
from knuckle.datasets.labels import Clip, Dataset
from knuckle.errors import InputError, SourceError
from knuckle.evaluate.predictions import file_key, merge_parts, read_predictions, write_seen
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.evaluate.trackers import MIN_PALM_SCORE, Answer, Ask, Candidate
from knuckle.media.sources import read
from knuckle.results import Frame, Hand, Palm

STILLS_PER_PART = 64
UNKNOWN_WORLD = np.full((21, 3), np.nan, np.float32)


def predict(
    made_by: Candidate,
    dataset: Dataset,
    path: Path,
    max_hands: int = 2,
    advance: Callable[[int], None] = lambda images: None,
) -> Predictions:
    """Run a candidate over all photos and clips of a dataset, or read what an earlier run of the same wrote.

    Work is kept part by part in a folder beside `path`, so a run that broke off goes on where it stopped.
    `path` appears when all is done.

    Args:
        path: the predictions file, `.parquet`.
        max_hands: never more hands than this, per image.
        advance: is told how many more images are done.

    Raises:
        SourceError: a photo or clip of the dataset cannot be read.
    """
    key = _key(made_by, dataset, max_hands)
    if file_key(path) == key:
        advance(count_images(dataset))
        return read_predictions(path)
    folder = path.parent / f"{path.stem}.parts-{key[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for name, images, work in _parts(made_by, dataset, max_hands, advance):
        part = folder / name
        if part.exists():
            advance(images)
        else:
            write_seen(part, work())
        parts.append(part)
    merge_parts(path, parts, {"key": key, "model": made_by.name, "dataset": dataset.name})
    for part in parts:
        part.unlink()
    folder.rmdir()
    return read_predictions(path)


def count_images(dataset: Dataset) -> int:
    """Photos and frames that a run over the dataset looks at, as far as clips state their lengths."""
    return len(dataset.shots) + sum(read(clip.source).frame_count or 0 for clip in dataset.clips)


def _parts(
    made_by: Candidate, dataset: Dataset, max_hands: int, advance: Callable[[int], None]
) -> Iterator[tuple[str, int, Callable[[], list[ImagePrediction]]]]:
    """File name, number of images and the work of each part: some photos, or one clip."""
    photos = list(dict.fromkeys(shot.source for shot in dataset.shots))
    with closing(_Stills(made_by, max_hands, advance)) as stills:
        for first in range(0, len(photos), STILLS_PER_PART):
            batch = photos[first : first + STILLS_PER_PART]
            yield f"stills-{first:07}.parquet", len(batch), functools.partial(stills.look, batch)
    for number, clip in enumerate(dataset.clips):
        work = functools.partial(_watch, made_by, clip, max_hands, advance)
        yield f"clip-{number:05}.parquet", read(clip.source).frame_count or 0, work


class _Stills:
    """Photos, looked at by a candidate that is opened when the first one has to be."""

    def __init__(self, made_by: Candidate, max_hands: int, advance: Callable[[int], None]) -> None:
        self._context, self._advance = made_by.open(False, max_hands), advance
        self._ask: Ask | None = None

    def look(self, photos: Sequence[str]) -> list[ImagePrediction]:
        if self._ask is None:
            self._ask = self._context.__enter__()
        found = []
        for photo in photos:
            frame = Frame(open_image(photo), source=photo)
            found.append(seen_of(frame, self._ask(frame.image, None)))
            self._advance(1)
        return found

    def close(self) -> None:
        if self._ask is not None:
            self._context.__exit__(None, None, None)


def _watch(made_by: Candidate, clip: Clip, max_hands: int, advance: Callable[[int], None]) -> list[ImagePrediction]:
    found = []
    with made_by.open(True, max_hands) as ask:
        for frame in read(clip.source):
            found.append(seen_of(frame, ask(frame.image, frame.time_s)))
            advance(1)
    return found


def seen_of(frame: Frame, answer: Answer | Sequence[Any]) -> ImagePrediction:
    """A candidate's answer about a frame in our words.

    Raises:
        InputError: the answer has no hands in it, or hands without landmarks.
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
        raise InputError(f"a hand's landmarks must be 21 rows of x, y and perhaps z, got shape {landmarks.shape}")
    if landmarks.shape[1] == 2:
        landmarks = np.column_stack([landmarks, np.full(21, np.nan, np.float32)])
    unknown = {"world": UNKNOWN_WORLD, "handedness": "", "handedness_score": math.nan, "presence": math.nan}
    return Hand.from_dict({**unknown, **hand, "landmarks": landmarks})


def _palm(palm: Palm | Mapping[str, Any]) -> Palm:
    if isinstance(palm, Palm):
        return palm
    return Palm(np.asarray(palm["box"], np.float32), np.asarray(palm["keypoints"], np.float32), palm["score"])


def _key(made_by: Candidate, dataset: Dataset, max_hands: int) -> str:
    """What predictions depend on, as a hash: the tracker, the files that it is shown, the options."""
    sources = dict.fromkeys([shot.source for shot in dataset.shots] + [clip.source for clip in dataset.clips])
    files = [(source, *_stamp(source)) for source in sources]
    what = {"name": made_by.name, "identity": made_by.identity, "files": files, "max_hands": max_hands}
    what["palms"] = MIN_PALM_SCORE
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _stamp(source: str) -> tuple[int, int]:
    try:
        status = os.stat(file_of(source))
    except OSError as error:
        raise SourceError(f"{source}, which the dataset names, cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns
