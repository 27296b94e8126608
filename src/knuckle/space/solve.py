"""Perspective-n-point for many hands at once: where a known shape stands that is seen at known pixels.

The start is either linear, with the rotation that a crop of the hand suggests, or SQPnP (Terzakis & Lourakis 2020, doi
10.1007/978-3-030-58452-8_28). Both are refined by Levenberg and Marquardt's method with Huber's loss; the better one
is returned with the covariance of its pose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.space.camera import Bools, Camera, Floats

HUBER = 2.0  # residuals beyond this many standard deviations count linearly
STEPS = 25
CONVERGED = 1e-9  # relative decrease of the cost that ends the search
# SQPnP's pose must fit this much better than the one near the crop's view: the mirrored pose of a flat shape fits
# nearly as well as the right one.
BETTER = 0.5


@dataclass(frozen=True, eq=False)
class Poses:
    """Poses of n shapes of k points in camera space: camera = rotation @ point + translation.

    Attributes:
        rotation: (n, 3, 3).
        translation: (n, 3) metres.
        covariance: (n, 6, 6) of a small rotation about the camera's axes (rad) and of the translation (metres).
        chi2: (n,) sum of squared residuals over their degrees of freedom: about 1 if the stated errors are right.
        cost: (n,) half the sum of Huber's loss.
    """

    rotation: Floats
    translation: Floats
    covariance: Floats
    chi2: Floats
    cost: Floats

    def chosen(self, numbers: npt.NDArray[np.intp]) -> Poses:
        """The poses with these numbers."""
        return Poses(*(getattr(self, one.name)[numbers] for one in fields(self)))

    def placed(self, points: Floats) -> Floats:
        """The (n, k, 3) points in camera space."""
        return points @ np.swapaxes(self.rotation, 1, 2) + self.translation[:, None]


@dataclass(frozen=True, eq=False)
class _Problem:
    """Rays (n, k, 2), shapes (n, k, 3), and the (n, k, 2, 2) matrices that turn errors of rays into standard errors."""

    rays: Floats
    points: Floats
    whitening: Floats


def solve_poses(camera: Camera, pixels: Floats, points: Floats, std_px: Floats) -> Poses:
    """The poses of n shapes, each seen at k pixels.

    Args:
        camera: intrinsics and distortion; where it stands in the world plays no part.
        pixels: (n, k, 2) image pixels; NaN where a point is not seen. At least 4 points of a shape must be seen.
        points: (n, k, 3) metres in axes of its own. If these are about those of the camera that looks at the shape
            straight on, as world landmarks are, mirrored solutions of flat shapes are avoided.
        std_px: (n, k) standard deviations of x and of y, pixels.
    """
    pixels, points = np.asarray(pixels, np.float64), np.asarray(points, np.float64)
    rays = camera.rays(pixels)
    seen = np.asarray(np.isfinite(rays).all(axis=-1))
    rays = np.where(seen[..., None], rays, 0)
    whitening = camera.slopes(rays) / np.asarray(std_px, np.float64)[..., None, None] * seen[..., None, None]
    problem = _Problem(rays, points, whitening)
    facing = _facing(rays, seen)
    starts = facing, _linear_translation(problem, facing)
    others = _sqpnp(problem, seen, *starts)
    twice = _Problem(*(np.concatenate([part, part]) for part in (rays, points, whitening)))
    poses = _refined(twice, *(np.concatenate(pair) for pair in zip(starts, others, strict=True)))
    first = np.arange(len(points))
    return poses.chosen(
        np.where(poses.cost[len(first) :] < BETTER * poses.cost[: len(first)], first + len(first), first)
    )


def _refined(problem: _Problem, rotation: Floats, translation: Floats) -> Poses:
    """Levenberg and Marquardt from these poses."""
    damping = np.full(len(rotation), 1e-3)
    cost, gradient, hessian, squares = _linearised(problem, rotation, translation)
    for _ in range(STEPS):
        damped = _regular(hessian + damping[:, None, None] * hessian * np.eye(6))
        step = -np.linalg.solve(damped, gradient[..., None])[..., 0]
        moved = _exponential(step[:, :3]) @ rotation, translation + step[:, 3:]
        new_cost, new_gradient, new_hessian, new_squares = _linearised(problem, *moved)
        good = new_cost < cost
        gain = np.where(good, (cost - new_cost) / np.maximum(cost, 1e-300), 0)
        rotation = np.where(good[:, None, None], moved[0], rotation)
        translation = np.where(good[:, None], moved[1], translation)
        gradient = np.where(good[:, None], new_gradient, gradient)
        hessian = np.where(good[:, None, None], new_hessian, hessian)
        cost, squares = np.where(good, new_cost, cost), np.where(good, new_squares, squares)
        damping = np.where(good, damping / 10, damping * 10)
        if ((good & (gain < CONVERGED)) | (damping > 1e8) | (cost < 1e-20)).all():
            break
    seen = (problem.whitening != 0).any(axis=(-1, -2)).sum(axis=1)
    chi2 = squares / np.maximum(2 * seen - 6, 1)
    covariance = np.linalg.pinv(hessian, hermitian=True)
    return Poses(rotation, translation, covariance, chi2, cost)


def _linearised(problem: _Problem, rotation: Floats, translation: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Cost (n,), gradient (n, 6), approximate Hessian (n, 6, 6) and sum of squared residuals (n,) of these poses."""
    turned = problem.points @ np.swapaxes(rotation, 1, 2)
    x, y, z = np.moveaxis(turned + translation[:, None], -1, 0)
    behind = (z <= 1e-6) & (problem.whitening != 0).any(axis=(-1, -2))
    z = np.maximum(z, 1e-6)
    u, v = x / z, y / z
    slope = problem.whitening @ ray_slopes(u, v, z)
    error = (problem.whitening @ (np.stack([u, v], -1) - problem.rays)[..., None])[..., 0]
    size = np.linalg.norm(error, axis=-1)
    weight = np.minimum(1, HUBER / np.maximum(size, 1e-12))
    cost = np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2)).sum(axis=1)
    jacobian = np.concatenate([-slope @ skew(turned), slope], axis=-1)
    weighted = jacobian * weight[..., None, None]
    gradient = np.einsum("nkij,nki->nj", weighted, error)
    hessian = np.einsum("nkia,nkib->nab", weighted, jacobian)
    return np.where(behind.any(axis=1), np.inf, cost), gradient, hessian, (weight * size**2).sum(axis=1)


