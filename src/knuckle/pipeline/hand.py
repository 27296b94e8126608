"""The landmark network: image and candidate regions in, hands out. Read top to bottom: crop, run, decode, gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Any, cast

import numpy as np

from knuckle.geometry import MAX_PX, apply, crop, image_from_crop, turn, wrap_angle
from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.models.bundle import STD_PER_SIGMA
from knuckle.models.session import Network, Outputs, Pictures
from knuckle.results import HAND_POINTS, ExtraPoints, FloatArray, Hand, PointSet, Roi

# Scale of the network's z relative to its x and y (`normalize_z` in the reference's decoder).
Z_SCALE = 0.4
# Points that move little when fingers bend: the wrist, the thumb up to its IP joint, MCP and PIP joints of the fingers.
STEADY = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
# Joints of index, middle and ring finger that give the direction of a hand. The reference takes the MCP joints.
MCP_JOINTS, PIP_JOINTS = (5, 9, 13), (6, 10, 14)


@dataclass(frozen=True)
class Candidate:
    """A region of the image that may hold a hand, on its way to the landmark network.

    Attributes:
        roi: the region.
        palm_score: score of the palm that the region came from; None where it came from landmarks or from the caller.
    """

    roi: Roi
    palm_score: float | None = None


@dataclass(frozen=True)
class HandModel:
    """Names of the outputs of a landmark network for K points: 21, or those of another `PointSet`.

    Attributes:
        landmarks: (n, 3 K) crop pixels.
        presence: (n, 1) probability that the crop holds a hand.
        handedness: (n, 1) probability of "Left" in a mirrored image.
        world: (n, 3 K) metres.
        visibility: (n, K) probabilities, or None if the network has no such output.
        log_sigma: (n, K) natural log of the expected |dx| + |dy| of each landmark, crop pixels; None if the network
            has no such output.
    """

    landmarks: str = "Identity"
    presence: str = "Identity_1"
    handedness: str = "Identity_2"
    world: str = "Identity_3"
    visibility: str | None = None
    log_sigma: str | None = None


@dataclass(frozen=True)
class HandLandmarker:
    """A landmark network and how to read its outputs.

    Attributes:
        network: takes crops, gives the outputs that `model` names.
        model: the names of its outputs.
        min_presence: crops whose presence is not above it hold no hand.
        mirrored: the image is a mirror image, as selfie cameras show it.
        std_per_sigma: standard deviation of x and of y for an expected |dx| + |dy| of 1; see `Bundle`.
        points: the points that the network gives.
    """

    network: Network
    model: HandModel = field(default_factory=HandModel)
    min_presence: float = 0.5
    mirrored: bool = False
    std_per_sigma: float = STD_PER_SIGMA
    points: PointSet = HAND_POINTS

    def graph(self) -> Graph:
        """The subgraph: image, candidates -> hands, in the order of the candidates; those without a hand left out."""
        return Graph(
            "hand_landmarks",
            inputs=["image", "candidates"],
            nodes=[
                Node(self.prepare, ("image", "candidates"), "crops"),
                Node(self.network, ("crops",), "raw", batched=True),
                Node(self.decode, ("raw", "candidates"), "read_hands"),
                Node(self.gate, ("read_hands",), "hands"),
            ],
            output="hands",
        )

    def in_images(self, images: Sequence[Image], candidates: Sequence[Sequence[Candidate]]) -> list[list[Hand]]:
        """What `graph` gives for each of several images and its candidates; the network is called once."""
        crops = [self.prepare(image, these) for image, these in zip(images, candidates, strict=True) if these]
        if not crops:
            return [[] for _ in images]
        hands = iter(self.decode(self.network(np.concatenate(crops)), list(chain.from_iterable(candidates))))
        return [self.gate(list(islice(hands, len(these)))) for these in candidates]

    def read(self, image: Image, rois: Sequence[Roi]) -> list[Hand]:
        """Landmarks in regions of the caller's own: one hand per region, regardless of presence."""
        if not rois:
            return []
        candidates = [Candidate(roi) for roi in rois]
        return self.decode(self.network(self.prepare(image, candidates)), candidates)

    def prepare(self, image: Image, candidates: Sequence[Candidate]) -> Pictures:
        """One upright crop per candidate: (n, side, side, 3) uint8."""
        return np.stack([crop(image, candidate.roi, self.network.side) for candidate in candidates])

    def decode(self, raw: Outputs, candidates: Sequence[Candidate]) -> list[Hand]:
        """Raw outputs to hands in image pixels, one per candidate, regardless of presence.

        Points that the network does not give are where their stand-ins are, until `without_absent` blanks them.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # `gate` discards hands that are not finite
            return self._decoded(raw, candidates)

    def _decoded(self, raw: Outputs, candidates: Sequence[Candidate]) -> list[Hand]:
        model, side, hands = self.model, self.network.side, []
        for row, candidate in enumerate(candidates):
            roi = candidate.roi
            points_crop = raw[model.landmarks][row].reshape(-1, 3)
            landmarks = np.empty((len(points_crop), 3), np.float32)
            landmarks[:, :2] = apply(image_from_crop(roi, side), points_crop[:, :2])
            landmarks[:, 2] = points_crop[:, 2] * (roi.size / side / Z_SCALE)
            left_in_mirror = float(raw[model.handedness][row].item())
            arrays = {
                "landmarks": landmarks,
                "world": turn(raw[model.world][row].reshape(-1, 3), roi.angle_rad),
                "visibility": raw[model.visibility][row].reshape(-1) if model.visibility else None,
                "landmark_std": self._std_of(raw, row, roi) if model.log_sigma else None,
            }
            hand = Hand(
                handedness="Left" if (left_in_mirror >= 0.5) == self.mirrored else "Right",
                handedness_score=max(left_in_mirror, 1 - left_in_mirror),
                presence=float(raw[model.presence][row].item()),
                roi=roi,
                palm_score=candidate.palm_score,
                **(arrays if self.points.is_usual else placed(arrays, self.points)),
            )
            hands.append(hand)
        return hands

    def _std_of(self, raw: Outputs, row: int, roi: Roi) -> FloatArray:
        """(K,) the standard deviation of each landmark's x and y that the network expects, image pixels."""
        sigma = np.exp(raw[self.model.log_sigma or ""][row].reshape(-1))
        return cast(FloatArray, sigma * np.float32(self.std_per_sigma * roi.size / self.network.side))

    def gate(self, hands: Sequence[Hand]) -> list[Hand]:
        """The hands whose presence is above `min_presence`.

        Those with numbers that are not finite, as damaged networks give them, are left out.
        """
        return [hand for hand in hands if hand.presence > self.min_presence and is_sound(hand)]


