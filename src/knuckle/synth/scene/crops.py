"""Where a tracker would cut a hand out of a frame, with its errors, and the camera that sees just that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from knuckle.geometry import apply, image_from_crop, invert, turn
from knuckle.pipeline.hand import roi_from_landmarks
from knuckle.pipeline.palm import roi_from_palm
from knuckle.results import FloatArray, Palm, Roi
from knuckle.synth.camera.labels import palm_of
from knuckle.synth.render.mesh import Camera, Picture

KINDS = ("palm", "track", "wrong")
KIND_SHARES = (0.4, 0.5, 0.1)


@dataclass(frozen=True)
class Cut:
    """A region of a frame and how it came about: `kind` of `KINDS` or "nothing", and its errors.

    shift: distance from the right centre, in sides. scale: size by the right size. turn_rad: angle off.
    """

    roi: Roi
    kind: str
    shift: float = 0.0
    scale: float = 1.0
    turn_rad: float = 0.0


def cut_hand(points: FloatArray, rng: np.random.Generator, kind: str | None = None) -> Cut:
    """The region for (21, 2 or 3) landmarks in frame pixels.

    "palm" follows a palm detection (errors as small as the detector's), "track" the last frame's landmarks (the
    hand has moved since, sometimes far), "wrong" is a region that a tracker should give up: cut off or upside down.
    """
    kind = kind or str(rng.choice(KINDS, p=KIND_SHARES))
    right = region_of(points, "palm" if kind == "palm" else "track")
    if kind == "palm":
        shift, scale, angle = abs(rng.normal(0, 0.035)), math.exp(rng.normal(0, 0.06)), rng.normal(0, 0.1)
    elif kind == "track":
        shift, scale, angle = abs(rng.standard_t(3)) * 0.05, math.exp(rng.normal(0, 0.1)), 0.1 * rng.standard_t(3)
    else:
        shift, scale, angle = rng.uniform(0.25, 0.8), math.exp(rng.normal(0, 0.4)), rng.uniform(-math.pi, math.pi)
    return displaced(right, kind, rng.uniform(0, 2 * math.pi), float(min(shift, 0.9)), float(scale), float(angle))


def region_of(points: FloatArray, kind: str) -> Roi:
    """The tracker's own region, without error, from a palm ("palm") or from landmarks ("track")."""
    if kind == "palm":
        return roi_from_palm(_upright_where_unclear(palm_of(points)))
    return roi_from_landmarks(points.astype(np.float32))


def displaced(roi: Roi, kind: str, direction_rad: float, shift: float, scale: float, turn_rad: float) -> Cut:
    """A region moved, scaled and turned."""
    step = shift * roi.size * np.array([math.cos(direction_rad), math.sin(direction_rad)])
    moved = Roi(roi.x + step[0], roi.y + step[1], roi.size * scale, roi.angle_rad + turn_rad)
    return Cut(moved, kind, shift, scale, turn_rad)


def camera_of(frame: Camera, roi: Roi, side: int) -> tuple[Camera, FloatArray]:
    """The camera whose whole picture is the region's crop, and the rotation (3, 3) from the frame's camera to it.

    A crop of a picture is a picture with the same centre of projection: turning the crop is rolling the camera
    about its axis, moving it is moving the principal point.
    """
    crop_from_frame = invert(image_from_crop(roi, side))
    scale = side / roi.size
    cx, cy = apply(crop_from_frame, np.array([frame.cx, frame.cy]))
    roll = np.eye(3)
    roll[:2, :2] = turn(np.eye(2), -roi.angle_rad).T
    sees = Camera(side, side, frame.fx * scale, frame.fy * scale, float(cx), float(cy), frame.distortion)
    return sees, roll


def beyond_frame(points: FloatArray, frame: Camera, roi: Roi, side: int) -> Any:
    """(n,) bool: which crop pixels (n, 2) lie outside of the frame that the crop is cut from."""
    there = apply(image_from_crop(roi, side), points)
    return ((there < -0.5) | (there > [frame.width - 0.5, frame.height - 0.5])).any(-1)


def repeat_edges(picture: Picture, frame: Camera, roi: Roi, side: int) -> Picture:
    """Outside of the frame there is nothing to see: the frame's edge pixels repeat, as the tracker's crops do."""
    affine = image_from_crop(roi, side)
    last = side - 1
    if not beyond_frame(np.array([[0, 0], [last, 0], [last, last], [0, last]]), frame, roi, side).any():
        return picture
    ticks = np.arange(side)
    columns, rows = np.meshgrid(ticks, ticks)
    there = apply(affine, np.stack([columns, rows], -1))
    clamped = np.clip(there, 0, [frame.width - 1, frame.height - 1])
    back = apply(invert(affine), clamped).astype(np.float32)
    outside = (there != clamped).any(-1)
    x, y = np.ascontiguousarray(back[..., 0]), np.ascontiguousarray(back[..., 1])
    rgb: Any = cv2.remap(picture.rgb, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return replace(
        picture,
        rgb=rgb,
        depth=np.where(outside, np.float32(np.inf), picture.depth),
        ids=np.where(outside, np.uint8(0), picture.ids),
        cover=np.where(outside, np.float32(0), picture.cover),
    )


def _upright_where_unclear(palm: Palm) -> Palm:
    """A palm seen along its axis has no direction of its own; a tiny one keeps the angle finite."""
    if float(np.hypot(*(palm.keypoints[2] - palm.keypoints[0]))) > 1e-3:
        return palm
    keypoints = palm.keypoints.copy()
    keypoints[2] = keypoints[0] - [0, 1e-3]
    return Palm(palm.box, keypoints, palm.score)
