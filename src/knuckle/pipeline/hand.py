"""The landmark network: image and regions in, hands out. Read top to bottom: crop, run, decode, gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from knuckle.geometry import apply, crop, image_from_crop, turn, wrap_angle
from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.models.session import Network, Outputs, Pictures
from knuckle.results import FloatArray, Hand, Roi

# The network's z is 0.4 of the scale of its x and y (normalize_z of the reference's decoder).
Z_SCALE = 0.4
# Wrist, thumb up to IP, MCP and PIP of the fingers: points that stay put while fingers bend.
STEADY = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
# Where a hand points to: index, middle and ring finger's MCP joints, which the reference takes, or their PIP joints.
MCP_JOINTS, PIP_JOINTS = (5, 9, 13), (6, 10, 14)


@dataclass(frozen=True)
class HandModel:
    """What the decoder must know of a landmark network: the names of its outputs.

    Attributes:
        landmarks: (n, 63) crop pixels. world: (n, 63) metres. presence: (n, 1) 0..1.
        handedness: (n, 1) probability of "Left" in a mirrored image.
        visibility: (n, 21) 0..1, or None where the network has none.
    """

    landmarks: str = "Identity"
    presence: str = "Identity_1"
    handedness: str = "Identity_2"
    world: str = "Identity_3"
    visibility: str | None = None


@dataclass(frozen=True)
class HandLandmarker:
    """A landmark network and how to read it.

    Attributes:
        network: takes crops, gives the outputs that `model` names.
        model: its outputs.
        min_presence: crops whose presence is not above it give no hand.
        mirrored: whether the image is a mirror image, as a selfie camera shows it.
    """

    network: Network
    model: HandModel = field(default_factory=HandModel)
    min_presence: float = 0.5
    mirrored: bool = False

    def graph(self) -> Graph:
        """The subgraph: image, rois -> hands, in the order of the rois, those without a hand left out."""
        return Graph(
            "hand_landmarks",
            inputs=["image", "rois"],
            nodes=[
                *self._reading(),
                Node(self.gate, ("candidates",), "hands"),
            ],
            output="hands",
        )

    def second_look(self) -> Graph:
        """The subgraph: image, hands -> the same hands read anew, each in the region of its own landmarks.

        A palm tells roughly where its hand is; the hand itself tells it twice as exactly. Those that the second look
        does not take for hands are left out.
        """
        return Graph(
            "second_look",
            inputs=["image", "hands"],
            nodes=[
                Node(rois_from_hands, ("hands",), "rois"),
                *self._reading(),
                Node(self.confirm, ("hands", "candidates"), "confirmed_hands"),
            ],
            output="confirmed_hands",
        )

    def _reading(self) -> list[Node]:
        """image, rois -> candidates."""
        return [
            Node(self.prepare, ("image", "rois"), "pictures"),
            Node(self.network, ("pictures",), "raw"),
            Node(self.decode, ("raw", "rois"), "candidates"),
        ]

    def prepare(self, image: Image, rois: Sequence[Roi]) -> Pictures:
        """One upright crop per region: (n, side, side, 3) uint8."""
        return np.stack([crop(image, roi, self.network.side) for roi in rois])

    def decode(self, raw: Outputs, rois: Sequence[Roi]) -> list[Hand]:
        """Raw outputs to hands in image pixels, whatever their presence."""
        return [self._hand(raw, row, roi) for row, roi in enumerate(rois)]

    def gate(self, hands: Sequence[Hand]) -> list[Hand]:
        """Those that are hands."""
        return [hand for hand in hands if hand.presence > self.min_presence]

    def confirm(self, hands: Sequence[Hand], candidates: Sequence[Hand]) -> list[Hand]:
        """Of each hand its second reading, with the palm's score of the first, where that is a hand too."""
        pairs = zip(hands, candidates, strict=True)
        return self.gate([replace(candidate, palm_score=hand.palm_score) for hand, candidate in pairs])

    def _hand(self, raw: Outputs, row: int, roi: Roi) -> Hand:
        model, side = self.model, self.network.side
        in_crop = raw[model.landmarks][row].reshape(21, 3)
        landmarks = np.empty((21, 3), np.float32)
        landmarks[:, :2] = apply(image_from_crop(roi, side), in_crop[:, :2])
        landmarks[:, 2] = in_crop[:, 2] * (roi.size / side / Z_SCALE)
        left_in_mirror = float(raw[model.handedness][row].item())
        return Hand(
            landmarks=landmarks,
            world=turn(raw[model.world][row].reshape(21, 3), roi.angle_rad),
            handedness="Left" if (left_in_mirror >= 0.5) == self.mirrored else "Right",
            handedness_score=max(left_in_mirror, 1 - left_in_mirror),
            presence=float(raw[model.presence][row].item()),
            roi=roi,
            visibility=raw[model.visibility][row].reshape(21) if model.visibility else None,
        )


def rois_from_hands(hands: Sequence[Hand]) -> list[Roi]:
    """The region of each hand, from its landmarks before smoothing."""
    return [roi_from_landmarks(hand.landmarks_raw) for hand in hands]


def roi_from_landmarks(landmarks: FloatArray, joints: tuple[int, int, int] = MCP_JOINTS) -> Roi:
    """The region around a hand, from its landmarks: where the tracker crops the next frame.

    The region is upright along the line from the wrist to the weighted mean of three joints. It is twice as large as
    the box of the `STEADY` points in that direction, and moved towards the fingers by a tenth of the box's height.

    Args:
        landmarks: (21, 2 or more) image pixels; only x and y are used.
        joints: landmarks of the index, middle and ring finger; the middle finger counts twice. With PIP joints, which
            bend, the landmarks of a still hand jitter more (`python benchmarks/variants.py tracking`).
    """
    points = landmarks[:, :2].astype(np.float64)
    index, middle, ring = joints
    end = ((points[index] + points[ring]) / 2 + points[middle]) / 2
    dx, dy = end - points[0]
    angle = wrap_angle(math.pi / 2 - math.atan2(-dy, dx))
    upright = turn(points[STEADY], -angle)
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = (low + high) / 2 - [0, 0.1 * (high[1] - low[1])]
    x, y = turn(centre, angle)
    return Roi(float(x), float(y), 2 * float((high - low).max()), angle)
