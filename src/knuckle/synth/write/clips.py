"""Clips of moving hands with labels for every frame, to test tracking, jitter, identity and lag.

A frame is the light that arrives while the shutter is open: hands that move fast are drawn several times and averaged.
"""

from __future__ import annotations

import json
import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.datasets.hand_json import hand_to_json
from knuckle.errors import InputError, SinkError
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.results import HAND_POINTS, PointSet
from knuckle.synth.body.missing_fingers import checked
from knuckle.synth.camera import effects, labels
from knuckle.synth.render.primitives import Camera, Floats
from knuckle.synth.scene import background, people, random_scenes
from knuckle.synth.scene.hand_motion import HandPath, random_paths
from knuckle.synth.scene.placement import rotation
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.stage import SceneHand, Stage
from knuckle.synth.scene.studio import Studio, effects_for, illuminant_of, labels_of

SHUTTER_S = 1 / 60  # exposure of a frame
STEP_PX = 2.5  # hands that move further during the exposure are drawn several times
MAX_STEPS = 7
BORDER_PX = 8  # of background beyond each side of the picture, for a shaking camera


@dataclass(frozen=True)
class ClipRecipe:
    """Settings that determine the content of clips, together with the renderer.

    Attributes:
        count: number of clips.
        seconds, rate: length of each clip, and frames per second.
        width, height: pixels, even.
        seed: clip k of a seed always has the same frames before compression, on the same renderer.
        backgrounds: folder of photos to draw behind the hands, or None.
        quality: of the camera, 0 poor to 1 good; None draws one per clip.
        acts: what two hands do, in this order, after they have come in one by one: names of `hand_motion.ACTS` or of
            `hand_poses.NAMED`. None draws hands, acts and poses.
        points: the points that are labelled: the 21, and the extra ones of this set (docs/points.md).
        missing: fingers that the hands do not have.
    """

    count: int = 1
    seconds: float = 6.0
    width: int = 640
    height: int = 480
    rate: int = 30
    seed: int = 0
    backgrounds: str | None = None
    quality: float | None = None
    acts: tuple[str, ...] | None = None
    points: PointSet = HAND_POINTS
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked(self.missing)
        for name, low in {"count": 1, "seconds": 0.1, "width": 32, "height": 32, "rate": 1, "seed": 0}.items():
            if not getattr(self, name) >= low:
                raise InputError(f"{name} must be at least {low}, got {getattr(self, name)!r}")
        if self.width % 2 or self.height % 2:
            raise InputError(f"H.264 needs an even width and height, got {self.width} x {self.height}")

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.rate))


def clip(
    studio: Studio, recipe: ClipRecipe, rng: np.random.Generator, paths: Sequence[HandPath] = ()
) -> Iterator[tuple[Image, dict[str, Any]]]:
    """The frames of one clip: the image, and its line of the .jsonl (frame, time_s, hands, camera).

    Args:
        studio: draws the frames.
        recipe: settings of the clip.
        rng: draws what the recipe leaves open.
        paths: what the hands do; none: what the recipe says.
    """
    focal = recipe.width / 2 / math.tan(math.radians(float(rng.uniform(45, 75))) / 2)
    camera = Camera(recipe.width, recipe.height, focal, focal, (recipe.width - 1) / 2, (recipe.height - 1) / 2)
    room = random_scenes.random_room(rng)
    mix = SceneMix(points=recipe.points, missing=recipe.missing)
    paths = paths or random_paths(studio.body, recipe.seconds, rng, recipe.acts, mix)
    stage = Stage((), (), room.surroundings, room.rotation, metadata={"kind": "clip"})
    chosen = effects.random_effects(rng, min(recipe.width, recipe.height), quality=recipe.quality)
    chosen = replace(chosen, motion_px=0.0, defocus_px=min(chosen.defocus_px, 1.5))
    if recipe.quality is None:
        chosen = replace(effects_for(stage, recipe.height, rng), motion_px=0.0)
    shake_phases = rng.uniform(0, 2 * math.pi, 4)
    shake_px = recipe.width * 0.004 * float(rng.random() < 0.4)
    wide = replace(
        camera,
        width=camera.width + 2 * BORDER_PX,
        height=camera.height + 2 * BORDER_PX,
        cx=camera.cx + BORDER_PX,
        cy=camera.cy + BORDER_PX,
    )
    scenery = background.random_background(rng, wide, room.surroundings, studio.photos)
    gain = None
    for number in range(recipe.frames):
        time_s = number / recipe.rate
        dx = shake_px * math.sin(2 * math.pi * 0.7 * time_s + shake_phases[0])
        dy = shake_px * math.sin(2 * math.pi * 1.3 * time_s + shake_phases[1])
        moved = replace(camera, cx=camera.cx + dx, cy=camera.cy + dy)
        behind = _shifted(scenery, BORDER_PX - dx, BORDER_PX - dy, camera)
        light, hands = _exposed(studio, stage, paths, moved, behind, time_s)
        gain = effects.exposure_gain(light) if gain is None else gain
        image = effects.apply_effects(light, chosen, rng, gain, illuminant_of(room.surroundings))
        camera_entry = labels.camera_to_dict(moved, room.rotation, np.zeros(3))
        yield image, {"frame": number, "time_s": round(time_s, 6), "hands": hands, "camera": camera_entry}


