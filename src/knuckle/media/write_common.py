"""What the writers of results share: the `Sink` protocol, and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from knuckle.errors import SinkError
from knuckle.results import Frame, Hand, Palm

Results = Sequence[Hand] | Sequence[Palm]


class Sink(AbstractContextManager["Sink"], Protocol):
    """Writes one file (or folder) of results.

    Leaving the `with` block finishes the file, even after an error, so that what was written can be read.

    Attributes:
        path: the file, or the folder of several files.
    """

    path: Path

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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn any failure to write into a SinkError that names the file."""
    from av.error import FFmpegError

    try:
        yield
    except (OSError, FFmpegError) as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def prepare(path: Path) -> Path:
    """Create the folder and the file, so that a path that cannot be written fails before any work is done."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
    return path
