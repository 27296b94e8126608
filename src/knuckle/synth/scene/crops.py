"""The regions that a tracker cuts, with its errors, and the camera that would take such a crop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from knuckle.datasets.labels import palm_of
from knuckle.extras import cv2
from knuckle.geometry import apply, image_from_crop, invert, turn
from knuckle.pipeline.hand import roi_from_landmarks
from knuckle.pipeline.palm import roi_from_palm
from knuckle.results import FloatArray, Palm, Roi
from knuckle.synth.render.primitives import Camera, Picture

KINDS = ("palm", "track", "wrong")
KIND_SHARES = (0.4, 0.5, 0.1)


@dataclass(frozen=True)
class CropRegion:
    """A region of a frame and its errors.

    Attributes:
        roi: the region.
        kind: one of `KINDS`, or "nothing" for a crop without a hand.
        shift: distance from the correct centre, in sides.
        scale: size divided by the correct size.
        turn_rad: angle error.
    """

    roi: Roi
    kind: str
    shift: float = 0.0
    scale: float = 1.0
    turn_rad: float = 0.0


def crop_of_hand(points: FloatArray, rng: np.random.Generator, kind: str | None = None) -> CropRegion:
    """A tracker's region for (21, 2 or 3) landmarks in frame pixels.

    Args:
        kind: "palm" follows a palm detection and has the detector's small errors. "track" follows the landmarks of
            the previous frame; the hand has moved since then, sometimes far. "wrong" cuts the hand off or is turned
            at random: a tracker should drop it. Drawn if None.
    """
    kind = kind or str(rng.choice(KINDS, p=KIND_SHARES))
    roi = region_of(points, "palm" if kind == "palm" else "track")
    if kind == "palm":
        shift, scale, angle = abs(rng.normal(0, 0.035)), math.exp(rng.normal(0, 0.06)), rng.normal(0, 0.1)
    elif kind == "track":
        shift, scale, angle = abs(rng.standard_t(3)) * 0.05, math.exp(rng.normal(0, 0.1)), 0.1 * rng.standard_t(3)
    else:
        shift, scale, angle = rng.uniform(0.25, 0.8), math.exp(rng.normal(0, 0.4)), rng.uniform(-math.pi, math.pi)
    direction = rng.uniform(0, 2 * math.pi)
    shift = float(min(shift, 0.9))
    x = roi.x + shift * roi.size * math.cos(direction)
    y = roi.y + shift * roi.size * math.sin(direction)
    moved = Roi(x, y, roi.size * float(scale), roi.angle_rad + float(angle))
    return CropRegion(moved, kind, shift, float(scale), float(angle))


def region_of(points: FloatArray, kind: str) -> Roi:
    """The tracker's own region, without error, from a palm ("palm") or from landmarks ("track")."""
    if kind == "palm":
        return roi_from_palm(_with_direction(palm_of(points)))
    return roi_from_landmarks(points.astype(np.float32))


def camera_of(frame: Camera, roi: Roi, side: int) -> tuple[Camera, FloatArray]:
    """The camera that shows exactly the crop of a region, and the rotation (3, 3) from the frame's camera to it.

    A crop is a picture with the same centre of projection: turning the crop rolls the camera about its axis, moving
    the crop moves the principal point.
    """
    crop_from_frame = invert(image_from_crop(roi, side))
    scale = side / roi.size
    cx, cy = apply(crop_from_frame, np.array([frame.cx, frame.cy]))
    roll = np.eye(3)
    roll[:2, :2] = turn(np.eye(2), -roi.angle_rad).T
    sees = Camera(side, side, frame.fx * scale, frame.fy * scale, float(cx), float(cy), frame.distortion)
    return sees, roll


def beyond_frame(points: FloatArray, frame: Camera, roi: Roi, side: int) -> Any:
    """(n,) bool: which crop pixels (n, 2) lie outside the frame."""
    there = apply(image_from_crop(roi, side), points)
    return ((there < -0.5) | (there > [frame.width - 0.5, frame.height - 0.5])).any(-1)


def repeat_edges(picture: Picture, frame: Camera, roi: Roi, side: int) -> Picture:
    """A crop whose pixels outside the frame repeat the frame's edge pixels, as the tracker's own crops do."""
    affine = image_from_crop(roi, side)
    last = side - 1
    if not beyond_frame(np.array([[0, 0], [last, 0], [last, last], [0, last]]), frame, roi, side).any():
        return picture
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    points_frame = apply(affine, np.stack([columns, rows], -1))
    clamped = np.clip(points_frame, 0, [frame.width - 1, frame.height - 1])
    outside = (points_frame != clamped).any(-1)
    source = apply(invert(affine), clamped).astype(np.float32)
    x, y = np.ascontiguousarray(source[..., 0]), np.ascontiguousarray(source[..., 1])
    rgb: Any = cv2.remap(picture.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(
        picture,
        rgb=rgb,
        depth=np.where(outside, np.float32(np.inf), picture.depth),
        ids=np.where(outside, np.uint8(0), picture.ids),
        cover=np.where(outside, np.float32(0), picture.cover),
    )


def _with_direction(palm: Palm) -> Palm:
    """The palm itself; one seen along its axis has no direction in the picture and gets one that points up."""
    if float(np.hypot(*(palm.keypoints[2] - palm.keypoints[0]))) > 1e-3:
        return palm
    keypoints = palm.keypoints.copy()
    keypoints[2] = keypoints[0] - [0, 1e-3]
    return Palm(palm.box, keypoints, palm.score)
