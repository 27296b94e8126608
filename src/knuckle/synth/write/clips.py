"""Clips of moving hands with the truth per frame: for tracking, jitter, identity and lag.

Hands go from place to place as people's do: along minimum-jerk paths (Flash and Hogan 1985, J. Neurosci. 5(7)) with
a little sway, and change pose on the way. The picture is the light that falls in while the shutter is open.
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
import numpy.typing as npt

from knuckle.datasets.hand_json import hand_to_json
from knuckle.datasets.labels import LabelledHand
from knuckle.errors import InputError, SinkError
from knuckle.images import Image
from knuckle.synth.body import poses
from knuckle.synth.camera import film, labels
from knuckle.synth.render.mesh import Camera, Floats
from knuckle.synth.scene import arrangement, background, people
from knuckle.synth.scene.people import Actor, Person
from knuckle.synth.scene.stage import Stage
from knuckle.synth.scene.studio import Studio, illuminant_of, random_light_film, truth_of

ACTS = ("still", "gesture", "wave", "move", "swipe", "leave", "cross", "occlude")
SHUTTER_S = 1 / 60  # how long light falls in per frame, at most
STEP_PX = 2.5  # a hand that moves further while the shutter is open is drawn several times


@dataclass(frozen=True)
class ClipRecipe:
    """All that decides the pixels of some clips, beside the renderer.

    Attributes:
        count: clips. seconds, rate: their length and frames per second. width, height: pixels.
        seed: clip k of a seed is always the same. backgrounds: a folder of photos, or None.
        quality: of the camera, 0 poor to 1 good; None draws one per clip.
        acts: what two hands do in this order, of `ACTS` or names of `poses.NAMED`, having come in one after the
            other; None draws hands, acts and poses.
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

    def __post_init__(self) -> None:
        for name, low in {"count": 1, "seconds": 0.1, "width": 32, "height": 32, "rate": 1, "seed": 0}.items():
            if not getattr(self, name) >= low:
                raise InputError(f"{name} must be a number from {low} up, got {getattr(self, name)!r}")
        if self.width % 2 or self.height % 2:
            raise InputError(f"H.264 needs an even width and height, got {self.width} x {self.height}")

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.rate))


@dataclass(frozen=True, eq=False)
class Key:
    """Where a hand is at a time: wrist in shares of the picture (0..1 is inside), metres away, turned, posed."""

    time_s: float
    x: float
    y: float
    distance: float
    tilt: float
    facing: float
    roll: float
    pose: poses.HandPose
    name: str

    def numbers(self) -> npt.NDArray[np.float64]:
        return np.array([self.x, self.y, self.distance, self.tilt, self.facing, self.roll])


@dataclass(frozen=True, eq=False)
class Track:
    """One hand's way through a clip."""

    person: Person
    handedness: str
    keys: tuple[Key, ...]
    sway: npt.NDArray[np.float64]  # (6,) phases of the hand's own unrest

    def at(self, time_s: float) -> tuple[npt.NDArray[np.float64], poses.HandPose, str]:
        """Numbers of `Key.numbers`, pose and its name at a time."""
        times = [key.time_s for key in self.keys]
        k = int(np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, len(times) - 2))
        start, end = self.keys[k], self.keys[k + 1]
        t = float(np.clip((time_s - start.time_s) / max(end.time_s - start.time_s, 1e-6), 0, 1))
        share = t * t * t * (10 - 15 * t + 6 * t * t)
        numbers = (1 - share) * start.numbers() + share * end.numbers()
        unrest = np.array([0.003, 0.003, 0.002, 0.02, 0.02, 0.02])
        numbers += unrest * np.sin(2 * math.pi * time_s * np.array([0.9, 1.1, 0.5, 0.7, 0.6, 0.8]) + self.sway)
        name = start.name if share < 0.5 else end.name
        return numbers, start.pose.mix(end.pose, share), name


