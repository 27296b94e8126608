"""Targets: readers of labels and of results, by every format, one file of a valid folder changed at a time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import label_files
import numpy as np
from conftest import make_hand
from fuzzing import Target
from PIL import Image

from knuckle.datasets import image_source, read_dataset
from knuckle.exports.formats import FORMATS
from knuckle.media.data_format import DataFormat
from knuckle.results import Frame

MOST_FRAMES = 3000
LARGEST = 150_000  # bytes of a file that is changed; pictures are mostly smaller
PICTURES = {".jpg", ".png"}


def folder_target(name: str, make: Callable[[Path], object], read: Callable[[Path], object]) -> Target:
    """A target whose inputs replace one file of a folder that `make` fills: the first byte says which, by name."""
    template: dict[Path, bytes] = {}

    def files() -> list[Path]:
        return [path for path in sorted(template) if path.suffix not in PICTURES and len(template[path]) <= LARGEST]

    def seeds(folder: Path) -> Sequence[bytes]:
        make(folder)
        template.update({path: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
        return [bytes([number]) + template[path] for number, path in enumerate(files())]

    def read_changed(data: bytes, folder: Path) -> object:
        path = files()[data[0] % len(files())] if data else files()[0]
        path.write_bytes(data[1:])
        try:
            return read(folder)
        finally:
            path.write_bytes(template[path])

    return Target(name, seeds, read_changed, keep=1)


def read_labels(kind: str, folder: Path) -> object:
    """All splits of a folder; images may be missing."""
    image_source.members.cache_clear()
    split = "training-gs" if kind == "freihand" else None
    return read_dataset(folder, kind=kind, split=split, allow_missing=True)


def write_hagrid(folder: Path) -> None:
    label_files.picture(folder / "call/k.jpg")
    more = {"hand_landmarks": [], "leading_hand": "left"}
    label_files.write(folder / "ann_test/call.json", {"k": label_files.HAGRID | more})


def write_clip_rows(folder: Path) -> None:
    """Our own rows of frames beside a clip."""
    with av.open(str(folder / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    hand = {"landmarks": (label_files.PIXELS / 5).tolist(), "handedness": "Left", "track_id": 1}
    rows = [{"frame": k, "time_s": k / 10, "width": 64, "height": 48, "hands": [hand]} for k in range(2)]
    label_files.write(folder / "a.jsonl", "\n".join(label_files.json.dumps(row) for row in rows))


def write_ti1k(folder: Path) -> None:
    label_files.picture(folder / "Color/1.jpg")
    label_files.write(folder / "Annotation/label.txt", "1.jpg,10,20,30,40\n")


def write_results(kind: DataFormat, folder: Path) -> None:
    """Two frames of a clip with a hand each, in a format of results."""
    black = np.zeros((240, 320, 3), np.uint8)
    with kind.open(folder / f"a{kind.suffix}") as sink:
        for index in range(2):
            hand = make_hand(150, 200, 150)
            sink.write(Frame(black, index, index / 10, "a.mp4"), [hand])


def read_results(kind: DataFormat, folder: Path) -> object:
    assert kind.read is not None
    return list(itertools.islice(kind.read(folder / f"a{kind.suffix}"), MOST_FRAMES))


def picture_target() -> Target:
    """A photo that labels name: its header is read for its size, and its pixels afterwards."""

    def seeds(folder: Path) -> Sequence[bytes]:
        found = []
        for suffix in ("jpg", "png", "webp"):
            Image.new("RGB", (40, 30), (200, 10, 20)).save(folder / f"a.{suffix}")
            found.append((folder / f"a.{suffix}").read_bytes())
        return found

    def read(data: bytes, folder: Path) -> object:
        path = folder / "x.jpg"
        path.write_bytes(data)
        return image_source.open_image(str(path))

    return Target("labelled-photo", seeds, read)


OTHER_WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "hagrid": ("hagrid", write_hagrid),
    "clips": ("clips", write_clip_rows),
    "ti1k": ("ti1k", write_ti1k),
}
TARGETS = [
    *(
        folder_target("labels-" + name.replace(" ", "-"), write, functools.partial(read_labels, kind))
        for name, (kind, write) in (label_files.WRITERS | OTHER_WRITERS).items()
    ),
    *(
        folder_target(
            f"results-{kind.name}", functools.partial(write_results, kind), functools.partial(read_results, kind)
        )
        for kind in FORMATS
        if kind.read
    ),
    picture_target(),
]
