"""The renderer: things, camera and surroundings become colour, depth and ids, by OpenGL without a window.

Five passes: what is seen at every pixel's centre (the truth of the labels, and all that shading needs); depth at
2 x 2 samples per pixel, of which sample (2x, 2y) is the centre of pixel (x, y); ambient occlusion at half size;
the first key light's shadow map; and the shading of each thing's pixels. Shading waits until it is known what is
seen, because llvmpipe shades blocks of 4 x 4 pixels per triangle, and hands have small triangles. At last the
samples between take the light of the pixel they belong to, and the background lies behind by coverage. Mesa's
llvmpipe runs it on a CPU, a driver's EGL on a GPU. The same scene gives the same pixels on the same renderer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from knuckle.errors import EngineError, InputError, MissingExtraError
from knuckle.train.synth import light, paint, skin
from knuckle.train.synth.mesh import Camera, Floats, Light, Material, Mesh, Picture, Surroundings, Thing

SHADOW_SIDE = 256
EMPTY = np.float32(1e6)
FOLDER = Path(__file__).parent
ATTRIBUTES = ("vertex", "normal", "uv", "rest", "masks")
LAYOUT = "3f 3f 2f 3f 4f1"
RECORD = np.dtype([("vertex", "3f4"), ("normal", "3f4"), ("uv", "2f4"), ("rest", "3f4"), ("masks", "4u1")])
MASK_ORDER = ("eye", "palm_side", "lip", "hair")  # of hands' nails, the paint knows more
SHADERS = ("skin", "adorned", "surface")
UNITS = {
    name: unit
    for unit, name in enumerate(
        [
            *("seen", "normals", "rests", "masks", "openness", "mirrored"),
            *("shadow_depth", "folds", "marks", "ornaments", "speckle"),
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
    """One vertex after the other, as ATTRIBUTES are laid out."""
    records = np.zeros(len(mesh.vertices), RECORD)
    records["vertex"], records["normal"], records["uv"] = mesh.vertices, mesh.normals, mesh.uv
    records["rest"] = mesh.vertices if mesh.rest is None else mesh.rest
    for k, name in enumerate(MASK_ORDER):
        if name in mesh.masks:
            records["masks"][:, k] = np.clip(mesh.masks[name] * 255 + 0.5, 0, 255)
    return records


def _check(things: Sequence[Thing], camera: Camera, background: Floats | None) -> None:
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
        self.name: str = self._gl.info["GL_RENDERER"]
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
            )
        }
        self._quads = {
            name: self._gl.vertex_array(self._programs[name], []) for name in ("which", "occlusion", *SHADERS)
        }
        self._targets: dict[tuple[int, int], Targets] = {}
        side = (SHADOW_SIDE, SHADOW_SIDE)
        self._shadow = self._gl.framebuffer(depth_attachment=self._gl.depth_texture(side))
        self._shadow_moments = self._gl.texture(side, 2, dtype="f4")
        self._shadow_moments.repeat_x = self._shadow_moments.repeat_y = False
        self._mirror = self._gl.texture((light.MIRROR_SIDE,) * 2, 3, dtype="f4")
        self._mirror.build_mipmaps(max_level=light.MIRROR_LEVELS - 1)
        self._mirror.filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
        self._paint = self._load_paint()
        for name in (*self._quads, "surfels"):
            self._set(name, UNITS)

    def _load_paint(self) -> dict[str, Any]:
        textures = {}
        for name, pixels in paint.paint().items():
            textures[name] = self._gl.texture(pixels.shape[1::-1], 4, np.ascontiguousarray(pixels).tobytes())
            textures[name].build_mipmaps()
            textures[name].filter = (self._gl.LINEAR_MIPMAP_NEAREST, self._gl.LINEAR)
            textures[name].repeat_x = textures[name].repeat_y = False
        noise = skin.speckle()
        textures["speckle"] = self._gl.texture3d(noise.shape[:3], 4, noise.tobytes())
        return textures

    def _set(self, program: str, values: Mapping[str, Any]) -> None:
        """Set the uniforms that the program has; the compiler drops those that it does not use."""
        members = self._programs[program]
        for name, value in values.items():
            if name in members:
                if isinstance(value, np.ndarray):
                    members[name].write(np.ascontiguousarray(value, np.float32).tobytes())
                else:
                    members[name].value = value

    def draw(
        self, things: Sequence[Thing], camera: Camera, surroundings: Surroundings, background: Floats | None = None
    ) -> Picture:
        """Draw things over a background, (h, w, 3) float32 linear light (black where None).

        Raises `InputError` for a background of another size, vertices that are not finite and bad ids.
        """
        _check(things, camera, background)
        things = [thing for thing in things if len(thing.mesh.faces) and (thing.mesh.vertices[:, 2] > 0.01).any()]
        size = (camera.width, camera.height)
        if not things:
            empty = np.zeros(size[::-1], np.float32)
            rgb = np.zeros((*size[::-1], 3), np.float32) if background is None else background.astype(np.float32)
            return Picture(rgb, np.full_like(empty, np.inf), empty.astype(np.uint8), empty)
        if size not in self._targets:
            if len(self._targets) > 8:
                self._targets.pop(next(iter(self._targets))).release()
            self._targets[size] = Targets(self._gl, size)
        targets = self._targets[size]
        loaded = [self._load(thing) for thing in things]
        try:
            seen, samples = self._gather(loaded, things, camera, targets)
            self._light(loaded, things, surroundings)
        finally:
            for buffer in (buffer for buffers in loaded for buffer in buffers):
                buffer.release()
        colour = smooth_edges(samples, self._shade(things, targets))
        cover = colour[..., 3]
        rgb = colour[..., :3]
        if background is not None:
            rgb = rgb + background * (1 - cover[..., None])
        numbers = np.array([0] + [thing.id for thing in things], np.uint8)
        ids = numbers[seen[..., 1].astype(np.intp)]
        return Picture(rgb, np.where(ids > 0, seen[..., 0], np.float32(np.inf)), ids, cover)

    def _load(self, thing: Thing) -> tuple[Any, Any]:
        return self._gl.buffer(_records(thing.mesh).tobytes()), self._gl.buffer(
            np.ascontiguousarray(thing.mesh.faces, np.int32).tobytes()
        )

    def _run(self, program: str, buffers: tuple[Any, Any]) -> None:
        content = [(buffers[0], LAYOUT, *ATTRIBUTES)]
        array = self._gl.vertex_array(self._programs[program], content, buffers[1], skip_errors=True)
        array.render()
        array.release()

    def _gather(
        self, loaded: list[Any], things: Sequence[Thing], camera: Camera, targets: Targets
    ) -> tuple[Floats, Floats]:
        """Fill the surfels; return (h, w, 2) depth and number (from 1, 0 where empty) of the thing at the pixels'
        centres, and the (2h, 2w) depth of the samples (`EMPTY` where empty)."""
        depths = np.concatenate([thing.mesh.vertices[:, 2] for thing in things])
        near, far = max(0.02, float(depths.min()) * 0.98), max(0.04, float(depths.max()) * 1.02)
        w, h = camera.width, camera.height
        values = {"pinhole": clip_pinhole(camera, 0.5), "depths": (near, far)}
        self._set("surfels", values)
        self._set("edges", values | {"pinhole": clip_pinhole(camera, 0.25)})
        self._draw_all(loaded, things, targets.surfels, "surfels")
        self._draw_all(loaded, things, targets.edges, "edges")
        backwards = (1 / camera.fx, 1 / camera.fy, camera.cx, camera.cy)
        for name in ("occlusion", *SHADERS):
            self._set(name, {"backwards": backwards, "radius": 0.03})
        for unit, picture in enumerate(targets.pictures):
            picture.use(unit)
        self._gl.enable_only(self._gl.NOTHING)
        targets.open.use()
        self._quads["occlusion"].render(vertices=3)
        targets.open_picture.use(UNITS["openness"])
        seen = np.frombuffer(targets.surfels.read(components=2, dtype="f4"), np.float32).reshape(h, w, 2)
        raw = np.frombuffer(targets.edges.read(attachment=-1, components=1, dtype="f4"), np.float32)
        samples = np.where(raw < 1, far * near / (far - raw * (far - near)), EMPTY).reshape(2 * h, 2 * w)
        return seen, samples

    def _draw_all(self, loaded: list[Any], things: Sequence[Thing], target: Any, program: str) -> None:
        """Draw all things with depth test; the back faces of skin, which is closed, are left out."""
        self._gl.enable_only(self._gl.DEPTH_TEST)
        target.use()
        target.clear(depth=1.0)
        for number, (thing, buffers) in enumerate(zip(things, loaded, strict=True), 1):
            self._set(program, {"id": float(number), "shift": skin.shift_of(thing.material)[0]})
            if thing.material.kind == "skin":
                self._gl.enable(self._gl.CULL_FACE)
            self._run(program, buffers)
            self._gl.disable(self._gl.CULL_FACE)

    def _light(self, loaded: list[Any], things: Sequence[Thing], surroundings: Surroundings) -> None:
        lights = light.turned_lights(surroundings)
        values: dict[str, Any] = {"harmonics": light.harmonics(surroundings), "lights": len(lights)}
        padding = [(0.0, 0.0, 0.0)] * (3 - len(lights))
        values["towards"] = [key.towards for key in lights] + padding
        values["shine"] = [key.colour for key in lights] + padding
        for level, pixels in enumerate(light.mirror_levels(surroundings)):
            self._mirror.write(pixels.tobytes(), level=level)
        if lights:
            values |= self._draw_shadow(loaded, things, lights[0])
        for name in SHADERS:
            self._set(name, values)
        self._mirror.use(UNITS["mirrored"])
        for name, texture in self._paint.items():
            texture.use(UNITS[name])

    def _draw_shadow(self, loaded: list[Any], things: Sequence[Thing], key: Light) -> dict[str, Any]:
        points = np.concatenate([thing.mesh.vertices[:: max(1, len(thing.mesh.vertices) // 512)] for thing in things])
        low, high = points.min(0), points.max(0)
        middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 * 1.06 + 0.005
        texel = 2 * radius / SHADOW_SIDE
        matrix = shadow_matrix(np.asarray(key.towards), middle, radius)
        column_major = np.ascontiguousarray(matrix.T)
        self._gl.enable_only(self._gl.DEPTH_TEST)
        self._shadow.use()
        self._shadow.clear(depth=1.0)
        self._set("shadow", {"light_from_camera": column_major})
        for buffers in loaded:
            self._run("shadow", buffers)
        raw = np.frombuffer(self._shadow.read(attachment=-1, components=1, dtype="f4"), np.float32)
        depth = raw.reshape(SHADOW_SIDE, SHADOW_SIDE)
        # A wide light's edges are soft: half its width seen from 15 mm behind.
        blur = min(12.0, max(1.0, 0.015 * key.angle_rad / texel))
        moments = cv2.GaussianBlur(cv2.merge([depth, depth * depth]), (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
        self._shadow_moments.write(moments.tobytes())
        self._shadow_moments.use(UNITS["shadow_depth"])
        return {"light_from_camera": column_major, "shadow_scale": (2 * radius, 1.5 * texel + 0.0005)}

    def _shade(self, things: Sequence[Thing], targets: Targets) -> Floats:
        """(h, w, 4): linear light of what is at the pixels' centres, and 1 where anything is."""
        targets.shaded.use()
        self._gl.enable_only(self._gl.DEPTH_TEST)
        self._gl.depth_func = "1"
        self._quads["which"].render(vertices=3)
        self._gl.depth_func = "=="
        for number, thing in enumerate(things, 1):
            program = _shader_of(thing.material)
            self._set(program, skin.uniforms(thing.material) | {"number": float(number)})
            self._quads[program].render(vertices=3)
        self._gl.depth_func = "<"
        w, h = targets.shaded.size
        return np.frombuffer(targets.shaded.read(components=4, dtype="f4"), np.float32).reshape(h, w, 4)


