"""The choices that every training run has; `hand/task.py` and `palm/task.py` add those of their network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from knuckle.errors import InputError
from knuckle.train.loop import Job, LoopOptions
from knuckle.train.sources import Source, held_out
from knuckle.train.splits import Part, read_splits

DATASET = "PATH[@SPLIT]"
FINE_TUNING = LoopOptions(steps=2000, rate=3e-5, warmup=100)  # Adam's steps are large for weights that are good
FEW = 500  # images: a network learns fewer by heart, so the run is short and ends when it gets no better
FEW_IMAGES = LoopOptions(steps=200, batch=16, rate=3e-5, warmup=20, evaluate_every=20, save_every=100, patience=4)
FINE_TUNED = ("steps", "batch", "rate", "warmup", "evaluate_every", "save_every", "patience")
HELD_OUT = 0.2  # of the images when fine-tuning without others to check on


@dataclass(frozen=True, kw_only=True)
class TrainingTask(ABC):
    """All choices of a training run. `knuckle train` has a flag for each field (`knuckle.train.flags`).

    Attributes:
        init: where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network with random
            weights.
        data: labelled images to train on. Can be given several times; images are drawn by weight.
        check: labelled images to evaluate on during training. Do not train on them.
        hold_out: without --check, evaluate on this share of the images, and do not train on it. Images of one group
            stay together. 0.2 when fine-tuning, else 0.
        splits: a file that says which sources of photos train, choose and decide (recipes/splits.json). Photos to train
            on must be of part train, and those to check on must not be of part decide.
        resize: input side for an existing network, pixels; None keeps its own. `--side` sets it.
        look: how strongly colours, blur and noise are changed, 0 to 1.
        teacher: also learn from the features of MediaPipe's network: `mediapipe`, or another bundle with it.
        teacher_share: share of each batch that the teacher sees. A step takes about a third longer at 0.25.
        loop: how long and how fast.
    """

    init: str = "knuckle"
    data: tuple[str, ...] = field(metadata={"metavar": f"{DATASET}[:WEIGHT]"})
    check: str | None = field(default=None, metadata={"metavar": DATASET})
    hold_out: float = field(default=0.0, metadata={"metavar": "SHARE"})
    splits: str | None = field(default=None, metadata={"metavar": "FILE"})
    resize: int | None = field(default=None, metadata={"flag": None})
    look: float = 1.0
    teacher: str | None = field(default=None, metadata={"metavar": "BUNDLE"})
    teacher_share: float = 0.25
    loop: LoopOptions = field(default=LoopOptions())

    def __post_init__(self) -> None:
        if not 0 <= self.look <= 1:
            raise InputError(f"look must be a number from 0 to 1, got {self.look}")
        if not 0 <= self.hold_out < 1:
            raise InputError(f"hold_out must be at least 0 and below 1, got {self.hold_out}")

    def datasets(self, read: Callable[[str], Source]) -> tuple[list[Source], Source | None]:
        """The datasets of `data`, and what is checked on: `check`, or what is held out.

        Raises:
            SourceError: a dataset or the file of splits does not exist.
            InputError: a dataset has no usable image, or `splits` does not allow one of its photos.
        """
        data = self.allowed([read(text) for text in self.data], ("train",), "training")
        if self.check is None:
            return held_out(data, self.hold_out)
        check = read(self.check)
        self.allowed([check], ("train", "choose"), "choosing")
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

    def loop_for(self, images: int, given: Collection[str]) -> LoopOptions:
        """How long and how fast to train on so many images: fine-tuning has its own defaults.

        Args:
            images: number of images to train on.
            given: names of options that the user chose, which stay.
        """
        if self.init == "new":
            return self.loop
        defaults = FEW_IMAGES if images < FEW else FINE_TUNING
        return replace(self.loop, **{name: getattr(defaults, name) for name in FINE_TUNED if name not in given})

    @abstractmethod
    def job(self) -> Job:
        """Read the datasets and load the networks.

        Raises:
            SourceError: a dataset does not exist.
            InputError, BundleError: a dataset has no usable image, or `init` or `teacher` is not such a network.
        """
