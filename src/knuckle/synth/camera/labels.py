"""What is true of a rendered hand: landmarks, visibility, palm, mask; and the same as JSON.

The palm's convention is that of the reference detector (seven key points, an upright square box); `PALM_SCALE` was
fitted on its output on photos, see `palm_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import FloatArray, Palm
from knuckle.synth.camera.film import fisheye_radius
from knuckle.synth.render.mesh import Camera, Floats, Picture

PALM_LANDMARKS = (0, 5, 9, 13, 17, 1, 2)  # wrist, index, middle, ring, pinky MCP, thumb CMC, thumb MCP
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


class Visibility(IntEnum):
    """Whether a landmark's flesh shows in the picture, and if not, why."""

    VISIBLE = 0
    SELF_OCCLUDED = 1
    OCCLUDED = 2
    OUTSIDE = 3


@dataclass(frozen=True, eq=False)
class HandLabel:
    """The truth about one hand in one picture.

    Attributes:
        landmarks: (21, 3) float32: x, y in pixels (centres at integers), z in pixels from the wrist, smaller is
            nearer: metres of depth times the pixels that a metre takes at the wrist's distance.
        world: (21, 3) float32 metres in the camera's axes (x right, y down, z away), from their mean.
        centre: (3,) that mean in camera space, metres.
        handedness: "Left" or "Right", the person's own.
        visibility: (21,) uint8 of `Visibility`.
        palm: box and key points as the reference's palm detector means them, score 1.
        id: what the id picture shows for it; 0 where it has none.
        track_id: of the hand through a clip.
        about: pose, skin and the like: words for tables and filters.
    """

    landmarks: Floats
    world: Floats
    centre: Floats
    handedness: str
    visibility: npt.NDArray[np.uint8]
    palm: Palm
    id: int = 0
    track_id: int | None = None
    about: Mapping[str, Any] | None = None

    @property
    def palm_size(self) -> float:
        """Distance from the wrist to the middle finger's MCP, pixels."""
        return float(np.hypot(*(self.landmarks[9, :2] - self.landmarks[0, :2])))


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


def see(points: Floats, camera: Camera, picture: Picture, own_id: int) -> npt.NDArray[np.uint8]:
    """(21,) `Visibility` of camera space landmarks from the depth and id pictures.

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
    seen[own & (gap > reach)] = Visibility.SELF_OCCLUDED
    seen[~own & (gap > -0.5 * reach)] = Visibility.OCCLUDED
    seen[~inside] = Visibility.OUTSIDE
    return seen


def label(
    points: Floats,
    handedness: str,
    camera: Camera,
    picture: Picture,
    own_id: int,
    track_id: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> HandLabel:
    """All that is true of a hand with (21, 3) landmarks in camera space, metres."""
    centre = points.mean(0)
    pixels = np.empty((21, 3), np.float32)
    pixels[:, :2] = project(points, camera)
    pixels[:, 2] = (points[:, 2] - points[0, 2]) * camera.fx / max(float(points[0, 2]), NEAREST_M)
    return HandLabel(
        pixels,
        (points - centre).astype(np.float32),
        centre.astype(np.float32),
        handedness,
        see(points, camera, picture, own_id),
        palm_of(pixels),
        own_id,
        track_id,
        about,
    )


def to_dict(hand: HandLabel) -> dict[str, Any]:
    """One hand as plain lists and words, ready for JSON."""
    found: dict[str, Any] = {
        "landmarks": hand.landmarks.astype(float).round(3).tolist(),
        "world": hand.world.astype(float).round(5).tolist(),
        "centre": hand.centre.astype(float).round(5).tolist(),
        "handedness": hand.handedness,
        "visibility": hand.visibility.tolist(),
        "palm": {
            "box": hand.palm.box.astype(float).round(3).tolist(),
            "keypoints": hand.palm.keypoints.astype(float).round(3).tolist(),
        },
        "id": hand.id,
    }
    if hand.track_id is not None:
        found["track_id"] = hand.track_id
    return found | ({"about": dict(hand.about)} if hand.about else {})


def from_dict(found: Mapping[str, Any]) -> HandLabel:
    """What `to_dict` wrote.

    Raises:
        InputError: a field is missing or has another shape.
    """
    try:
        hand = HandLabel(
            np.array(found["landmarks"], np.float32),
            np.array(found["world"], np.float32),
            np.array(found["centre"], np.float32),
            str(found["handedness"]),
            np.array(found["visibility"], np.uint8),
            Palm(np.array(found["palm"]["box"], np.float32), np.array(found["palm"]["keypoints"], np.float32), 1.0),
            int(found["id"]),
            found.get("track_id"),
            found.get("about"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a hand's label needs the fields of labels.to_dict, got {error!r}") from error
    shapes = (hand.landmarks.shape, hand.world.shape, hand.visibility.shape, hand.palm.box.shape)
    if shapes != ((21, 3), (21, 3), (21,), (4,)) or hand.palm.keypoints.shape != (7, 2):
        raise InputError(f"a hand's label needs 21 landmarks and 7 key points, got {shapes}")
    return hand


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
