"""Still images as readers: files, images in memory, and animations, which are clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from knuckle.errors import Error, SourceError
from knuckle.images import as_rgb
from knuckle.media.photo_files import File, Picture, count_pictures, explained, open_pillow, read_pictures
from knuckle.media.reader import STILL, Reader
from knuckle.results import Frame

MIN_PAUSE_S = 0.01
DEFAULT_PAUSE_MS = 100  # of animations that state none


def read_image(image: Any) -> Reader:
    """Read one image in memory: a NumPy array or a PIL image. See `knuckle.images.as_rgb` for the types.

    Raises:
        InputError: the image has an unsupported type or shape.
    """
    frame = Frame(as_rgb(image), 0, STILL, "image")
    return Reader("image", "image", lambda _: iter([frame]), 1)


def read_photos(name: str, paths: Sequence[Path]) -> Reader:
    """Read image files. A bad file among several is skipped and noted in `Reader.problems`.

    The time of every frame is `STILL`: the photos are independent of each other. Each page of a TIFF or HEIC file is a
    frame.
    """

    count = count_pictures(paths[0], str(paths[0])) if len(paths) == 1 else len(paths)
    return read_photo_files(name, [(str(path), partial(Path, path)) for path in paths], count)


def read_photo_files(name: str, files: Sequence[tuple[str, Callable[[], File]]], count: int | None = None) -> Reader:
    """Read photos that need not be files of this machine; otherwise like `read_photos`.

    Args:
        name: the name of the reader.
        files: of each photo its name and what opens it: gives its path, or its bytes as an open file.
        count: number of pictures; None for one per file.
    """

    def frames(reader: Reader) -> Iterator[Frame]:
        index = 0
        for source, open_file in files:
            try:
                for picture in read_pictures(open_file(), source):
                    yield _frame(reader, picture, index, source)
                    index += 1
            except Error as error:
                if len(files) == 1:
                    raise
                reader.problems.append(error)
                index += 1

    return Reader(name, "image", frames, len(files) if count is None else count)


def read_photo_data(name: str, open_file: Callable[[], File]) -> Reader:
    """Read a photo that is in memory as the bytes of a file. `name` is what frames and errors call it."""
    return read_photo_files(name, [(name, open_file)], count_pictures(open_file(), name))


def _frame(reader: Reader, picture: Picture, index: int, source: str) -> Frame:
    frame = Frame(picture.image, index, STILL, source)
    if (frame.width, frame.height) != picture.full_size:
        width, height = picture.full_size
        reader.note(f"{source}: {width} × {height} pixels, read and measured at {frame.width} × {frame.height}")
    return frame


def read_animation(name: str, open_file: Callable[[], File]) -> Reader:
    """Read an animated GIF, WebP, PNG or AVIF as a clip with its own pauses.

    Raises:
        SourceError: it cannot be opened. The iteration raises it after the last good picture of a damaged file.
    """
    file = open_file()
    with open_pillow(file, name) as opened, explained(file, name):
        first = int(bool(getattr(opened, "default_image", False)))  # of PNG, shown where animations are not supported
        numbers = range(first, opened.n_frames)
        opened.seek(first)
        opened.load()
        rate = 1 / _pause_s(opened)

    def frames(reader: Reader) -> Iterator[Frame]:
        time_s = 0.0
        with open_pillow(open_file(), name) as opened:
            for index, number in enumerate(numbers):
                try:
                    opened.seek(number)
                    image = as_rgb(opened)
                except Exception as error:  # decoders raise errors of any type on damaged files
                    raise SourceError(f"{name} breaks off after {index} of {len(numbers)} frames: {error}") from error
                yield Frame(image, index, time_s, name)
                time_s += _pause_s(opened)

    return Reader(name, "video", frames, len(numbers), rate)


def _pause_s(opened: Any) -> float:
    return max(float(opened.info.get("duration") or DEFAULT_PAUSE_MS) / 1000, MIN_PAUSE_S)
