"""The input and output of the renderer: meshes, materials, lights, cameras, pictures.

All coordinates are in camera space: x right, y down, z away from the camera, in metres. Seen from outside,
triangles run counter-clockwise on screen, so (b - a) x (c - a) points out of the object. Pixel centres are at
integers, as in `knuckle.geometry`: a point lands at x = fx * X / Z + cx, and pixel 0 covers -0.5 to 0.5.
Colours and pictures are linear light; a surface reflects 0 to 1 of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]


def as_colour(values: npt.ArrayLike) -> Colour:
    """Three numbers, clipped to 0 to 1."""
    red, green, blue = np.clip(np.asarray(values, np.float64), 0, 1).tolist()
    return (red, green, blue)


@dataclass(frozen=True)
class Mesh:
    """A surface of triangles, closed or open.

    Attributes:
        vertices: (n, 3) metres.
        normals: (n, 3) unit vectors that point outwards.
        uv: (n, 2) texture coordinates.
        faces: (m, 3) int32 vertex numbers.
        masks: (n,) values from 0 to 1 by name. The skin shader reads "eye", "palm_side", "lip" and "hair"; other masks
            say which region clothes cover (see `mesh.part`).
        rest: (n, 3) metres, where each vertex lies in a fixed pose. Solid patterns such as mottling, creases and wood
            grain are attached to `rest`, so they do not swim when the hand moves. None means `vertices`. The axes are
            free, except that x runs across the palm of a hand.
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: Ints
    masks: Mapping[str, Floats] = field(default_factory=dict)
    rest: Floats | None = None


@dataclass(frozen=True)
class Material:
    """How a surface looks. Skin alone uses the fields below `seed`, except `crease`, which gloves use too.

    Attributes:
        kind: "skin", "cloth", "glove", "plain", "metal", "wood", "glass" or "screen" (emits `colour`).
        pattern: "none", "stripes", "checks", "dots", "noise", "knit", "weave", "grain" or "marks".
        pattern_colour: the second colour of the pattern.
        pattern_size: period of the pattern, metres in rest space.
    """

    kind: str
    colour: Colour
    roughness: float = 0.5
    pattern: str = "none"
    pattern_colour: Colour = (0.5, 0.5, 0.5)
    pattern_size: float = 0.01
    bump: float = 1.0
    seed: int = 0
    tone: int = 5  # Monk scale, 1 (lightest) to 10 (darkest)
    redness: float = 0.5  # of knuckles, palm and finger tips
    mottle: float = 0.5
    veins: float = 0.3
    crease: float = 0.6
    age: float = 0.4  # 0 child, 1 old: wrinkles and spots
    hair: float = 0.0
    hair_colour: Colour = (0.03, 0.02, 0.015)
    nail_colour: Colour | None = None  # nail polish, if any
    tattoo: float = 0.0
    wet: float = 0.0


@dataclass(frozen=True, eq=False)
class SkinTextures:
    """The painted details of skin: (side, side, 4) uint8 textures, row 0 is v = 0.

    They cover one square of the texture coordinates. Beyond `mirror_line`, skin shows them mirrored.

    Attributes:
        folds: slopes of creases (two channels) and of wrinkles (two channels); 0.5 is level.
        marks: cavity, veins, nails, blush.
        overlays: hair, palm, two tattoos.
        region: centre u, v, width and height of the square in texture coordinates.
        mirror_line: the u of the line.
        texel_m: metres of skin per texel.
    """

    folds: Bytes
    marks: Bytes
    overlays: Bytes
    region: tuple[float, float, float, float]
    mirror_line: float
    texel_m: float


@dataclass(frozen=True)
class SceneObject:
    """A mesh with a material. `id` (1 to 255) is its value in the id picture; several objects may share one."""

    mesh: Mesh
    material: Material
    id: int


@dataclass(frozen=True)
class Light:
    """A distant key light.

    Attributes:
        towards: unit vector from the scene to the light.
        colour: linear RGB.
        angle_rad: apparent size of the light; larger lights cast softer shadows.
    """

    towards: Colour
    colour: Colour
    angle_rad: float = 0.05


@dataclass(frozen=True)
class Surroundings:
    """What lights the scene. Directions are in the space of a room, see `camera_from_room`.

    Attributes:
        panorama: (h, 2h, 3) linear radiance without the key lights. Row 0 is up (-y), the middle column is +z,
            columns grow to +x.
        lights: at most three key lights; the strongest casts shadows.
        name: kind of light, for the metadata of a sample.
        darkness: 0 (daylight) to 1 (night). Dark scenes need more camera gain, so they have more noise.
        camera_from_room: (3, 3) rotation from the room to the camera.
    """

    panorama: Floats
    lights: tuple[Light, ...] = ()
    name: str = ""
    darkness: float = 0.0
    camera_from_room: tuple[tuple[float, float, float], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))

    def turned(self, rotation: npt.ArrayLike) -> Surroundings:
        """The same room seen by a camera turned by a (3, 3) rotation (new camera from old camera)."""
        turn = np.asarray(rotation, np.float64) @ np.asarray(self.camera_from_room, np.float64)
        rows = tuple((float(r[0]), float(r[1]), float(r[2])) for r in turn)
        return replace(self, camera_from_room=rows)


@dataclass(frozen=True)
class Camera:
    """A camera of `width` x `height` pixels with focal lengths and principal point in pixels.

    `distortion` holds k1 to k4 of OpenCV's fisheye model; () is a pinhole. The renderer draws pinholes only:
    `camera.fisheye` bends its pictures, and the labels follow the fisheye.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class Picture:
    """What the renderer returns.

    Attributes:
        rgb: (h, w, 3) float32 linear light, objects over the background.
        depth: (h, w) metres along z, inf where there is no object.
        ids: (h, w) uint8 id of the nearest object at the pixel's centre, 0 where there is none.
        cover: (h, w) share of the pixel that objects cover, 0 to 1.
    """

    rgb: Floats
    depth: Floats
    ids: npt.NDArray[np.uint8]
    cover: Floats
