"""Writes mobile/replays.json: what trackers are given and what they answer, for the trackers in every language.

    python mobile/make_replays.py

The answers are those of `knuckle.pipeline`. Hands are made: points that move, networks that find them. Kinds:

- `track`: the whole tracker. Each frame has the palms that the detector would find, and what the landmark network
  answered, call by call, with the regions that it was asked for. `searched` says whether the detector was asked.
- `update`: the tracker after a detector of its own, such as MediaPipe's HandLandmarker. Each frame has the hands found.

Expected are the ids, handedness, and some of the smoothed points of the hands of each frame.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.graph import Graph, Node
from knuckle.models import catalogue
from knuckle.models.bundle import Bundle
from knuckle.pipeline.clock import Clock, tick, tracker_time
from knuckle.pipeline.hand import Candidate
from knuckle.pipeline.options import CompleteOptions
from knuckle.pipeline.palm import PalmModel, anchors, decode_palms, suppress
from knuckle.pipeline.tracker import hand_tracking, unique
from knuckle.pipeline.tracks import Memory, at_size, current_hands, update_tracks
from knuckle.results import PALM_LANDMARKS, FloatArray, Hand, Palm, Roi

REPLAYS = Path(__file__).parent / "replays.json"
CHECKED = (0, 4, 5, 8, 12, 17, 20)  # landmarks whose smoothed places are in the file
# An open right hand, fingers up: x, y in sizes of the hand from the wrist, y down.
SHAPE = np.array(
    [[0, 0], [-0.3, -0.15], [-0.5, -0.4], [-0.65, -0.6], [-0.75, -0.75]]
    + [
        [-0.25 + 0.17 * finger, -0.75 - 0.27 * joint - 0.05 * (finger in (1, 2))]
        for finger in range(4)
        for joint in range(4)
    ]
)


@dataclass
class Actor:
    """A hand of the scene: where it is, when it is there.

    Attributes:
        start, velocity: pixels of a 640 x 480 image, and pixels per second.
        size: pixels from the wrist to the index finger's MCP, about.
        turn_rad_per_s: how fast it turns.
        left: probability that it is a left hand.
        hidden_s: stretches of time when it cannot be seen.
        palm_score: of its palm.
        presence: of its crops.
    """

    start: tuple[float, float]
    velocity: tuple[float, float]
    size: float = 90.0
    turn_rad_per_s: float = 0.0
    left: float = 0.1
    hidden_s: tuple[tuple[float, float], ...] = ()
    palm_score: float = 0.9
    presence: float = 0.99

    def points(self, time_s: float) -> FloatArray | None:
        """(21, 3) landmarks; None while it is hidden."""
        if any(begin <= time_s < end for begin, end in self.hidden_s):
            return None
        angle = self.turn_rad_per_s * time_s
        rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        points = SHAPE * [1 if self.left < 0.5 else -1, 1] * self.size @ rotation
        return np.c_[points + self.start + np.array(self.velocity) * time_s, np.linspace(0, -0.2 * self.size, 21)]


@dataclass
class Scene:
    """Stands in for `knuckle.pipeline.networks.Networks`: finds the actors, and notes what it was asked."""

    actors: list[Actor]
    options: CompleteOptions
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(25))
    scale: float = 1.0
    time_s: float = 0.0
    twice: bool = False
    reads: list[dict[str, Any]] = field(default_factory=list)
    palms: list[Palm] = field(default_factory=list)
    searched: bool = False
    bundle: Bundle = field(default_factory=lambda: catalogue.find("knuckle"))

    def begin(self, time_s: float, scale: float) -> None:
        """The next frame; the palms that can be found in it are made at once."""
        self.time_s, self.scale, self.reads, self.searched = time_s, scale, [], False
        self.palms = sorted((self.palm(actor) for actor in self.seen()), key=lambda palm: -palm.score)

    def seen(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.points(self.time_s) is not None]

    def landmarks(self, actor: Actor) -> FloatArray:
        points = actor.points(self.time_s)
        assert points is not None
        return np.round((points + self.noise.normal(0, 0.6, points.shape)) * self.scale, 2).astype(np.float32)

    def palm(self, actor: Actor) -> Palm:
        keypoints = self.landmarks(actor)[list(PALM_LANDMARKS), :2]
        centre, half = keypoints.mean(axis=0), float(np.ptp(keypoints, axis=0).max()) * 0.6
        box = np.round(np.concatenate([centre - half, centre + half]), 2)
        return Palm(box.astype(np.float32), keypoints, round(actor.palm_score, 3))

    def hand(self, roi: Roi, palm_score: float | None) -> Hand:
        """What the landmark network answers for a region: the hand in its middle, or nothing that is a hand."""
        in_reach = [(self.distance(actor, roi), k) for k, actor in enumerate(self.seen())]
        far, nearest = min(in_reach, default=(math.inf, 0))
        actor = (
            self.seen()[nearest] if far < 0.5 * roi.size else Actor((roi.x, roi.y), (0, 0), roi.size / 4, presence=0.02)
        )
        points = self.landmarks(actor) if far < 0.5 * roi.size else np.round(actor.points(0), 2).astype(np.float32)
        return made_hand(points, actor.left, actor.presence, roi, palm_score)

    def distance(self, actor: Actor, roi: Roi) -> float:
        points = actor.points(self.time_s)
        assert points is not None
        return float(math.dist(points[:, :2].mean(axis=0) * self.scale, (roi.x, roi.y)))

    # What `hand_tracking` asks of networks.
    def completed(self, options: CompleteOptions) -> CompleteOptions:
        return options

    def palm_detector(self, options: CompleteOptions, min_score: float) -> Scene.Part:
        def find(image: Any) -> list[Palm]:
            self.searched = True
            return [palm for palm in self.palms if palm.score >= min_score]

        return Scene.Part(Graph("palm_detection", ["image"], [Node(find, ("image",), "palms")], "palms"))

    def hand_landmarker(self, options: CompleteOptions, min_presence: float | None = None) -> Scene.Part:
        least = options.min_presence if min_presence is None else min_presence

        def read(image: Any, candidates: list[Candidate]) -> list[Hand]:
            hands = [self.hand(candidate.roi, candidate.palm_score) for candidate in candidates]
            regions = [[one.roi.x, one.roi.y, one.roi.size, one.roi.angle_rad] for one in candidates]
            self.reads.append({"regions": np.round(regions, 3).tolist(), "hands": [given(hand) for hand in hands]})
            return [hand for hand in hands if hand.presence > least]

        node = Node(read, ("image", "candidates"), "hands")
        return Scene.Part(Graph("hand_landmarks", ["image", "candidates"], [node], "hands"))

    @dataclass
    class Part:
        """A network as the tracker's graph takes it."""

        found: Graph

        def graph(self) -> Graph:
            return self.found


