"""Training of palm detectors: pictures with all palms in them, which network, which losses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from knuckle import zoo
from knuckle.errors import InputError
from knuckle.evaluate.labels import open_image, read_dataset
from knuckle.evaluate.truth import Shot, TrueHand
from knuckle.geometry import apply
from knuckle.images import Image
from knuckle.results import FloatArray
from knuckle.train import losses
from knuckle.train.augment import Look, Random
from knuckle.train.landmarks import read_checkpoint
from knuckle.train.loop import Batch, LoopOptions, Task
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.nets.reference_palm import ReferencePalmNet, load_reference_palm
from knuckle.train.synth.labels import PALM_LANDMARKS, palm_of
from knuckle.train.targets import targets

KEY_POINTS = list(PALM_LANDMARKS)
SMALLEST, LARGEST = 0.012, 0.6  # palm sides as shares of the picture's: hands of 4 % to 80 %
MOSAIC = 0.15  # share of pictures that are four pictures
ScoreLoss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
SCORE_LOSSES: dict[str, ScoreLoss] = {"focal": losses.focal, "cross-entropy": losses.mined_cross_entropy}


@dataclass(frozen=True, eq=False)
class PalmSource:
    """A dataset whose hands are all labelled, and how often it is drawn from."""

    name: str
    shots: Sequence[Shot]
    weight: float

    @classmethod
    def read(cls, text: str) -> PalmSource:
        """From a command line: PATH or PATH:WEIGHT.

        Raises:
            InputError: there is no such dataset, or it has no picture in which somebody looked for all hands.
        """
        path, _, weight = text.rpartition(":")
        try:
            share = float(weight) if path else 1.0
        except ValueError:
            path, share = text, 1.0
        shots = [shot for shot in read_dataset(Path(path or text)).shots if shot.hands is not None]
        if not shots:
            raise InputError(f"{path or text} has no picture whose hands are labelled")
        return cls(path or text, shots, share)


@dataclass(frozen=True, eq=False)
class PalmPictures:
    """Sample number -> one picture and what each anchor should say of it; a function of number and seed alone.

    Pictures are turned at will, scaled so that palm sizes spread evenly (in logarithm) over a range of 20 and more,
    mirrored, and sometimes put together from four.
    """

    sources: Sequence[PalmSource]
    side: int
    strides: tuple[tuple[int, int], ...]
    seed: int = 0
    look: Look = field(default_factory=Look)

    def __call__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, number))
        if rng.random() < MOSAIC:
            picture, hands = self._mosaic(rng)
        else:
            picture, hands = self._view(self._shot(rng), self.side, rng)
        picture = self.look.changed(picture, rng)
        return {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), **self._targets(hands)}

    def _shot(self, rng: Random) -> Shot:
        weights = np.array([source.weight for source in self.sources])
        source = self.sources[int(rng.choice(len(weights), p=weights / weights.sum()))]
        return source.shots[int(rng.integers(len(source.shots)))]

    def _mosaic(self, rng: Random) -> tuple[Image, list[TrueHand]]:
        """Four views side by side: hands that are small, cut off and among hard edges."""
        half = self.side // 2
        picture, hands = np.empty((self.side, self.side, 3), np.uint8), []
        for place in range(4):
            part, seen = self._view(self._shot(rng), half, rng)
            top, left = half * (place // 2), half * (place % 2)
            picture[top : top + half, left : left + half] = part
            moved = np.array([[1.0, 0, left], [0, 1.0, top]])
            hands += [transformed(hand, moved) for hand in seen]
        return picture, hands

    def _view(self, shot: Shot, side: int, rng: Random) -> tuple[Image, list[TrueHand]]:
        image = open_image(shot.source)
        hands = list(shot.hands or ())
        affine = self._affine(image, hands, side, rng)
        scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
        border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT_101
        whole = affine
        while scale < 0.5 and min(image.shape[:2]) > 2:
            image = np.asarray(cv2.pyrDown(image), np.uint8)
            whole, scale = whole @ np.diag([2.0, 2.0, 1.0]), scale * 2
        if border == cv2.BORDER_REFLECT_101 and hands:
            border = cv2.BORDER_CONSTANT  # a reflected hand would be a hand without a label
        picture = cv2.warpAffine(image, whole, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(picture, np.uint8), [transformed(hand, affine) for hand in hands]

    def _affine(self, image: Image, hands: list[TrueHand], side: int, rng: Random) -> FloatArray:
        """(2, 3) from image to picture: a hand of the image somewhere in the picture at a size drawn at will."""
        height, width = image.shape[:2]
        labelled = [hand for hand in hands if is_labelled(hand)]
        if labelled and rng.random() < 0.85:
            palm = palm_of(_points(labelled[int(rng.integers(len(labelled)))]))
            size = max(float((palm.box[2:] - palm.box[:2]).max()), 2.0)
            wanted = math.exp(rng.uniform(math.log(SMALLEST), math.log(LARGEST))) * side
            # Enlarging a small hand gives a blurred one, and a picture that shrinks to a stamp teaches little.
            scale = min(max(wanted / size, 0.35 * side / max(width, height)), 2.5)
            x, y = (palm.box[:2] + palm.box[2:]) / 2
            to_x, to_y = rng.uniform(0.1 * side, 0.9 * side, 2)
        else:
            scale = side / max(width, height) * math.exp(rng.uniform(-0.5, 0.7))
            x, y, to_x, to_y = width / 2, height / 2, *rng.uniform(0.3 * side, 0.7 * side, 2)
        angle = rng.uniform(-math.pi, math.pi) if rng.random() < 0.5 else rng.normal(0, 0.25)
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
        return np.column_stack([linear, np.array([to_x, to_y]) - linear @ np.array([x, y])])

    def _targets(self, hands: Sequence[TrueHand]) -> dict[str, FloatArray]:
        boxes, points, unsure = [], [], []
        for hand in hands:
            if not is_labelled(hand):
                if hand.extent is not None:
                    unsure.append(hand.extent)
                continue
            palm = palm_of(_points(hand))
            centre, size = (palm.box[:2] + palm.box[2:]) / 2, float((palm.box[2:] - palm.box[:2]).max())
            inside = float(((palm.keypoints >= 0) & (palm.keypoints < self.side)).all(axis=1).mean())
            if inside < 0.3:
                continue
            if inside < 0.7 or size < 0.8 * SMALLEST * self.side or not ((centre >= 0) & (centre < self.side)).all():
                unsure.append(palm.box)
                continue
            boxes.append(palm.box)
            points.append(palm.keypoints)
        found = targets(
            np.reshape(np.array(boxes, np.float64), (-1, 4)),
            np.reshape(np.array(points, np.float64), (-1, 7, 2)),
            np.reshape(np.array(unsure, np.float64), (-1, 4)),
            self.side,
            self.strides,
        )
        return {"score": found.score, "weight": found.weight, "values": found.values, "unit": found.unit}


def is_labelled(hand: TrueHand) -> bool:
    """Whether all seven points of the palm are known."""
    return hand.landmarks is not None and bool(np.isfinite(hand.landmarks[KEY_POINTS, :2]).all())


def _points(hand: TrueHand) -> FloatArray:
    assert hand.landmarks is not None
    return hand.landmarks


def transformed(hand: TrueHand, affine: FloatArray) -> TrueHand:
    """The hand's landmarks and box after an affine; of its other labels the palm's training needs none."""
    landmarks = None if hand.landmarks is None else apply(affine, hand.landmarks[:, :2].astype(np.float64))
    box = hand.extent
    if box is not None:
        corners = apply(affine, np.array([[box[i], box[j]] for i in (0, 2) for j in (1, 3)], np.float64))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return TrueHand(box=box, landmarks=landmarks)


def palm_losses(network: nn.Module, batch: Batch, score_loss: str = "focal") -> dict[str, torch.Tensor]:
    """The terms of the palm network's loss."""
    out = network(batch["picture"].to(memory_format=torch.channels_last).float() / 255)
    boxes, scores = out["boxes"].float(), out["scores"].float()[..., 0]
    true, positive, unit = batch["values"], batch["score"] * batch["weight"], batch["unit"]
    return {
        "score": SCORE_LOSSES[score_loss](scores, batch["score"], batch["weight"]),
        "box": losses.box_loss(boxes[..., :4], true[..., :4], positive, unit),
        "keypoints": losses.keypoint_loss(boxes[..., 4:], true[..., 4:], positive, unit),
    }