def _regular(matrices: Floats) -> Floats:
    """The matrices with a little more on the diagonal, so that those of shapes without extent can be solved."""
    size = matrices.shape[-1]
    more: Floats = (1e-12 * np.einsum("nii->n", matrices) / size + 1e-9)[:, None, None] * np.eye(size)
    return matrices + more


def _facing(rays: Floats, seen: Bools) -> Floats:
    """(n, 3, 3) the rotations that turn the optical axis onto the middle of each shape.

    A network that sees a crop takes it for a picture whose middle lies on the optical axis.
    """
    middle = np.einsum("nkc,nk->nc", rays, seen / np.maximum(seen.sum(axis=1, keepdims=True), 1))
    length = np.linalg.norm(middle, axis=1)
    angle = np.arctan(length)
    axis = np.stack([-middle[:, 1], middle[:, 0], np.zeros(len(middle))], axis=1)
    return _exponential(axis / np.maximum(length, 1e-12)[:, None] * angle[:, None])


def _linear_translation(problem: _Problem, rotation: Floats) -> Floats:
    """(n, 3) the translations that fit best when errors are measured at the depth of the points."""
    turned = problem.points @ np.swapaxes(rotation, 1, 2)
    one = np.ones(problem.rays.shape[:2])
    zero = np.zeros_like(one)
    u, v = problem.rays[..., 0], problem.rays[..., 1]
    rows = np.stack([np.stack([one, zero, -u], -1), np.stack([zero, one, -v], -1)], -2)
    right = problem.rays * turned[..., 2:] - turned[..., :2]
    rows, right = problem.whitening @ rows, (problem.whitening @ right[..., None])[..., 0]
    normal = _regular(np.einsum("nkia,nkib->nab", rows, rows))
    found = np.linalg.solve(normal, np.einsum("nkia,nki->na", rows, right)[..., None])[..., 0]
    # In front of the camera, whatever noise says: the search cannot cross the camera's plane.
    nearest = 1.01 * np.abs(turned).max(axis=(1, 2)) + 1e-3
    found[:, 2] = np.where(np.isfinite(found[:, 2]), np.maximum(found[:, 2], nearest), 1)
    return np.nan_to_num(found)


def _sqpnp(problem: _Problem, seen: Bools, rotation: Floats, translation: Floats) -> tuple[Floats, Floats]:
    """SQPnP's rotations and translations; the given ones where it finds none."""
    rotation, translation = rotation.copy(), translation.copy()
    for k, (rays, points, mask) in enumerate(zip(problem.rays, problem.points, seen, strict=True)):
        if mask.sum() < 4:
            continue
        try:
            found, turn, move = cv2.solvePnP(points[mask], rays[mask], np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP)
        except cv2.error:  # the points lie on a line
            continue
        if found and np.isfinite(turn).all() and np.isfinite(move).all() and move[2, 0] > 0:
            rotation[k], translation[k] = cv2.Rodrigues(turn)[0], move[:, 0]
    return rotation, translation


def ray_slopes(u: Floats, v: Floats, depth: Floats) -> Floats:
    """(..., 2, 3) how rays (u, v) move with points of this depth in camera space."""
    slopes = np.zeros((*depth.shape, 2, 3))
    slopes[..., 0, 0] = slopes[..., 1, 1] = 1 / depth
    slopes[..., 0, 2], slopes[..., 1, 2] = -u / depth, -v / depth
    return slopes


def skew(vectors: Floats) -> Floats:
    """(..., 3) to the (..., 3, 3) matrices of the cross product with them."""
    matrices = np.zeros((*vectors.shape, 3))
    for row, column, part, sign in (
        (0, 1, 2, -1),
        (0, 2, 1, 1),
        (1, 0, 2, 1),
        (1, 2, 0, -1),
        (2, 0, 1, -1),
        (2, 1, 0, 1),
    ):
        matrices[..., row, column] = sign * vectors[..., part]
    return matrices


def _exponential(vectors: Floats) -> Floats:
    """(n, 3) rotation vectors to (n, 3, 3) matrices: Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = skew(vectors)
    small = angle < 1e-6
    safe = np.where(small, 1, angle)
    first = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    second = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    rotation: Floats = np.eye(3) + first * cross + second * (cross @ cross)
    return rotation