def made_hand(points: FloatArray, left: float, presence: float, roi: Roi, palm_score: float | None = None) -> Hand:
    """A hand with these landmarks; its world landmarks are the same shape, a wrist to middle MCP of 9 cm."""
    centred = points - points.mean(axis=0)
    world = np.round(centred * (0.09 / float(np.linalg.norm(points[9] - points[0]))), 4).astype(np.float32)
    side = "Left" if left >= 0.5 else "Right"
    return Hand(points, world, side, max(left, 1 - left), presence, roi, palm_score)


def given(hand: Hand) -> dict[str, Any]:
    """A hand that a network gives, for the file."""
    return {
        "landmarks": np.round(hand.landmarks.astype(float), 2).ravel().tolist(),
        "world": np.round(hand.world.astype(float), 4).ravel().tolist(),
        "left": hand.handedness == "Left",
        "score": hand.handedness_score,
        "presence": hand.presence,
    }


def expected(hand: Hand) -> dict[str, Any]:
    """A hand that a tracker returns, for the file."""
    return {
        "id": hand.track_id,
        "left": hand.handedness == "Left",
        "score": round(float(hand.handedness_score), 4),
        "landmarks": np.round(hand.landmarks[list(CHECKED)].astype(float), 2).ravel().tolist(),
        "world": np.round(hand.world[list(CHECKED)].astype(float), 4).ravel().tolist(),
    }