def _exposed(
    studio: Studio, stage: Stage, paths: Sequence[HandPath], camera: Camera, behind: Floats, time_s: float
) -> tuple[Floats, list[dict[str, Any]]]:
    """Light of one frame, and the labels (JSON) in the middle of the exposure."""

    def hands_at(share: float) -> tuple[SceneHand, ...]:
        """The hands at a share of the exposure, -0.5 to 0.5."""
        now = time_s + share * SHUTTER_S
        return tuple(_hand_at(studio, path, number, camera, now) for number, path in enumerate(paths, 1))

    moved_px = 0.0
    for first, last in zip(hands_at(-0.5), hands_at(0.5), strict=True):
        way = np.abs(labels.project(last.points, camera) - labels.project(first.points, camera)).max()
        moved_px = max(moved_px, float(way))
    steps = min(MAX_STEPS, 1 + 2 * math.ceil(max(0.0, moved_px - STEP_PX) / (2 * STEP_PX)))  # odd: one in the middle
    pictures = []
    for k in range(steps):
        hands = hands_at((k + 0.5) / steps - 0.5)
        objects = [item for hand in hands for item in hand.objects]
        pictures.append((hands, studio.draw(objects, camera, stage.surroundings, behind)))
    light = sum(picture.rgb / steps for _, picture in pictures)
    hands, picture = pictures[steps // 2]
    entries = []
    for label in labels_of(replace(stage, hands=hands), camera, picture):
        entry = hand_to_json(label)
        entry["track"] = entry.pop("track_id")
        entries.append(entry)
    return np.asarray(light, np.float32), entries


def _hand_at(studio: Studio, path: HandPath, number: int, camera: Camera, time_s: float) -> SceneHand:
    """The hand of a path at a time; its `number` is its id and its track id."""
    (x, y, distance, tilt, facing, roll), pose, name = path.at(time_s)
    posed = path.person.posed_hand(pose, path.handedness)
    hand = people.dressed_hand(posed, path.person, number, name)
    turn = rotation(0, 0, roll) @ rotation(tilt, facing, 0)
    # From the middle of the picture and not from the principal point: a shaking camera moves the hands with the rest.
    pixel = np.array([x * camera.width - (camera.width - 1) / 2, y * camera.height - (camera.height - 1) / 2])
    offset = np.array([*(pixel / camera.fx * distance), distance])
    return replace(hand.moved(turn, offset), track_id=number)


def _shifted(scenery: Floats, x: float, y: float, camera: Camera) -> Floats:
    """The camera's part of a wider background; its corner lies `x`, `y` pixels from the background's."""
    shift = np.array([[1, 0, -x], [0, 1, -y]])
    size = (camera.width, camera.height)
    moved: Any = cv2.warpAffine(scenery, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def write_clips(
    folder: Path, recipe: ClipRecipe, workers: int = 1, progress: Callable[[int], None] = lambda done: None
) -> list[Path]:
    """Write clip-SEED-NUMBER.mp4 and .jsonl for each clip that the folder does not have yet.

    Args:
        workers: number of processes; 1 works in this process.
        progress: called with 1 after each clip.

    Returns:
        The paths of all .mp4 files.

    Raises:
        InputError: `workers` is less than 1.
        SinkError: a file cannot be written. Nothing half-written remains.
    """
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror or error}") from error
    jobs = [(folder, recipe, number) for number in range(recipe.count)]
    paths = []
    if workers == 1:
        for job in jobs:
            paths.append(_write_clip(job))
            progress(1)
        return paths
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for path in pool.map(_write_clip, jobs):
            paths.append(path)
            progress(1)
    return paths


_studios: dict[str | None, Studio] = {}  # of this process, by folder of backgrounds


def _write_clip(job: tuple[Path, ClipRecipe, int]) -> Path:
    folder, recipe, number = job
    path = folder / f"clip-{recipe.seed}-{number:04d}.mp4"
    lines_path = path.with_suffix(".jsonl")
    if path.is_file() and lines_path.is_file():
        return path
    if recipe.backgrounds not in _studios:
        _studios[recipe.backgrounds] = Studio(recipe.width, recipe.backgrounds)
    rng = np.random.default_rng([recipe.seed, 2, number])
    video_part, lines_part = path.with_name(f"part-{path.name}"), lines_path.with_suffix(".part")
    try:
        with lines_part.open("w") as lines:
            frames = clip(_studios[recipe.backgrounds], recipe, rng)
            encode(video_part, _with_lines_written(frames, lines), recipe.rate)
        lines_part.replace(lines_path)
        video_part.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        for part in (video_part, lines_part):
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return path


def _with_lines_written(frames: Iterator[tuple[Image, dict[str, Any]]], lines: Any) -> Iterator[Image]:
    """The images; the labels of each are written to an open file as the image is taken."""
    for image, line in frames:
        lines.write(json.dumps(line, separators=(",", ":")) + "\n")
        yield image


def encode(path: Path, images: Iterator[Image], rate: int, crf: int = 21) -> None:
    """Write RGB images of one size as H.264 with a constant frame rate."""
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(rate))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "medium"}
        for number, image in enumerate(images):
            if number == 0:
                stream.width, stream.height = image.shape[1], image.shape[0]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
