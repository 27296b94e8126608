"""The renderer: things, camera and surroundings become colour, depth and ids, by OpenGL without a window.

Six passes: what is seen at every pixel's centre (the truth of the labels, and all that shading needs); depth at
2 x 2 samples per pixel, of which sample (2x, 2y) is the centre of pixel (x, y); ambient occlusion at half size;
the first key light's shadow map; and the shading of each thing's pixels. Shading waits until it is known what is
seen, because llvmpipe shades blocks of 4 x 4 pixels per triangle, and hands have small triangles. At last the
samples between take the light of the pixel they belong to, and the background lies behind by coverage. Only
triangles near the view are drawn, and only the rectangle that they cover is shaded. Mesa's llvmpipe runs it on a
CPU, a driver's EGL on a GPU. The same scene gives the same pixels on the same renderer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from knuckle.errors import EngineError, InputError, MissingExtraError
from knuckle.synth.render import lighting, materials, skin_textures
from knuckle.synth.render.types import Camera, Floats, Light, Material, Mesh, Picture, SceneObject, Surroundings
from knuckle.synth.render.view import Box, InView, around, clip_pinhole, in_view, shadow_matrix

SHADOW_SIDE = 256
SOFT_SIDE = SHADOW_SIDE // 2  # of the blurred shadow map
FOLDER = Path(__file__).parent
PLACED = ("vertex", "normal")  # what changes with the pose, and what does not
PAINTED = ("uv", "rest", "masks")
RECORD = np.dtype([("uv", "2f4"), ("rest", "3f4"), ("masks", "4u1")])
KEPT = 128  # buffers of what many meshes share
MASK_ORDER = ("eye", "palm_side", "lip", "hair")  # of hands' nails, the paint knows more
SHADERS = ("skin", "adorned", "surface")
UNITS = {
    name: unit
    for unit, name in enumerate(
        [
            *("seen", "normals", "rests", "masks", "openness", "mirrored"),
            *("shadow_depth", "folds", "marks", "ornaments", "speckle", "samples", "shaded"),
        ]
    )
}


def _open_context() -> Any:
    """An OpenGL 4.0 (or later) context without a window."""
    try:
        import moderngl
    except ModuleNotFoundError as error:
        raise MissingExtraError("rendering synthetic hands needs moderngl: pip install 'knuckle[train]'") from error
    try:
        options: Any = {"backend": "egl"}  # the library's types say a dictionary; its code wants the name
        return moderngl.create_context(standalone=True, require=400, **options)
    except Exception as error:  # the library raises bare Exceptions
        raise EngineError(
            f"no OpenGL without a window here ({str(error).strip()}): install EGL, on Debian or Ubuntu with "
            "apt-get install libegl1 libgl1-mesa-dri, or a GPU driver that brings it"
        ) from error


def _shader(*names: str, define: str = "NOTHING") -> str:
    """The named files one after the other, under one version line and one definition."""
    return f"#version 400 core\n#define {define}\n" + "\n".join((FOLDER / f"{name}.glsl").read_text() for name in names)


def _shader_of(material: Material) -> str:
    if material.kind != "skin":
        return "surface"
    return "adorned" if material.hair > 0 or material.tattoo > 0 else "skin"


def _records(mesh: Mesh) -> npt.NDArray[Any]:
    """What the paint needs of one vertex after the other, as PAINTED is laid out."""
    records = np.zeros(len(mesh.vertices), RECORD)
    records["uv"], records["rest"] = mesh.uv, mesh.vertices if mesh.rest is None else mesh.rest
    for k, name in enumerate(MASK_ORDER):
        if name in mesh.masks:
            records["masks"][:, k] = np.clip(mesh.masks[name] * 255 + 0.5, 0, 255)
    return records


def _check(things: Sequence[SceneObject], camera: Camera, background: Floats | None) -> None:
    if camera.width < 1 or camera.height < 1 or not (camera.fx > 0 and camera.fy > 0):
        raise InputError(f"a camera needs a size and focal lengths above 0, got {camera}")
    if background is not None and background.shape != (camera.height, camera.width, 3):
        raise InputError(f"the background must be {(camera.height, camera.width, 3)}, got {background.shape}")
    for thing in things:
        if not 1 <= thing.id <= 255:
            raise InputError(f"a thing's id must be 1 to 255, got {thing.id}")
        if not np.isfinite(thing.mesh.vertices).all():
            raise InputError(f"thing {thing.id} has vertices that are not finite numbers")


class Renderer:
    """One OpenGL context with its shaders and textures; keep one per process, and use it from one thread.

    `threads`: how many threads Mesa's llvmpipe may use, where no renderer was made in this process before
    (0: only the calling one); drivers of GPUs ignore it.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None:
            os.environ["LP_NUM_THREADS"] = str(threads)
        self._gl = _open_context()
        self.name = f"{self._gl.info['GL_RENDERER']}, OpenGL {self._gl.info['GL_VERSION']}"
        self._gl.front_face = "cw"  # rows run downwards
        quad = _shader("quad")
        self._programs = {
            name: self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
            for name, vertex, fragment in (
                ("surfels", _shader("project", "vertex"), _shader("surfels")),
                ("edges", _shader("project", "edges"), _shader("nothing")),
                ("which", quad, _shader("which")),
                ("occlusion", quad, _shader("occlusion")),
                ("shadow", _shader("shadow"), _shader("nothing")),
                ("skin", quad, _shader("lighting", "skin")),
                ("adorned", quad, _shader("lighting", "skin", define="ORNAMENTS")),
                ("surface", quad, _shader("lighting", "surface")),
                ("resolve", quad, _shader("resolve")),
            )
        }
        self._members = {name: {key: program[key] for key in program} for name, program in self._programs.items()}
        self._quads = {
            name: self._gl.vertex_array(self._programs[name], [])
            for name in ("which", "occlusion", "resolve", *SHADERS)
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
        self._paint = self._load_paint()
        for name in (*self._quads, "surfels"):
            self._set(name, UNITS)

    def _load_paint(self) -> dict[str, Any]:
        textures = {}
        for name, pixels in skin_textures.paint().items():
            textures[name] = self._gl.texture(pixels.shape[1::-1], 4, np.ascontiguousarray(pixels).tobytes())
            textures[name].build_mipmaps()
            textures[name].filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
            textures[name].repeat_x = textures[name].repeat_y = False
        noise = materials.speckle()
        textures["speckle"] = self._gl.texture3d(noise.shape[:3], 4, noise.tobytes())
        return textures

    def _set(self, program: str, values: Mapping[str, Any]) -> None:
        """Set the uniforms that the program has; the compiler drops those that it does not use."""
        members = self._members[program]
        for name, value in values.items():
            if name in members:
                if isinstance(value, np.ndarray):
                    members[name].write(np.ascontiguousarray(value, np.float32).tobytes())
                else:
                    members[name].value = value

    def draw(
        self,
        things: Sequence[SceneObject],
        camera: Camera,
        surroundings: Surroundings,
        background: Floats | None = None,
    ) -> Picture:
        """Draw things over a background, (h, w, 3) float32 linear light (black where None).

        Raises `InputError` for a background of another size, vertices that are not finite and bad ids.
        """
        _check(things, camera, background)
        size = (camera.width, camera.height)
        rgb = np.zeros((*size[::-1], 3), np.float32) if background is None else background.astype(np.float32)
        depth, cover = np.full(size[::-1], np.inf, np.float32), np.zeros(size[::-1], np.float32)
        ids = np.zeros(size[::-1], np.uint8)
        things = [thing for thing in things if len(thing.mesh.faces) and (thing.mesh.vertices[:, 2] > 0.01).any()]
        shown = [in_view(thing.mesh, camera) for thing in things]
        things = [thing for thing, seen in zip(things, shown, strict=True) if len(seen.faces)]
        shown = [seen for seen in shown if len(seen.faces)]
        x0, y0, x1, y1 = box = around([seen.box for seen in shown])
        if x0 == x1:
            return Picture(rgb, depth, ids, cover)
        if size not in self._targets:
            if len(self._targets) > 8:
                self._targets.pop(next(iter(self._targets))).release()
            self._targets[size] = Targets(self._gl, size)
        targets = self._targets[size]
        loaded = [self._load(thing, seen) for thing, seen in zip(things, shown, strict=True)]
        try:
            seen = self._gather(loaded, camera, targets, box)
            self._light(loaded, surroundings)
        finally:
            for buffers in loaded:
                buffers.release()
            while len(self._shared) > KEPT:
                self._shared.pop(next(iter(self._shared)))[1].release()
        self._shade(loaded, targets, box)
        colour = _read(targets.resolved, box, 4)
        inside = (slice(y0, y1), slice(x0, x1))
        cover[inside] = colour[..., 3]
        rgb[inside] = colour[..., :3] + rgb[inside] * (1 - colour[..., 3:])
        ids[inside] = np.array([0] + [thing.id for thing in things], np.uint8)[seen[..., 1].astype(np.intp)]
        np.copyto(depth[inside], seen[..., 0], where=ids[inside] > 0)
        return Picture(rgb, depth, ids, cover)

    def _load(self, thing: SceneObject, seen: InView) -> Loaded:
        mesh = thing.mesh
        placed = np.concatenate([mesh.vertices, mesh.normals], 1, dtype=np.float32)
        own = [self._gl.buffer(placed.tobytes())]
        keep = mesh.rest is not None
        if keep:
            painted = self._keep((mesh.uv, mesh.rest, mesh.masks), lambda: _records(mesh).tobytes())
        else:
            own.append(painted := self._gl.buffer(_records(mesh).tobytes()))
        if keep and seen.faces is mesh.faces:
            index = self._keep((mesh.faces,), lambda: np.ascontiguousarray(mesh.faces, np.int32).tobytes())
        else:
            own.append(index := self._gl.buffer(np.ascontiguousarray(seen.faces, np.int32).tobytes()))
        return Loaded(thing, seen, own[0], painted, index, tuple(own))

    def _keep(self, shared: tuple[Any, ...], content: Callable[[], bytes]) -> Any:
        """The buffer of what a mesh shares with others, all of them objects that stay as they are."""
        key = tuple(id(item) for item in shared)
        if key in self._shared:
            self._shared[key] = self._shared.pop(key)  # the last that would go
        else:
            self._shared[key] = shared, self._gl.buffer(content())
        return self._shared[key][1]

    def _run(self, program: str, loaded: Loaded) -> None:
        content: list[tuple[Any, ...]] = [(loaded.placed, "3f 12x", "vertex")]
        if program == "surfels":
            content = [(loaded.placed, "3f 3f", *PLACED), (loaded.painted, "2f 3f 4f1", *PAINTED)]
        array = self._gl.vertex_array(self._programs[program], content, loaded.index)
        array.render()
        array.release()

    def _gather(self, loaded: Sequence[Loaded], camera: Camera, targets: Targets, box: Box) -> Floats:
        """Fill the surfels and the samples' depth; return depth and number (from 1, 0 where empty) of the thing at
        the pixels' centres, (h, w, 2), for the box alone."""
        depths = np.array([(z.min(), z.max()) for z in (item.thing.mesh.vertices[:, 2] for item in loaded)])
        near, far = max(0.02, float(depths.min()) * 0.98), max(0.04, float(depths.max()) * 1.02)
        values = {"pinhole": clip_pinhole(camera, 0.5), "depths": (near, far)}
        self._set("surfels", values)
        self._set("resolve", values)
        self._set("edges", values | {"pinhole": clip_pinhole(camera, 0.25)})
        self._draw_all(loaded, targets.surfels, "surfels")
        self._draw_all(loaded, targets.edges, "edges")
        backwards = (1 / camera.fx, 1 / camera.fy, camera.cx, camera.cy)
        for name in ("occlusion", *SHADERS):
            self._set(name, {"backwards": backwards, "radius": 0.03})
        for unit, picture in enumerate(targets.pictures):
            picture.use(unit)
        self._gl.enable_only(self._gl.NOTHING)
        targets.open.use()
        targets.open.scissor = None
        targets.open.clear(1.0)
        targets.open.scissor = _scissor((box[0] // 2, box[1] // 2, (box[2] + 1) // 2, (box[3] + 1) // 2))
        self._quads["occlusion"].render(vertices=3)
        targets.open_picture.use(UNITS["openness"])
        return _read(targets.surfels, box, 2)

    def _draw_all(self, loaded: Sequence[Loaded], target: Any, program: str) -> None:
        """Draw all things with depth test; the back faces of skin, which is closed, are left out."""
        self._gl.enable_only(self._gl.DEPTH_TEST)
        target.use()
        target.clear(depth=1.0)
        for number, item in enumerate(loaded, 1):
            self._set(program, {"id": float(number), "shift": materials.shift_of(item.thing.material)[0]})
            if item.thing.material.kind == "skin":
                self._gl.enable(self._gl.CULL_FACE)
            self._run(program, item)
            self._gl.disable(self._gl.CULL_FACE)

    def _light(self, loaded: Sequence[Loaded], surroundings: Surroundings) -> None:
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
        for name, texture in self._paint.items():
            texture.use(UNITS[name])

    def _draw_shadow(self, loaded: Sequence[Loaded], key: Light) -> dict[str, Any]:
        points = np.concatenate([item.seen.points for item in loaded])
        low, high = points.min(0), points.max(0)
        middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 * 1.06 + 0.005
        texel = 2 * radius / SHADOW_SIDE
        matrix = shadow_matrix(np.asarray(key.towards), middle, radius)
        column_major = np.ascontiguousarray(matrix.T)
        self._shadow.use()
        self._shadow.clear(depth=1.0)
        self._set("shadow", {"light_from_camera": column_major})
        self._gl.front_face = "ccw"  # unlike the picture's, these rows run upwards
        for item in loaded:
            closed = item.thing.material.kind == "skin"
            self._gl.enable_only(self._gl.DEPTH_TEST | self._gl.CULL_FACE if closed else self._gl.DEPTH_TEST)
            self._run("shadow", item)
        self._gl.front_face = "cw"
        raw = np.frombuffer(self._shadow.read(attachment=-1, components=1, dtype="f4"), np.float32)
        depth = raw.reshape(SHADOW_SIDE, SHADOW_SIDE)
        # A wide light's edges are soft: half its width seen from 15 mm behind.
        blur = min(12.0, max(1.0, 0.015 * key.angle_rad / texel)) * SOFT_SIDE / SHADOW_SIDE
        moments = cv2.resize(cv2.merge([depth, depth * depth]), (SOFT_SIDE, SOFT_SIDE), interpolation=cv2.INTER_AREA)
        moments = cv2.GaussianBlur(moments, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        self._shadow_moments.write(moments.tobytes())
        self._shadow_moments.use(UNITS["shadow_depth"])
        return {"light_from_camera": column_major, "shadow_scale": (2 * radius, 1.5 * texel + 0.0005)}

    def _shade(self, loaded: Sequence[Loaded], targets: Targets, box: Box) -> None:
        """Linear light of what is at the pixels' centres, then the same with smooth edges, times coverage."""
        targets.shaded.use()
        targets.shaded.scissor = _scissor(box)
        self._gl.enable_only(self._gl.DEPTH_TEST)
        self._gl.depth_func = "1"
        self._quads["which"].render(vertices=3)
        self._gl.depth_func = "=="
        for number, item in enumerate(loaded, 1):
            program = _shader_of(item.thing.material)
            self._set(program, materials.uniforms(item.thing.material) | {"number": float(number)})
            targets.shaded.scissor = _scissor(item.seen.box)
            self._quads[program].render(vertices=3)
        self._gl.depth_func = "<"
        self._gl.enable_only(self._gl.NOTHING)
        targets.samples.use(UNITS["samples"])
        targets.light.use(UNITS["shaded"])
        targets.resolved.use()
        targets.resolved.scissor = _scissor(box)
        self._quads["resolve"].render(vertices=3)


def _scissor(box: Box) -> tuple[int, int, int, int]:
    return box[0], box[1], box[2] - box[0], box[3] - box[1]


def _read(target: Any, box: Box, components: int) -> Floats:
    """(h, w, components) of a framebuffer's rectangle."""
    rectangle = _scissor(box)
    pixels = target.read(viewport=rectangle, components=components, dtype="f4")
    return np.frombuffer(pixels, np.float32).reshape(rectangle[3], rectangle[2], components)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A thing on the graphics card: buffers of what changes with its pose, of what the paint needs, and of its
    triangles; `own` are to be given back."""

    thing: SceneObject
    seen: InView
    placed: Any
    painted: Any
    index: Any
    own: tuple[Any, ...]

    def release(self) -> None:
        for buffer in self.own:
            buffer.release()


class Targets:
    """The framebuffers of one picture size."""

    def __init__(self, gl: Any, size: tuple[int, int]) -> None:
        finer, half = (size[0] * 2, size[1] * 2), ((size[0] + 1) // 2, (size[1] + 1) // 2)
        self.pictures = [gl.texture(size, 4, dtype=kind) for kind in ("f4", "f2", "f2", "f1")]
        self.surfels = gl.framebuffer(self.pictures, gl.depth_renderbuffer(size))
        self.samples = gl.depth_texture(finer)
        self.samples.compare_func = ""
        self.edges = gl.framebuffer(depth_attachment=self.samples)
        self.open_picture = gl.texture(half, 1, dtype="f1")
        self.open = gl.framebuffer([self.open_picture])
        self.light = gl.texture(size, 4, dtype="f4")
        self.shaded = gl.framebuffer([self.light], gl.depth_renderbuffer(size))
        self.resolved = gl.framebuffer([gl.texture(size, 4, dtype="f4")])
        self.open_picture.repeat_x = self.open_picture.repeat_y = False
        for picture in (*self.pictures, self.samples, self.light):
            picture.filter = (gl.NEAREST, gl.NEAREST)

    def release(self) -> None:
        """Give the memory back."""
        targets = (self.surfels, self.edges, self.open, self.shaded, self.resolved)
        for target in (*targets, *self.pictures, self.samples, self.light, self.open_picture):
            target.release()