def clip(studio: Studio, recipe: ClipRecipe, rng: np.random.Generator) -> Iterator[tuple[Image, dict[str, Any]]]:
    """The frames of one clip with their truth, see `truth_line`."""
    focal = recipe.width / 2 / math.tan(math.radians(float(rng.uniform(45, 75))) / 2)
    camera = Camera(recipe.width, recipe.height, focal, focal, (recipe.width - 1) / 2, (recipe.height - 1) / 2)
    surroundings, _, rotation = arrangement.random_room(rng)
    tracks = random_tracks(studio, recipe, rng)
    stage = Stage((), (), surroundings, rotation, words={"kind": "clip"})
    developed = film.random_film(rng, min(recipe.width, recipe.height), quality=recipe.quality)
    developed = replace(developed, motion_px=0.0, defocus_px=min(developed.defocus_px, 1.5))
    if recipe.quality is None:
        developed = replace(random_light_film(stage, recipe.height, rng), motion_px=0.0)
    shake = rng.uniform(0, 2 * math.pi, 4)
    strength = recipe.width * 0.004 * float(rng.random() < 0.4)
    wide = replace(camera, width=camera.width + 16, height=camera.height + 16, cx=camera.cx + 8, cy=camera.cy + 8)
    scenery = background.random_background(rng, wide, surroundings, studio.photos)
    gain = None
    for number in range(recipe.frames):
        time_s = number / recipe.rate
        dx, dy = (strength * math.sin(2 * math.pi * f * time_s + p) for f, p in zip((0.7, 1.3), shake, strict=False))
        moved = replace(camera, cx=camera.cx + dx, cy=camera.cy + dy)
        behind = _shifted(scenery, 8 - dx, 8 - dy, camera)
        light, truth = _exposed(studio, stage, tracks, moved, behind, time_s)
        gain = film.meter(light) if gain is None else gain
        image = film.develop(light, developed, rng, gain, illuminant_of(surroundings))
        place = labels.camera_to_dict(moved, rotation, np.zeros(3))
        yield image, {"frame": number, "time_s": round(time_s, 6), "hands": truth, "camera": place}


def random_tracks(studio: Studio, recipe: ClipRecipe, rng: np.random.Generator) -> list[Track]:
    """One or two hands and what they do, drawn from `ACTS`."""
    person = arrangement.random_person(studio.body, rng)
    both = recipe.acts is not None or rng.random() < 0.7
    sides = ["Left", "Right"] if both else [str(rng.choice(["Left", "Right"]))]
    lanes = (0.7, 0.3) if both else (0.5,)  # a person who faces the camera has the left hand on the picture's right
    plan = _plan(recipe.seconds, both, rng, recipe.acts)
    arm = people.forearm_axis(studio.body.posed_hand(person.shape, poses.OPEN, "Right"))
    near = float(np.linalg.norm(arm)) / 0.25  # short arms come nearer: their elbows stay below the picture
    return [
        Track(person, side, _keys(plan, k, lane, near, rng, recipe.acts is not None), rng.uniform(0, 2 * math.pi, 6))
        for k, (side, lane) in enumerate(zip(sides, lanes, strict=True))
    ]


def truth_line(hands: Sequence[LabelledHand]) -> list[dict[str, Any]]:
    """The hands of a frame as JSON; `track` is the id that stays with a hand through the clip."""
    found = []
    for hand in hands:
        entry = hand_to_json(hand)
        entry["track"] = entry.pop("track_id")
        found.append(entry)
    return found


def write_clips(
    folder: Path, recipe: ClipRecipe, workers: int = 1, progress: Callable[[int], None] = lambda done: None
) -> list[Path]:
    """Write clip-SEED-NUMBER.mp4 and .jsonl for each clip that the folder does not have yet; gives the .mp4 files.

    Raises:
        SinkError: a file cannot be written; no half clip stays.
    """
    if workers < 1:
        raise InputError(f"workers must be a whole number from 1 up, got {workers}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror or error}") from error
    jobs = [(folder, recipe, number) for number in range(recipe.count)]
    if workers == 1:
        return [_counted(_write_clip(job), progress) for job in jobs]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        return [_counted(path, progress) for path in pool.map(_write_clip, jobs)]


def _counted(path: Path, progress: Callable[[int], None]) -> Path:
    progress(1)
    return path


_studios: dict[str | None, Studio] = {}  # of this process


