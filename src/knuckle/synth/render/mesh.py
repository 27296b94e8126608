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
    """Cut each triangle by how many of its corners lie in the part.

    - All three: the triangle is kept.
    - One, called `a`: the tip (a, ab, ac) is kept, where ab and ac are new vertices on the edges of `a`.
    - All but `a`: the stump (ab, b, c, ac) is kept, as the two triangles (ab, b, c) and (ab, c, ac).
    """
    level = (mesh.masks[mask] - np.float32(0.5)) * np.float32(1 if inside else -1)  # positive in the part
    corners_in_part = (level[mesh.faces] > 0).sum(1)
    crossed = mesh.faces[(corners_in_part == 1) | (corners_in_part == 2)]
    # Rotate the corners of each crossed triangle, so that `a` is the one that is alone on its side of the border.
    is_in_part = level[crossed] > 0
    lone_corner_in_part = is_in_part.sum(1) == 1
    lone_corner = np.argmax(is_in_part == lone_corner_in_part[:, None], 1)
    crossed = np.take_along_axis(crossed, (lone_corner[:, None] + np.arange(3)) % 3, 1)
    a, b, c = crossed.T
    # Neighbouring triangles share the new vertex on their common edge.
    both_edges = np.sort(np.concatenate([crossed[:, [0, 1]], crossed[:, [0, 2]]]), 1)
    edges, edge_number = np.unique(both_edges, axis=0, return_inverse=True)
    start, end = level[edges[:, 0]], level[edges[:, 1]]
    share = (start / np.where(start == end, 1, start - end)).astype(np.float32)
    ab, ac = len(mesh.vertices) + edge_number.reshape(2, -1)  # numbered after the vertices of the mesh

    keeps_tip = level[a] > 0
    tips = np.stack([a, ab, ac], 1)[keeps_tip]
    stumps = np.concatenate([np.stack([ab, b, c], 1)[~keeps_tip], np.stack([ab, c, ac], 1)[~keeps_tip]])
    kept_faces = np.concatenate([mesh.faces[corners_in_part == 3], tips, stumps])
    used, renumbered = np.unique(kept_faces, return_inverse=True)
    is_new = used >= len(mesh.vertices)
    used_edges = used[is_new] - len(mesh.vertices)
    vertices = (used[~is_new].astype(np.int64), edges[used_edges].astype(np.int64), share[used_edges])
    return MeshCut(
        *vertices,
        renumbered.reshape(-1, 3).astype(np.int32),
        _interpolated(mesh.uv, *vertices),
        {name: _interpolated(values, *vertices) for name, values in mesh.masks.items()},
        None if mesh.rest is None else _interpolated(mesh.rest, *vertices),
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
