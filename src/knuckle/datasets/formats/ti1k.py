"""TI1K: first-person photos and clips with a box and two fingertips."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from knuckle.datasets.image_source import clip_header
from knuckle.datasets.labels import Clip, Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    box_of,
    files_of,
    fingertips,
    folder_with,
    image_size,
    numbers,
    row_of,
    text_rows,
    unit_to_pixels,
)

TRAINING = 900  # images 1 to 900 are the training part, 901 to 1000 the test part
FRAME = re.compile(r"Frame_(\d+)\b")
NOTE = "first-person pinches: boxes and the tips of thumb and index finger"


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Annotation/label.txt with "TI1K Train" and "TI1K Test" beside it, or NAME.txt of "Frame_1 …" beside NAME.mp4."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "label.txt", "Annotation/label.txt"):
        splits |= {
            "": functools.partial(_read_photos, file, range(1, 1001)),
            "train": functools.partial(_read_photos, file, range(1, TRAINING + 1)),
            "test": functools.partial(_read_photos, file, range(TRAINING + 1, 1001)),
        }
    found = [file for file in files_of(path, "*.txt") if file.with_suffix(".mp4").is_file() and _has_frames(file)]
    if found:
        splits["clips" if splits else ""] = functools.partial(read_clips, found)
    return splits


def _has_frames(file: Path) -> bool:
    """Whether a text file begins with "Frame_1", or another number."""
    with file.open("rb") as opened:
        return bool(FRAME.match(opened.read(40).decode("utf-8", "replace")))


def _hand(fields: Sequence[str], size: tuple[int, int]) -> LabelledHand:
    """A hand from x0 y0 x1 y1 of its box, and x y of the tips of thumb and index finger, in fractions of the image."""
    corners = unit_to_pixels(numbers(fields, 8).reshape(4, 2), size)
    return LabelledHand(box_of(corners[:2].ravel()), fingertips(corners[2], corners[3]))


def _read_photos(file: Path, part: range) -> Dataset:
    """First-person photos of one hand, left or right.

    Format: github.com/MahmudulAlam/TI1K-Dataset, README; M. M. Alam, S. M. M. Rahman, Detection and tracking of
    fingertips for geometric transformation of objects in virtual environment, AICCSA 2019. Neighbouring numbers are
    neighbouring moments, so ten of them are one group.
    """
    root = file.parent.parent if file.parent.name == "Annotation" else file.parent
    folders = [root / "TI1K Train", root / "TI1K Test", root]
    shots = []
    for row, (name, *fields) in text_rows(file):
        with row_of(file, row):
            number = int(re.sub(r"\D", "", name.replace("TI1K", "")))
            if number not in part:
                continue
            folder = folder_with(name, folders if number <= TRAINING else [folders[1], folders[0], root])
            size = image_size(folder / name)
            hands = None if size is None else (_hand(fields, size),)
            shot = Shot(str(folder / name), size=size, hands=hands, group=f"ti1k {number // 10}")
        shots.append(shot)
    return Dataset("ti1k", tuple(shots), licence="MIT", note=NOTE)


def read_clips(files: Sequence[Path]) -> Dataset:
    """Labelled clips. The first row is the clip's first frame, whether it is called Frame_0 or Frame_1."""
    clips = []
    for file in files:
        video = file.with_suffix(".mp4")
        frames, rate, size = clip_header(video)
        shots: list[Shot] = []
        first: int | None = None
        for number, (name, *fields) in text_rows(file):
            with row_of(file, number):
                named = FRAME.fullmatch(name)
                if named is None:
                    raise ValueError(f"expected Frame_NUMBER, got {name}")
                first = int(named[1]) if first is None else first
                frame = int(named[1]) - first
                if not 0 <= frame < frames:
                    raise ValueError(f"{name} is not in {video.name}, which has {frames} frames")
                shot = Shot(str(video), frame, frame / rate, size, (_hand(fields, size),), group=video.stem)
            shots.append(shot)
        clips.append(Clip(str(video), tuple(shots)))
    return Dataset("ti1k_clips", clips=tuple(clips), licence="MIT", note=NOTE)