def _write_clip(job: tuple[Path, ClipRecipe, int]) -> Path:
    folder, recipe, number = job
    path = folder / f"clip-{recipe.seed}-{number:04d}.mp4"
    truth = path.with_suffix(".jsonl")
    if path.is_file() and truth.is_file():
        return path
    if recipe.backgrounds not in _studios:
        _studios[recipe.backgrounds] = Studio(recipe.width, recipe.backgrounds)
    rng = np.random.default_rng([recipe.seed, 2, number])
    parts = path.with_name(f"part-{path.name}"), truth.with_suffix(".part")
    try:
        with parts[1].open("w") as lines:
            frames = clip(_studios[recipe.backgrounds], recipe, rng)
            encode(parts[0], _logged(frames, lines), recipe.rate)
        parts[1].replace(truth)
        parts[0].replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return path


def _logged(frames: Iterator[tuple[Image, dict[str, Any]]], lines: Any) -> Iterator[Image]:
    for image, truth in frames:
        lines.write(json.dumps(truth, separators=(",", ":")) + "\n")
        yield image


def encode(path: Path, images: Iterator[Image], rate: int, crf: int = 21) -> None:
    """H.264 of RGB images of one size, every frame 1 / rate seconds."""
    import av

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(rate))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "medium"}
        for number, image in enumerate(images):
            if number == 0:
                stream.width, stream.height = image.shape[1], image.shape[0]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def _exposed(
    studio: Studio, stage: Stage, tracks: Sequence[Track], camera: Camera, behind: Floats, time_s: float
) -> tuple[Floats, list[dict[str, Any]]]:
    """Light of one frame, and the truth in the middle of the exposure."""
    ends = [
        [_actor(studio, t, k, camera, time_s + s) for k, t in enumerate(tracks)]
        for s in (-SHUTTER_S / 2, SHUTTER_S / 2)
    ]
    way = max(
        float(np.abs(labels.project(b.points, camera) - labels.project(a.points, camera)).max())
        for a, b in zip(*ends, strict=True)
    )
    count = min(7, 1 + 2 * math.ceil(max(0.0, way - STEP_PX) / (2 * STEP_PX)))  # odd: one is in the middle
    total, taken, middle = None, None, stage
    for k in range(count):
        share = (k + 0.5) / count - 0.5
        actors = tuple(_actor(studio, track, n, camera, time_s + share * SHUTTER_S) for n, track in enumerate(tracks))
        now = replace(stage, actors=actors)
        things = [thing for actor in actors for thing in actor.things]
        picture = studio.draw(things, camera, stage.surroundings, behind)
        total = picture.rgb / count if total is None else total + picture.rgb / count
        if k == count // 2:
            taken, middle = picture, now
    assert taken is not None and total is not None  # count is at least 1
    return total.astype(np.float32), truth_line(truth_of(middle, camera, taken, 0, camera))


def _actor(studio: Studio, track: Track, number: int, camera: Camera, time_s: float) -> Actor:
    (x, y, distance, tilt, facing, roll), pose, name = track.at(time_s)
    hand = studio.body.posed_hand(track.person.shape, pose, track.handedness)
    actor = people.dressed(hand, track.person, number + 1, name)
    turn = people.rotation(0, 0, roll) @ people.rotation(tilt, facing, 0)
    middle = ((camera.width - 1) / 2, (camera.height - 1) / 2)  # a shaking camera moves the hands with the rest
    pixel = np.array([x * camera.width - middle[0], y * camera.height - middle[1]])
    offset = np.array([*(pixel / camera.fx * distance), distance])
    return replace(actor.moved(turn, offset), track_id=number + 1)


USUAL_S = {
    "still": 0.8,
    "gesture": 0.5,
    "wave": 1.3,
    "move": 0.8,
    "swipe": 0.25,
    "leave": 0.7,
    "cross": 1.1,
    "occlude": 0.9,
}


def _plan(
    seconds: float, both: bool, rng: np.random.Generator, acts: Sequence[str] | None = None
) -> list[tuple[str, float, float]]:
    """Acts one after another: (act, when it ends, how long it lasts), the given ones or drawn until the time is up."""
    plan: list[tuple[str, float, float]] = []
    now = 0.9
    while now < seconds and (acts is None or len(plan) < len(acts)):
        act = acts[len(plan)] if acts else str(rng.choice(ACTS if both else ACTS[:6]))
        lasts = USUAL_S.get(act, USUAL_S["gesture"]) * float(rng.uniform(0.8, 1.3))
        now += lasts
        plan.append((act, now, lasts))
        now += float(rng.uniform(0.05, 0.3)) + 0.3 * (act in poses.NAMED)  # a pose is held for a while
    return plan


