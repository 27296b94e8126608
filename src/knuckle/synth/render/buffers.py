"""What the renderer keeps on the graphics card: the buffers of a mesh, and the framebuffers of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.synth.render.primitives import Floats, Mesh, SceneObject
from knuckle.synth.render.view import Box, InView

RECORD = np.dtype([("uv", "2f4"), ("rest", "3f4"), ("masks", "4u1")])
MASK_ORDER = ("eye", "palm_side", "lip", "hair")  # the masks that the skin shader reads, one per channel


def static_records(mesh: Mesh) -> npt.NDArray[Any]:
    """(n,) of `RECORD`: what the shaders need of each vertex and the pose does not change."""
    records = np.zeros(len(mesh.vertices), RECORD)
    records["uv"], records["rest"] = mesh.uv, mesh.vertices if mesh.rest is None else mesh.rest
    for k, name in enumerate(MASK_ORDER):
        if name in mesh.masks:
            records["masks"][:, k] = np.clip(mesh.masks[name] * 255 + 0.5, 0, 255)
    return records


@dataclass(frozen=True, eq=False)
class Loaded:
    """An object on the graphics card.

    Attributes:
        item: the object.
        seen: what the camera sees of it.
        placed: buffer of vertices and normals, which change with the pose.
        static: buffer of `static_records`.
        index: buffer of triangles.
        own: the buffers that no other object shares.
    """

    item: SceneObject
    seen: InView
    placed: Any
    static: Any
    index: Any
    own: tuple[Any, ...]

    def release(self) -> None:
        """Free the object's own buffers."""
        for buffer in self.own:
            buffer.release()


class Targets:
    """The framebuffers of one picture size.

    Attributes:
        surfels: what is seen at each pixel's centre, as the four textures `pictures`: depth, id and texture
            coordinates; normal; rest position; masks.
        depth_samples: depth at 2 x 2 samples per pixel, with the texture `samples`.
        occlusion: ambient occlusion at half size, with the texture `openness`.
        shaded: linear light at each pixel's centre, with the texture `light`.
        resolved: the same with smooth edges, multiplied by coverage.
    """

    def __init__(self, gl: Any, size: tuple[int, int]) -> None:
        double, half = (size[0] * 2, size[1] * 2), ((size[0] + 1) // 2, (size[1] + 1) // 2)
        self.pictures = [gl.texture(size, 4, dtype=kind) for kind in ("f4", "f2", "f2", "f1")]
        self.surfels = gl.framebuffer(self.pictures, gl.depth_renderbuffer(size))
        self.samples = gl.depth_texture(double)
        self.samples.compare_func = ""
        self.depth_samples = gl.framebuffer(depth_attachment=self.samples)
        self.openness = gl.texture(half, 1, dtype="f1")
        self.occlusion = gl.framebuffer([self.openness])
        self.light = gl.texture(size, 4, dtype="f4")
        self.shaded = gl.framebuffer([self.light], gl.depth_renderbuffer(size))
        self.resolved = gl.framebuffer([gl.texture(size, 4, dtype="f4")])
        self.openness.repeat_x = self.openness.repeat_y = False
        for picture in (*self.pictures, self.samples, self.light):
            picture.filter = (gl.NEAREST, gl.NEAREST)

    def release(self) -> None:
        """Free the memory on the graphics card."""
        framebuffers = (self.surfels, self.depth_samples, self.occlusion, self.shaded, self.resolved)
        for target in (*framebuffers, *self.pictures, self.samples, self.light, self.openness):
            target.release()


def scissor_of(box: Box) -> tuple[int, int, int, int]:
    """x, y, width, height of a box, as OpenGL takes them."""
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def read_box(framebuffer: Any, box: Box, components: int) -> Floats:
    """(h, w, components) pixels of a rectangle of a framebuffer."""
    rectangle = scissor_of(box)
    pixels = framebuffer.read(viewport=rectangle, components=components, dtype="f4")
    return np.frombuffer(pixels, np.float32).reshape(rectangle[3], rectangle[2], components)
