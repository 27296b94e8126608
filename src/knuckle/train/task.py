"""The choices that every training run has; `hand/task.py` and `palm/task.py` add those of their network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from knuckle.errors import InputError
from knuckle.train.loop import Job, LoopOptions
from knuckle.train.sources import Source
from knuckle.train.splits import Part, read_splits

DATASET = "PATH[@SPLIT]"


@dataclass(frozen=True, kw_only=True)
class TrainingTask(ABC):
    """All choices of a training run. `knuckle train` has a flag for each field (`knuckle.train.flags`).

    Attributes:
        init: where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network with random
            weights.
        data: labelled images to train on. Can be given several times; images are drawn by weight.
        check: labelled images to evaluate on during training. Do not train on them.
        splits: a file that says which sources of photos train, choose and decide (recipes/splits.json). Photos to train
            on must be of part train, and those to check on must not be of part decide.
        resize: input side for an existing network, pixels; None keeps its own. `--side` sets it.
        look: how strongly colours, blur and noise are changed, 0 to 1.
        teacher: also learn from the features of MediaPipe's network: `mediapipe`, or another bundle with it.
        teacher_share: share of each batch that the teacher sees. A step takes about a third longer at 0.25.
        loop: how long and how fast.
    """

    init: str = "mediapipe"
    data: tuple[str, ...] = field(metadata={"metavar": f"{DATASET}[:WEIGHT]"})
    check: str | None = field(default=None, metadata={"metavar": DATASET})
    splits: str | None = field(default=None, metadata={"metavar": "FILE"})
    resize: int | None = field(default=None, metadata={"flag": None})
    look: float = 1.0
    teacher: str | None = field(default=None, metadata={"metavar": "BUNDLE"})
    teacher_share: float = 0.25
    loop: LoopOptions = field(default=LoopOptions())

    def __post_init__(self) -> None:
        if not 0 <= self.look <= 1:
            raise InputError(f"look must be a number from 0 to 1, got {self.look}")

    def datasets(self, read: Callable[[str], Source]) -> tuple[list[Source], Source | None]:
        """The datasets of `data` and of `check`.

        Raises:
            SourceError: a dataset or the file of splits does not exist.
            InputError: a dataset has no usable image, or `splits` does not allow one of its photos.
        """
        data = self.allowed([read(text) for text in self.data], ("train",), "training")
        check = None if self.check is None else read(self.check)
        self.allowed([] if check is None else [check], ("train", "choose"), "choosing")
        return data, check

    def allowed(self, sources: list[Source], parts: tuple[Part, ...], use: str) -> list[Source]:
        """The same datasets, if `splits` has all their photos in these parts.

        Raises:
            SourceError, InputError: as `datasets`.
        """
        if self.splits is not None:
            shown = ((shot.origin, shot.group) for source in sources for shot in source.shots)
            read_splits(Path(self.splits)).refuse(shown, parts, use)
        return sources

    @abstractmethod
    def job(self) -> Job:
        """Read the datasets and load the networks.

        Raises:
            SourceError: a dataset does not exist.
            InputError, BundleError: a dataset has no usable image, or `init` or `teacher` is not such a network.
        """
