"""Whole samples: a random scene, rendered, seen through a random camera, with the exact labels of every hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.datasets.parsing import is_in_image
from knuckle.images import Image
from knuckle.results import ExtraPoints, FloatArray, Roi
from knuckle.synth.appearance import skin_textures
from knuckle.synth.body.further_points import depths
from knuckle.synth.body.missing_fingers import absent_extra, absent_points
from knuckle.synth.body.model import load_body
from knuckle.synth.camera import effects, fisheye, labels
from knuckle.synth.camera.effects import CameraEffects
from knuckle.synth.render import lighting
from knuckle.synth.render.mesh import place
from knuckle.synth.render.primitives import Camera, Floats, Material, Picture, SceneObject, Surroundings
from knuckle.synth.render.renderer import Renderer
from knuckle.synth.scene import background, crops, object_meshes, random_scenes
from knuckle.synth.scene.crops import CropRegion
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.stage import Stage

Points = TypeVar("Points", LabelledHand, ExtraPoints)
FRAMES = ((640, 480), (1280, 720), (720, 1280), (1920, 1080), (480, 640), (960, 960))  # frames that crops are cut from
FRAME_SHARES = (0.35, 0.3, 0.12, 0.1, 0.05, 0.08)


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture with its labels.

    Attributes:
        image: (h, w, 3) RGB uint8.
        hands: those with a landmark in the picture. The hand that a crop shows comes first.
        camera: see `labels.camera_to_dict`.
        scene: metadata about light, camera effects and crop.
        mask: (h, w) uint8, the id of the hand whose own surface is nearest, else 0.
        depth: (h, w) float32 metres along z, inf where there is no object.
    """

    image: Image
    hands: tuple[LabelledHand, ...]
    camera: Mapping[str, Any]
    scene: Mapping[str, Any]
    mask: npt.NDArray[np.uint8]
    depth: Floats


@lru_cache(maxsize=1)
def renderer() -> Renderer:
    """This process's renderer: OpenGL has one current context, so there is only one.

    Mesa finishes setting up textures when they are first sampled, so a renderer's first picture differs from all
    later ones. It is drawn here and thrown away.
    """
    made = Renderer(skin_textures.draw_textures())
    (_, shape), *_ = object_meshes.make("ball", (0.2,))
    ball = SceneObject(place(shape, np.eye(3), (0, 0, 1)), Material("skin", (0.5, 0.5, 0.5)), 1)
    surroundings = lighting.random_surroundings(np.random.default_rng(0))
    made.draw([ball], Camera(16, 16, 32, 32, 7.5, 7.5), surroundings)
    return made


class Studio:
    """Makes samples. It holds the body model, the renderer and the background photos of one process.

    The same random generator state gives the same sample.

    Args:
        side: of the square pictures, pixels.
        backgrounds: folder of photos to draw behind the hands.
        margin: how many times the tracker's region a crop shows, so that training can cut its own crops.
        poses: hands are empty and in these poses; the same as `mix.poses`.
        mix: what the images show, and how often.
    """

    def __init__(
        self,
        side: int,
        backgrounds: str | None = None,
        margin: float = 1.0,
        poses: Sequence[str] = (),
        mix: SceneMix | None = None,
    ) -> None:
        self.side, self.margin = side, margin
        mix = mix or SceneMix()
        self.mix = replace(mix, poses=tuple(poses)) if poses else mix
        self.body = load_body()
        self.renderer = renderer()
        self.photos = background.Photos(backgrounds) if backgrounds else None

    def hand_crop(self, rng: np.random.Generator) -> Sample:
        """A crop of one hand as a tracker cuts it; see `random_scenes.crop_scene` for what can be in it."""
        frame = random_frame(rng)
        stage, target = random_scenes.crop_scene(self.body, frame, rng, self.mix)
        crop = random_scenes.random_crop(stage, target, frame, rng)
        return self.shoot_crop(stage, frame, crop, target, rng)

    def scene(self, rng: np.random.Generator) -> Sample:
        """A whole square picture with people, arms or neither."""
        frame = random_camera(self.side, self.side, rng)
        return self.shoot(random_scenes.whole_scene(self.body, frame, rng, self.mix), frame, rng)

    def shoot_crop(
        self, stage: Stage, frame: Camera, crop: CropRegion, target: int, rng: np.random.Generator
    ) -> Sample:
        """A picture of the crop of a stage, `side` pixels square; the hand with the index `target` comes first."""
        roi = replace(crop.roi, size=crop.roi.size * self.margin)
        camera, roll = crops.camera_of(frame, roi, self.side)
        sample = self._photograph(stage.turned(roll), camera, rng, (frame, roi), target)
        crop_metadata = {
            "kind": crop.kind,
            "margin": self.margin,
            "shift": round(crop.shift, 3),
            "scale": round(crop.scale, 3),
            "turn_rad": round(crop.turn_rad, 3),
        }
        return replace(sample, scene={**sample.scene, "crop": crop_metadata})

    def shoot(self, stage: Stage, camera: Camera, rng: np.random.Generator) -> Sample:
        """A picture of a whole stage."""
        return self._photograph(stage, camera, rng)

    def _photograph(
        self,
        stage: Stage,
        camera: Camera,
        rng: np.random.Generator,
        cut_from: tuple[Camera, Roi] | None = None,
        first: int = 0,
    ) -> Sample:
        """Render a stage, apply the effects of a random camera, and label the hands.

        `cut_from` is the frame and the region whose crop `camera` shows.
        """
        picture, scenery = self.render(stage, camera, rng)
        chosen = effects_for(stage, min(camera.width, camera.height), rng)
        # Sometimes the hands move and the room does not.
        motion_px = rng.gamma(1.5, 0.02) * camera.width if rng.random() < 0.12 else 0.0
        if motion_px:
            blurred = effects.blur_moving(picture, scenery, motion_px, rng.uniform(0, math.pi))
            picture = replace(picture, rgb=blurred)
        if cut_from:
            picture = crops.repeat_edges(picture, *cut_from, camera.width)
        image = effects.apply_effects(picture.rgb, chosen, rng, illuminant=illuminant_of(stage.surroundings))
        hand_ids = [hand.id for hand in stage.hands]
        return Sample(
            image=image,
            hands=labels_of(stage, camera, picture, first, cut_from),
            camera=labels.camera_to_dict(camera, stage.rotation, stage.position),
            # "film" is the key of the camera effects in the file format.
            scene={"light": stage.surroundings.name, **stage.metadata, "film": effects_to_dict(chosen, motion_px)},
            mask=np.where(np.isin(picture.ids, hand_ids), picture.ids, 0).astype(np.uint8),
            depth=picture.depth,
        )

    def draw(
        self, objects: Sequence[SceneObject], camera: Camera, surroundings: Surroundings, scenery: Floats
    ) -> Picture:
        """The renderer's picture. Where a shader overflowed (triangles seen edge-on), the background shows."""
        picture = self.renderer.draw(objects, camera, surroundings, scenery)
        overflowed = ~np.isfinite(picture.rgb).all(-1, keepdims=True)
        return replace(picture, rgb=np.where(overflowed, scenery, picture.rgb)) if overflowed.any() else picture

    def render(self, stage: Stage, camera: Camera, rng: np.random.Generator) -> tuple[Picture, Floats]:
        """The light of a stage and of its background alone, as the camera sees them before any effects."""
        pinhole = fisheye.covering_pinhole(camera)
        scenery = background.random_background(rng, pinhole, stage.surroundings, self.photos)
        shown = [item for hand in stage.hands for item in hand.objects] + list(stage.objects)
        picture = self.draw(shown, pinhole, stage.surroundings, scenery)
        if not camera.distortion:
            return picture, scenery
        bent_scenery = fisheye.to_fisheye(replace(picture, rgb=scenery), camera).rgb
        return fisheye.to_fisheye(picture, camera), bent_scenery


