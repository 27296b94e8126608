"""Ground truth of a rendered hand: landmarks, visibility, palm.

The palm's convention is that of the reference detector (seven key points, an upright square box); `PALM_SCALE` was
fitted on its output on photos, see `palm_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.results import PALM_LANDMARKS, FloatArray, Palm
from knuckle.synth.camera.film import fisheye_radius
from knuckle.synth.render.mesh import Camera, Floats, Picture

PALM_SCALE = 1.04
NEAREST_M = 0.01  # points nearer to the camera's plane have no place in the picture

# How far flesh reaches from each landmark towards palm or back, as a share of the distance from wrist to middle MCP:
# medians over the open hands of 24 bodies of `body`, which differ by a tenth.
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
THROUGH = 1.5  # a ray may cross flesh at a slant: 1 / cos 48 degrees


def project(points: npt.ArrayLike, camera: Camera) -> npt.NDArray[np.float64]:
    """Camera space (…, 3) metres to (…, 2) pixels; what lies behind the camera comes out far outside."""
    xyz = np.asarray(points, np.float64)
    plane = xyz[..., :2] / np.maximum(xyz[..., 2:], NEAREST_M)
    if camera.distortion:
        radius = np.linalg.norm(plane, axis=-1)
        bent = fisheye_radius(np.arctan(radius), camera.distortion)
        plane = plane * np.divide(bent, radius, out=np.ones_like(radius), where=radius > 1e-9)[..., None]
    return np.asarray(plane * [camera.fx, camera.fy] + [camera.cx, camera.cy], np.float64)


def palm_of(points: FloatArray) -> Palm:
    """The palm for (21, 2 or 3) landmarks in pixels, as the reference detector draws it.

    On 428 palms that it found in photos its box is square, its centre is that of the upright box around its own
    seven key points (standard deviation 2.5 % of the side), and its side 1.04 times that box's longer side (median
    deviation 4 %).
    """
    keypoints = points[list(PALM_LANDMARKS), :2].astype(np.float32)
    low, high = keypoints.min(0), keypoints.max(0)
    half = PALM_SCALE * float((high - low).max()) / 2
    centre = (low + high) / 2
    return Palm(np.concatenate([centre - half, centre + half]).astype(np.float32), keypoints, 1.0)


def see(
    points: Floats, camera: Camera, picture: Picture, own_id: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """(21,) `Visibility` of camera space landmarks from the depth and id images, and (21,) hidden by the own hand.

    A landmark lies inside flesh. It is visible where the first surface on its ray is its own hand's and not
    further in front than flesh is thick; beside its hand's outline it counts as what covers it there.
    """
    pixels = np.rint(project(points, camera)).astype(int)
    height, width = picture.depth.shape
    inside = (pixels >= 0).all(1) & (pixels < [width, height]).all(1) & (points[:, 2] > NEAREST_M)
    x, y = np.clip(pixels, 0, [width - 1, height - 1]).T
    gap = points[:, 2] - picture.depth[y, x]  # -inf where nothing is
    reach = THROUGH * FLESH * np.float32(np.linalg.norm(points[9] - points[0]))
    own = picture.ids[y, x] == own_id
    seen = np.full(len(points), Visibility.VISIBLE, np.uint8)
    self_occluded = own & (gap > reach) & inside
    seen[self_occluded | (~own & (gap > -0.5 * reach))] = Visibility.HIDDEN
    seen[~inside] = Visibility.OUTSIDE
    return seen, self_occluded


def label(
    points: Floats,
    handedness: str,
    camera: Camera,
    picture: Picture,
    own_id: int,
    track_id: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> LabelledHand:
    """The label of a hand with (21, 3) landmarks in camera space, metres.

    z of its landmarks is in pixels from the wrist: metres of depth times the pixels per metre at the wrist's distance.
    `world` is relative to the mean of the landmarks.
    """
    centre = points.mean(0)
    pixels = np.empty((21, 3), np.float32)
    pixels[:, :2] = project(points, camera)
    pixels[:, 2] = (points[:, 2] - points[0, 2]) * camera.fx / max(float(points[0, 2]), NEAREST_M)
    seen, self_occluded = see(points, camera, picture, own_id)
    return LabelledHand(
        landmarks=pixels,
        world=(points - centre).astype(np.float32),
        handedness=handedness,
        visibility=seen,
        palm=palm_of(pixels).box,
        track_id=track_id,
        self_occluded=self_occluded,
        centre=centre.astype(np.float32),
        mask_id=own_id,
        about=about,
    )


def camera_to_dict(camera: Camera, rotation: npt.ArrayLike, position: npt.ArrayLike) -> dict[str, Any]:
    """Intrinsics in pixels and extrinsics: camera = rotation @ (world - position), world x right, y down, z away."""
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


def camera_from_dict(found: Mapping[str, Any]) -> Camera:
    """The intrinsics that `camera_to_dict` wrote."""
    sizes = (int(found["width"]), int(found["height"]))
    return Camera(*sizes, found["fx"], found["fy"], found["cx"], found["cy"], tuple(found["distortion"]))
