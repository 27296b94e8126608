"""The palm detector: the whole image in, palms out. Read top to bottom: prepare, run, decode, suppress.

The network is the single-shot detector of MediaPipe Hands (Zhang et al. 2020, arXiv 2006.10214): square anchors, with a
box and seven key points per anchor. The constants are those of its published graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from knuckle.geometry import MAX_PX, iou, letterbox, turn, whole_image, wrap_angle
from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.models.session import Network, Outputs, Pictures
from knuckle.results import FloatArray, Palm, Roi

SUPPRESS_IOU = 0.3
UPRIGHT_RAD = math.pi / 2


@dataclass(frozen=True)
class PalmModel:
    """Anchors and output names of a palm network.

    Attributes:
        strides: (stride in pixels, anchors per cell) of each output grid, in output order.
        boxes: name of the output (n, anchors, 18): box and key points in pixels, relative to the anchor.
        scores: name of the output (n, anchors, 1): logits.
    """

    strides: tuple[tuple[int, int], ...] = ((8, 2), (16, 6))
    boxes: str = "Identity"
    scores: str = "Identity_1"


@lru_cache
def anchors(side: int, strides: tuple[tuple[int, int], ...]) -> FloatArray:
    """Centres of the anchors: (anchors, 2) x, y in input pixels; by grid, row, column and anchor of the cell.

    All anchors have the size of the input, so a centre defines one. 192 px and the reference's strides give 2016.
    """
    grids = []
    for stride, per_cell in strides:
        ticks = (np.arange(math.ceil(side / stride)) + 0.5) * stride
        x, y = np.meshgrid(ticks, ticks)
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), per_cell, axis=0))
    return np.concatenate(grids).astype(np.float32)


@dataclass(frozen=True)
class PalmDetector:
    """A palm network and its threshold.

    Attributes:
        network: takes the letterboxed image, gives the outputs that `model` names.
        model: its outputs and anchors.
        min_score: palms with a lower score are discarded.
    """

    network: Network
    model: PalmModel = field(default_factory=PalmModel)
    min_score: float = 0.5

    def graph(self) -> Graph:
        """The subgraph: image -> palms, best first."""
        return Graph(
            "palm_detection",
            inputs=["image"],
            nodes=[
                Node(self.prepare, ("image",), "pictures"),
                Node(self.network, ("pictures",), "raw", batched=True),
                Node(image_size, ("image",), "size"),
                Node(self.decode, ("raw", "size"), "raw_palms"),
                Node(suppress, ("raw_palms",), "palms"),
            ],
            output="palms",
        )

    def prepare(self, image: Image) -> Pictures:
        """The image in a black square: (1, side, side, 3) uint8."""
        return letterbox(image, self.network.side)[None]

    def in_images(self, images: Sequence[Image]) -> list[list[Palm]]:
        """What `graph` gives for each of several images; the network is called once."""
        raw = self.network(np.concatenate([self.prepare(image) for image in images]))
        rows = [{name: values[k : k + 1] for name, values in raw.items()} for k in range(len(images))]
        return [suppress(self.decode(row, image_size(image))) for row, image in zip(rows, images, strict=True)]

    def decode(self, raw: Outputs, size: tuple[int, int]) -> list[Palm]:
        """Raw outputs of one image of `size` (width, height) to palms; see `decode_palms`."""
        return decode_palms(raw, size, self.network.side, self.model, self.min_score)


def image_size(image: Image) -> tuple[int, int]:
    """(width, height) in pixels."""
    return image.shape[1], image.shape[0]


def decode_palms(
    raw: Outputs, size: tuple[int, int], side: int, model: PalmModel, min_score: float = 0.5
) -> list[Palm]:
    """Raw outputs to palms in image pixels, in anchor order and not yet suppressed.

    Only anchors that score at least `min_score` are decoded: decoding the rest would take most of the time.

    Args:
        raw: the network's outputs for one letterboxed image: boxes (1, anchors, 18), scores (1, anchors, 1).
        size: (width, height) of the image in pixels.
        side: side of the network's square input in pixels.
        model: the names of the outputs, and the anchors.
        min_score: 0..1.
    """
    logits = raw[model.scores][0, :, 0]
    min_logit = math.log(min_score / (1 - min_score)) if 0 < min_score < 1 else -math.inf
    kept = np.flatnonzero(logits >= min_logit)
    values = raw[model.boxes][0, kept].reshape(-1, 9, 2)  # centre, size, 7 key points
    centres = anchors(side, model.strides)[kept][:, None]
    square = whole_image(*size)
    scale = np.float32(square.size / side)
    corner = np.array([square.x - square.size / 2, square.y - square.size / 2], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # damaged networks; their palms are left out below
        centre = (values[:, :1] + centres) * scale + corner
        half = values[:, 1:2] * scale / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1).reshape(-1, 4)
        keypoints = (values[:, 2:] + centres) * scale + corner
    scores = 1 / (1 + np.exp(-np.clip(logits[kept], -80, 80)))
    # Damaged networks give boxes that are empty, without end, or no numbers.
    reach = np.maximum(np.abs(boxes).max(axis=1), np.abs(keypoints).max(axis=(1, 2)))
    sound = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (reach < MAX_PX / 10)  # a region is larger than its palm
    return [
        Palm(box, points, float(score))
        for box, points, score, is_sound in zip(boxes, keypoints, scores, sound, strict=True)
        if score >= min_score and is_sound
    ]


def suppress(palms: Sequence[Palm]) -> list[Palm]:
    """Weighted non-maximum suppression: each group of overlapping palms becomes its score-weighted mean, best first.

    A group is a palm and all weaker ones that overlap it by more than `SUPPRESS_IOU`. It keeps the best score (the
    blending of the BlazeFace paper, arXiv 1907.05047, section 3.3).
    """
    rest = sorted(palms, key=lambda palm: -palm.score)
    merged = []
    while rest:
        boxes = np.stack([palm.box for palm in rest])
        near = iou(boxes[0], boxes) > SUPPRESS_IOU
        near[0] = True
        group = [palm for palm, is_near in zip(rest, near, strict=True) if is_near]
        weights = np.array([palm.score for palm in group], np.float32)
        weights /= weights.sum()
        box = np.tensordot(weights, np.stack([palm.box for palm in group]), 1)
        keypoints = np.tensordot(weights, np.stack([palm.keypoints for palm in group]), 1)
        merged.append(Palm(box, keypoints, group[0].score))
        rest = [palm for palm, is_near in zip(rest, near, strict=True) if not is_near]
    return merged


def roi_from_palm(palm: Palm, upright_rad: float = UPRIGHT_RAD) -> Roi:
    """The region around a hand, from its palm: 2.6 times the palm box, moved towards the fingers by half a box.

    Args:
        palm: a palm detection.
        upright_rad: angle of the line from the wrist to the middle finger's MCP that counts as upright. MediaPipe's
            Tasks API uses 90 radians by mistake, which rotates its crops by 26.6 degrees.
    """
    (x0, y0), (x1, y1) = palm.keypoints[0], palm.keypoints[2]
    angle = wrap_angle(upright_rad - math.atan2(-(y1 - y0), x1 - x0))
    width, height = palm.box[2:] - palm.box[:2]
    shift = turn(np.array([0.0, -0.5 * height]), angle)
    x, y = (palm.box[:2] + palm.box[2:]) / 2 + shift
    return Roi(float(x), float(y), 2.6 * float(max(width, height)), angle)
