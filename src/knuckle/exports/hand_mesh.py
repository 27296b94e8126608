"""A simple mesh of a hand around its rig: a capsule around each bone, which moves with it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from knuckle.exports.openxr import radii_shares
from knuckle.results import FINGER_COLOURS, PALM_COLOUR
from knuckle.space.bones import JOINTS, METACARPALS, PARENTS, Doubles, any_perpendicular, unit
from knuckle.space.rig import Rig

SEGMENTS = 12  # around a bone
RINGS = 4  # from the middle of a capsule to each of its ends
SLIMMER = 0.85  # a joint is as broad as OpenXR's radius says; between the joints a finger is slimmer
PALM = ("", "metacarpal")  # the wrist, and the metacarpals: their bones have the palm's colour
KNUCKLES = [JOINTS.index(f"{finger}_proximal") for finger in ("index", "middle", "ring", "pinky")]
# The joint that carries a capsule, and the joints at its ends: every bone, and bars between the knuckles.
BONES = (
    *((parent, parent, joint) for joint, parent in enumerate(PARENTS) if parent >= 0),
    *((PARENTS[start], start, end) for start, end in pairwise(KNUCKLES)),
)


@dataclass(frozen=True, eq=False)
class HandMesh:
    """Triangles in the space of the rest pose, whose wrist is at 0 (`Rig.rest`).

    Attributes:
        positions, normals: (V, 3) float32; metres.
        colours: (V, 4) uint16, linear RGB and alpha.
        joints: (V,) the index of the joint that each vertex moves with.
        triangles: (F, 3) uint16, counter-clockwise from outside.
    """

    positions: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32]
    colours: npt.NDArray[np.uint16]
    joints: npt.NDArray[np.uint8]
    triangles: npt.NDArray[np.uint16]


def hand_mesh(rig: Rig) -> HandMesh:
    """The mesh of a rig in its rest pose."""
    places = rig.place(np.zeros(3), rig.rest)
    palm_m = np.linalg.norm(places[JOINTS.index("middle_proximal")])
    radii = radii_shares()[1:] * palm_m * SLIMMER
    parts = []
    for carrier, start, end in BONES:
        carpal = end in METACARPALS  # the wrist's radius is that of the arm, too much for the bones of its hand
        ends = radii[[end, end]] if carpal else radii[[start, end]]
        positions, normals, triangles = capsule(places[start], places[end], ends)
        finger, _, bone = JOINTS[carrier].partition("_")
        colour = linear(PALM_COLOUR if bone in PALM else FINGER_COLOURS[finger])
        count = len(positions)
        parts.append((positions, normals, np.tile(colour, (count, 1)), np.full(count, carrier), triangles))
    starts = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    positions, normals, colours, joints = (np.concatenate([part[k] for part in parts]) for k in range(4))
    triangles = np.concatenate([part[4] + start for part, start in zip(parts, starts, strict=True)])
    return HandMesh(
        positions.astype(np.float32),
        normals.astype(np.float32),
        colours.astype(np.uint16),
        joints.astype(np.uint8),
        triangles.astype(np.uint16),
    )


def capsule(start: Doubles, end: Doubles, radii: Doubles) -> tuple[Doubles, Doubles, npt.NDArray[np.int64]]:
    """Two half spheres around the ends of a bone and the cone between them: positions, normals, triangles."""
    axis = unit(end - start, np.array([0.0, 0.0, 1.0]))
    across = any_perpendicular(axis)
    turn_rad = np.linspace(0, 2 * np.pi, SEGMENTS, endpoint=False)[:, None]
    around = np.cos(turn_rad) * across + np.sin(turn_rad) * np.cross(axis, across)
    slant_rad = np.linspace(0, np.pi / 2, RINGS + 1)
    slants = np.concatenate([slant_rad, slant_rad + np.pi / 2])[:, None, None]  # from the pole behind to that in front
    normals = np.sin(slants) * around - np.cos(slants) * axis
    centres, sizes = (np.repeat(both, RINGS + 1, axis=0)[:, None] for both in (np.stack([start, end]), radii[:, None]))
    first, second = np.arange(SEGMENTS), np.roll(np.arange(SEGMENTS), -1)
    quads = []
    for ring in range(0, (2 * RINGS + 1) * SEGMENTS, SEGMENTS):
        quads += [np.stack([first, second, second + SEGMENTS], axis=1) + ring] if ring else []  # none at the pole
        is_last = ring == 2 * RINGS * SEGMENTS
        quads += [] if is_last else [np.stack([first, second + SEGMENTS, first + SEGMENTS], axis=1) + ring]
    positions = centres + sizes * normals
    return positions.reshape(-1, 3), normals.reshape(-1, 3), np.concatenate(quads)


def linear(colour: tuple[int, int, int]) -> npt.NDArray[np.uint16]:
    """(4,) an sRGB colour of 0 to 255 as linear RGBA of 0 to 65535, which glTF wants for vertices."""
    share = np.array(colour) / 255
    values = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.array([*np.rint(values * 65535), 65535]).astype(np.uint16)