def is_sound(hand: Hand) -> bool:
    """Whether all numbers of a hand are finite and below `MAX_PX`. Damaged networks give others."""
    arrays = [hand.landmarks, hand.world, hand.visibility, hand.landmark_std]
    if hand.extra is not None:
        arrays += [hand.extra.landmarks, hand.extra.world, hand.extra.visibility, hand.extra.landmark_std]
    return math.isfinite(hand.presence + hand.handedness_score) and all(
        array is None or np.abs(array).max() < MAX_PX  # False for NaN
        for array in arrays
    )


def placed(arrays: Mapping[str, FloatArray | None], points: PointSet) -> dict[str, Any]:
    """The outputs of a network, a row per point of the set, as arrays of a `Hand` and its `extra` points."""
    hand: dict[str, Any] = {name: None if rows is None else rows[points.rows] for name, rows in arrays.items()}
    if points.extra:
        beyond: dict[str, Any] = {
            name: None if rows is None else rows[len(points.standard) :] for name, rows in arrays.items()
        }
        hand["extra"] = ExtraPoints(points.extra_names, **beyond, parents=points.parents)
    return hand


def blanking(points: PointSet | None) -> list[Node]:
    """The last step of a graph whose network lacks some of the 21 points: unnamed_hands -> hands. None for others."""
    if points is None or not points.without:
        return []
    return [Node(partial(without_absent, points=points), ("unnamed_hands",), "hands")]


def without_absent(hands: Sequence[Hand], points: PointSet) -> list[Hand]:
    """The hands with NaN for the points of the 21 that the set does not have, and with visibility 0 for them."""
    if not points.without:
        return list(hands)
    blanked = []
    for hand in hands:
        changes: dict[str, FloatArray] = {}
        for name in ("landmarks", "world", "landmarks_raw", "world_raw", "landmark_std"):
            if getattr(hand, name) is not None:
                changes[name] = np.array(getattr(hand, name))
                changes[name][points.absent] = np.nan
        changes["visibility"] = np.ones(21, np.float32) if hand.visibility is None else np.array(hand.visibility)
        changes["visibility"][points.absent] = 0
        blanked.append(replace(hand, **changes))  # type: ignore[arg-type]
    return blanked


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
