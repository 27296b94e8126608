"""One step of Catmull & Clark's subdivision (1978), stored as stencils: each fine vertex mixes some coarse vertices.

Skinning the coarse mesh and subdividing it afterwards is faster than skinning the fine mesh, and bends more softly.
Quads with short edges (finger tips) and those of the smooth forearm are not split, which halves the triangles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SIDES = [[0, 1], [1, 2], [2, 3], [3, 0]]


def edges_of(faces: Array) -> tuple[Array, Array]:
    """(k, 2) edges of (m, 4) quads, and (m, 4) the number of the edge after each corner."""
    pairs = np.sort(faces[:, SIDES].reshape(-1, 2), axis=1)
    edges, edge_of = np.unique(pairs, axis=0, return_inverse=True)
    return edges, edge_of.reshape(-1, 4)


def refine(faces: Array, count: int, split: Array, linear: bool = False) -> dict[str, Array]:
    """The stencils and triangles for (m, 4) quads of `count` vertices.

    Args:
        split: (m, 4) whether the edge after each corner is divided; both quads of an edge must agree.
        linear: interpolate without smoothing, for texture coordinates.

    Returns:
        `faces` (t, 3), and stencils grouped by their length K: `rows_K` (fine vertices), `ids_K`, `weights_K`.
    """
    edges, edge_of = edges_of(faces)
    rows = _linear_rows(faces, edges, count)
    if not linear:
        rows = _smooth_rows(rows, faces, edges, edge_of, count)
    corners = _fans(faces, count + edge_of, count + len(edges) + np.arange(len(faces)), split)
    used, faces_out = np.unique(corners, return_inverse=True)
    return {"faces": faces_out.reshape(-1, 3), **_stencils(rows[used])}


def smooth(recipe: Mapping[str, Array], values: Array) -> Array:
    """(n, c) values at the fine vertices from values at the coarse vertices."""
    groups = [name[5:] for name in recipe if name.startswith("rows_")]
    out = np.empty((sum(len(recipe[f"rows_{g}"]) for g in groups), values.shape[1]), np.float32)
    for g in groups:
        ids, weights = recipe[f"ids_{g}"], recipe[f"weights_{g}"]
        total = weights[:, 0, None] * values[ids[:, 0]]
        for k in range(1, ids.shape[1]):  # twice as fast as a sum over a third axis
            total += weights[:, k, None] * values[ids[:, k]]
        out[recipe[f"rows_{g}"]] = total
    return out


def ordered(faces: Array, places: Array) -> Array:
    """(m, 3) triangles sorted along a Morton curve through the (n, 3) places of the vertices.

    Neighbours then follow each other, so that a GPU (or llvmpipe) rarely transforms a vertex twice.
    """
    middles = places[faces].mean(1)
    cells = (middles - middles.min(0)) / np.ptp(middles, axis=0).max() * 1023
    bits = (cells.astype(np.int64)[:, :, None] >> np.arange(10)) & 1
    code = (bits << (3 * np.arange(10) + np.arange(3)[:, None])).sum((1, 2))
    return np.ascontiguousarray(faces[np.argsort(code, kind="stable")])


def _linear_rows(faces: Array, edges: Array, count: int) -> Array:
    """(count + edges + faces, count) weights of the vertices, the edge midpoints and the face centres."""
    rows = np.zeros((count + len(edges) + len(faces), count), np.float32)
    rows[np.arange(count), np.arange(count)] = 1
    rows[count + np.arange(len(edges))[:, None], edges] = 0.5
    rows[count + len(edges) + np.arange(len(faces))[:, None], faces] = 0.25
    return rows


def _smooth_rows(rows: Array, faces: Array, edges: Array, edge_of: Array, count: int) -> Array:
    """The weights of `_linear_rows`, smoothed by Catmull and Clark's rules for a closed surface."""
    middles, centres = rows[count : count + len(edges)], rows[count + len(edges) :]
    touching = np.zeros_like(middles)
    np.add.at(touching, edge_of.ravel(), np.repeat(centres, 4, axis=0))
    around, spokes = np.zeros((count, count), np.float32), np.zeros((count, count), np.float32)
    np.add.at(around, faces.ravel(), np.repeat(centres, 4, axis=0))
    np.add.at(spokes, edges.ravel(), np.repeat(middles, 2, axis=0))
    valence = np.bincount(edges.ravel(), minlength=count)[:, None].astype(np.float32)
    vertices = (around / valence + 2 * spokes / valence) / valence
    vertices[np.arange(count), np.arange(count)] += ((valence - 3) / valence)[:, 0]
    return np.concatenate([vertices, 0.5 * middles + 0.25 * touching, centres])


def _fans(faces: Array, edge_ids: Array, centre_ids: Array, split: Array) -> Array:
    """(t, 3) triangles: two for an undivided quad, a fan around the centre for one with divided edges."""
    found = [faces[~split.any(axis=1)][:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)]
    for side in range(4):
        cut, fan = split[:, side], split.any(axis=1)
        first, second = faces[:, side], faces[:, (side + 1) % 4]
        found.append(np.stack([centre_ids, first, np.where(cut, edge_ids[:, side], second)], axis=1)[fan])
        found.append(np.stack([centre_ids, edge_ids[:, side], second], axis=1)[fan & cut])
    return np.concatenate(found)


def _stencils(rows: Array) -> dict[str, Array]:
    """The stencils of rows of weights, grouped by the number of weights that are not zero."""
    lengths = (np.abs(rows) > 1e-9).sum(axis=1)
    found = {}
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        ids = np.argsort(np.abs(rows[chosen]) <= 1e-9, axis=1, kind="stable")[:, :length]
        found[f"rows_{length}"] = chosen
        found[f"ids_{length}"] = ids.astype(np.int32)
        found[f"weights_{length}"] = np.take_along_axis(rows[chosen], ids, axis=1)
    return found
