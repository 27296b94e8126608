"""`TrackVideo`: the worker that every runner shares, from the local pool to Ray, Spark and Daft."""

from __future__ import annotations

import logging
import math
import os
import platform
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import knuckle
from knuckle.batch.cut import frames_of, overlap, stretches_of
from knuckle.batch.items import Item, ItemResult, Stretch
from knuckle.batch.join import joined
from knuckle.batch.open import opener_of, readers_of
from knuckle.errors import BundleError, EngineError, Error, SinkError, SourceError
from knuckle.graph import Steps, finish
from knuckle.media.kinds import VIDEO_SUFFIXES
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
from knuckle.pipeline.smooth import OfflineSmoother
from knuckle.pipeline.stride import follow
from knuckle.pipeline.together import together
from knuckle.pipeline.tracker import HandTracker
from knuckle.results import Frame
from knuckle.space.position import Locator

log = logging.getLogger("knuckle")
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
        stretch_s: a video that is longer, in seconds, is not tracked but gets the status "cut".
        stride: the networks run at least on every `stride`-th frame of a video, see `knuckle.pipeline.stride`; 1: on
            every frame.
        camera: add positions in metres, see `knuckle.space.position`.
        hand_length_m: with `camera`: length of the person's hand, metres.
        offline: smooth videos by later frames too, see `knuckle.pipeline.smooth.OfflineSmoother`.
    """

    out: str
    options: TrackerOptions = field(default_factory=TrackerOptions)
    models: Models = catalogue.DEFAULT
    detect_only: bool = False
    threads: int | None = 1
    device: str = "cpu"
    stretch_s: float = math.inf
    stride: int = 1
    camera: str | None = None
    hand_length_m: float | None = None
    offline: bool = False

    def __call__(self, item: Item) -> ItemResult:
        """Do an item. Whatever is wrong with its source becomes a result with an error.

        Raises:
            SinkError: the table cannot be written, which concerns every item.
            BundleError, EngineError: the networks cannot be loaded.
        """
        return finish(self.steps(item))

    def side_by_side(self, items: Iterable[Item | None], streams: int) -> Iterator[ItemResult]:
        """Do several items at once in this process: their images and crops go through the networks together.

        Each gets the result that it gets alone. Errors are those of a call, and end all.

        Args:
            items: the items; None where there is none now.
            streams: how many are done at once.
        """
        return together((self.steps(item) if item else None for item in items), streams)

    def steps(self, item: Item) -> Steps[ItemResult]:
        """What a call does, as steps for `together`."""
        began_s = time.perf_counter()
        networks = load(self.models, self.threads, self.device)
        count = Count()
        result = ItemResult(
            key=item.key,
            source=item.source,
            status="done",
            engine=engine_of(networks, self.device),
            versions=versions(),
            host=platform.node(),
            files=item.files,
            of=item.of,
        )
        try:
            if item.kind == "join":
                result = replace(result, **self._join(item))
            elif stretches := self._stretches(item):
                result = replace(result, status="cut", stretches=stretches)
            else:
                parts = yield from self._track(item, networks, count)
                result = replace(result, parts=parts, frames=count.frames, hands=count.hands, overlap=count.overlap)
        except (SinkError, BundleError, EngineError):
            raise
        except Exception as error:
            count.error = explained(item, error)
        failure = count.error or result.error
        return replace(
            result,
            status="failed" if failure else result.status,
            error=failure,
            problems=tuple(count.problems) or result.problems,
            seconds=round(time.perf_counter() - began_s + result.seconds, 3),
        )

    def _stretches(self, item: Item) -> tuple[Stretch, ...]:
        """Where to cut an item; nothing if it is to be tracked as it is."""
        path = urlsplit(item.source).path if "://" in item.source else item.source
        is_video = item.kind == "clip" and Path(path).suffix.lower() in VIDEO_SUFFIXES
        if not is_video or item.stretch or math.isinf(self.stretch_s):
            return ()
        return stretches_of(item.source, opener_of(item.source), self.stretch_s, overlap(self.options.remember_s))

    def _track(self, item: Item, networks: Networks, count: Count) -> Steps[tuple[str, ...]]:
        """Write the table of an item; returns its path relative to `out`; empty if nothing was written."""
        unfinished = self._unfinished(item)
        try:
            with data_sink(unfinished, self.detect_only, raw=self.offline, metres=self.camera is not None) as sink:
                count.error = yield from self._fill(sink, item, networks, count)
            if count.error and not count.frames:
                return ()
            keep(unfinished, Path(self.out, item.part))
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
        return (item.part,)

    def _unfinished(self, item: Item) -> Path:
        return Path(self.out, UNFINISHED, f"{item.name}-{uuid.uuid4().hex[:8]}.parquet")

    def _join(self, item: Item) -> dict[str, Any]:
        """Make the tables of a video from those of its stretches; returns what its result holds."""
        from pyarrow import parquet

        good = [result for result in item.results if result.parts]
        for part, table in joined(Path(self.out), good):
            unfinished = self._unfinished(item)
            with writing(Path(self.out, part)):
                unfinished.parent.mkdir(parents=True, exist_ok=True)
                parquet.write_table(table, unfinished, compression="zstd")
            keep(unfinished, Path(self.out, part))
        return {
            "joined": True,
            "error": next((result.error for result in item.results if result.error), ""),
            "problems": tuple(problem for result in item.results for problem in result.problems),
            "frames": sum(result.frames for result in item.results),
            "hands": sum(result.hands for result in item.results),
            "seconds": sum(result.seconds for result in item.results),
            "parts": tuple(part.replace("stretches/", "parts/", 1) for result in good for part in result.parts),
        }

    def _fill(self, sink: Sink, item: Item, networks: Networks, count: Count) -> Steps[str]:
        """Write the hands of an item; returns why that ended early, or an empty text."""
        try:
            for reader in readers_of(item):
                try:
                    yield from self._fill_from(reader, sink, item.stretch, networks, count)
                except SourceError as error:
                    if item.kind != "tar":  # the other files of a tar file are done all the same
                        raise
                    count.problems.append(readable(error))
                count.problems += [readable(problem) for problem in reader.problems]
        except SinkError:
            raise
        except Exception as error:
            return explained(item, error)
        return "" if count.frames or not count.problems else count.problems[0]

    def _fill_from(
        self, reader: Reader, sink: Sink, stretch: Stretch | None, networks: Networks, count: Count
    ) -> Steps[None]:
        """Write and count the hands of one reader."""
        if reader.kind == "live":
            raise SourceError(f"{reader.name} is a stream without an end; use knuckle track")
        begin_s = stretch.from_s if stretch else -math.inf
        place = Locator(self.camera, self.hand_length_m).of_reader(reader) if self.camera else None
        smoother = OfflineSmoother() if self.offline and reader.kind == "video" else None

        def write(frame: Frame, results: Any) -> None:
            for one, found in smoother.push(frame, results) if smoother else ((frame, results),):
                write_ready(one, found)

        def write_ready(frame: Frame, results: Any) -> None:
            sink.write(frame, place(frame, results) if place else results)
            if frame.time_s < begin_s:
                count.overlap += 1
                return
            count.frames += 1
            count.hands += len(results)

        reader.one_of_many = True
        frames = in_background(frames_of(reader, stretch) if stretch else iter(reader))
        with reader, closing(frames):  # type: ignore[type-var]  # it is a generator
            if reader.kind == "image" or self.detect_only:
                for image, results in self._found_in_images(frames, networks):
                    write(image, results)
            else:
                yield from follow(HandTracker(networks, self.options), frames, write, self.stride)
            for frame, results in smoother.flush() if smoother else ():
                write_ready(frame, results)

    def _found_in_images(self, frames: Iterator[Frame], networks: Networks) -> Iterator[tuple[Frame, Any]]:
        """Photos with their hands, or frames with their palms, found in several at once."""
        detector = networks.palm_detector(self.options)
        while batch := list(islice(frames, BATCH)):
            images = [frame.image for frame in batch]
            many = detector.in_images(images) if self.detect_only else hands_in_images(images, networks, self.options)
            yield from zip(batch, many, strict=True)


@dataclass
class Count:
    """What one call has done so far."""

    frames: int = 0
    hands: int = 0
    overlap: int = 0
    error: str = ""
    problems: list[str] = field(default_factory=list)


def explained(item: Item, error: Exception) -> str:
    """An error as the text of a result. One item in a million may find a bug; the others are done all the same."""
    if isinstance(error, Error):
        return readable(error)
    log.error("%s: unexpected error", readable(item.source), exc_info=error)
    return readable(f"unexpected error: {type(error).__name__}: {error}")


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
