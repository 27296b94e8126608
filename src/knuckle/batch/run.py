"""`run`: find the items, do those that are not done, write down what became of each."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import knuckle
from knuckle.batch.find import check_sources, find_items
from knuckle.batch.items import Item, ItemResult
from knuckle.batch.lock import WHOLE, Shard, only_run
from knuckle.batch.manifest import Manifest, read_results, read_runs, write_table
from knuckle.batch.plan import Plan
from knuckle.batch.pool import LocalPool
from knuckle.batch.stop import stopping
from knuckle.batch.work import UNFINISHED, TrackVideo
from knuckle.errors import InputError, SinkError
from knuckle.models import catalogue
from knuckle.pipeline.networks import Models, Networks
from knuckle.pipeline.options import TrackerOptions
from knuckle.space.position import Locator


class Runner(Protocol):
    """Does items somewhere: `LocalPool`, or an adapter of a cluster. Results may come in any order."""

    def __call__(self, work: TrackVideo, items: Iterable[Item], /) -> Iterator[ItemResult]:
        """Do the items, and yield the result of each once."""


@dataclass(frozen=True)
class BatchOptions:
    """What can be chosen about a run; every field is also a keyword of `run`.

    Attributes:
        tracker: options of the tracker.
        models: a bundle's name, folder or `.task` file, or loaded `Networks`.
        detect_only: detect palms only: no landmarks, no track ids.
        stretch_s: videos that are longer than this are cut into stretches of about this length, in seconds, which
            several workers track at the same time. `math.inf` cuts none.
        recursive: also search the folders inside of a folder.
        column: the column of Parquet and CSV tables that names the sources.
        shard: (I, N): only part I of N of the items, counted from 1.
        workers: processes on this machine; None for one per CPU core.
        streams: videos that each process tracks at once, through the same networks.
        stride: run the networks at least on every `stride`-th frame of a video, and fill in the frames between where
            hands hardly move or none is seen (`knuckle.pipeline.stride`). 1: on every frame.
        camera: add positions in metres: a calibration file, "fov:60", "fov" or "exif"; see `knuckle.space.position`.
        hand_length_m: with `camera`: length of the hand from the wrist to the tip of the middle finger, metres.
        offline: smooth videos by later frames too, without lag; the landmarks before smoothing are saved as well.
        threads: inference threads of each process.
        device: see `knuckle.load`.

    Raises:
        InputError: a value is out of range.
    """

    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    models: Models = catalogue.DEFAULT
    detect_only: bool = False
    stretch_s: float = 600.0
    recursive: bool = False
    column: str | None = None
    shard: Shard = WHOLE
    workers: int | None = None
    streams: int = 1
    stride: int = 1
    camera: str | None = None
    hand_length_m: float | None = None
    offline: bool = False
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        number, count = self.shard
        if not 1 <= number <= count:
            raise InputError(f"shard must be I/N with I from 1 to N, got {number}/{count}")
        if not self.stretch_s > 0:
            raise InputError(f"stretch_s must be above 0 seconds, got {self.stretch_s}")
        if self.stride < 1:
            raise InputError(f"stride must be at least 1, got {self.stride}")
        if self.detect_only and (self.camera or self.offline):
            raise InputError("detect_only finds no landmarks, which camera and offline need")
        if self.camera:
            Locator(self.camera, self.hand_length_m)  # fails here if it cannot be

    def of_results(self) -> dict[str, Any]:
        """The choices that decide what results look like; a folder holds results of the same ones only."""
        models = self.models.bundle.name if isinstance(self.models, Networks) else os.fspath(self.models)
        chosen = {"models": models, "detect_only": self.detect_only, "stretch_s": self.stretch_s, "stride": self.stride}
        if self.camera:
            chosen |= {"camera": self.camera, "hand_length_m": self.hand_length_m}
        if self.offline:
            chosen["offline"] = True
        chosen |= asdict(self.tracker)
        return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in chosen.items()}


@dataclass
class Progress:
    """How far a run is; at the end what it did.

    Attributes:
        total: items of this run, those that were done before included.
        skipped: items that were done before.
        done, failed: items that this run finished.
        frames, hands: what the finished items held.
        retries: times that an item was tried again because its worker had died.
        stretches, stretches_done: stretches of long videos that this run does, and has done.
        incomplete: results of this run that failed, or have problems.
        notes: one line each for what was passed over.
        stopped: exit code of the signal that stopped the run; 0 if none did.
        wall_s: seconds since the run began.
    """

    total: int = 0
    skipped: int = 0
    done: int = 0
    failed: int = 0
    frames: int = 0
    hands: int = 0
    retries: int = 0
    stretches: int = 0
    stretches_done: int = 0
    incomplete: list[ItemResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: int = 0
    wall_s: float = 0.0

    @property
    def left(self) -> int:
        """Items that are still to be done."""
        return self.total - self.skipped - self.done - self.failed

    @property
    def exit_status(self) -> int:
        """0 everything was done, 1 something was not, 2 nothing was done, 130 or 143 stopped by a signal."""
        if self.stopped:
            return self.stopped
        if not self.incomplete and not self.left:
            return 0
        return 1 if self.done or self.skipped else 2

    def add(self, result: ItemResult) -> None:
        """Count a result."""
        self.retries += result.tries - 1
        self.stretches += len(result.stretches)
        self.stretches_done += bool(result.of)
        if result.of or not result.joined:
            self.frames += result.frames
            self.hands += result.hands
        if result.of:
            return
        self.done += result.status == "done"
        self.failed += result.status == "failed"
        if result.error or result.problems:
            self.incomplete.append(result)


def run(
    sources: Any,
    out: str | os.PathLike[str],
    options: BatchOptions | None = None,
    *,
    runner: Runner | None = None,
    observe: Callable[[Progress], None] = lambda progress: None,
    **changes: Any,
) -> Progress:
    """Track the hands in many videos and photos: `knuckle.batch.run("videos/", "out")`.

    Every item becomes a Parquet table in `out/parts`, and a row in `out/manifest.parquet`. Items that are done in `out`
    are skipped, so a run that was stopped or killed goes on where it was. What cannot be read is a row with an error;
    it is tried again by the next run. A script must call this below `if __name__ == "__main__":`, because it starts
    processes.

    Args:
        sources: files, folders, globs, list files, Parquet and CSV tables, WebDataset tar files, and addresses that
            fsspec opens; one, or a list of them.
        out: output folder.
        options: a BatchOptions; its fields can also be given as keywords.
        runner: where the items are done; None for processes of this machine.
        observe: called at the begin and after each item, to show progress.

    Returns:
        What was done.

    Raises:
        InputError: an option does not exist or is out of range, the folder holds results with other options, or
            another run is writing to it.
        SinkError: the folder cannot be written, or the disk is full. What was done until then is kept.
        BundleError, EngineError: the networks cannot be loaded.
        MissingExtraError: PyArrow or fsspec is needed and not installed.
    """
    chosen = with_changes(options or BatchOptions(), changes)
    folder, given = Path(out), check_sources(sources)
    about = about_run(given, chosen)
    with only_run(folder, chosen.shard) as alone:
        check_same_options(folder, read_runs(folder), about["options"])
        if alone:
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        tables = existing_tables(folder)
        done = {
            key: one
            for key, one in read_results(folder).items()
            if one.status == "done" and tables.issuperset(one.parts)
        }
        photos = {file for one in done.values() for file in one.files}
        found = find_items(given, chosen.column, chosen.recursive, photos)
        items = [item for item in found.items if in_shard(item, chosen.shard)]
        groups = sum(1 for one in done.values() if found.done_photos.intersection(one.files))
        plan = Plan([item for item in items if item.key not in done], done)
        total = len(items) + groups
        progress = Progress(total, total - len(plan.first), notes=found.notes)
        try:
            with Manifest(folder, about) as manifest:
                do(
                    plan,
                    worker(folder, chosen),
                    runner or LocalPool(chosen.workers, chosen.streams),
                    manifest,
                    progress,
                    observe,
                )
        finally:
            if alone:
                shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        write_table(folder)
    return progress


def worker(out: Path, options: BatchOptions) -> TrackVideo:
    """The worker with these options."""
    return TrackVideo(
        str(out),
        options.tracker,
        options.models,
        options.detect_only,
        options.threads,
        options.device,
        options.stretch_s,
        options.stride,
        options.camera,
        options.hand_length_m,
        options.offline,
    )


def do(
    plan: Plan,
    work: TrackVideo,
    runner: Runner,
    manifest: Manifest,
    progress: Progress,
    observe: Callable[[Progress], None],
) -> None:
    """Do the items and write each result into the manifest, until all are done or a signal asks to stop."""
    began_s = time.perf_counter()
    with stopping() as stop:

        def until_stopped(items: list[Item]) -> Iterator[Item]:
            for item in items:
                if stop.status:
                    return
                yield item

        observe(progress)
        try:
            for items in (plan.videos, plan.stretches, plan.joins):
                with closing(runner(work, until_stopped(items()))) as results:  # type: ignore[type-var]
                    for result in results:
                        if result.status != "cut":
                            manifest.add(result)
                        plan.add(result, Path(work.out))
                        progress.add(result)
                        progress.wall_s = time.perf_counter() - began_s
                        observe(progress)
        except KeyboardInterrupt:
            pass
        finally:
            progress.stopped = stop.status
            progress.wall_s = time.perf_counter() - began_s
            end = "stopped" if stop.status else "complete" if not progress.left else "broken off"
            with suppress(SinkError):  # as on the full disk that ended the run
                manifest.end(end, progress.left)


def with_changes(options: BatchOptions, changes: dict[str, Any]) -> BatchOptions:
    """The options with these changes; keywords that the tracker has are changes of `tracker`."""
    own = {name: value for name, value in changes.items() if name in BatchOptions.__dataclass_fields__}
    others = {name: value for name, value in changes.items() if name not in own}
    if unknown := set(others) - set(TrackerOptions.__dataclass_fields__):
        known = ", ".join([*BatchOptions.__dataclass_fields__, *TrackerOptions.__dataclass_fields__])
        raise InputError(f"no option called {', '.join(sorted(unknown))}; options are: {known}")
    options = replace(options, **own)
    return replace(options, tracker=TrackerOptions.of(options.tracker, others)) if others else options


def about_run(sources: list[str], options: BatchOptions) -> dict[str, Any]:
    """The first line of a run in the manifest."""
    return {
        "sources": [one if "://" in one else os.path.abspath(os.path.expanduser(one)) for one in sources],
        "options": options.of_results(),
        "recursive": options.recursive,
        "column": options.column,
        "shard": "{}/{}".format(*options.shard),
        "knuckle": knuckle.__version__,
    }


def check_same_options(out: Path, runs: list[dict[str, Any]], options: dict[str, Any]) -> None:
    """Raise InputError if an earlier run into this folder had other options."""
    for earlier in runs:
        for name, value in options.items():
            before = earlier["options"].get(name, value)
            if before != value:
                raise InputError(
                    f"{out} holds results with {name}={before}, and now it is {name}={value}; "
                    "choose another output folder, or the same options"
                )


def existing_tables(out: Path) -> set[str]:
    """The tables that are there, relative to the output folder. One that was removed is made again."""
    paths = (path for folder in ("parts", "stretches") for path in (out / folder).glob("*/*.parquet"))
    return {path.relative_to(out).as_posix() for path in paths}


def in_shard(item: Item, shard: Shard) -> bool:
    """Whether an item belongs to a shard. That depends on the item alone, so no item is lost if others come or go."""
    number, count = shard
    return int(item.name.rpartition("-")[2][:8], 16) % count == number - 1
