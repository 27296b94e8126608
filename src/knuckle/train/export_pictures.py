"""The labelled pictures of an export: int8 is calibrated on some of them, and int8 and float are compared on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from knuckle.datasets import open_image
from knuckle.datasets.labels import Shot
from knuckle.errors import InputError
from knuckle.geometry import letterbox
from knuckle.train.hand import data as hand_data
from knuckle.train.hand.evaluator import HandEvaluator
from knuckle.train.hand.network import points_of
from knuckle.train.palm import data as palm_data
from knuckle.train.palm.evaluator import PalmEvaluator
from knuckle.train.palm.network import grid_of
from knuckle.train.sources import spread
from knuckle.train.teacher import input_side

INPUTS = 192  # pictures on which int8 is calibrated and its biases corrected
HELD_OUT = 512  # pictures on which int8 and float are compared, at most


@dataclass(frozen=True, eq=False)
class Examples:
    """What an export needs of labelled data.

    Attributes:
        inputs: (n, side, side, 3) inputs that show a hand, for calibration.
        evaluate: gives the figures of a network on held-out pictures.
        count, hands: number of held-out pictures, and of those that show a hand.
    """

    inputs: npt.NDArray[np.uint8]
    evaluate: Callable[[nn.Module], dict[str, float]]
    count: int
    hands: int


@dataclass(frozen=True)
class ExportData:
    """The datasets that the command line names, each as PATH[@SPLIT].

    Attributes:
        pictures: for calibration; None takes the data of the run that made a checkpoint.
        check: held-out ones; None takes those of the run, or else every second one of `pictures`.
    """

    pictures: str | None = None
    check: str | None = None

    def examples(self, network: nn.Module, role: str, config: dict[str, Any]) -> Examples:
        """The examples for one network.

        Args:
            role: "palm" or "hand".
            config: of the run that trained it.

        Raises:
            SourceError: a dataset does not exist.
            InputError: no dataset is named, or one has no usable image.
        """
        named = [self.pictures] if self.pictures else list(config.get("data", ()))
        if not named:
            raise InputError("no labelled pictures are named; give --pictures")
        read = hand_data.read_source if role == "hand" else palm_data.read_source
        shots = [shot for text in named for shot in read(text).shots]
        check = self.check or (None if self.pictures else config.get("check"))
        held_out: Sequence[Shot] = read(check).shots if check else shots[1::2]
        side, shots = input_side(network), shots if check else shots[::2]
        with_hands = [shot for shot in shots if shot.hands] or shots
        chosen = [with_hands[index] for index in spread(with_hands, INPUTS)]
        chosen = [shot for start in range(3) for shot in chosen[start::3]]  # the first third alone is spread evenly too
        inputs = np.stack([_input(shot, side, role, number) for number, shot in enumerate(chosen)])
        evaluate: Callable[[nn.Module], dict[str, float]]
        if role == "hand":
            evaluate = HandEvaluator(held_out, side, HELD_OUT, points=points_of(config))
        else:
            evaluate = PalmEvaluator(held_out, grid_of(network), HELD_OUT)
        compared = [held_out[index] for index in spread(held_out, HELD_OUT)] if held_out else []
        return Examples(inputs, evaluate, len(compared), sum(bool(shot.hands) for shot in compared))


def _input(shot: Shot, side: int, role: str, number: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) what the network sees of a photo: the crop of its hand, or the whole photo."""
    if role == "palm":
        return letterbox(open_image(shot.source), side)
    picture = hand_data.plain_sample(shot, side, np.random.default_rng((0, number)))["picture"]
    return np.ascontiguousarray(picture.transpose(1, 2, 0))
