"""Whole samples: who, pose, clothes, camera, light, background, film, and the truth about every hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.images import Image
from knuckle.results import FloatArray, Roi
from knuckle.synth.body.model import load_body
from knuckle.synth.camera import film, labels
from knuckle.synth.render import lighting
from knuckle.synth.render.mesh import Camera, Floats, Material, Picture, Surroundings, Thing, place
from knuckle.synth.render.renderer import Renderer
from knuckle.synth.scene import arrangement, background, crops, objects
from knuckle.synth.scene.stage import Stage

FRAMES = ((640, 480), (1280, 720), (720, 1280), (1920, 1080), (480, 640), (960, 960))  # what crops are cut from
FRAME_SHARES = (0.35, 0.3, 0.12, 0.1, 0.05, 0.08)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture and all that is true of it.

    Attributes:
        image: RGB uint8. mask: (h, w) uint8, the hand's id where a hand's own surface is nearest, else 0.
        depth: (h, w) float32 metres along z, inf where nothing is.
        hands: those with a landmark in the picture, the one that a crop is of first.
        camera: see `labels.camera_to_dict`. scene: words and numbers about light, film, crop.
    """

    image: Image
    hands: tuple[LabelledHand, ...]
    camera: Mapping[str, Any]
    scene: Mapping[str, Any]
    mask: npt.NDArray[np.uint8]
    depth: Floats


@lru_cache(maxsize=1)
def renderer() -> Renderer:
    """This process's renderer: OpenGL has one current context, so there is never a second.

    Mesa settles textures when they are first sampled, so a renderer's first picture differs from all later ones; it
    is drawn here and thrown away.
    """
    made = Renderer()
    (_, shape), *_ = objects.make("ball", (0.2,))
    ball = Thing(place(shape, np.eye(3), (0, 0, 1)), Material("skin", (0.5, 0.5, 0.5)), 1)
    lit = lighting.random_surroundings(np.random.default_rng(0))
    made.draw([ball], Camera(16, 16, 32, 32, 7.5, 7.5), lit)
    return made


class Studio:
    """Body model, renderer and photos of one process; every picture comes from the random source it is given."""

    def __init__(
        self, side: int, backgrounds: str | None = None, margin: float = 1.0, poses: Sequence[str] = ()
    ) -> None:
        self.side, self.margin, self.poses = side, margin, poses
        self.body = load_body()
        self.renderer = renderer()
        self.photos = background.Photos(backgrounds) if backgrounds else None

    def hand_crop(self, rng: np.random.Generator) -> Sample:
        """A crop of one hand as a tracker would cut it; see `casting.hand_stage` for what may be in it.

        The picture shows `margin` times the tracker's region, so that training can cut its own.
        """
        frame = random_frame(rng)
        stage, target = arrangement.hand_stage(self.body, frame, rng, self.poses)
        cut = arrangement.random_cut(stage, target, frame, rng)
        return self.shoot(stage, frame, rng, self.side, self.side, cut=cut, first=target)

    def scene(self, rng: np.random.Generator) -> Sample:
        """A whole square picture with people, arms or neither."""
        frame = square_camera(self.side, rng)
        return self.shoot(arrangement.scene_stage(self.body, frame, rng), frame, rng, self.side, self.side)

    def shoot(
        self,
        stage: Stage,
        frame: Camera,
        rng: np.random.Generator,
        width: int,
        height: int,
        cut: crops.Cut | None = None,
        first: int = 0,
    ) -> Sample:
        """Render a stage, or a crop of it, develop it, and say what is true of it."""
        camera, roi = frame, None
        if cut:
            roi = replace(cut.roi, size=cut.roi.size * self.margin)
            camera, roll = crops.camera_of(frame, roi, width)
            stage = stage.turned(roll)
        taken, scenery = self.render(stage, camera, rng)
        developed = random_light_film(stage, min(width, height), rng)
        motion = rng.gamma(1.5, 0.02) * width if rng.random() < 0.12 else 0.0  # the hand moves, the room does not
        lit = film.moving(taken, scenery, motion, rng.uniform(0, math.pi)) if motion else taken.rgb
        taken = replace(taken, rgb=lit)
        if roi:
            taken = crops.repeat_edges(taken, frame, roi, width)
        image = film.develop(taken.rgb, developed, rng, illuminant=illuminant_of(stage.surroundings))
        hands = truth_of(stage, camera, taken, first, frame, roi)
        return Sample(
            image,
            hands,
            labels.camera_to_dict(camera, stage.rotation, stage.position),
            words_of(stage, developed, cut, self.margin, motion),
            np.where(np.isin(taken.ids, [actor.id for actor in stage.actors]), taken.ids, 0).astype(np.uint8),
            taken.depth,
        )

    def draw(self, shown: Sequence[Thing], camera: Camera, surroundings: Surroundings, scenery: Floats) -> Picture:
        """The renderer's picture; where a triangle seen edge-on overflowed its shader, the background's light."""
        taken = self.renderer.draw(shown, camera, surroundings, scenery)
        overflowed = ~np.isfinite(taken.rgb).all(-1, keepdims=True)
        return replace(taken, rgb=np.where(overflowed, scenery, taken.rgb)) if overflowed.any() else taken

    def render(self, stage: Stage, camera: Camera, rng: np.random.Generator) -> tuple[Picture, Floats]:
        """The stage's light before the film, and that of its background alone, as the (fisheye) camera sees them."""
        straight = film.pinhole(camera)
        scenery = background.random_background(rng, straight, stage.surroundings, self.photos)
        shown = [thing for actor in stage.actors for thing in actor.things] + list(stage.props)
        taken = self.draw(shown, straight, stage.surroundings, scenery)
        if camera.distortion:
            bare = film.bend(replace(taken, rgb=scenery), camera).rgb
            return film.bend(taken, camera), bare
        return taken, scenery


