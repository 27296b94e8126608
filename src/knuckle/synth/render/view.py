"""Culling and projection: which triangles a camera sees, the rectangle they cover, and matrices for the shaders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.synth.render.primitives import Camera, Floats, Ints, Mesh

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 pixels; x1 and y1 are just outside

AROUND = 0.25  # objects this many sides beyond the picture still cast shadows into it
NEAREST_M = 0.02


@dataclass(frozen=True, eq=False)
class InView:
    """What a camera sees of a mesh.

    Attributes:
        faces: (m, 3) the triangles in view or near it; the mesh's own array if that is all of them.
        box: the pixels that they may cover.
        points: (k, 3) some of their corners, metres.
    """

    faces: Ints
    box: Box
    points: Floats


def in_view(mesh: Mesh, camera: Camera) -> InView:
    """The triangles of a mesh in camera space that can change the picture."""
    x, y, z = mesh.vertices.T
    scale = 1 / np.maximum(z, np.float32(NEAREST_M))
    u, v = x * (camera.fx * scale) + camera.cx, y * (camera.fy * scale) + camera.cy
    w, h = camera.width, camera.height
    margin = AROUND * max(w, h)
    beyond = (u < -margin) + 2 * (u > w + margin) + 4 * (v < -margin) + 8 * (v > h + margin)
    close = z < NEAREST_M
    if close.any():
        beyond[close] = 0
    faces, corners = mesh.faces, np.ones(len(u), bool)
    if beyond.any():
        first, second, third = (beyond[faces[:, k]] for k in range(3))
        kept = (first & second & third) == 0
        faces = faces[kept] if not kept.all() else faces
        corners = np.zeros(len(u), bool)
        corners[faces] = True
    if not len(faces):
        return InView(faces, (0, 0, 0, 0), mesh.vertices[:0])
    points, shown_u, shown_v = mesh.vertices[corners], u[corners], v[corners]
    box = (0, 0, w, h) if close[corners].any() else clipped(shown_u, shown_v, w, h)
    return InView(faces, box, points[:: max(1, len(points) // 512)])


def clipped(u: Floats, v: Floats, width: int, height: int) -> Box:
    """The rectangle around pixel coordinates, two pixels wider, clipped to the picture."""
    x0, x1 = np.clip([u.min() - 2, u.max() + 3], 0, width).astype(int).tolist()
    y0, y1 = np.clip([v.min() - 2, v.max() + 3], 0, height).astype(int).tolist()
    return x0, y0, x1, y1


def around(boxes: Sequence[Box]) -> Box:
    """The smallest rectangle around rectangles; empty ones are ignored."""
    full = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]
    if not full:
        return 0, 0, 0, 0
    x0, y0, x1, y1 = zip(*full, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def clip_pinhole(camera: Camera, edge: float) -> tuple[float, float, float, float]:
    """The `pinhole` uniform of the shaders; the left and upper borders of the picture are at -`edge` pixels."""
    w, h = camera.width, camera.height
    return 2 * camera.fx / w, 2 * camera.fy / h, 2 * (camera.cx + edge) / w - 1, 2 * (camera.cy + edge) / h - 1


def shadow_matrix(towards: npt.NDArray[np.float64], middle: Floats, radius: float) -> Floats:
    """(4, 4) orthographic view from a light of a ball around `middle`: the ball of `radius` metres maps to -1..1."""
    away = -towards / np.linalg.norm(towards)
    side = np.cross(away, (0.0, 1.0, 0.0) if abs(away[1]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([side, np.cross(away, side), away]) / radius
    matrix[:3, 3] = -matrix[:3, :3] @ middle
    return np.asarray(matrix, np.float32)
