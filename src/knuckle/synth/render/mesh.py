"""The words of the synthetic scene: what passes between bodies, things, the renderer and the labels.

Space, everywhere: the camera's, x right, y down, z away from the camera, metres; triangles run
counter-clockwise on screen when seen from outside, so (b - a) x (c - a) points out of the thing. Pixel centres
are at integers, as in `knuckle.geometry`: a point lands at x = fx * X / Z + cx, and pixel 0 covers -0.5 to 0.5.
Colours are linear light, 0 to 1 for what a surface reflects; pictures before the film are linear too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Colour = tuple[float, float, float]

MASKS = ("nail", "palm_side", "knuckle", "tip", "vein", "lip", "hair", "forearm")
"""The masks that the skin's shader knows; a mesh may carry others (a shirt's region), for `part`."""


@dataclass(frozen=True)
class Mesh:
    """A closed or open surface of triangles.

    vertices (n, 3) metres; normals (n, 3) of length 1, outwards; uv (n, 2); faces (m, 3) int32;
    masks: name -> (n,) from 0 to 1; rest: (n, 3) metres, where each vertex lies in a fixed pose of this body.
    Solid patterns (mottling, creases, knit, wood) stick to `rest`, and to `vertices` where it is None. For
    hands: x across the palm, whatever axes the body uses, as long as they never change between frames.
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    masks: Mapping[str, Floats] = field(default_factory=dict)
    rest: Floats | None = None


@dataclass(frozen=True)
class Material:
    """How a surface looks. Fields below `seed` matter to kind "skin" (and "glove" for `crease`) alone.

    kind: "skin", "cloth", "glove", "plain", "metal", "wood", "glass" or "screen" (shines with `colour`).
    pattern: "none", "stripes", "checks", "dots", "noise", "knit", "weave", "grain" or "marks", drawn in
    `pattern_colour` with the period `pattern_size` in metres of rest space.
    """

    kind: str
    colour: Colour
    roughness: float = 0.5
    pattern: str = "none"
    pattern_colour: Colour = (0.5, 0.5, 0.5)
    pattern_size: float = 0.01
    bump: float = 1.0
    seed: int = 0
    tone: int = 5  # Monk scale, 1 (lightest) to 10 (darkest)
    redness: float = 0.5  # of knuckles, palm and finger tips
    mottle: float = 0.5
    veins: float = 0.3
    crease: float = 0.6
    age: float = 0.4  # 0 child, 1 old: wrinkles, spots, stiffer light
    hair: float = 0.0
    hair_colour: Colour = (0.03, 0.02, 0.015)
    nail_colour: Colour | None = None  # painted where given
    tattoo: float = 0.0
    wet: float = 0.0


@dataclass(frozen=True)
class Thing:
    """One object of a scene; `id` (1 to 255, several things may share one) is what the id picture shows."""

    mesh: Mesh
    material: Material
    id: int


@dataclass(frozen=True)
class Light:
    """A key light from afar: unit `towards` (from the scene to the light), linear `colour`, and the angle under
    which it is seen (rad), which softens its shadows."""

    towards: Colour
    colour: Colour
    angle_rad: float = 0.05


@dataclass(frozen=True)
class Surroundings:
    """What lights the scene: `panorama` (h, 2h, 3) linear radiance (row 0 is up, -y; the middle column is +z,
    away from the camera; columns grow to +x), without the key `lights` (three at most; the first one casts
    shadows). Both are in the space of a room, which `camera_from_room` (3, 3) turns into the camera's."""

    panorama: Floats
    lights: tuple[Light, ...] = ()
    name: str = ""
    darkness: float = 0.0  # 0 daylight to 1 night: how much gain, hence noise, a camera needs
    camera_from_room: tuple[tuple[float, float, float], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))

    def turned(self, rotation: npt.ArrayLike) -> Surroundings:
        """The same room seen by a camera whose space is this one's turned by a (3, 3) rotation."""
        turn = np.asarray(rotation, np.float64) @ np.asarray(self.camera_from_room, np.float64)
        rows = tuple((float(r[0]), float(r[1]), float(r[2])) for r in turn)
        return replace(self, camera_from_room=rows)