def clip_pinhole(camera: Camera, edge: float) -> tuple[float, float, float, float]:
    """The camera for the shaders; the picture's left and upper borders lie at -`edge` pixels."""
    w, h = camera.width, camera.height
    return 2 * camera.fx / w, 2 * camera.fy / h, 2 * (camera.cx + edge) / w - 1, 2 * (camera.cy + edge) / h - 1


def smooth_edges(depth: Floats, shaded: Floats) -> Floats:
    """(h, w, 4) linear light times coverage, and coverage: at steps in depth a tent over 3 x 3 samples.

    Light is known at the pixels' centres, depth at every sample: a sample between centres takes the light of the
    nearest centre in depth (subpixel reconstruction, Chajdas, McGuire and Luebke 2011).
    """
    h, w = shaded.shape[:2]
    around = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(depth, around)[::2, ::2], cv2.dilate(depth, around)[::2, ::2]
    rows, columns = np.nonzero(high - low > 0.01 * low)
    flat, centres = shaded.reshape(-1, 4), np.ascontiguousarray(depth[::2, ::2]).ravel()
    total = np.zeros((len(rows), 4), np.float32)
    for dy, dx in ((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)):
        own = depth[np.clip(2 * rows + dy, 0, 2 * h - 1), np.clip(2 * columns + dx, 0, 2 * w - 1)]
        source, best = rows * w + columns, np.full(len(rows), np.inf, np.float32)
        for sy, sx in {(0, 0), (dy, 0), (0, dx), (dy, dx)}:
            candidate = np.clip(rows + sy, 0, h - 1) * w + np.clip(columns + sx, 0, w - 1)
            distance = np.abs(own - centres[candidate])
            source = np.where(distance < best, candidate, source)
            best = np.minimum(best, distance)
        total += flat[source] * ((own < EMPTY) * np.float32((2 - abs(dy)) * (2 - abs(dx)) / 16))[:, None]
    smooth = shaded.copy()
    smooth[rows, columns] = total
    return np.asarray(smooth, np.float32)


