"""glTF (.glb): a scene with a rigged hand for each hand that was tracked, animated by its poses.

Unit: metres; y is up, and the camera stands at the origin and looks along -z, where a camera of the scene stands too.
Each hand has the joints of `knuckle.space.bones.JOINTS` as nodes, with the bone lengths of the person, and a simple
mesh as its skin. Keyframes are at the frames' own times. While a hand is not seen, its scale is 0.

Format: Khronos, glTF 2.0 Specification.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.exports.hand_mesh import hand_mesh
from knuckle.exports.motion import HandMotion, MotionSink
from knuckle.extras import required
from knuckle.space.bones import JOINTS, PARENTS, Doubles
from knuckle.space.camera import DEFAULT_FOV_DEG
from knuckle.space.quaternions import quaternions, without_flips
from knuckle.space.rig import Rig, relative_to_parents

COMPONENTS = {"float32": 5126, "uint16": 5123, "uint8": 5121}  # types of numbers in glTF's accessors
KINDS = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTICES, INDICES = 34962, 34963  # what a buffer view is for
JSON_CHUNK = 0x4E4F534A
ROUGHNESS = 0.7


class GltfSink(MotionSink):
    """Writes the file when all frames are known."""

    PACKAGES, TITLE = (*MotionSink.PACKAGES, "pygltflib"), "glTF files"

    def content(self, motions: Sequence[HandMotion]) -> bytes:
        scene = GltfScene()
        scene.add_camera(*self.size)
        for motion in motions:
            scene.add_hand(motion, np.array(self.times_s))
        return scene.to_bytes()


class GltfScene:
    """A glTF file in the making.

    Raises:
        MissingExtraError: pygltflib is not installed.
    """

    def __init__(self) -> None:
        self.gltf = required("pygltflib", "motion", "glTF files")
        self.root = self.gltf.GLTF2(asset=self.gltf.Asset(version="2.0", generator="Knuckle"))
        self.root.scenes, self.root.scene = [self.gltf.Scene(name="hands", nodes=[])], 0
        self.animation = self.gltf.Animation(name="hands")
        self.bytes = bytearray()

    def add_camera(self, width: int, height: int) -> None:
        """The camera that filmed."""
        slope = math.tan(math.radians(DEFAULT_FOV_DEG) / 2) * height / max(width, height)
        lens = self.gltf.Perspective(aspectRatio=width / height, yfov=2 * math.atan(slope), znear=0.01, zfar=100.0)
        self.root.cameras = [self.gltf.Camera(name="camera", type="perspective", perspective=lens)]
        self._add_node(camera=0, name="camera", in_scene=True)

    def add_hand(self, motion: HandMotion, times_s: Doubles) -> None:
        """The joints, the mesh and the animation of one hand.

        Args:
            motion: the hand.
            times_s: times of all frames of the run, also of those without this hand.
        """
        turns = without_flips(quaternions(relative_to_parents(motion.frames)))
        nodes = self._add_joints(motion, turns[0])
        inverse = self._add_accessor(inverse_binds(motion.rig))
        skin = self.gltf.Skin(inverseBindMatrices=inverse, joints=nodes, skeleton=nodes[0], name=motion.name)
        self.root.skins.append(skin)
        if not self.root.materials:
            matt = self.gltf.PbrMetallicRoughness(metallicFactor=0.0, roughnessFactor=ROUGHNESS)
            self.root.materials.append(self.gltf.Material(name="skin", pbrMetallicRoughness=matt))
        mesh = self._add_mesh(motion)
        self._add_node(mesh=mesh, skin=len(self.root.skins) - 1, name=f"{motion.name}_mesh", in_scene=True)
        if len(times_s) > 1:
            self._animate(motion, nodes, turns, times_s)

    def _add_node(self, in_scene: bool = False, **fields: Any) -> int:
        self.root.nodes.append(self.gltf.Node(**fields))
        number = len(self.root.nodes) - 1
        if in_scene:
            self.root.scenes[0].nodes.append(number)
        return number

    def _add_joints(self, motion: HandMotion, turns: Doubles) -> list[int]:
        """A node for each joint, in the pose of the first frame; the numbers of the nodes."""
        places = motion.rig.offsets.copy()
        places[0] = motion.wrist[0]
        nodes: list[int] = []
        for name, parent, place, turn in zip(JOINTS, PARENTS, places.tolist(), turns.tolist(), strict=True):
            node = self._add_node(
                parent < 0, name=f"{motion.name}_{name}", translation=place, rotation=turn, children=[]
            )
            if parent >= 0:
                self.root.nodes[nodes[parent]].children.append(node)
            nodes.append(node)
        return nodes

    def _add_mesh(self, motion: HandMotion) -> int:
        mesh = hand_mesh(motion.rig)
        none = np.zeros((len(mesh.joints), 3))
        influences = np.column_stack([mesh.joints, none]).astype(np.uint8)
        weights = np.column_stack([np.ones(len(none)), none]).astype(np.float32)
        attributes = self.gltf.Attributes(
            POSITION=self._add_accessor(mesh.positions, VERTICES, with_range=True),
            NORMAL=self._add_accessor(mesh.normals, VERTICES),
            COLOR_0=self._add_accessor(mesh.colours, VERTICES, normalized=True),
            JOINTS_0=self._add_accessor(influences, VERTICES),
            WEIGHTS_0=self._add_accessor(weights, VERTICES),
        )
        triangles = self._add_accessor(mesh.triangles.reshape(-1, 1), INDICES)
        primitive = self.gltf.Primitive(attributes=attributes, indices=triangles, material=0)
        self.root.meshes.append(self.gltf.Mesh(name=motion.name, primitives=[primitive]))
        return len(self.root.meshes) - 1

    def _animate(self, motion: HandMotion, nodes: list[int], turns: Doubles, times_s: Doubles) -> None:
        """Keyframes for the wrist's place, the rotations of all joints but the tips, and whether the hand is seen."""
        times = self._add_times(motion.times_s)
        self._add_channel(nodes[0], "translation", times, motion.wrist)
        for joint, name in enumerate(JOINTS):
            if not name.endswith("tip"):
                self._add_channel(nodes[joint], "rotation", times, turns[:, joint])
        numbers, seen = changes(motion.frame_numbers, len(times_s))
        if not seen.all():
            scales = np.repeat(seen[:, None].astype(float), 3, axis=1)
            self._add_channel(nodes[0], "scale", self._add_times(times_s[numbers]), scales, "STEP")

    def _add_times(self, times_s: Doubles) -> int:
        return self._add_accessor(times_s.astype(np.float32)[:, None], with_range=True)

    def _add_channel(self, node: int, path: str, times: int, values: Doubles, how: str = "LINEAR") -> None:
        output = self._add_accessor(values.astype(np.float32))
        self.animation.samplers.append(self.gltf.AnimationSampler(input=times, output=output, interpolation=how))
        target = self.gltf.AnimationChannelTarget(node=node, path=path)
        channel = self.gltf.AnimationChannel(sampler=len(self.animation.samplers) - 1, target=target)
        self.animation.channels.append(channel)

    def _add_accessor(
        self, values: npt.NDArray[Any], target: int | None = None, with_range: bool = False, normalized: bool = False
    ) -> int:
        """Store (n, k) values; the number of their accessor."""
        self.bytes += bytes(-len(self.bytes) % 4)
        data = np.ascontiguousarray(values).tobytes()
        view = self.gltf.BufferView(buffer=0, byteOffset=len(self.bytes), byteLength=len(data), target=target)
        self.root.bufferViews.append(view)
        self.bytes += data
        accessor = self.gltf.Accessor(
            bufferView=len(self.root.bufferViews) - 1,
            componentType=COMPONENTS[values.dtype.name],
            count=len(values),
            type=KINDS[values.shape[1]],
            normalized=normalized,
        )
        if with_range:
            accessor.min, accessor.max = values.min(axis=0).tolist(), values.max(axis=0).tolist()
        self.root.accessors.append(accessor)
        return len(self.root.accessors) - 1

    def to_bytes(self) -> bytes:
        """The whole file."""
        if self.animation.channels:
            self.root.animations = [self.animation]
        if not self.bytes:  # no hands; pygltflib would write an empty buffer, which the format does not allow
            text: bytes = self.root.gltf_to_json(separators=(",", ":"), indent=None).encode()
            text += b" " * (-len(text) % 4)
            return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), JSON_CHUNK) + text
        self.root.buffers = [self.gltf.Buffer(byteLength=len(self.bytes))]
        self.root.set_binary_blob(bytes(self.bytes))
        return b"".join(self.root.save_to_bytes())


def inverse_binds(rig: Rig) -> npt.NDArray[np.float32]:
    """(25, 16) matrices, column by column, from the space of the mesh to that of each joint in the rest pose."""
    rest = rig.rest
    places = rig.place(np.zeros(3), rest)
    inverse = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    inverse[:, :3, :3] = np.swapaxes(rest, -1, -2)
    inverse[:, :3, 3] = -(np.swapaxes(rest, -1, -2) @ places[..., None])[..., 0]
    return np.swapaxes(inverse, -1, -2).reshape(-1, 16).astype(np.float32)


def changes(frame_numbers: npt.NDArray[np.int64], frames: int) -> tuple[Any, npt.NDArray[np.bool_]]:
    """The frames in which a hand appears or is lost, after the first one, and whether it is seen from there on."""
    seen = np.isin(np.arange(frames), frame_numbers)
    numbers = np.concatenate([[0], np.flatnonzero(seen[1:] != seen[:-1]) + 1])
    return numbers, seen[numbers]