def new_palm_network(config: dict[str, Any]) -> nn.Module:
    """The network that a run's config describes, without its weights."""
    if config["network"] == "knuckle":
        shape: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config["shape"].items()}
        return PalmNet(PalmNetShape(**shape))
    return ReferencePalmNet(depth=3 if config["network"] == "mediapipe-lite" else 4)


def start_palm_network(init: str, shape: PalmNetShape) -> tuple[nn.Module, dict[str, Any]]:
    """What `--init` names, and its config: "new", a bundle with the reference's networks, or a checkpoint.

    Raises:
        InputError, BundleError: it is none of these.
    """
    if init == "new":
        return PalmNet(shape), {"network": "knuckle", "shape": dataclasses.asdict(shape), "init": init}
    if init.endswith(".pt"):
        config, weights = read_checkpoint(Path(init))
        network = new_palm_network(config)
        network.load_state_dict(weights)
        return network, {**{k: config[k] for k in ("network", "shape") if k in config}, "init": init}
    reference = load_reference_palm(zoo.find(init).palm_path)
    lite = sum(1 for _ in reference.to_12) == 4
    return reference, {"network": "mediapipe-lite" if lite else "mediapipe", "init": init}


def palm_task(
    init: str,
    data: Sequence[str],
    shape: PalmNetShape,
    options: LoopOptions,
    score_loss: str = "focal",
    look: float = 1.0,
) -> Task:
    """All that `loop.train` needs to train a palm network; for `data` see `PalmSource.read`."""
    if score_loss not in SCORE_LOSSES:
        raise InputError(f"the score's loss must be {' or '.join(SCORE_LOSSES)}, got {score_loss!r}")
    network, config = start_palm_network(init, shape)
    sources = [PalmSource.read(text) for text in data]
    config |= {"task": "palm", "data": list(data), "score_loss": score_loss, "look": look}
    side, strides = int(getattr(network, "side")), getattr(network, "strides")  # noqa: B009  of nn.Module
    samples = PalmPictures(sources, side, strides, options.seed, Look(look))
    return Task(network, samples, lambda net, batch: palm_losses(net, batch, score_loss), None, config)