def even(seconds: float, rate: float = 30) -> list[float]:
    return [round(k / rate, 4) for k in range(round(seconds * rate))]


def options_of(**changes: Any) -> CompleteOptions:
    """The options of the packaged bundle, with changes."""
    bundle = catalogue.find("knuckle")
    names = {option.name for option in fields(CompleteOptions)} & {value.name for value in fields(bundle)}
    return replace(CompleteOptions(**{name: getattr(bundle, name) for name in names}), **changes)


def tracked(
    name: str, actors: list[Actor], stamps: list[float], sizes: dict[int, float] | None = None, **changes: Any
) -> dict[str, Any]:
    """A replay of kind `track`. `sizes`: from which frame on the image has which share of 640 x 480."""
    scene = Scene(actors, options_of(**changes))
    graph, frames, scale = hand_tracking(scene, scene.options), [], 1.0  # type: ignore[arg-type]
    for number, stamp_s in enumerate(stamps):
        scale = (sizes or {}).get(number, scale)
        width, height = round(640 * scale), round(480 * scale)
        scene.begin(max(stamps[: number + 1]), scale)
        hands = graph(np.zeros((height, width, 3), np.uint8), stamp_s)
        palms = [row_of(palm) for palm in scene.palms]
        row = {"time_s": stamp_s, "width": width, "height": height, "palms": palms, "reads": scene.reads}
        frames.append({**row, "searched": scene.searched, "hands": [expected(hand) for hand in hands]})
    return {"name": name, "kind": "track", "options": written(scene.options), "frames": frames}


def updated(name: str, actors: list[Actor], stamps: list[float], **changes: Any) -> dict[str, Any]:
    """A replay of kind `update`: the hands come in changing order, and sometimes one of them twice."""
    scene, memory, clock = Scene(actors, options_of(**changes)), Memory(), Clock()
    options, frames, image = scene.options, [], np.zeros((480, 640, 3), np.uint8)
    for number, stamp_s in enumerate(stamps):
        scene.begin(stamp_s, 1.0)
        hands = [made_hand(scene.landmarks(one), one.left, one.presence, Roi(0, 0, 1)) for one in scene.seen()]
        hands = hands[::-1] if number % 3 == 1 else hands
        if number % 7 == 3 and hands:
            hands.insert(1, made_hand(hands[0].landmarks + np.float32(1.5), 0.4, 0.8, Roi(0, 0, 1)))
        clock = tick(clock, stamp_s)
        now_s, memory = tracker_time(clock), at_size(memory, image)
        memory = update_tracks(memory, unique(hands, options=options), True, now_s, options.remember_s)
        shown = current_hands(memory, options.smooth, options.vote_handedness)
        row = {"time_s": stamp_s, "width": 640, "height": 480, "given": [given(hand) for hand in hands]}
        frames.append({**row, "hands": [expected(hand) for hand in shown]})
    return {"name": name, "kind": "update", "options": written(options), "frames": frames}


def written(options: CompleteOptions) -> dict[str, Any]:
    """The options under the names that Kotlin, Swift and TypeScript use."""
    left_out = ("mirrored", "upright_rad", "gestures")
    names = [one.name for one in fields(options) if one.name not in left_out]
    return {
        name.split("_")[0] + "".join(part.title() for part in name.split("_")[1:]): getattr(options, name)
        for name in names
    }


