"""Fisheye lenses: rays and radii of OpenCV's model, and pictures of a pinhole bent into those of a fisheye.

The model is that of Kannala and Brandt (2006): a ray theta radians off the axis lands at a distance of
theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8) focal lengths from the principal point.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.synth.render.primitives import Camera, Picture

WIDEST_RAD = math.radians(72)  # rays further off the axis are not drawn: a pinhole cannot show 90 degrees


def fisheye_radius(theta: npt.NDArray[Any], distortion: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Distance from the principal point, in focal lengths, of rays `theta` radians off the axis."""
    k = (*distortion, 0.0, 0.0, 0.0, 0.0)[:4]
    square = theta * theta
    return np.asarray(theta * (1 + square * (k[0] + square * (k[1] + square * (k[2] + square * k[3])))))


def fisheye_rays(points: npt.NDArray[Any], distortion: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """(..., 2) points (pixel - c) / f to (..., 2) x / z and y / z of their rays: the inverse of `labels.project`."""
    radius = np.linalg.norm(points, axis=-1)
    angles = np.linspace(0, WIDEST_RAD, 2048)
    theta = np.interp(radius, fisheye_radius(angles, distortion), angles)
    scale = np.divide(np.tan(theta), radius, out=np.ones_like(theta), where=radius > 1e-9)
    return np.asarray(points * scale[..., None], np.float64)


def covering_pinhole(camera: Camera) -> Camera:
    """A pinhole camera that sees everything that a fisheye camera sees, at about the same resolution."""
    if not camera.distortion:
        return camera
    edge = np.linspace(-0.5, 0.5, 33)
    low_side, high_side = np.full(33, -0.5), np.full(33, 0.5)
    x = np.concatenate([edge, edge, low_side, high_side]) * camera.width + (camera.width - 1) / 2
    y = np.concatenate([low_side, high_side, edge, edge]) * camera.height + (camera.height - 1) / 2
    rays = fisheye_rays(np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], -1), camera.distortion)
    low, high = rays.min(0), rays.max(0)
    scale = min(1.5 * max(camera.width, camera.height) / (float((high - low).max()) * camera.fx), 1.0)
    fx, fy = camera.fx * scale, camera.fy * scale
    width, height = math.ceil((high[0] - low[0]) * fx) + 2, math.ceil((high[1] - low[1]) * fy) + 2
    return Camera(width, height, fx, fy, 0.5 - low[0] * fx, 0.5 - low[1] * fy)


def to_fisheye(picture: Picture, camera: Camera) -> Picture:
    """A picture of `covering_pinhole(camera)` as the fisheye camera sees it."""
    if not camera.distortion:
        return picture
    pinhole = covering_pinhole(camera)
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = fisheye_rays(np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy], -1), camera.distortion)
    column = (rays[..., 0] * pinhole.fx + pinhole.cx).astype(np.float32)
    row = (rays[..., 1] * pinhole.fy + pinhole.cy).astype(np.float32)

    def sampled(values: npt.NDArray[Any], interpolation: int) -> Any:
        return cv2.remap(values, column, row, interpolation, borderMode=cv2.BORDER_REPLICATE)

    return replace(
        picture,
        rgb=sampled(picture.rgb, cv2.INTER_LINEAR),
        cover=sampled(picture.cover, cv2.INTER_LINEAR),
        depth=sampled(picture.depth, cv2.INTER_NEAREST),
        ids=sampled(picture.ids, cv2.INTER_NEAREST),
    )
