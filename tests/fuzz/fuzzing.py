"""What a fuzz target is, and the law that every input must keep: a result or a `knuckle.Error` of one line, soon."""

from __future__ import annotations

import hashlib
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knuckle.errors import Error

HERE = Path(__file__).resolve().parent
CORPUS, FINDS = HERE / "corpus", HERE / "finds"
SLOWEST_S = 10.0
MEMORY = 2 << 30  # bytes that reading an input may add to what the process has


@dataclass(frozen=True)
class Target:
    """Something of ours that reads what comes from outside.

    Attributes:
        name: also the name of its folder in `corpus/` and `finds/`.
        seeds: valid inputs to start from.
        read: reads an input; gets a folder for files, which is the same in all runs.
        keep: bytes at the start of an input that choose a file, see `mutated`.
        allowed: what it may raise besides `knuckle.Error`.
    """

    name: str
    seeds: Callable[[Path], Sequence[bytes]]
    read: Callable[[bytes, Path], object]
    keep: int = 0
    allowed: tuple[type[Exception], ...] = ()


@dataclass
class Bench:
    """A target that is set up to read inputs, with a folder of its own.

    Attributes:
        seeds: the target's valid inputs.
    """

    target: Target
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="knuckle-fuzz-")))
    seeds: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seeds = [bytes(seed) for seed in self.target.seeds(self.folder)]

    def broken_law(self, data: bytes) -> str:
        """Read an input; "" if the law holds, else what was raised and where."""
        try:
            self.target.read(data, self.folder)
        except Error as error:
            text = str(error)
            return "the message has several lines" if "\n" in text else ""
        except self.target.allowed:
            return ""
        except Exception as error:
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/knuckle/" in frame.filename]
            place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "outside of knuckle"
            return f"{type(error).__name__} in {place}: {' '.join(str(error).split())[:160]}"
        return ""


def saved_inputs(folder: Path) -> list[Path]:
    """The inputs that a folder of `corpus/` or `finds/` has."""
    return sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []


def name_of(data: bytes) -> str:
    """The file name of an input: equal inputs have equal names, so a corpus has each once."""
    return hashlib.sha256(data).hexdigest()[:16]