def replays() -> list[dict[str, Any]]:
    """All replays."""
    right, left = Actor((180, 330), (60, -20)), Actor((460, 330), (-60, 10), left=0.9)
    crossing = [Actor((150, 330), (260, 0)), Actor((490, 340), (-260, 0), left=0.92)]
    lost = replace(right, hidden_s=((0.5, 0.9), (1.3, 3.0)))
    bursts = [t for k in range(8) for t in (k * 0.2, k * 0.2 + 0.002, k * 0.2 + 0.003)] + [0.2, 0.25] + even(0.5)
    return [
        tracked("one hand turns", [replace(right, turn_rad_per_s=0.8)], even(0.7), max_hands=1),
        tracked("two hands cross", crossing, even(1.1)),
        tracked("a hand is lost, comes back, is lost for good", [lost], [*even(1.2, 20), 3.2, 3.25, 3.3]),
        tracked("one hand held, one that comes later", [right, replace(left, hidden_s=((0, 0.6),))], even(1.0)),
        tracked(
            "faint palms",
            [right, replace(left, palm_score=0.3), Actor((320, 120), (0, 0), 40, palm_score=0.25, presence=0.8)],
            even(0.3),
            max_hands=3,
        ),
        tracked("stamps in bursts, back, and again from 0", [right], bursts),
        tracked("the image changes its size", [right, left], even(0.6), {8: 0.5, 13: 1.5}),
        tracked(
            "plain options",
            [right, left],
            even(0.5),
            search_every=3,
            smooth=False,
            predict_motion=False,
            vote_handedness=False,
            second_look=False,
            faint_palms=1.0,
            max_hands=3,
            remove_duplicates=False,
        ),
        decoded("palms of a wide image", (640, 360), 0.5),
        decoded("palms of a tall image", (300, 500), 0.2),
        updated(
            "hands without ids",
            [*crossing, Actor((300, 120), (0, 30), 50, hidden_s=((0.3, 0.6),))],
            even(0.9),
            max_hands=3,
        ),
    ]


def decoded(name: str, size: tuple[int, int], min_score: float) -> dict[str, Any]:
    """A replay of kind `palms`: rows of the outputs of a `.task` file's palm network, and the palms in them."""
    random, side, model = np.random.default_rng(7), 192, PalmModel(boxes="boxes", scores="scores")
    raw = {"boxes": np.zeros((1, 2016, 18), np.float32), "scores": np.full((1, 2016, 1), -100, np.float32)}
    centres, rows = anchors(side, model.strides), []
    for row, near, score in (
        (100, 0, 2.0),
        (101, 0, 1.1),
        (640, 1, 0.3),
        (641, 1, -0.4),
        (1500, 2, 3.0),
        (2015, 3, -1.0),
    ):
        target = np.array([[40, 20], [150, 110], [70, 150], [180, 170]])[near] + random.normal(0, 1, (9, 2))
        values = target - centres[row]
        values[1] = 30 + random.random(2)
        values[2:] += random.normal(0, 10, (7, 2))
        raw["boxes"][0, row], raw["scores"][0, row, 0] = np.round(values.ravel(), 3), score
        rows.append([row, score, *np.round(values.ravel(), 3).tolist()])
    palms = suppress(decode_palms(raw, size, side, model, min_score))
    return {
        "name": name,
        "kind": "palms",
        "width": size[0],
        "height": size[1],
        "minScore": min_score,
        "rows": rows,
        "palms": [row_of(palm) for palm in palms],
    }


def row_of(palm: Palm) -> dict[str, Any]:
    """A palm for the file."""
    points = np.round(palm.keypoints.astype(float), 2).ravel().tolist()
    return {"box": np.round(palm.box.astype(float), 2).tolist(), "keypoints": points, "score": round(palm.score, 6)}


def text() -> str:
    """The file's text: one frame a line."""
    parts = []
    for replay in replays():
        frames = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in replay.pop("frames", []))
        parts.append(f'{json.dumps(replay)[:-1]}, "frames": [\n{frames}\n]}}')
    return "[\n" + ",\n".join(parts) + "\n]\n"


if __name__ == "__main__":
    REPLAYS.write_text(text())
    print(f"written  {REPLAYS}")