def _keys(
    plan: Sequence[tuple[str, float, float]],
    hand: int,
    lane: float,
    near: float,
    rng: np.random.Generator,
    scripted: bool,
) -> tuple[Key, ...]:
    """One hand's keys: it begins below the picture or in it, and does what the plan says."""
    name, pose = ("relaxed", poses.NAMED["relaxed"]) if scripted else poses.random_pose(rng)
    away = float(rng.uniform(0.36, 0.5)) * near
    palm = 0.0 if rng.random() < 0.6 else math.pi
    enters = scripted or bool(rng.random() < 0.4)
    at = Key(0.0, lane, 1.4 if enters else 0.62, away, 0.0, palm, 0.0, pose, name)
    starts = 0.45 * hand if enters else 0.0
    keys = [at, replace(at, time_s=starts), replace(at, time_s=max(starts + 0.4, 0.4), y=0.62)]
    for act, ends, lasts in plan:
        at = replace(keys[-1], time_s=ends - lasts)
        if at.time_s > keys[-1].time_s:
            keys.append(at)
        keys += [replace(key, time_s=time) for time, key in _act(act, at, hand, lane, lasts, rng, scripted)]
    return tuple(keys)


def _act(
    act: str, at: Key, hand: int, lane: float, lasts: float, rng: np.random.Generator, scripted: bool
) -> list[tuple[float, Key]]:
    """What a hand does in one act: (time, key) pairs up to its end."""
    start, end = at.time_s, at.time_s + lasts
    name, pose = (at.name, at.pose) if scripted else poses.random_pose(rng)
    turned = replace(
        at,
        tilt=float(rng.normal(0, 0.3)),
        facing=at.facing + float(rng.normal(0, 0.3)),
        roll=float(rng.normal(0, 0.35)),
        pose=pose,
        name=name,
    )
    if act in poses.NAMED:
        return [(end, replace(at, pose=poses.NAMED[act], name=act))]
    if act == "wave":
        waving = [replace(at, roll=at.roll + way, pose=poses.OPEN, name="open") for way in (0.35, -0.35, 0.35, -0.35)]
        steps = [(start + share * lasts, key) for share, key in zip((0.2, 0.4, 0.6, 0.8), waving, strict=True)]
        return [*steps, (end, replace(at, pose=poses.OPEN, name="open"))]
    if act == "gesture":
        return [(end, replace(at, pose=pose, name=name))]
    if act == "move":
        new = replace(turned, x=lane + float(rng.uniform(-0.2, 0.2)), y=float(rng.uniform(0.4, 0.85)))
        return [(end, replace(new, distance=float(np.clip(at.distance * rng.uniform(0.75, 1.3), 0.2, 0.5))))]
    if act == "swipe":
        return [(end, replace(at, x=lane + (0.25 if at.x < lane else -0.25), roll=at.roll + float(rng.normal(0, 0.3))))]
    if act == "leave":
        if rng.random() < 0.5:
            return [(end, turned)]
        below = replace(turned, x=at.x + 0.15 * (lane - 0.5), y=1.5)
        return [(start + 0.4 * lasts, below), (start + 0.6 * lasts, below), (end, replace(turned, y=0.62))]
    if act in ("cross", "occlude"):  # hand 0 passes in front
        nearer = 0.88 if hand == 0 else 1.15
        there = 1 - lane if act == "cross" else (0.5 if hand == 0 else lane + 0.8 * (0.5 - lane))
        half = replace(at, x=there, distance=float(np.clip(at.distance * nearer, 0.2, 0.6)))
        return [(start + 0.45 * lasts, half), (start + 0.55 * lasts, half), (end, replace(at, x=lane))]
    return [(end, at)]


def _shifted(scenery: Floats, x: float, y: float, camera: Camera) -> Floats:
    """The camera's part of a wider background, `x`, `y` pixels from its corner."""
    import cv2

    shift = np.array([[1, 0, -x], [0, 1, -y]])
    size = (camera.width, camera.height)
    moved: Any = cv2.warpAffine(scenery, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
