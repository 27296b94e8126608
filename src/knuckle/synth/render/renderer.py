"""The renderer: objects, camera and surroundings become colour, depth and ids, by OpenGL without a window.

There are six passes.
  1. Surfels: what is seen at each pixel's centre. Labels use it, and shading needs nothing else.
  2. Depth at 2 x 2 samples per pixel; sample (2x, 2y) is the centre of pixel (x, y).
  3. Ambient occlusion at half size.
  4. The shadow map of the strongest key light.
  5. Shading of each object's pixels. It waits until visibility is known, because Mesa's llvmpipe shades blocks of
     4 x 4 pixels per triangle and hands have small triangles.
  6. Smooth edges: the samples between pixel centres take the light of the pixel that they belong to, and the
     background shows through by coverage.

Only triangles near the view are drawn, and only the rectangle that they cover is shaded. llvmpipe runs it on a CPU,
a driver's EGL on a GPU. The same scene gives the same pixels on the same renderer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from knuckle.errors import InputError
from knuckle.extras import cv2
from knuckle.synth.render import lighting, materials
from knuckle.synth.render.buffers import Loaded, Targets, read_box, scissor_of, static_records
from knuckle.synth.render.opengl import open_context, shader_source
from knuckle.synth.render.primitives import (
    Camera,
    Floats,
    Light,
    Material,
    Picture,
    SceneObject,
    SkinTextures,
    Surroundings,
)
from knuckle.synth.render.view import Box, InView, around, clip_pinhole, in_view, shadow_matrix

SHADOW_SIDE = 256
SOFT_SIDE = SHADOW_SIDE // 2  # of the blurred shadow map
PLACED = ("vertex", "normal")  # vertex attributes that change with the pose
STATIC = ("uv", "rest", "masks")  # vertex attributes that do not
MAX_SHARED = 128  # cached buffers of what many meshes share
MAX_TARGETS = 8  # framebuffers are kept for this many picture sizes
SHADERS = ("skin", "adorned", "surface")  # adorned: skin with hair or tattoos
UNITS = {
    name: unit
    for unit, name in enumerate(
        [
            *("seen", "normals", "rests", "masks", "openness", "mirrored"),
            *("shadow_depth", "folds", "marks", "overlays", "speckle", "samples", "shaded"),
        ]
    )
}


def _shader_of(material: Material) -> str:
    """The program of `SHADERS` that shades a material."""
    if material.kind != "skin":
        return "surface"
    return "adorned" if material.hair > 0 or material.tattoo > 0 else "skin"


def _check(objects: Sequence[SceneObject], camera: Camera, background: Floats | None) -> None:
    if camera.width < 1 or camera.height < 1 or not (camera.fx > 0 and camera.fy > 0):
        raise InputError(f"a camera needs a size and focal lengths above 0, got {camera}")
    if background is not None and background.shape != (camera.height, camera.width, 3):
        raise InputError(f"the background must be {(camera.height, camera.width, 3)}, got {background.shape}")
    for item in objects:
        if not 1 <= item.id <= 255:
            raise InputError(f"an object's id must be 1 to 255, got {item.id}")
        if not np.isfinite(item.mesh.vertices).all():
            raise InputError(f"object {item.id} has vertices that are not finite numbers")


class Renderer:
    """One OpenGL context with its shaders and textures. Keep one per process, and use it from one thread.

    Args:
        skin: the painted details of skin.
        threads: for Mesa's llvmpipe, 0 is the calling thread only. It counts for the first renderer of a process;
            GPU drivers ignore it.

    Raises:
        MissingExtraError: moderngl is not installed.
        EngineError: OpenGL cannot be opened.
    """

    def __init__(self, skin: SkinTextures, threads: int | None = None) -> None:
        if threads is not None:
            os.environ["LP_NUM_THREADS"] = str(threads)
        self._gl = open_context()
        self.name = f"{self._gl.info['GL_RENDERER']}, OpenGL {self._gl.info['GL_VERSION']}"
        self._gl.front_face = "cw"  # because rows run downwards
        full_screen = shader_source("full_screen")
        self._programs = {
            name: self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
            for name, vertex, fragment in (
                ("surfels", shader_source("project", "surfel_vertex"), shader_source("surfels")),
                ("depth_samples", shader_source("project", "depth_samples"), shader_source("depth_only")),
                ("object_number", full_screen, shader_source("object_number")),
                ("occlusion", full_screen, shader_source("occlusion")),
                ("shadow", shader_source("shadow"), shader_source("depth_only")),
                ("skin", full_screen, shader_source("lighting", "skin")),
                ("adorned", full_screen, shader_source("lighting", "skin", define="OVERLAYS")),
                ("surface", full_screen, shader_source("lighting", "surface")),
                ("resolve", full_screen, shader_source("resolve")),
            )
        }
        self._members = {name: {key: program[key] for key in program} for name, program in self._programs.items()}
        self._full_screen = {
            name: self._gl.vertex_array(self._programs[name], [])
            for name in ("object_number", "occlusion", "resolve", *SHADERS)
        }
        self._shared: dict[tuple[int, ...], tuple[Any, Any]] = {}
        self._targets: dict[tuple[int, int], Targets] = {}
        side = (SHADOW_SIDE, SHADOW_SIDE)
        self._shadow = self._gl.framebuffer(depth_attachment=self._gl.depth_texture(side))
        self._shadow_moments = self._gl.texture((SOFT_SIDE, SOFT_SIDE), 2, dtype="f4")
        self._shadow_moments.repeat_x = self._shadow_moments.repeat_y = False
        self._mirror = self._gl.texture((lighting.MIRROR_SIDE,) * 2, 3, dtype="f4")
        self._mirror.build_mipmaps(max_level=lighting.MIRROR_LEVELS - 1)
        self._mirror.filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
        self._textures = self._load_textures(skin)
        for name in (*self._full_screen, "surfels"):
            self._set(name, UNITS | materials.skin_layout(skin))

    def _load_textures(self, skin: SkinTextures) -> dict[str, Any]:
        textures = {}
        for name, pixels in {"folds": skin.folds, "marks": skin.marks, "overlays": skin.overlays}.items():
            textures[name] = self._gl.texture(pixels.shape[1::-1], 4, np.ascontiguousarray(pixels).tobytes())
            textures[name].build_mipmaps()
            textures[name].filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
            textures[name].repeat_x = textures[name].repeat_y = False
        noise = materials.noise_texture()
        textures["speckle"] = self._gl.texture3d(noise.shape[:3], 4, noise.tobytes())
        return textures

    def _set(self, program: str, values: Mapping[str, Any]) -> None:
        """Set uniforms of a program. Those that the compiler dropped as unused are skipped."""
        members = self._members[program]
        for name, value in values.items():
            if name in members:
                if isinstance(value, np.ndarray):
                    members[name].write(np.ascontiguousarray(value, np.float32).tobytes())
                else:
                    members[name].value = value

    def draw(
        self,
        objects: Sequence[SceneObject],
        camera: Camera,
        surroundings: Surroundings,
        background: Floats | None = None,
    ) -> Picture:
        """Draw objects over a background: (h, w, 3) float32 linear light, or None for black.

        Raises:
            InputError: a background of another size, a vertex that is not finite, an id outside 1 to 255, or a camera
                without a size or focal length.
        """
        _check(objects, camera, background)
        size = (camera.width, camera.height)
        rgb = np.zeros((*size[::-1], 3), np.float32) if background is None else background.astype(np.float32)
        depth, cover = np.full(size[::-1], np.inf, np.float32), np.zeros(size[::-1], np.float32)
        ids = np.zeros(size[::-1], np.uint8)
        shown = []
        for item in objects:
            if len(item.mesh.faces) and (item.mesh.vertices[:, 2] > 0.01).any():
                seen = in_view(item.mesh, camera)
                if len(seen.faces):
                    shown.append((item, seen))
        x0, y0, x1, y1 = box = around([seen.box for _, seen in shown])
        if x0 == x1:
            return Picture(rgb, depth, ids, cover)
        targets = self._targets_of(size)
        loaded = [self._load(item, seen) for item, seen in shown]
        try:
            surfels = self._gather(loaded, camera, targets, box)
            self._light(loaded, surroundings)
        finally:
            for buffers in loaded:
                buffers.release()
            while len(self._shared) > MAX_SHARED:
                self._shared.pop(next(iter(self._shared)))[1].release()
        self._shade(loaded, targets, box)
        colour = read_box(targets.resolved, box, 4)
        inside = (slice(y0, y1), slice(x0, x1))
        cover[inside] = colour[..., 3]
        rgb[inside] = colour[..., :3] + rgb[inside] * (1 - colour[..., 3:])
        numbers = surfels[..., 1].astype(np.intp)
        ids[inside] = np.array([0, *(item.id for item, _ in shown)], np.uint8)[numbers]
        np.copyto(depth[inside], surfels[..., 0], where=ids[inside] > 0)
        return Picture(rgb, depth, ids, cover)

    def _targets_of(self, size: tuple[int, int]) -> Targets:
        if size not in self._targets:
            if len(self._targets) > MAX_TARGETS:
                self._targets.pop(next(iter(self._targets))).release()
            self._targets[size] = Targets(self._gl, size)
        return self._targets[size]

    def _load(self, item: SceneObject, seen: InView) -> Loaded:
        mesh = item.mesh
        placed = np.concatenate([mesh.vertices, mesh.normals], 1, dtype=np.float32)
        own = [self._gl.buffer(placed.tobytes())]
        shareable = mesh.rest is not None
        if shareable:
            static = self._shared_buffer((mesh.uv, mesh.rest, mesh.masks), lambda: static_records(mesh).tobytes())
        else:
            own.append(static := self._gl.buffer(static_records(mesh).tobytes()))
        if shareable and seen.faces is mesh.faces:
            index = self._shared_buffer((mesh.faces,), lambda: np.ascontiguousarray(mesh.faces, np.int32).tobytes())
        else:
            own.append(index := self._gl.buffer(np.ascontiguousarray(seen.faces, np.int32).tobytes()))
        return Loaded(item, seen, own[0], static, index, tuple(own))

    def _shared_buffer(self, arrays: tuple[Any, ...], content: Callable[[], bytes]) -> Any:
        """The cached buffer of arrays that meshes share. The arrays must never change; they are kept alive here."""
        key = tuple(id(array) for array in arrays)
        if key in self._shared:
            self._shared[key] = self._shared.pop(key)  # most recently used
        else:
            self._shared[key] = arrays, self._gl.buffer(content())
        return self._shared[key][1]

    def _run(self, program: str, loaded: Loaded) -> None:
        content: list[tuple[Any, ...]] = [(loaded.placed, "3f 12x", "vertex")]
        if program == "surfels":
            content = [(loaded.placed, "3f 3f", *PLACED), (loaded.static, "2f 3f 4f1", *STATIC)]
        array = self._gl.vertex_array(self._programs[program], content, loaded.index)
        array.render()
        array.release()

    def _gather(self, loaded: Sequence[Loaded], camera: Camera, targets: Targets, box: Box) -> Floats:
        """Passes 1 to 3. Returns (h, w, 2) of the box: depth and number of the object at the pixels' centres.

        Objects are numbered from 1; 0 means no object.
        """
        nearest = min(float(shown.item.mesh.vertices[:, 2].min()) for shown in loaded)
        farthest = max(float(shown.item.mesh.vertices[:, 2].max()) for shown in loaded)
        near, far = max(0.02, nearest * 0.98), max(0.04, farthest * 1.02)
        values = {"pinhole": clip_pinhole(camera, 0.5), "depths": (near, far)}
        self._set("surfels", values)
        self._set("resolve", values)
        self._set("depth_samples", values | {"pinhole": clip_pinhole(camera, 0.25)})
        self._draw_all(loaded, targets.surfels, "surfels")
        self._draw_all(loaded, targets.depth_samples, "depth_samples")
        backwards = (1 / camera.fx, 1 / camera.fy, camera.cx, camera.cy)
        for name in ("occlusion", *SHADERS):
            self._set(name, {"backwards": backwards, "radius": 0.03})
        for unit, picture in enumerate(targets.pictures):
            picture.use(unit)
        self._gl.enable_only(self._gl.NOTHING)
        targets.occlusion.use()
        targets.occlusion.scissor = None
        targets.occlusion.clear(1.0)
        targets.occlusion.scissor = scissor_of((box[0] // 2, box[1] // 2, (box[2] + 1) // 2, (box[3] + 1) // 2))
        self._full_screen["occlusion"].render(vertices=3)
        targets.openness.use(UNITS["openness"])
        return read_box(targets.surfels, box, 2)

    def _draw_all(self, loaded: Sequence[Loaded], target: Any, program: str) -> None:
        """Draw all objects with a depth test. Skin is closed, so its back faces are culled."""
        self._gl.enable_only(self._gl.DEPTH_TEST)
        target.use()
        target.clear(depth=1.0)
        for number, shown in enumerate(loaded, 1):
            self._set(program, {"id": float(number), "shift": materials.shift_of(shown.item.material)[0]})
            if shown.item.material.kind == "skin":
                self._gl.enable(self._gl.CULL_FACE)
            self._run(program, shown)
            self._gl.disable(self._gl.CULL_FACE)

    def _light(self, loaded: Sequence[Loaded], surroundings: Surroundings) -> None:
        """Pass 4, and the uniforms and textures that shading needs."""
        lights = lighting.turned_lights(surroundings)
        values: dict[str, Any] = {"harmonics": lighting.harmonics(surroundings), "lights": len(lights)}
        padding = [(0.0, 0.0, 0.0)] * (3 - len(lights))
        values["towards"] = [key.towards for key in lights] + padding
        values["shine"] = [key.colour for key in lights] + padding
        for level, pixels in enumerate(lighting.mirror_levels(surroundings)):
            self._mirror.write(pixels.tobytes(), level=level)
        if lights:
            values |= self._draw_shadow(loaded, lights[0])
        for name in SHADERS:
            self._set(name, values)
        self._mirror.use(UNITS["mirrored"])
        for name, texture in self._textures.items():
            texture.use(UNITS[name])

    def _draw_shadow(self, loaded: Sequence[Loaded], key: Light) -> dict[str, Any]:
        """Draw the shadow map of a light; returns the uniforms that belong to it."""
        points = np.concatenate([shown.seen.points for shown in loaded])
        low, high = points.min(0), points.max(0)
        middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 * 1.06 + 0.005
        texel = 2 * radius / SHADOW_SIDE
        matrix = shadow_matrix(np.asarray(key.towards), middle, radius)
        column_major = np.ascontiguousarray(matrix.T)
        self._shadow.use()
        self._shadow.clear(depth=1.0)
        self._set("shadow", {"light_from_camera": column_major})
        self._gl.front_face = "ccw"  # unlike the picture's, these rows run upwards
        for shown in loaded:
            closed = shown.item.material.kind == "skin"
            self._gl.enable_only(self._gl.DEPTH_TEST | self._gl.CULL_FACE if closed else self._gl.DEPTH_TEST)
            self._run("shadow", shown)
        self._gl.front_face = "cw"
        raw = np.frombuffer(self._shadow.read(attachment=-1, components=1, dtype="f4"), np.float32)
        depth = raw.reshape(SHADOW_SIDE, SHADOW_SIDE)
        # Large lights have soft shadows: the blur is half the light's width, seen 15 mm behind the occluder.
        blur = min(12.0, max(1.0, 0.015 * key.angle_rad / texel)) * SOFT_SIDE / SHADOW_SIDE
        moments = cv2.resize(cv2.merge([depth, depth * depth]), (SOFT_SIDE, SOFT_SIDE), interpolation=cv2.INTER_AREA)
        moments = cv2.GaussianBlur(moments, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        self._shadow_moments.write(moments.tobytes())
        self._shadow_moments.use(UNITS["shadow_depth"])
        return {"light_from_camera": column_major, "shadow_scale": (2 * radius, 1.5 * texel + 0.0005)}

    def _shade(self, loaded: Sequence[Loaded], targets: Targets, box: Box) -> None:
        """Passes 5 and 6: linear light at the pixels' centres, then with smooth edges and multiplied by coverage."""
        targets.shaded.use()
        targets.shaded.scissor = scissor_of(box)
        self._gl.enable_only(self._gl.DEPTH_TEST)
        self._gl.depth_func = "1"  # always: write each pixel's object number as its depth
        self._full_screen["object_number"].render(vertices=3)
        self._gl.depth_func = "=="  # then shade only the pixels with the object's number
        for number, shown in enumerate(loaded, 1):
            program = _shader_of(shown.item.material)
            self._set(program, materials.uniforms(shown.item.material) | {"number": float(number)})
            targets.shaded.scissor = scissor_of(shown.seen.box)
            self._full_screen[program].render(vertices=3)
        self._gl.depth_func = "<"
        self._gl.enable_only(self._gl.NOTHING)
        targets.samples.use(UNITS["samples"])
        targets.light.use(UNITS["shaded"])
        targets.resolved.use()
        targets.resolved.scissor = scissor_of(box)
        self._full_screen["resolve"].render(vertices=3)
