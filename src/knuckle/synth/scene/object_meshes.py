"""Meshes of what hands hold and wear: bottles, books, phones, rings, watches, sleeves.

Each object has its own frame, in metres: the long axis is y, the centre is the origin. `mesh.place` moves it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import FloatArray
from knuckle.synth.render.mesh import place, vertex_normals
from knuckle.synth.render.primitives import Mesh

Part = tuple[str, Mesh]  # name ("body", "screen", "liquid", ...), which decides the material, and mesh


def lattice(points: npt.ArrayLike, around: bool = False) -> Mesh:
    """The surface through a (rows, columns, 3) lattice of points; `around` joins the last column to the first.

    Texture coordinates run from 0 to 1 along rows and columns. Triangles face away from the middle of the surface.
    """
    grid = np.asarray(points, np.float32)
    if around:
        grid = np.concatenate([grid, grid[:, :1]], axis=1)
    rows, columns = grid.shape[:2]
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices = np.ascontiguousarray(grid.reshape(-1, 3))
    corner = vertices[faces]
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    if np.einsum("ij,ij->", across, corner.mean(1) - vertices.mean(0)) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    normals = vertex_normals(vertices, faces)
    if around:  # the first and the last column are the same points and share their normals
        grid_normals = normals.reshape(rows, columns, 3)
        seam = grid_normals[:, 0] + grid_normals[:, -1]
        seam /= np.maximum(np.linalg.norm(seam, axis=-1, keepdims=True), 1e-9)
        grid_normals[:, 0] = grid_normals[:, -1] = seam
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    return Mesh(vertices, normals, np.stack([u, v], -1).reshape(-1, 2).astype(np.float32), faces, {}, vertices)


def revolve(profile: Sequence[tuple[float, float]], segments: int = 24) -> Mesh:
    """A surface of revolution: a profile of (radius, y) turned about the y axis. A repeated point is a sharp edge."""
    radius, y = np.array(profile).T
    turn = np.arange(segments) * (2 * math.pi / segments)
    x, z = np.outer(radius, np.cos(turn)), np.outer(radius, np.sin(turn))
    return lattice(np.stack([x, np.tile(y[:, None], (1, segments)), z], -1), around=True)


def tube(path: npt.ArrayLike, radius: npt.ArrayLike, segments: int = 12, flat: float = 1.0) -> Mesh:
    """A tube along (n, 3) points with (n,) radii; `flat` scales it at right angles to the plane of its path."""
    line = np.asarray(path, float)
    ahead = np.gradient(line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    helper = np.linalg.svd(line - line.mean(0))[2][-1]  # across the plane of the path
    if abs(ahead @ helper).max() > 0.95:
        helper = np.roll(helper, 1)
    side = np.cross(ahead, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, ahead)
    turn = np.arange(segments) * (2 * math.pi / segments)
    reach = np.broadcast_to(np.asarray(radius, float), len(line))[:, None, None]
    ring = np.cos(turn)[:, None] * side[:, None] + flat * np.sin(turn)[:, None] * up[:, None]
    return lattice(line[:, None] + reach * ring, around=True)


def ball(radius: float, segments: int = 20) -> Mesh:
    """A sphere."""
    turn = np.linspace(-math.pi / 2, math.pi / 2, segments // 2 + 1)
    return revolve([(radius * max(math.cos(t), 1e-4), radius * math.sin(t)) for t in turn], segments)


def rounded_box(width: float, height: float, depth: float, round_m: float = 0.003) -> Mesh:
    """A box with corners rounded in the plane of width and height, and a small bevel: phones, books, cards, boxes."""
    round_m = min(round_m, 0.49 * width, 0.49 * height)
    bevel = min(0.3 * depth, 0.0025, 0.4 * round_m + 0.0005)
    outline = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for step in np.linspace(0, math.pi / 2, 5):
            angle = quarter * math.pi / 2 + step
            outline.append((sx * (width / 2 - round_m), sy * (height / 2 - round_m), math.cos(angle), math.sin(angle)))
    x, y, dx, dy = np.array(outline).T
    levels = [(-round_m, -0.5), (-bevel, -0.5), (-bevel * 0.3, -0.5 + 0.3 * bevel / depth), (0, -0.5 + bevel / depth)]
    rings = []
    for inset, z in [*levels, *((inset, -z) for inset, z in reversed(levels))]:
        reach = max(round_m + inset, 0.05 * round_m)
        rings.append(np.stack([x + reach * dx, y + reach * dy, np.full(len(x), z * depth)], -1))
    middles = [ring * [0.01, 0.01, 1] for ring in (rings[0], rings[-1])]
    return lattice(np.stack([middles[0], *rings, middles[1]]), around=True)


def can(radius: float, height: float, edge: float = 0.003) -> Mesh:
    """A cylinder with a small bevel: cans, tubes, sticks."""
    h, e = height / 2, min(edge, radius / 3, height / 4)
    line = [(1e-4, -h), (radius - e, -h), (radius - e, -h), (radius, -h + e), (radius, -h + e)]
    return revolve([*line, (radius, 0), *((r, -y) for r, y in reversed(line))])


def bottle(radius: float, height: float) -> Mesh:
    """A bottle with shoulder, neck and cap."""
    h, neck = height / 2, 0.36 * radius
    return revolve(
        [
            (1e-4, -h), (0.9 * radius, -h), (radius, -h + 0.006), (radius, 0.35 * h), (0.93 * radius, 0.45 * h),
            (0.6 * radius, 0.68 * h), (neck, 0.78 * h), (neck, 0.86 * h), (1.2 * neck, 0.87 * h),
            (1.2 * neck, h), (1e-4, h),
        ]
    )  # fmt: skip


def cup(radius: float, height: float, handle: bool = True) -> list[Part]:
    """A cup or a glass with something in it, and a handle at +x."""
    h, wall, foot = height / 2, 0.003, 0.82 * radius
    outer = [(1e-4, h), (foot, h), (foot + 0.002, h - 0.003), (0.95 * radius, 0.2 * h), (radius, -h)]
    inner = [(radius - wall, -h), (0.94 * radius - wall, 0.2 * h), (foot - wall, h - 0.005)]
    parts = [
        ("body", revolve([*outer, *inner])),
        ("liquid", place(_disc(0.95 * radius - wall), np.eye(3), (0, -0.6 * h, 0))),
    ]
    if handle:
        turn = np.linspace(-0.55 * math.pi, 0.55 * math.pi, 12)
        path = np.stack([0.92 * radius + 0.028 * np.cos(turn), 0.62 * h * np.sin(turn), 0 * turn], -1)
        parts.append(("body", tube(path, 0.0045, 8, flat=1.4)))
    return parts


def _disc(radius: float) -> Mesh:
    """A flat disc that faces -y."""
    mesh = revolve([(1e-4, 0), (0.5 * radius, 0), (radius, 0)])
    if mesh.normals[:, 1].mean() < 0:
        return mesh
    faces = np.ascontiguousarray(mesh.faces[:, ::-1])
    return Mesh(mesh.vertices, -mesh.normals, mesh.uv, faces, {}, mesh.rest)


def pen(radius: float, length: float) -> list[Part]:
    """A pen with its tip at -y and its cap at +y."""
    h = length / 2
    barrel = revolve([(0.0006, -h), (0.6 * radius, -0.9 * h), (radius, -0.8 * h), (radius, 0.5 * h)], 12)
    cap = revolve([(1.12 * radius, 0.45 * h), (1.12 * radius, 0.97 * h), (0.8 * radius, h), (1e-4, h)], 12)
    return [("body", barrel), ("cap", cap)]


def phone(width: float, height: float, depth: float) -> list[Part]:
    """A phone; its screen faces +z."""
    screen = rounded_box(0.93 * width, 0.95 * height, 0.0012, 0.006)
    return [
        ("body", rounded_box(width, height, depth, 0.009)),
        ("screen", place(screen, np.eye(3), (0, 0, 0.5 * depth))),
    ]


MAKERS: dict[str, Callable[[Sequence[float]], list[Part]]] = {
    "cylinder": lambda size: [("body", can(size[0] / 2, size[1]))],
    "bottle": lambda size: [("body", bottle(size[0] / 2, size[1]))],
    "stick": lambda size: [("body", can(size[0] / 2, size[1], 0.002))],
    "ball": lambda size: [("body", ball(size[0] / 2))],
    "box": lambda size: [("body", rounded_box(size[0], size[1], size[2]))],
    "card": lambda size: [("body", rounded_box(size[0], size[1], max(size[2], 0.0008), 0.003))],
    "book": lambda size: [("body", rounded_box(size[0], size[1], size[2], 0.001))],
    "phone": lambda size: phone(size[0], size[1], size[2]),
    "cup": lambda size: cup(size[0] / 2, size[1]),
    "glass": lambda size: cup(size[0] / 2, size[1], handle=False),
    "pen": lambda size: pen(size[0] / 2, size[1]),
}


def make(kind: str, size: Sequence[float]) -> list[Part]:
    """The parts of an object: (name, mesh) each.

    Args:
        kind: a key of `MAKERS`.
        size: metres: (diameter, length) of round objects, (width, height, depth) of flat ones.

    Raises:
        InputError: there is no such kind, or a size is not positive.
    """
    if kind not in MAKERS:
        raise InputError(f"there is no object called {kind!r}; expected one of {', '.join(MAKERS)}")
    if len(size) < 1 or not all(math.isfinite(edge) and edge > 0 for edge in size):
        raise InputError(f"a {kind} needs sizes above 0 m, got {tuple(size)}")
    padded = [*size, *[size[-1]] * 3]
    return MAKERS[kind](padded)


def band(mesh: Mesh, centre: FloatArray, axis: FloatArray, width: float, thickness: float, reach: float) -> Mesh | None:
    """A band around a finger or an arm: rings, bracelets, straps, hems.

    Args:
        mesh: of the wearer, in any space; the band is in the same space.
        centre, axis: a point inside the finger or arm, and the direction along it.
        width, thickness: along the axis and across it, metres.
        reach: vertices further from the axis than this are ignored.

    Returns:
        The band, or None if too few vertices are near.
    """
    axis = axis / np.linalg.norm(axis)
    outline = cross_section(mesh, centre, axis, max(0.6 * width, 0.006), reach)
    if outline is None:
        return None
    middle, side, up, radius = outline
    turn = np.arange(len(radius)) * (2 * math.pi / len(radius))
    ring = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up
    inner, outer = radius + 0.0003, radius + 0.0003 + thickness
    half = width / 2
    profile = [(inner, -half), (outer, -0.9 * half), (outer, -0.6 * half), (outer, 0.6 * half), (outer, 0.9 * half)]
    rows = [middle + r[:, None] * ring + z * axis for r, z in [*profile, (inner, half)]]
    return lattice(np.stack(rows), around=True)


def cross_section(
    mesh: Mesh, centre: FloatArray, axis: FloatArray, slab: float, reach: float, segments: int = 24
) -> tuple[FloatArray, ...] | None:
    """The outline of a mesh around an axis: middle (3,), side (3,), up (3,), radius (segments,); None if it is empty.

    The radius in each of `segments` directions is the largest among the vertices within `slab` along the axis and
    `reach` across it. Directions without a vertex are interpolated, and the outline is smoothed.
    """
    offset = mesh.vertices - centre.astype(np.float32)
    offset = offset[np.abs(offset @ axis.astype(np.float32)) < slab].astype(np.float64)
    along = offset @ axis
    across = offset - along[:, None] * axis
    near = np.einsum("ij,ij->i", across, across) < reach * reach
    if near.sum() < 8:
        return None
    side = np.cross(axis, [0.3, 0.9, 0.31] if abs(axis[0]) > 0.7 else [1.0, 0.1, 0.2])
    side /= np.linalg.norm(side)
    up = np.cross(axis, side)
    flat = np.stack([across[near] @ side, across[near] @ up], -1)
    shift = (flat.min(0) + flat.max(0)) / 2
    flat -= shift
    bins = np.floor((np.arctan2(flat[:, 1], flat[:, 0]) / (2 * math.pi) % 1.0) * segments).astype(int) % segments
    radius = np.zeros(segments)
    np.maximum.at(radius, bins, np.hypot(flat[:, 0], flat[:, 1]))
    known = np.flatnonzero(radius)
    if len(known) < 4:
        return None
    radius = np.interp(np.arange(segments), known, radius[known], period=segments)
    radius = np.maximum(radius, (np.roll(radius, 1) + 2 * radius + np.roll(radius, -1)) / 4)
    return centre + shift[0] * side + shift[1] * up, side, up, radius


def sleeve(mesh: Mesh, wrist: FloatArray, elbow: FloatArray, begins: float, loose: float) -> Mesh | None:
    """A sleeve with a hem, from `begins` (0 wrist, 1 elbow) to the elbow, `loose` metres wider than the arm."""
    length = float(np.linalg.norm(elbow - wrist))
    axis = (elbow - wrist) / length
    sections = []
    for share in np.linspace(begins, 1.0, 7):
        found = cross_section(mesh, wrist + share * length * axis, axis, 0.1 * length, 0.085)
        if found is not None:
            sections.append((share, found))
    if len(sections) < 3:
        return None
    turn = np.arange(24) * (2 * math.pi / 24)
    rows: list[FloatArray] = []
    first = sections[0]
    for inset, (_, (middle, side, up, radius)) in [(-0.002, first), (0.0015, first), *((0.0, s) for s in sections)]:
        ripple = 1 + 0.03 * np.sin(3 * turn + 9 * len(rows)) + 0.02 * np.sin(5 * turn + 4 * len(rows))
        reach = (radius + loose + inset) * ripple
        start = middle - (0.004 * axis if inset > 0 else 0)
        rows.append(start + reach[:, None] * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up))
    return lattice(np.stack(rows), around=True)


def watch(mesh: Mesh, centre: FloatArray, axis: FloatArray, back: FloatArray, size: float) -> list[Part]:
    """A watch with strap, case and face. `back` points out of the back of the hand. Empty if no strap fits."""
    strap = band(mesh, centre, axis, 0.55 * size, 0.0022, 0.06)
    if strap is None:
        return []
    axis = axis / np.linalg.norm(axis)
    back = back - (back @ axis) * axis
    back /= np.linalg.norm(back)
    height = float((strap.vertices @ back).max()) - 0.002
    seat = centre + (height - centre @ back) * back
    frame = np.stack([np.cross(back, axis), back, axis], 1)
    case = revolve([(1e-4, 0.007), (0.46 * size, 0.007), (0.5 * size, 0.0055), (0.5 * size, 0.0)], 20)
    face = revolve([(1e-4, 0.0073), (0.43 * size, 0.0073)], 20)
    return [("strap", strap), ("case", place(case, frame, seat)), ("face", place(face, frame, seat))]
