"""The choices that every training run has; `hand/task.py` and `palm/task.py` add those of their network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from knuckle.errors import InputError
from knuckle.train.loop import Job, LoopOptions

DATASET = "PATH[@SPLIT]"


@dataclass(frozen=True, kw_only=True)
class TrainingTask(ABC):
    """All choices of a training run. `knuckle train` has a flag for each field (`knuckle.train.flags`).

    Attributes:
        init: where to start: a bundle (name or folder), a checkpoint FILE.pt, or `new` for our own network with random
            weights.
        data: labelled images to train on. Can be given several times; images are drawn by weight.
        check: labelled images to evaluate on during training. Do not train on them.
        look: how strongly colours, blur and noise are changed, 0 to 1.
        teacher: also learn from the features of MediaPipe's network: `mediapipe`, or another bundle with it.
        teacher_share: share of each batch that the teacher sees. A step takes about a third longer at 0.25.
        loop: how long and how fast.
    """

    init: str = "mediapipe"
    data: tuple[str, ...] = field(metadata={"metavar": f"{DATASET}[:WEIGHT]"})
    check: str | None = field(default=None, metadata={"metavar": DATASET})
    look: float = 1.0
    teacher: str | None = field(default=None, metadata={"metavar": "BUNDLE"})
    teacher_share: float = 0.25
    loop: LoopOptions = field(default=LoopOptions())

    def __post_init__(self) -> None:
        if not 0 <= self.look <= 1:
            raise InputError(f"look must be a number from 0 to 1, got {self.look}")

    @abstractmethod
    def job(self) -> Job:
        """Read the datasets and load the networks.

        Raises:
            SourceError: a dataset does not exist.
            InputError, BundleError: a dataset has no usable image, or `init` or `teacher` is not such a network.
        """
