"""What `detect` and its like take as an image: a path, an array or a PIL image."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from knuckle.errors import SourceError
from knuckle.images import Image, Order, as_rgb
from knuckle.media.kinds import VIDEO_SUFFIXES
from knuckle.media.photo_files import load_image
from knuckle.results import Hand

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image as PilImage

    ImageLike: TypeAlias = str | os.PathLike[str] | npt.NDArray[Any] | PilImage
    ImageList: TypeAlias = list[Any] | tuple[Any, ...] | Iterator[Any]


def is_list(given: Any) -> bool:
    """Whether this is a list, tuple or iterator of images instead of one. The pair that OpenCV reads is not."""
    if isinstance(given, tuple) and given and isinstance(given[0], (bool, np.bool_)):
        return False  # ok, image = capture.read()
    if hasattr(given, "read"):
        return False  # an open file, which would give lines
    return isinstance(given, (list, tuple, Iterator))


def open_image(given: Any, order: Order = "rgb") -> Image:
    """The image as RGB uint8 (height, width, 3).

    Args:
        given: the path of a photo, an array or a PIL image.
        order: order of the channels of an array; see `knuckle.images.as_rgb`.

    Raises:
        InputError: it is no image.
        SourceError: the file does not exist, is a folder or a video, or cannot be read.
    """
    if not isinstance(given, (str, os.PathLike)):
        return as_rgb(given, order)
    check_path(given)
    return load_image(given)


def check_path(given: str | os.PathLike[str]) -> None:
    """Say what to do instead if a path is not that of a photo.

    Raises:
        SourceError: there is no such file, or it is a folder or a video.
    """
    text, path = os.fspath(given), Path(given)
    if "://" in text:
        raise SourceError(f"{text} is an address; knuckle.read opens streams, photos must be downloaded first")
    if not text:
        raise SourceError("the path of the photo is empty")
    if os.path.isdir(path):  # the methods of Path raise where the name is too long
        raise SourceError(f"{text} is a folder; loop over knuckle.read({text!r}), or pass a list of its files")
    if not os.path.exists(path):
        if "*" in text:
            raise SourceError(f"{text} is a pattern; pass a list of files, such as sorted(glob.glob({text!r}))")
        raise SourceError(f"there is no file {text}{_where_to_look(path)}")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise SourceError(f"{text} is a video; loop over knuckle.HandTracker().track({text!r})")


def _where_to_look(path: Path) -> str:
    """A file with a similar name, or the folder that a relative path starts from."""
    import difflib

    if os.path.isdir(path.parent):
        similar = difflib.get_close_matches(path.name, os.listdir(path.parent), 1)
        if similar:
            return f"; did you mean {path.parent / similar[0]}?"
    elif str(path.parent) != ".":
        return f", nor a folder {path.parent}; paths start from {os.getcwd()}"
    return "; check the path" if path.is_absolute() else f" in {os.getcwd()}; check the path"


def shown_in(hands: list[Hand], given: Any, order: Order = "rgb") -> list[Hand]:
    """The hands, which can now show the image `given` in a notebook.

    They do not keep it in memory: they show it as long as the caller keeps it, or keeps its file.
    """
    if not hands:
        return hands
    picture: Callable[[], Image | None]
    if isinstance(given, (str, os.PathLike)):
        picture = partial(load_image, os.path.abspath(given))
    else:
        picture = partial(_still_there, weakref.ref(given), order)
    return [replace(hand, picture=picture) for hand in hands]


def _still_there(reference: Callable[[], Any], order: Order) -> Image | None:
    image = reference()
    return None if image is None else as_rgb(image, order)