def labels_of(
    stage: Stage, camera: Camera, picture: Picture, first: int = 0, cut_from: tuple[Camera, Roi] | None = None
) -> tuple[LabelledHand, ...]:
    """Labels of the hands that have at least one landmark in the picture; the hand with the index `first` comes first.

    With `cut_from` (frame, region), landmarks outside the frame count as outside the picture.
    """
    labelled = []
    order = sorted(range(len(stage.hands)), key=lambda k: k != first)
    for hand in (stage.hands[k] for k in order):
        metadata = dict(hand.metadata)
        found = labels.label_hand(hand.points, hand.handedness, camera, picture, hand.id, hand.track_id, metadata)
        if hand.point_set.extra:
            deep = depths(hand.point_set)
            extra = labels.label_extra(hand.extra, deep, found, camera, picture, hand.point_set)
            found = replace(found, extra=_in_frame(extra, cut_from, camera.width))
        found = _in_frame(found, cut_from, camera.width)
        if hand.missing:
            gone = absent_extra(hand.point_set, hand.missing)
            found = labels.without_points(found, absent_points(hand.missing), gone)
        if is_in_image(found):
            labelled.append(found)
    return tuple(labelled)


def _in_frame(found: Points, cut_from: tuple[Camera, Roi] | None, side: int) -> Points:
    """The same labels, with points outside the frame that a crop is cut from as outside the picture."""
    assert found.landmarks is not None and found.visibility is not None  # the renderer labels both
    if cut_from is None:
        return found
    beyond = crops.beyond_frame(found.landmarks[:, :2], *cut_from, side)
    return replace(found, visibility=np.where(beyond, Visibility.OUTSIDE, found.visibility).astype(np.uint8))


def illuminant_of(surroundings: Surroundings) -> FloatArray:
    """(3,) average colour of the light: the panorama and the key lights."""
    lamps = np.array([key.colour for key in surroundings.lights]).reshape(-1, 3)
    colour: FloatArray = surroundings.panorama.mean((0, 1)) + lamps.sum(0) / 4
    return colour


def random_frame(rng: np.random.Generator) -> Camera:
    """A camera with a common frame size, for crops."""
    width, height = FRAMES[rng.choice(len(FRAMES), p=FRAME_SHARES)]
    return random_camera(width, height, rng)


def random_camera(width: int, height: int, rng: np.random.Generator) -> Camera:
    """A camera with a view of 20 to 90 degrees; one in twelve is a fisheye."""
    view = math.radians(float(np.clip(rng.normal(58, 16), 20, 90)))
    longer = max(width, height)
    is_fisheye = rng.random() < 0.08
    focal = longer / view if is_fisheye else longer / 2 / math.tan(view / 2)
    distortion = (float(rng.uniform(-0.04, 0.06)), 0.0, 0.0, 0.0) if is_fisheye else ()
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, distortion)


def effects_for(stage: Stage, side: int, rng: np.random.Generator) -> CameraEffects:
    """Camera effects that fit the light: dark scenes have more noise and blur."""
    return effects.random_effects(rng, side, stage.surroundings.darkness)


def effects_to_dict(chosen: CameraEffects, motion_px: float) -> dict[str, Any]:
    """What a sample's JSON says about the camera effects; `motion_px` is the motion blur of the objects alone."""
    return {
        "stops": round(chosen.stops, 2),
        "defocus_px": round(chosen.defocus_px, 2),
        "motion_px": round(chosen.motion_px + motion_px, 2),
        "noise": round(chosen.shot, 5),
        "resolution": round(chosen.resolution, 2),
        "jpeg": chosen.jpeg,
    }
