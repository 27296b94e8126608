"""The angles of a hand's joints: flexion and abduction.

Each joint is read as the ISB recommends [1]: flexion about the x axis of the bone before it, then abduction (see
`knuckle.space.bones` for the axes).

- Flexion bends towards the palm; extension is negative.
- Abduction of a finger leads away from the middle finger; of the middle finger, towards the thumb.
- The MCP joints are measured against the palm and not against their own metacarpals, which have no landmarks: 0 is
  parallel to the middle finger's metacarpal.
- PIP, DIP, and the thumb's MCP and IP are hinges: flexion only.
- The thumb's CMC is a saddle joint, and clinicians measure it against the palm [2]: flexion moves the metacarpal in the
  plane of the palm, 0 along the hand; a thumb stretched to the side has a negative one (radial abduction). Abduction
  moves it out of that plane, to the front of the palm (palmar abduction).
- Angles of the wrist need the forearm, which has no landmarks.

Sources:
    [1] Wu et al., ISB recommendation on definitions of joint coordinate systems, part II, J. Biomech. 38, 2005.
    [2] Kapandji, The Physiology of the Joints, vol. 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from knuckle.errors import InputError
from knuckle.results import FINGERS, Handedness
from knuckle.results.measures import AngleUnit
from knuckle.space.bones import JOINT_INDEX, PARENTS, Doubles, Points, bone_frames, side_of

ANGLE_NAMES = (
    "thumb_cmc_flexion",
    "thumb_cmc_abduction",
    "thumb_mcp_flexion",
    "thumb_ip_flexion",
    *(
        f"{finger}_{angle}"
        for finger in list(FINGERS)[1:]
        for angle in ("mcp_flexion", "mcp_abduction", "pip_flexion", "dip_flexion")
    ),
)
"""The 20 angles in the order of `joint_angles`."""
# Sum of the flexions of a finger's joints at which it is fully curled, degrees: the active ranges of the joints.
FULL_CURL_DEG = {"thumb": 130.0} | dict.fromkeys(list(FINGERS)[1:], 260.0)


def joint_angles(points: Points, handedness: Handedness, unit: AngleUnit = "rad") -> Doubles:
    """The angles of a hand's joints.

    Args:
        points: (..., 21, 3) landmarks in space, such as `Hand.world`.
        handedness: "Left" or "Right". The same pose of either hand has the same angles.
        unit: "rad" or "deg".

    Returns:
        (..., 20) in the order of `ANGLE_NAMES`.

    Raises:
        InputError: the points have another shape or are not finite; the handedness or the unit is unknown.
    """
    if unit not in ("rad", "deg"):
        raise InputError(f"unit must be 'rad' or 'deg', got {unit!r}")
    frames, ulnar = bone_frames(points, handedness), side_of(handedness)
    angles = np.empty((*frames.shape[:-3], len(ANGLE_NAMES)))
    metacarpal = along(frames, "thumb_metacarpal", "wrist")
    angles[..., 0] = np.arctan2(ulnar * metacarpal[..., 0], -metacarpal[..., 2])
    angles[..., 1] = np.arcsin(np.clip(-metacarpal[..., 1], -1, 1))
    angles[..., 2] = flexion(along(frames, "thumb_proximal"))
    angles[..., 3] = flexion(along(frames, "thumb_distal"))
    for place, finger in enumerate(list(FINGERS)[1:]):
        first = 4 + 4 * place
        proximal = along(frames, f"{finger}_proximal", "wrist")
        away = ulnar if finger in ("ring", "pinky") else -ulnar  # the sign of x that leads away from the middle finger
        angles[..., first] = flexion(proximal)
        angles[..., first + 1] = away * np.arcsin(np.clip(proximal[..., 0], -1, 1))
        angles[..., first + 2] = flexion(along(frames, f"{finger}_intermediate"))
        angles[..., first + 3] = flexion(along(frames, f"{finger}_distal"))
    return np.degrees(angles) if unit == "deg" else angles


def along(frames: Doubles, joint: str, before: str | None = None) -> Doubles:
    """(..., 3) the direction of a joint's bone in the frame of the joint before it, or of a named one."""
    index = JOINT_INDEX[joint]
    parent = PARENTS[index] if before is None else JOINT_INDEX[before]
    direction = -frames[..., index, :, 2]
    return np.asarray((direction[..., None, :] @ frames[..., parent, :, :])[..., 0, :], np.float64)


def flexion(direction: Doubles) -> Doubles:
    """(...) radians between a direction (..., 3) and -z, about x; positive towards -y."""
    return np.asarray(np.arctan2(-direction[..., 1], -direction[..., 2]), np.float64)


def curls(angles_rad: Doubles) -> Mapping[str, Doubles]:
    """How far each finger is curled: 0 straight, 1 fully bent into the palm.

    Args:
        angles_rad: (..., 20) from `joint_angles`.

    Returns:
        For each finger (...) the sum of its flexions without the thumb's CMC, as a share of `FULL_CURL_DEG`, 0..1.
    """
    found = {}
    for finger, full_deg in FULL_CURL_DEG.items():
        columns = [k for k, name in enumerate(ANGLE_NAMES) if is_curl_of(name, finger)]
        total = angles_rad[..., columns].sum(axis=-1)
        found[finger] = np.clip(total / math.radians(full_deg), 0, 1)
    return found


def is_curl_of(name: str, finger: str) -> bool:
    """Whether an angle of `ANGLE_NAMES` counts for the curl of a finger."""
    return name.startswith(finger) and name.endswith("flexion") and "cmc" not in name
