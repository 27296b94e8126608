"""Moving, growing and cutting meshes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from knuckle.synth.render.primitives import Floats, Ints, Mesh, SceneObject


def place(mesh: Mesh, rotation: npt.ArrayLike, offset: npt.ArrayLike) -> Mesh:
    """The mesh turned by a (3, 3) rotation, then moved by (3,) metres."""
    turn = np.asarray(rotation, np.float32)
    return replace(
        mesh, vertices=mesh.vertices @ turn.T + np.asarray(offset, np.float32), normals=mesh.normals @ turn.T
    )


def place_object(item: SceneObject, rotation: npt.ArrayLike, offset: npt.ArrayLike) -> SceneObject:
    """The object turned by a (3, 3) rotation, then moved by (3,) metres."""
    return replace(item, mesh=place(item.mesh, rotation, offset))


def inflate(mesh: Mesh, metres: float) -> Mesh:
    """The mesh grown along its normals: a glove over a hand, a sleeve over an arm."""
    return replace(mesh, vertices=mesh.vertices + mesh.normals * np.float32(metres))


@dataclass(frozen=True, eq=False)
class MeshCut:
    """How to cut one part out of a mesh. It fits every mesh with the same triangles and masks, in any pose.

    The vertices of the part are the `used` vertices of the mesh, then one new vertex on each of the cut edges.

    Attributes:
        used: (n,) vertex numbers of the mesh that the part keeps.
        edges: (k, 2) vertex numbers of the edges that the cut crosses.
        share: (k,) how far along its edge each new vertex lies, 0 to 1.
        faces, uv, masks, rest: those of the part; they do not depend on the pose.
        whole: the mesh that `uv` and `rest` were computed from.
    """

    used: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]
    share: Floats
    faces: Ints
    uv: Floats
    masks: Mapping[str, Floats]
    rest: Floats | None
    whole: Mesh

    def apply(self, values: Floats) -> Floats:
        """Values (n, ...) at the vertices of the mesh to values at the vertices of the part."""
        return _interpolated(values, self.used, self.edges, self.share)


def _interpolated(values: Floats, used: npt.NDArray[np.int64], edges: npt.NDArray[np.int64], share: Floats) -> Floats:
    weight = share.reshape(-1, *[1] * (values.ndim - 1))
    low, high = values[edges[:, 0]], values[edges[:, 1]]
    return np.concatenate([values[used], low + (high - low) * weight]).astype(np.float32, copy=False)


_cuts: dict[tuple[int, int, str, bool], MeshCut] = {}
MAX_CUTS = 256  # how many cuts are cached


def part(mesh: Mesh, mask: str, inside: bool = True) -> Mesh:
    """The part of a mesh where a mask is above 0.5, or the other part. Clothes cover such parts of a body.

    Triangles that cross the border are cut. The new vertices on the border come last, in the same order for both
    parts. Cuts are cached, because all bodies share their triangles and masks.
    """
    key = (id(mesh.faces), id(mesh.masks), mask, inside)
    cut = _cuts.get(key)
    if cut is None or not (cut.whole.faces is mesh.faces and cut.whole.masks is mesh.masks):
        cut = _cuts[key] = _cut(mesh, mask, inside)
        if len(_cuts) > MAX_CUTS:
            del _cuts[next(iter(_cuts))]
    normals = cut.apply(mesh.normals)
    fresh = normals[len(cut.used) :]
    fresh /= np.maximum(np.linalg.norm(fresh, axis=1, keepdims=True), np.float32(1e-9))
    same = cut.whole.uv is mesh.uv and cut.whole.rest is mesh.rest
    uv = cut.uv if same else cut.apply(mesh.uv)
    rest = cut.rest if same or mesh.rest is None else cut.apply(mesh.rest)
    return Mesh(cut.apply(mesh.vertices), normals, uv, cut.faces, cut.masks, rest)


def _cut(mesh: Mesh, mask: str, inside: bool) -> MeshCut:
    level = (mesh.masks[mask] - np.float32(0.5)) * np.float32(1 if inside else -1)
    faces = mesh.faces
    count = (level[faces] > 0).sum(1)
    # Rotate the corners of each cut triangle until the corner that is alone on its side of the border comes first.
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
    return MeshCut(
        *where,
        packed.reshape(-1, 3).astype(np.int32),
        _interpolated(mesh.uv, *where),
        {name: _interpolated(values, *where) for name, values in mesh.masks.items()},
        None if mesh.rest is None else _interpolated(mesh.rest, *where),
        mesh,
    )


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """(n, 3) unit normals: the mean over the triangles around each vertex, weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for axis in range(3):
        weights = np.repeat(across[:, axis], 3)
        total[:, axis] = np.bincount(faces.ravel(), weights, len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-12), np.float32)