def truth_of(
    stage: Stage, camera: Camera, taken: Picture, first: int, frame: Camera, roi: Roi | None = None
) -> tuple[LabelledHand, ...]:
    """The hands that have at least one landmark in the picture, actor `first` first."""
    order = sorted(range(len(stage.actors)), key=lambda k: k != first)
    found = []
    for actor in (stage.actors[k] for k in order):
        hand = labels.label(actor.points, actor.handedness, camera, taken, actor.id, actor.track_id, dict(actor.about))
        assert hand.landmarks is not None and hand.visibility is not None  # `label` sets both
        if roi is not None:
            beyond = crops.beyond_frame(hand.landmarks[:, :2], frame, roi, camera.width)
            hand.visibility[beyond] = Visibility.OUTSIDE
        if (hand.visibility != Visibility.OUTSIDE).any():
            found.append(hand)
    return tuple(found)


def illuminant_of(surroundings: Surroundings) -> FloatArray:
    """(3,) the colour of the light on the whole: what shines from everywhere and the key lights."""
    lamps = np.array([key.colour for key in surroundings.lights]).reshape(-1, 3)
    colour: FloatArray = surroundings.panorama.mean((0, 1)) + lamps.sum(0) / 4
    return colour


def random_frame(rng: np.random.Generator) -> Camera:
    """A camera as people have them: 20 to 90 degrees of view, one in twelve a fisheye."""
    width, height = FRAMES[rng.choice(len(FRAMES), p=FRAME_SHARES)]
    return _camera(width, height, rng)


def square_camera(side: int, rng: np.random.Generator) -> Camera:
    """The camera of a scene."""
    return _camera(side, side, rng)


def _camera(width: int, height: int, rng: np.random.Generator) -> Camera:
    view = math.radians(float(np.clip(rng.normal(58, 16), 20, 90)))
    longer = max(width, height)
    fisheye = rng.random() < 0.08
    focal = longer / view if fisheye else longer / 2 / math.tan(view / 2)
    distortion = (float(rng.uniform(-0.04, 0.06)), 0.0, 0.0, 0.0) if fisheye else ()
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, distortion)


def random_light_film(stage: Stage, side: int, rng: np.random.Generator) -> film.Film:
    """A film that fits the light: dark scenes are noisier and more blurred."""
    return film.random_film(rng, side, lighting.darkness(stage.surroundings))


def words_of(
    stage: Stage, developed: film.Film, cut: crops.Cut | None, margin: float, motion_px: float
) -> dict[str, Any]:
    """The scene's entry of a sample's JSON."""
    words: dict[str, Any] = {
        "light": stage.surroundings.name,
        **stage.words,
        "film": {
            "stops": round(developed.stops, 2),
            "defocus_px": round(developed.defocus_px, 2),
            "motion_px": round(developed.motion_px + motion_px, 2),
            "noise": round(developed.shot, 5),
            "resolution": round(developed.resolution, 2),
            "jpeg": developed.jpeg,
        },
    }
    if cut:
        words["crop"] = {
            "kind": cut.kind,
            "margin": margin,
            "shift": round(cut.shift, 3),
            "scale": round(cut.scale, 3),
            "turn_rad": round(cut.turn_rad, 3),
        }
    return words