@dataclass(frozen=True)
class Camera:
    """A pinhole of `width` x `height` pixels; `distortion` (OpenCV fisheye k1..k4) is for the film and the
    labels, the renderer draws the pinhole."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class Picture:
    """rgb (h, w, 3) float32 linear light over the background; depth (h, w) metres along z, inf where empty;
    ids (h, w) uint8 of the nearest thing at the pixel's centre, 0 where empty; cover (h, w) 0..1, the share
    of the pixel that any thing covers."""

    rgb: Floats
    depth: Floats
    ids: npt.NDArray[np.uint8]
    cover: Floats


def place(mesh: Mesh, rotation: npt.ArrayLike, offset: npt.ArrayLike) -> Mesh:
    """The mesh turned by a (3, 3) rotation, then moved by (3,) metres."""
    turn = np.asarray(rotation, np.float32)
    return replace(
        mesh, vertices=mesh.vertices @ turn.T + np.asarray(offset, np.float32), normals=mesh.normals @ turn.T
    )


def inflate(mesh: Mesh, metres: float) -> Mesh:
    """The mesh grown along its normals: a glove over a hand, a sleeve over an arm."""
    return replace(mesh, vertices=mesh.vertices + mesh.normals * np.float32(metres))


@dataclass(frozen=True, eq=False)
class Cut:
    """Where a mesh is cut along a line, for any mesh with the same triangles and masks.

    used: (n,) the vertices of the part, those of the mesh first, then new ones on its `edges` (k, 2), each at its
    `share` of the way. faces, uv, masks, rest: of the part, which are the same in every pose; uv and rest are made
    `of` the whole mesh's.
    """

    used: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]
    share: Floats
    faces: Ints
    uv: Floats
    masks: Mapping[str, Floats]
    rest: Floats | None
    of: Mesh

    def grown(self, values: Floats) -> Floats:
        return _grown(values, self.used, self.edges, self.share)


def _grown(values: Floats, used: npt.NDArray[np.int64], edges: npt.NDArray[np.int64], share: Floats) -> Floats:
    weight = share.reshape(-1, *[1] * (values.ndim - 1))
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    return np.concatenate([values[used], low + (high - low) * weight]).astype(np.float32, copy=False)


_cuts: dict[tuple[int, int, str, bool], Cut] = {}
CUTS = 256  # kept: of all combinations of clothes


def part(mesh: Mesh, mask: str, inside: bool = True) -> Mesh:
    """What lies where a mask is above 0.5 (or the rest), for clothes on a body; triangles on the line are cut.

    New vertices on the line lie last, in the same order for both parts of a mesh. Cuts are kept: people share their
    triangles and masks.
    """
    key = (id(mesh.faces), id(mesh.masks), mask, inside)
    cut = _cuts.get(key)
    if cut is None or not (cut.of.faces is mesh.faces and cut.of.masks is mesh.masks):
        cut = _cuts[key] = _cut(mesh, mask, inside)
        if len(_cuts) > CUTS:
            del _cuts[next(iter(_cuts))]
    normals = cut.grown(mesh.normals)
    fresh = normals[len(cut.used) :]
    fresh /= np.maximum(np.linalg.norm(fresh, axis=1, keepdims=True), np.float32(1e-9))
    same = cut.of.uv is mesh.uv and cut.of.rest is mesh.rest
    uv = cut.uv if same else cut.grown(mesh.uv)
    rest = cut.rest if same or mesh.rest is None else cut.grown(mesh.rest)
    return Mesh(cut.grown(mesh.vertices), normals, uv, cut.faces, cut.masks, rest)


def _cut(mesh: Mesh, mask: str, inside: bool) -> Cut:
    level = (mesh.masks[mask] - np.float32(0.5)) * np.float32(1 if inside else -1)
    faces = mesh.faces
    count = (level[faces] > 0).sum(1)
    # Turn each cut triangle until its odd corner, the one alone on its side, comes first.
    cut = faces[(count == 1) | (count == 2)]
    alone = np.argmax((level[cut] > 0) == ((level[cut] > 0).sum(1) == 1)[:, None], 1)
    cut = np.take_along_axis(cut, (alone[:, None] + np.arange(3)) % 3, 1)
    ends = np.sort(np.concatenate([cut[:, :2], cut[:, [0, 2]]]), 1)
    edges, number = np.unique(ends, axis=0, return_inverse=True)
    low, high = level[edges[:, 0]], level[edges[:, 1]]
    share = (low / np.where(low == high, 1, low - high)).astype(np.float32)
    ab, ac = len(mesh.vertices) + number.reshape(2, -1)
    a, b, c = cut.T
    kept = level[a] > 0
    tips = np.stack([a, ab, ac], 1)[kept]
    stumps = np.concatenate([np.stack([ab, b, c], 1)[~kept], np.stack([ab, c, ac], 1)[~kept]])
    used, packed = np.unique(np.concatenate([faces[count == 3], tips, stumps]), return_inverse=True)
    old, new = used[used < len(mesh.vertices)], used[used >= len(mesh.vertices)] - len(mesh.vertices)
    where = (old.astype(np.int64), edges[new].astype(np.int64), share[new])
    return Cut(
        *where,
        packed.reshape(-1, 3).astype(np.int32),
        _grown(mesh.uv, *where),
        {name: _grown(values, *where) for name, values in mesh.masks.items()},
        None if mesh.rest is None else _grown(mesh.rest, *where),
        mesh,
    )


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """Unit (n, 3) normals, each the mean of its triangles' weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for axis in range(3):
        weights = np.repeat(across[:, axis], 3)
        total[:, axis] = np.bincount(faces.ravel(), weights, len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12), np.float32)