def shadow_matrix(towards: npt.NDArray[np.float64], middle: Floats, radius: float) -> Floats:
    """The (4, 4) orthographic view of a ball of `radius` metres at `middle` from the light, to -1..1."""
    away = -towards / np.linalg.norm(towards)
    side = np.cross(away, (0.0, 1.0, 0.0) if abs(away[1]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([side, np.cross(away, side), away]) / radius
    matrix[:3, 3] = -matrix[:3, :3] @ middle
    return np.asarray(matrix, np.float32)


class Targets:
    """The framebuffers of one picture size."""

    def __init__(self, gl: Any, size: tuple[int, int]) -> None:
        finer, half = (size[0] * 2, size[1] * 2), ((size[0] + 1) // 2, (size[1] + 1) // 2)
        self.pictures = [gl.texture(size, 4, dtype=kind) for kind in ("f4", "f2", "f2", "f1")]
        self.surfels = gl.framebuffer(self.pictures, gl.depth_renderbuffer(size))
        self.edges = gl.framebuffer(depth_attachment=gl.depth_texture(finer))
        self.open_picture = gl.texture(half, 1, dtype="f1")
        self.open = gl.framebuffer([self.open_picture])
        self.shaded = gl.framebuffer([gl.texture(size, 4, dtype="f4")], gl.depth_renderbuffer(size))
        self.open_picture.repeat_x = self.open_picture.repeat_y = False
        for picture in self.pictures:
            picture.filter = (gl.NEAREST, gl.NEAREST)

    def release(self) -> None:
        """Give the memory back."""
        for target in (self.surfels, self.edges, self.open, self.shaded, *self.pictures, self.open_picture):
            target.release()
