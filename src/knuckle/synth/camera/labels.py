"""Ground truth of a rendered hand: landmarks, visibility, palm; and cameras as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility, palm_of
from knuckle.results import ExtraPoints, PointSet
from knuckle.synth.camera.fisheye import fisheye_radius
from knuckle.synth.render.primitives import Camera, Floats, Picture

NEAREST_M = 0.01  # points nearer to the camera's plane cannot be projected

# How thick the flesh is between each landmark and the skin of palm or back, as a share of the distance from the wrist
# to the middle MCP. Medians over the open hands of 24 body shapes, which differ by a tenth.
FLESH = np.array(
    [
        *(0.26, 0.30, 0.18, 0.14, 0.11),
        *(0.22, 0.18, 0.15, 0.10),
        *(0.26, 0.17, 0.15, 0.10),
        *(0.25, 0.16, 0.14, 0.08),
        *(0.21, 0.13, 0.11, 0.07),
    ],
    np.float32,
)
OBLIQUE = 1.5  # a ray may cross the flesh at an angle: 1 / cos 48 degrees


def project(points: npt.ArrayLike, camera: Camera) -> npt.NDArray[np.float64]:
    """Camera space (..., 3) metres to (..., 2) pixels. Points behind the camera land far outside the picture."""
    xyz = np.asarray(points, np.float64)
    plane = xyz[..., :2] / np.maximum(xyz[..., 2:], NEAREST_M)
    if camera.distortion:
        radius = np.linalg.norm(plane, axis=-1)
        bent = fisheye_radius(np.arctan(radius), camera.distortion)
        plane = plane * np.divide(bent, radius, out=np.ones_like(radius), where=radius > 1e-9)[..., None]
    return np.asarray(plane * [camera.fx, camera.fy] + [camera.cx, camera.cy], np.float64)


def landmark_visibility(
    points: Floats, camera: Camera, picture: Picture, own_id: int, flesh_m: Floats | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """(21,) `Visibility` of landmarks from the depth and id pictures, and (21,) whether the hand itself hides them.

    A landmark lies inside the flesh. It is visible if the first surface on its ray belongs to its own hand and is no
    further in front than the flesh is thick. A landmark just outside the outline of its hand is hidden if the surface
    at its pixel is nearer.

    Args:
        points: (21, 3) camera space, metres.
        own_id: the hand's value in the id picture.
        flesh_m: (21,) how deep the points lie, metres; None for the 21 landmarks, as `FLESH` says.
    """
    if flesh_m is None:
        flesh_m = FLESH * np.float32(np.linalg.norm(points[9] - points[0]))
    pixels = np.rint(project(points, camera)).astype(int)
    height, width = picture.depth.shape
    inside = (pixels >= 0).all(1) & (pixels < [width, height]).all(1) & (points[:, 2] > NEAREST_M)
    x, y = np.clip(pixels, 0, [width - 1, height - 1]).T
    gap = points[:, 2] - picture.depth[y, x]  # -inf where there is no object
    thickness = OBLIQUE * flesh_m
    own = picture.ids[y, x] == own_id
    self_occluded = own & (gap > thickness) & inside
    visibility = np.full(len(points), Visibility.VISIBLE, np.uint8)
    visibility[self_occluded | (~own & (gap > -0.5 * thickness))] = Visibility.HIDDEN
    visibility[~inside] = Visibility.OUTSIDE
    return visibility, self_occluded


def label_hand(
    points: Floats,
    handedness: str,
    camera: Camera,
    picture: Picture,
    own_id: int,
    track_id: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> LabelledHand:
    """The label of a hand with (21, 3) landmarks in camera space, metres.

    z of the labelled landmarks is in pixels from the wrist: metres of depth times the pixels per metre at the wrist's
    distance. `world` is relative to the mean of the landmarks.
    """
    centre = points.mean(0)
    pixels = np.empty((21, 3), np.float32)
    pixels[:, :2] = project(points, camera)
    pixels[:, 2] = (points[:, 2] - points[0, 2]) * camera.fx / max(float(points[0, 2]), NEAREST_M)
    visibility, self_occluded = landmark_visibility(points, camera, picture, own_id)
    return LabelledHand(
        landmarks=pixels,
        world=(points - centre).astype(np.float32),
        handedness=handedness,
        visibility=visibility,
        palm=palm_of(pixels).box,
        track_id=track_id,
        self_occluded=self_occluded,
        centre=centre.astype(np.float32),
        mask_id=own_id,
        about=about,
    )


def label_extra(
    points: Floats, depths: Floats, of: LabelledHand, camera: Camera, picture: Picture, names: PointSet
) -> ExtraPoints:
    """The labels of a hand's points beyond the 21.

    Args:
        points: (k, 3) camera space, metres; NaN for those without a label.
        depths: (k,) how deep below the skin they lie, in lengths of the palm.
        of: the label of the hand, from `label_hand`.
        names: the set that they belong to.
    """
    assert of.world is not None and of.centre is not None  # `label_hand` sets both
    wrist_z, palm_m = float(of.world[0, 2] + of.centre[2]), np.float32(np.linalg.norm(of.world[9] - of.world[0]))
    known = np.asarray(np.isfinite(points).all(axis=1))
    there = np.where(known[:, None], points, np.float32(NEAREST_M))
    pixels = np.empty((len(points), 3), np.float32)
    pixels[:, :2] = project(there, camera)
    pixels[:, 2] = (there[:, 2] - wrist_z) * camera.fx / max(wrist_z, NEAREST_M)
    visibility, _ = landmark_visibility(there, camera, picture, of.mask_id, depths * palm_m)
    return ExtraPoints(
        names.extra_names,
        np.where(known[:, None], pixels, np.float32(np.nan)),
        (points - of.centre).astype(np.float32),
        np.where(known, visibility, Visibility.UNKNOWN).astype(np.uint8),
        parents=names.parents,
    )


def without_points(label: LabelledHand, absent: Sequence[int], absent_extra: npt.NDArray[np.bool_]) -> LabelledHand:
    """The label of a hand that does not have these points: NaN, and `Visibility.ABSENT`."""
    assert label.landmarks is not None and label.world is not None and label.visibility is not None
    landmarks, world, visibility = label.landmarks.copy(), label.world.copy(), label.visibility.copy()
    landmarks[absent], world[absent], visibility[absent] = np.nan, np.nan, Visibility.ABSENT
    own = None if label.self_occluded is None else label.self_occluded & (visibility != Visibility.ABSENT)
    extra = label.extra
    if extra is not None and extra.visibility is not None:
        gone = absent_extra[:, None]
        extra = replace(
            extra,
            landmarks=np.where(gone, np.float32(np.nan), extra.landmarks),
            landmarks_raw=np.where(gone, np.float32(np.nan), extra.landmarks_raw),
            world=np.where(gone, np.float32(np.nan), extra.world),
            world_raw=np.where(gone, np.float32(np.nan), extra.world_raw),
            visibility=np.where(absent_extra, Visibility.ABSENT, extra.visibility).astype(np.uint8),
        )
    return replace(label, landmarks=landmarks, world=world, visibility=visibility, self_occluded=own, extra=extra)


def camera_to_dict(camera: Camera, rotation: npt.ArrayLike, position: npt.ArrayLike) -> dict[str, Any]:
    """A camera for JSON: intrinsics in pixels, and extrinsics with camera = rotation @ (world - position).

    World axes are x right, y down, z away.
    """
    return {
        "width": camera.width,
        "height": camera.height,
        "fx": round(float(camera.fx), 4),
        "fy": round(float(camera.fy), 4),
        "cx": round(float(camera.cx), 4),
        "cy": round(float(camera.cy), 4),
        "distortion": [round(float(k), 6) for k in camera.distortion],
        "rotation": np.asarray(rotation, float).round(6).tolist(),
        "position": np.asarray(position, float).round(5).tolist(),
    }


def camera_from_dict(entry: Mapping[str, Any]) -> Camera:
    """The intrinsics that `camera_to_dict` wrote."""
    size = (int(entry["width"]), int(entry["height"]))
    return Camera(*size, entry["fx"], entry["fy"], entry["cx"], entry["cy"], tuple(entry["distortion"]))
