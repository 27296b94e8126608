"""Points in space from the pixels of two or more calibrated cameras, with outliers rejected and errors estimated.

Linear triangulation (Hartley & Sturm 1997, doi 10.1006/cviu.1997.0547) of every pair of views gives candidates. The one
that most views support (the truncated cost of MSAC: Torr & Zisserman 2000, doi 10.1006/cviu.1999.0832) is refined over
its supporters by Gauss and Newton's method with Huber's loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import cast

import numpy as np

from knuckle.space.camera import Bools, Camera, Floats
from knuckle.space.solve import ray_slopes

OUTLIER = 4.0  # an observation that is further off, in standard deviations, is no observation of this point
HUBER = 1.5
STEPS = 6


@dataclass(frozen=True, eq=False)
class Sightings:
    """k points of a hand as v cameras see them, ready for triangulation.

    Attributes:
        projection: (v, 3, 4) from the world to each camera's space.
        rays: (v, k, 2) x / z and y / z in camera space; 0 where `seen` is False.
        whitening: (v, k, 2, 2) turn errors of rays into standard errors; 0 where `seen` is False.
        seen: (v, k) whether the camera sees the point.
        std_px: (v, k) standard deviations of x and of y, pixels.
    """

    projection: Floats
    rays: Floats
    whitening: Floats
    seen: Bools
    std_px: Floats

    @classmethod
    def of(cls, cameras: Sequence[Camera], pixels: Floats, std_px: Floats) -> Sightings:
        """Of (v, k, 2) pixels, NaN where a point is not seen, with (v, k) standard deviations in pixels."""
        rays = np.stack([camera.rays(points) for camera, points in zip(cameras, pixels, strict=True)])
        seen = np.asarray(np.isfinite(rays).all(axis=-1))
        rays = np.where(seen[..., None], rays, 0)
        slopes = np.stack([camera.slopes(one) for camera, one in zip(cameras, rays, strict=True)])
        whitening = np.where(seen[..., None, None], slopes / std_px[..., None, None], 0)
        projection = np.stack([np.column_stack([camera.rotation, camera.translation]) for camera in cameras])
        return cls(projection, rays, whitening, seen, np.asarray(std_px, np.float64))

    @classmethod
    def joined(cls, views: Sequence[Sightings]) -> Sightings:
        """What several cameras see, as one."""
        return cls(*(np.concatenate([getattr(view, one.name) for view in views]) for one in fields(cls)))


@dataclass(frozen=True, eq=False)
class Points:
    """Triangulated points.

    Attributes:
        points: (k, 3) in the world, metres; NaN where fewer than two views agree.
        covariance: (k, 3, 3) metres².
        used: (v, k) which views each point comes from.
        errors_px: (v, k) reprojection errors of all views that see a point; NaN elsewhere.
        chi2: sum of squared standard errors over their degrees of freedom, of all points together.
    """

    points: Floats
    covariance: Floats
    used: Bools
    errors_px: Floats
    chi2: float

    @property
    def std(self) -> Floats:
        """(k, 3) standard deviations along the world's axes, metres."""
        return cast(Floats, np.sqrt(np.einsum("kii->ki", self.covariance)))


def triangulate_points(sightings: Sightings) -> Points:
    """The points that the views agree on. A view that is off by more than `OUTLIER` does not count for that point."""
    views = len(sightings.projection)
    pairs = list(combinations(range(views), 2))
    chosen = np.zeros((len(pairs), views, 1), bool)
    for number, pair in enumerate(pairs):
        chosen[number, list(pair)] = True
    both = (sightings.seen[None] & chosen).sum(axis=1) == 2  # (pairs, k)
    candidates = linear(sightings, chosen & sightings.seen[None])
    errors = standard_errors(sightings, candidates)  # (pairs, v, k)
    truncated = np.where(sightings.seen[None], np.minimum(errors, OUTLIER) ** 2, 0).sum(axis=1)
    best = np.argmin(np.where(both, truncated, np.inf), axis=0)
    column = np.arange(candidates.shape[1])
    used = (errors[best, :, column].T < OUTLIER) & sightings.seen
    points = candidates[best, column]
    points = refined(sightings, points, used)
    errors_now = standard_errors(sightings, points[None])[0]
    used &= errors_now < OUTLIER
    enough = used.sum(axis=0) >= 2
    used &= enough
    points = np.where(enough[:, None], refined(sightings, points, used), np.nan)
    return _judged(sightings, points, used)


