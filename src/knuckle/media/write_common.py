"""What the writers of results share: the `Sink` protocol, files that appear once complete, errors that name files."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
import weakref
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from knuckle.errors import Error, InputError, SinkError
from knuckle.results import Frame, Hand, Palm

Results = Sequence[Hand] | Sequence[Palm]
Stills = Literal["jpg", "png"]


@dataclass(frozen=True)
class OutputOptions:
    """How pictures are written.

    Attributes:
        overwrite: replace files that exist.
        size: (width, height) in pixels, the picture is fitted into it with black bars; or the length of the longer
            side in pixels. None: the picture's own size.
        fps: frames per second of written video, which repeats or leaves out frames. None: the frames' own times.
        crf: quality of video, 0 (best) to 51 (H.264's scale). None: 23.
        stills: format of the pictures that are written into a folder.
        raw: tables and JSON also hold the landmarks before smoothing.
        metres: tables have the columns of hands in metres, whether or not the first hands are placed.
        formats: the formats in which data can be saved; a folder gets files of the first one. (): the project's own.

    Raises:
        InputError: a value is out of range.
    """

    overwrite: bool = False
    size: tuple[int, int] | int | None = None
    fps: float | None = None
    crf: int | None = None
    stills: Stills = "jpg"
    raw: bool = False
    metres: bool = False
    formats: tuple[Any, ...] = ()  # of `DataFormat`, which is made of what this module defines

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, tuple) else (2 if self.size is None else self.size,)
        if min(sides) < 2 or max(sides) > 16384:
            raise InputError(f"size must be 2 to 16384 pixels a side, got {self.size}")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise InputError(f"fps must be above 0 and at most 1000, got {self.fps}")
        if self.crf is not None and not 0 <= self.crf <= 51:
            raise InputError(f"crf must be 0 to 51, got {self.crf}")


class Sink(AbstractContextManager["Sink"], Protocol):
    """Writes one file (or folder) of results.

    Leaving the `with` block finishes the file, even after an error, so that what was written can be read.

    Attributes:
        path: the file, or the folder of several files.
        written: whether `path` holds results; after `close`.
        problems: files that were not written, although the run went on.
    """

    path: Path
    written: bool
    problems: list[Error]

    def write(self, frame: Frame, results: Any) -> None:
        """Write one frame and its hands or palms.

        Raises:
            SinkError: the file cannot be written.
        """

    def close(self) -> None:
        """Finish the file. A second call does nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PartFile:
    """A file that appears under its name when it is complete. Until then it has a temporary name in the same folder.

    Attributes:
        path: the name that was asked for.
        part: the file to write to. A device or pipe cannot be renamed, so there it is the path itself.

    Raises:
        SinkError: the folder or the file cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_special = path.exists() and not path.is_file()
        target = Path(os.path.realpath(path))  # a link stays a link
        part = target.with_name(f"{target.name[:40]}.{uuid.uuid4().hex[:8]}.part")
        self.part, self._target = (path, path) if self.is_special else (part, target)
        if not self.is_special:
            # Also removes what an error before `keep` or `discard` leaves, when this object or the process ends.
            self._remove = weakref.finalize(self, remove, self.part, os.getpid())
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with self.part.open("ab"):
                pass

    def keep(self) -> None:
        """Give the complete file its name."""
        if not self.is_special:
            with writing(self.path):
                os.replace(self.part, self._target)
            self._remove.detach()

    def discard(self) -> None:
        """Remove the incomplete file; nothing happens after `keep`."""
        if not self.is_special:
            self._remove()


class FileSink(Sink):
    """A sink with one file, which appears under its name when it is complete and not at all if writing fails.

    Tables have columns of metres if `metres` is set, or the first hands are placed. With `raw`, tables and JSON also
    have the landmarks before smoothing. Formats that cannot hold them leave them out.

    Subclasses write to `file.part` in `write_frame` and finish it in `finish`.
    """

    raw = metres = False

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, PartFile(path)
        self.problems: list[Error] = []
        self.written = self._failed = self._closed = self._begun = False

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Leave no temporary file behind if the file cannot be opened."""
        try:
            with writing(self.path):
                yield
        except BaseException:
            self.file.discard()
            raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Note a failure, so that an unreadable file is not kept."""
        try:
            with writing(self.path):
                yield
        except BaseException:
            self._failed = True
            raise

    def write(self, frame: Frame, results: Results) -> None:
        with self._guarded():
            self.write_frame(frame, results)
            self._begun = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failed = self._failed or (kind is not None and not self._begun)  # no frame replaces an older file
        self.close()

    def close(self) -> None:
        with uninterrupted():
            if self._closed:
                return
            self._closed, finished = True, False
            try:
                with self._guarded():
                    self.finish()
                    finished = not self._failed
            finally:
                self.written = finished or self.rescue()
                if self.written and self.has_content():
                    self.file.keep()
                else:
                    self.file.discard()
                    self.written = False

    @abstractmethod
    def write_frame(self, frame: Frame, results: Results) -> None:
        """Write one frame."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file and release it, also after a failed write."""

    def rescue(self) -> bool:
        """Make the file readable after a failed write; False if that is impossible."""
        return False

    def has_content(self) -> bool:
        """Whether the complete file is worth keeping."""
        return True


class FolderSink(FileSink):
    """A sink with many files in one folder, which appears under its name when it is complete.

    Subclasses write below `file.part`. `MARKER` is a file that each folder of the format has: a folder without it is
    not replaced, as it was not written by this format.
    """

    MARKER = ""

    def __init__(self, path: Path) -> None:
        if path.is_dir() and any(path.iterdir()) and not any(path.glob(self.MARKER)):
            raise InputError(f"{path} is a folder with other files than this format writes; choose another name")
        self.path, self.file = path, PartFolder(path)
        self.problems = []
        self.written = self._failed = self._closed = self._begun = False


class PartFolder(PartFile):
    """A folder that appears under its name when it is complete; see `PartFile`."""

    def __init__(self, path: Path) -> None:
        self.path, self.is_special = path, False
        self._target = Path(os.path.realpath(path))
        self.part = self._target.with_name(f"{self._target.name[:40]}.{uuid.uuid4().hex[:8]}.part")
        self._remove = weakref.finalize(self, remove, self.part, os.getpid())
        with writing(path):
            self.part.mkdir(parents=True)

    def keep(self) -> None:
        if not self._target.exists():
            super().keep()
            return
        old = self.part.with_suffix(".old")
        remove_old = weakref.finalize(self, remove, old, os.getpid())
        with writing(self.path):
            try:
                os.replace(self._target, old)  # a folder cannot be replaced in one step
                super().keep()
            finally:
                if not self._target.exists():
                    os.replace(old, self._target)
                remove_old()


def remove(path: Path, process: int) -> None:
    """Remove a file or folder, if it is there and can be removed. A forked process leaves what is its parent's."""
    if os.getpid() != process:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block, so that all files hold the same frames and are finished."""
    asked: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    except ValueError:  # only the main thread receives signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if asked:
        signal.raise_signal(signal.SIGINT)


def keep_whole_lines(part: Path) -> bool:
    """Cut a text file after its last complete line; False if no line is complete."""
    text = part.read_bytes()
    end = text.rfind(b"\n") + 1
    os.truncate(part, end)
    return end > 0


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any failure to write into a SinkError that names the file."""
    from av.error import FFmpegError

    try:
        yield
    except (OSError, FFmpegError) as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def exists_already(path: Path) -> InputError:
    """The error for a file that would be overwritten."""
    return InputError(f"{path} exists; give --overwrite to replace it, or choose another name")
