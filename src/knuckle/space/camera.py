"""`Camera`: how points in space become pixels, and pixels rays.

Camera space is that of OpenCV: origin at the camera, x right, y down, z forward along the optical axis, metres. Pixel
centres are at whole numbers. The lens models are OpenCV's: Brown and Conrady's with 4 to 14 coefficients, and the
fisheye of Kannala & Brandt (2006), doi 10.1109/TPAMI.2006.153.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.extras import cv2

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]
Lens = Literal["pinhole", "fisheye"]

DEFAULT_FOV_DEG = (
    60.0  # along the longer side: between a laptop's webcam (55 to 65) and a phone's main camera (65 to 70)
)
SAME_SHAPE = 0.01  # images whose ratios of width to height differ by less have the same shape
COEFFICIENTS = {"pinhole": (0, 4, 5, 8, 12, 14), "fisheye": (0, 4)}  # numbers of coefficients that OpenCV takes
STEP = 1e-6  # of numerical derivatives by rays
NEWTON_STEPS = 12
CONVERGED_PX = 1e-4
FURTHEST_RAY = 1e6  # rays at right angles to the optical axis have no x / z


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera, at a place in the world.

    Attributes:
        matrix: (3, 3) intrinsics, pixels: focal lengths on the diagonal, principal point in the last column.
        size: (width, height) in pixels of the images that the intrinsics belong to; None if it is not known.
        distortion: coefficients in OpenCV's order: k1 k2 p1 p2 [k3 …], of a fisheye k1 k2 k3 k4; empty for none.
        lens: "pinhole" (with or without distortion) or "fisheye".
        rotation: (3, 3) from the axes of the world to those of the camera.
        translation: (3,) origin of the world in camera space, metres: camera = rotation @ world + translation.
        name: what the file calls it.
        about: one line on where the intrinsics come from, for messages.

    Raises:
        InputError: a value has a wrong shape or is out of range.
    """

    matrix: Floats
    size: tuple[int, int] | None = None
    distortion: Floats = field(default_factory=lambda: np.zeros(0))
    lens: Lens = "pinhole"
    rotation: Floats = field(default_factory=lambda: np.eye(3))
    translation: Floats = field(default_factory=lambda: np.zeros(3))
    name: str = "camera"
    about: str = "given intrinsics"

    def __post_init__(self) -> None:
        for name, shape in {"matrix": (3, 3), "distortion": (-1,), "rotation": (3, 3), "translation": (3,)}.items():
            try:
                values = np.asarray(getattr(self, name), np.float64).reshape(shape)
            except (TypeError, ValueError) as error:
                raise InputError(f"{name} of {self.name} must have the shape {shape}: {error}") from error
            if not np.isfinite(values).all():
                raise InputError(f"{name} of {self.name} holds numbers that are not finite")
            object.__setattr__(self, name, values)
        if self.lens not in COEFFICIENTS:
            raise InputError(f"lens of {self.name} must be 'pinhole' or 'fisheye', got {self.lens!r}")
        if len(self.distortion) not in COEFFICIENTS[self.lens]:
            allowed = ", ".join(map(str, COEFFICIENTS[self.lens]))
            raise InputError(
                f"a {self.lens} lens has {allowed} distortion coefficients; {self.name} has {len(self.distortion)}"
            )
        if not (self.matrix[[0, 1], [0, 1]] > 0).all():
            raise InputError(f"the focal lengths of {self.name} must be above 0, got {self.matrix[[0, 1], [0, 1]]}")
        if not np.allclose(self.rotation @ self.rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(self.rotation) < 0:
            raise InputError(f"rotation of {self.name} must be a rotation matrix, got {self.rotation.tolist()}")

    @classmethod
    def from_fov(cls, size: tuple[int, int], degrees: float = DEFAULT_FOV_DEG) -> Camera:
        """A camera without distortion whose field of view along the longer side of its images is `degrees`.

        Raises:
            InputError: the angle is not between 1 and 179 degrees.
        """
        if not 1 <= degrees <= 179:
            raise InputError(f"a field of view must be from 1 to 179 degrees, got {degrees}")
        focal = max(size) / 2 / math.tan(math.radians(degrees) / 2)
        return cls(intrinsics(size, focal), size, about=f"field of view of {degrees:g}° along the longer side")

    @property
    def centre(self) -> Floats:
        """(3,) place of the camera in the world, metres."""
        return cast(Floats, -self.rotation.T @ self.translation)

    def to_camera(self, points: npt.ArrayLike) -> Floats:
        """World space to camera space, (..., 3) metres."""
        return cast(Floats, np.asarray(points, np.float64) @ self.rotation.T + self.translation)

    def to_world(self, points: npt.ArrayLike) -> Floats:
        """Camera space to world space, (..., 3) metres."""
        return cast(Floats, (np.asarray(points, np.float64) - self.translation) @ self.rotation)

    def project(self, points: npt.ArrayLike) -> Floats:
        """The pixels of points in camera space, (..., 3) metres to (..., 2). NaN for points that are not in front."""
        xyz = np.asarray(points, np.float64)
        depth = xyz[..., 2:]
        rays = np.divide(xyz[..., :2], depth, out=np.full(xyz[..., :2].shape, np.nan), where=depth > 0)
        return self.bend(rays)

    def unproject(self, pixels: npt.ArrayLike, depth_m: npt.ArrayLike) -> Floats:
        """The points of camera space, (..., 3) metres, that are seen at (..., 2) pixels at this z, (...) metres."""
        rays = self.rays(pixels)
        points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
        return cast(Floats, points * np.asarray(depth_m, np.float64)[..., None])

    def bend(self, rays: npt.ArrayLike) -> Floats:
        """The pixels of rays, (..., 2) x / z and y / z to (..., 2)."""
        given = np.asarray(rays, np.float64)
        flat = given.reshape(-1, 2)
        if not len(flat):
            return given
        if not len(self.distortion):
            return cast(Floats, (given @ self.matrix[:2, :2].T) + self.matrix[:2, 2])
        points = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)[:, None]
        still = np.zeros(3)
        if self.lens == "fisheye":
            pixels = cv2.fisheye.projectPoints(points, still, still, self.matrix, self.distortion)[0]
        else:
            pixels = cv2.projectPoints(points, still, still, self.matrix, self.distortion)[0]
        return np.asarray(pixels, np.float64).reshape(given.shape)

    def rays(self, pixels: npt.ArrayLike) -> Floats:
        """The rays of pixels, (..., 2) to (..., 2) x / z and y / z: the inverse of `bend`.

        NaN where no ray lands, which is outside of what the lens model can describe.
        """
        given = np.asarray(pixels, np.float64)
        flat = given.reshape(-1, 2)
        rays = (flat - self.matrix[:2, 2]) @ np.linalg.inv(self.matrix[:2, :2]).T
        if not len(self.distortion) or not len(flat):
            return cast(Floats, rays.reshape(given.shape))
        if self.lens == "fisheye":  # the radius of the picture is an angle, about
            radius = np.linalg.norm(rays, axis=1, keepdims=True)
            angle = np.minimum(radius, math.pi / 2 - 0.05)
            rays = rays * np.divide(np.tan(angle), radius, out=np.ones_like(radius), where=radius > 1e-9)
        for _ in range(NEWTON_STEPS):
            missed = self.bend(rays) - flat
            if not (np.abs(missed) > CONVERGED_PX**2).any():
                break
            slopes = self.slopes(rays)
            with np.errstate(invalid="ignore"):
                fixed = ~(np.abs(np.linalg.det(slopes)) > 1e-9)  # cannot be inverted, or NaN: the point stays unsolved
            slopes[fixed] = np.eye(2)
            step = np.linalg.solve(slopes, missed[..., None])[..., 0]
            length = np.linalg.norm(step, axis=1, keepdims=True)
            rays = rays - step * np.minimum(
                1, 0.5 * (1 + np.linalg.norm(rays, axis=1, keepdims=True)) / (length + 1e-12)
            )
        missed = np.linalg.norm(self.bend(rays) - flat, axis=1)
        rays[~(missed < CONVERGED_PX) | (np.abs(rays).max(axis=1) > FURTHEST_RAY)] = np.nan
        return cast(Floats, rays.reshape(given.shape))

    def slopes(self, rays: npt.ArrayLike) -> Floats:
        """How far pixels move when rays do, (..., 2) to (..., 2, 2) pixels per unit of x / z and y / z."""
        given = np.asarray(rays, np.float64)
        moves = STEP * np.eye(2)
        columns = [(self.bend(given + move) - self.bend(given - move)) / (2 * STEP) for move in moves]
        return np.stack(columns, axis=-1)

    def at_size(self, width: int, height: int) -> Camera:
        """This camera for images of another size that show the same view.

        Raises:
            InputError: the images have another shape than those that the intrinsics belong to.
        """
        if self.size is None or self.size == (width, height):
            return replace(self, size=(width, height))
        scale = width / self.size[0]
        if abs(height / self.size[1] / scale - 1) > SAME_SHAPE:
            own = f"{self.size[0]} × {self.size[1]}"
            raise InputError(
                f"{self.name} is calibrated for images of {own}, got {width} × {height}, which is another shape; "
                "calibrate it at the shape that you record"
            )
        matrix = self.matrix.copy()
        matrix[:2, :2] *= scale
        matrix[:2, 2] = (matrix[:2, 2] + 0.5) * scale - 0.5  # pixel centres are at whole numbers
        return replace(self, matrix=matrix, size=(width, height))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, the JSON that `read_cameras` reads."""
        return {
            "name": self.name,
            "size": None if self.size is None else list(self.size),
            "matrix": self.matrix.tolist(),
            "distortion": self.distortion.tolist(),
            "fisheye": self.lens == "fisheye",
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }


def intrinsics(size: tuple[int, int], focal_px: float) -> Floats:
    """(3, 3) intrinsics of a camera whose optical axis meets the middle of its images."""
    width, height = size
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]], np.float64)
