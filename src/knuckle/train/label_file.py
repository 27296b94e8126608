"""Label files to train on, one JSON row per photo (docs/datasets.md): read with their origin, and written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
from PIL import Image as pillow

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.labels import LabelledHand
from knuckle.images import Image

ImageFormat = Literal["jpg", "png"]
SAVING: dict[ImageFormat, dict[str, Any]] = {"jpg": {"quality": 92}, "png": {"compress_level": 1}}


@dataclass(frozen=True, eq=False)
class LabelledPhoto:
    """One row of a label file.

    Attributes:
        path: of the photo.
        hands: the labelled hands.
        complete: whether all hands of the photo are labelled.
        about: the other fields of the row, such as `source` and `licence`.
    """

    path: Path
    hands: tuple[LabelledHand, ...]
    complete: bool
    about: Mapping[str, Any]

    def open(self) -> Image:
        """(height, width, 3) RGB uint8."""
        with pillow.open(self.path) as opened:
            return np.asarray(opened.convert("RGB"))


def read_label_file(path: Path) -> list[LabelledPhoto]:
    """All rows of a label file whose photos lie beside it."""
    photos = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        hands = tuple(map(hand_from_json, row.pop("hands", None) or ()))
        photos.append(LabelledPhoto(path.parent / row.pop("image"), hands, bool(row.pop("complete", False)), row))
    return photos


class LabelWriter:
    """Writes FOLDER/NAME.jsonl and its photos in FOLDER/images."""

    def __init__(self, folder: Path, file: TextIO) -> None:
        self.folder, self.file = folder, file

    def write(
        self,
        name: str,
        picture: Image,
        hands: Sequence[LabelledHand],
        form: ImageFormat = "jpg",
        complete: bool = True,
        **about: Any,
    ) -> None:
        """Save a picture as images/NAME.jpg, or .png, and append its row.

        Args:
            complete: whether all hands of the picture are labelled.
            about: further fields of the row.
        """
        image = f"images/{name}.{form}"
        pillow.fromarray(picture).save(self.folder / image, **SAVING[form])
        self.write_row(image, (picture.shape[1], picture.shape[0]), hands, complete=complete, **about)

    def write_row(self, image: str, size: tuple[int, int], hands: Sequence[LabelledHand] | None, **about: Any) -> None:
        """Append a row for a picture (width, height) that is already in the folder; `hands` None leaves them out."""
        row = {"image": image, **about, "width": size[0], "height": size[1]}
        if hands is not None:
            row["hands"] = list(map(hand_to_json, hands))
        self.file.write(json.dumps(row) + "\n")


@contextmanager
def open_label_file(folder: Path, name: str = "train") -> Iterator[LabelWriter]:
    """Create FOLDER/NAME.jsonl and FOLDER/images, and give a writer for them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("w") as file:
        yield LabelWriter(folder, file)
