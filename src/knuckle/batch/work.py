"""`TrackVideo`: the worker that every runner shares, from the local pool to Ray, Spark and Daft."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import knuckle
from knuckle.batch.items import Item, ItemResult
from knuckle.batch.open import readers_of
from knuckle.errors import Error, SinkError, SourceError
from knuckle.media.names import readable
from knuckle.media.reader import Reader
from knuckle.media.sinks import Sink, data_sink
from knuckle.media.threads import in_background
from knuckle.media.write_common import writing
from knuckle.models import catalogue
from knuckle.models.session import Session
from knuckle.pipeline.detect import BATCH, hands_in_images
from knuckle.pipeline.networks import Models, Networks, load
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import HandTracker
from knuckle.results import Frame

UNFINISHED = "unfinished"  # folder of tables that are being written, so that `parts` holds complete ones only
LIBRARIES = ("ai-edge-litert", "onnxruntime", "av", "opencv-python-headless", "pillow", "numpy")


@dataclass(frozen=True)
class TrackVideo:
    """Tracks the hands of one item and writes them as one Parquet table: `TrackVideo(out="out")(item)`.

    It pickles, and a process loads the networks once, at the first call. The table is written under a temporary name
    and renamed when it is complete. Its name follows from the item, so doing an item twice leaves one table.

    Attributes:
        out: output folder, which all machines share.
        options: options of the tracker.
        models: a bundle's name, folder or `.task` file, or loaded `Networks`.
        detect_only: detect palms only: no landmarks, no track ids.
        threads: inference threads of a process.
        device: see `knuckle.load`.
    """

    out: str
    options: TrackerOptions = field(default_factory=TrackerOptions)
    models: Models = catalogue.DEFAULT
    detect_only: bool = False
    threads: int | None = 1
    device: str = "cpu"

    def __call__(self, item: Item) -> ItemResult:
        """Do an item. Whatever is wrong with its source becomes a result with an error.

        Raises:
            SinkError: the table cannot be written, which concerns every item.
            BundleError, EngineError: the networks cannot be loaded.
        """
        began_s = time.perf_counter()
        networks = load(self.models, self.threads, self.device)
        count = Count()
        part, error = "", ""
        unfinished = Path(self.out, UNFINISHED, f"{item.name}-{uuid.uuid4().hex[:8]}.parquet")
        try:
            with data_sink(unfinished, self.detect_only) as sink:
                error = self._fill(sink, item, networks, count)
            if not error or count.frames:
                keep(unfinished, Path(self.out, item.part))
                part = item.part
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return ItemResult(
            key=item.key,
            source=item.source,
            status="failed" if error else "done",
            error=error,
            problems=tuple(count.problems),
            frames=count.frames,
            hands=count.hands,
            seconds=round(time.perf_counter() - began_s, 3),
            parts=(part,) if part else (),
            engine=engine_of(networks, self.device),
            versions=versions(),
            host=platform.node(),
            files=item.files,
        )

    def _fill(self, sink: Sink, item: Item, networks: Networks, count: Count) -> str:
        """Write the hands of an item; returns why that ended early, or an empty text."""
        try:
            for reader in readers_of(item):
                with reader, closing(self._found(reader, networks)) as found:  # type: ignore[type-var]
                    for frame, results in found:
                        sink.write(frame, results)
                        count.frames += 1
                        count.hands += len(results)
                count.problems += [readable(problem) for problem in reader.problems]
        except SinkError:
            raise
        except Error as error:
            return readable(error)
        return "" if count.frames or not count.problems else count.problems[0]

    def _found(self, reader: Reader, networks: Networks) -> Iterator[tuple[Frame, Any]]:
        """The frames of a source with their hands or palms."""
        if reader.kind == "live":
            raise SourceError(f"{reader.name} is a stream without an end; use knuckle track")
        frames = in_background(iter(reader))
        if reader.kind == "image" or self.detect_only:
            detector = networks.palm_detector(self.options)
            while batch := list(islice(frames, BATCH)):
                images = [frame.image for frame in batch]
                many = (
                    detector.in_images(images) if self.detect_only else hands_in_images(images, networks, self.options)
                )
                yield from zip(batch, many, strict=True)
            return
        tracker = HandTracker(networks, self.options)
        for frame in frames:
            yield frame, tracker(frame.image, frame.time_s)


@dataclass
class Count:
    """What one call has done so far."""

    frames: int = 0
    hands: int = 0
    problems: list[str] = field(default_factory=list)


def keep(unfinished: Path, part: Path) -> None:
    """Give a complete table its name. Its bytes are on the disk before the name is, also if the power fails.

    Raises:
        SinkError: the folder cannot be made, or the disk is full.
    """
    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, part)


def engine_of(networks: Networks, device: str) -> str:
    """The engine, the device and the files of the networks: "litert cpu palm.tflite hand.tflite"."""
    files = [network.model.name for network in (networks.palm, networks.hand) if isinstance(network, Session)]
    engine = "onnxruntime" if any(name.endswith(".onnx") for name in files) else "litert"
    return " ".join([engine, device, *files]) if files else type(networks.hand).__name__


@cache
def versions() -> dict[str, str]:
    """Versions of Knuckle, Python and the libraries that decide the result."""
    found = {"knuckle": knuckle.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
