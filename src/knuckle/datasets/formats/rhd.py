"""Rendered Hand Pose (RHD): both hands of rendered people."""

from __future__ import annotations

import functools
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.labels import Dataset, LabelledHand, Shot
from knuckle.datasets.parsing import (
    files_of,
    hands_maybe_visible,
    numbers,
    row_of,
    visibility_of,
)
from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.results import FloatArray

SIZE = (320, 320)  # of all images, pixels
# The index of each of our landmarks in their list: the wrist, then each finger from tip to base.
ORDER = [0] + [1 + 4 * finger + 3 - joint for finger in range(5) for joint in range(4)]


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """training/anno_training.pickle and evaluation/anno_evaluation.pickle; images in color/ beside them."""
    files = files_of(path, "anno_*.pickle", "*/anno_*.pickle")
    return {file.stem.removeprefix("anno_"): functools.partial(_read, file) for file in files}


def _read(file: Path) -> Dataset:
    """One split. 42 points of both hands, the left hand first, in pixels with visibility, and in metres.

    lmb.informatik.uni-freiburg.de/resources/datasets/RenderedHandposeDataset.en.html and its README: 0 left wrist, 1-4
    left thumb from tip to palm, 5-8 index … 17-20 little finger, 21-41 the right hand; images %05d.png. Point 0 is the
    wrist itself (some code replaces it by the middle of the palm). xyz is in the camera's space: K xyz gives uv.
    """
    split = file.stem.removeprefix("anno_")
    rows = load_arrays(file)
    if not isinstance(rows, dict):
        raise InputError(f"{file} contains a {type(rows).__name__}, expected a dict of annotations by image number")
    shots = []
    for number, row in rows.items():
        with row_of(file, number):
            uv, xyz = numbers(row["uv_vis"], 42, 3), numbers(row["xyz"], 42, 3)
            source = str(file.parent / "color" / f"{int(number):05}.png")
            both = (_hand(uv[:21], xyz[:21], "Left"), _hand(uv[21:], xyz[21:], "Right"))
            shown, complete = hands_maybe_visible(both, complete=True)
            shot = Shot(source, 0, 0.0, SIZE, shown, complete, group=source)
        shots.append(shot)
    note = "rendered; hands without any visible point are left out"
    licence = "research only, no commercial use"
    return Dataset(f"rhd {split}", tuple(shots), labelled_by="renderer", licence=licence, note=note)


def _hand(uv: FloatArray, xyz: FloatArray, side: str) -> LabelledHand:
    """A hand from its 21 points in the image, with visibility, and in space."""
    uv, xyz = uv[ORDER], xyz[ORDER]
    visibility = visibility_of(uv, uv[:, 2] == 1, SIZE)
    return LabelledHand(landmarks=uv[:, :2], world=xyz, handedness=side, visibility=visibility)


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays and nothing else. An ordinary unpickler would run any code that the file names."""

    def find_class(self, module: str, name: str) -> Any:
        made_by: dict[str, Any] = {
            "_reconstruct": empty_array,
            "scalar": np.float64(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.split(".")[0] == "numpy" and name in made_by:
            return made_by[name]
        if (module, name) == ("_codecs", "encode"):  # how protocol 2 writes bytes
            return _latin_bytes
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only numpy arrays are allowed")


def empty_array(kind: type[np.ndarray[Any, Any]], shape: tuple[int, ...], code: bytes) -> Any:
    """What pickles of arrays call first; shape and content follow. Another shape would only take memory."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(f"it makes an array of the shape {shape!r:.60} at once")
    return np.ndarray(0)


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it uses the encoding {encoding}")
    return text.encode("latin1")


def load_arrays(path: Path) -> Any:
    """The content of a pickle of plain containers and numpy arrays, also of Python 2.

    Raises:
        InputError: it is damaged, or it contains anything else, which is never executed.
    """
    try:
        return _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (*DAMAGE, pickle.UnpicklingError, EOFError, MemoryError, SystemError) as error:  # numpy raises the last one
        raise InputError(f"{path} is not a pickle of numpy arrays: {reason_of(error)}") from error