def linear(sightings: Sightings, used: Bools) -> Floats:
    """(h, k, 3) least squares points of (h, v, k) choices of views, without regard to depth."""
    p, rays = sightings.projection, sightings.rays
    rows = rays[..., None] * p[:, None, None, 2] - p[:, None, :2]  # (v, k, 2, 4)
    # Errors of a far camera's rays are larger in space, by its distance; the mean of both is no matter for a start.
    rows = (sightings.whitening @ rows) * used[..., None, None]  # (h, v, k, 2, 4)
    normal = np.einsum("hvkia,hvkib->hkab", rows[..., :3], rows[..., :3])
    right = -np.einsum("hvkia,hvki->hka", rows[..., :3], rows[..., 3])
    scale = np.einsum("hkii->hk", normal)[..., None, None] + 1e-12
    return cast(Floats, np.linalg.solve(normal + 1e-12 * scale * np.eye(3), right[..., None])[..., 0])


def standard_errors(sightings: Sightings, points: Floats) -> Floats:
    """(h, v, k) distances of (h, k, 3) points' images from what was seen, in standard deviations; inf behind a camera.

    0 where a view does not see the point.
    """
    place = _in_cameras(sightings, points)
    depth = place[..., 2:]
    rays = place[..., :2] / np.where(depth > 1e-6, depth, 1)
    errors = np.linalg.norm((sightings.whitening @ (rays - sightings.rays)[..., None])[..., 0], axis=-1)
    return np.where((depth[..., 0] > 1e-6) | ~sightings.seen, errors, np.inf)


def _in_cameras(sightings: Sightings, points: Floats) -> Floats:
    """(h, v, k, 3) the points in the space of each camera."""
    turned = np.einsum("vab,hkb->hvka", sightings.projection[:, :, :3], points)
    return cast(Floats, turned + sightings.projection[:, None, :, 3])


def _normal(sightings: Sightings, points: Floats, used: Bools) -> tuple[Floats, Floats]:
    """Gradient (k, 3) and approximate Hessian (k, 3, 3) of Huber's loss at (k, 3) points."""
    place = _in_cameras(sightings, points[None])[0]
    depth = np.where(place[..., 2] > 1e-6, place[..., 2], 1)
    u, v = place[..., 0] / depth, place[..., 1] / depth
    jacobian = sightings.whitening @ ray_slopes(u, v, depth) @ sightings.projection[:, None, :, :3]
    error = (sightings.whitening @ (np.stack([u, v], -1) - sightings.rays)[..., None])[..., 0]
    weight = used * np.minimum(1, HUBER / np.maximum(np.linalg.norm(error, axis=-1), 1e-12))
    weighted = jacobian * weight[..., None, None]
    return np.einsum("vkia,vki->ka", weighted, error), np.einsum("vkia,vkib->kab", weighted, jacobian)


def refined(sightings: Sightings, points: Floats, used: Bools) -> Floats:
    """The (k, 3) points after Gauss and Newton's steps over the (v, k) views that are used."""
    points = np.nan_to_num(points)
    for _ in range(STEPS):
        gradient, hessian = _normal(sightings, points, used)
        scale = np.einsum("kii->k", hessian)[:, None, None] + 1e-12
        step = np.linalg.solve(hessian + 1e-12 * scale * np.eye(3), gradient[..., None])[..., 0]
        points = points - step
    return points


def _judged(sightings: Sightings, points: Floats, used: Bools) -> Points:
    known = np.nan_to_num(points)
    errors = standard_errors(sightings, known[None])[0]
    freedom = 2 * used.sum() - 3 * np.isfinite(points[:, 0]).sum()
    chi2 = float((errors**2)[used].sum() / freedom) if freedom > 0 else float("nan")
    _, hessian = _normal(sightings, known, used)
    bad = np.isnan(points[:, 0])
    hessian[bad] = np.eye(3)
    covariance = np.linalg.inv(hessian) * max(1.0, chi2)  # the views may agree less well than they say
    covariance[bad] = np.nan
    place = _in_cameras(sightings, known[None])[0]
    in_front = sightings.seen & (place[..., 2] > 1e-6) & ~bad
    errors_px = np.where(in_front, errors * sightings.std_px, np.nan)
    return Points(points, covariance, used, errors_px, chi2)
