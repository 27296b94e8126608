"""The trackers in Kotlin and Swift, and the replays that hold for every language.

For TypeScript, web/tests/replays.test.ts plays them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import replaying

from knuckle.graph import Graph, Node
from knuckle.models import catalogue
from knuckle.pipeline import clock, palm, smooth, tracker, tracks
from knuckle.pipeline.clock import Clock, tick, tracker_time
from knuckle.pipeline.options import CompleteOptions
from knuckle.pipeline.palm import PalmModel, decode_palms, suppress
from knuckle.pipeline.tracker import hand_tracking, unique
from knuckle.pipeline.tracks import Memory, at_size, current_hands, update_tracks
from knuckle.results import Hand, Palm, Roi

HERE = Path(__file__).parent
NOWHERE = Roi(0, 0, 1)
SOURCES = {"kotlin": ("*.kt", HERE / "kotlin" / "Replay.kt"), "swift": ("*.swift", HERE / "swift" / "main.swift")}


class Recorded:
    """Networks that answer what a replay has recorded."""

    def __init__(self, options: CompleteOptions) -> None:
        self.options, self.frame, self.asked, self.searched = options, dict[str, Any](), list[Any](), False
        self.bundle = catalogue.find("knuckle")

    def completed(self, options: CompleteOptions) -> CompleteOptions:
        return self.options

    def palm_detector(self, options: CompleteOptions, min_score: float) -> Recorded.Part:
        def find(image: Any) -> list[Palm]:
            self.searched = True
            rows = [row for row in self.frame["palms"] if row["score"] >= min_score]
            return [
                Palm(np.float32(row["box"]), np.float32(row["keypoints"]).reshape(7, 2), row["score"]) for row in rows
            ]

        return Recorded.Part(Graph("palms", ["image"], [Node(find, ("image",), "palms")], "palms"))

    def hand_landmarker(self, options: CompleteOptions, min_presence: float | None = None) -> Recorded.Part:
        least = self.options.min_presence if min_presence is None else min_presence

        def read(image: Any, candidates: Any) -> list[Hand]:
            rows = self.frame["reads"][len(self.asked)]["hands"]
            self.asked.append([one.roi for one in candidates])
            hands = [made(row, one.palm_score, one.roi) for row, one in zip(rows, candidates, strict=True)]
            return [hand for hand in hands if hand.presence > least]

        node = Node(read, ("image", "candidates"), "hands")
        return Recorded.Part(Graph("hands", ["image", "candidates"], [node], "hands"))

    class Part:
        """A network as the tracker's graph takes it."""

        def __init__(self, found: Graph) -> None:
            self.found = found

        def graph(self) -> Graph:
            return self.found


def made(row: dict[str, Any], palm_score: float | None = None, roi: Roi = NOWHERE) -> Hand:
    points, world = (np.float32(row[name]).reshape(21, 3) for name in ("landmarks", "world"))
    side = "Left" if row["left"] else "Right"
    return Hand(points, world, side, row["score"], row["presence"], roi, palm_score)  # type: ignore[arg-type]


def played(replay: dict[str, Any]) -> list[float]:
    """What Replay.kt prints, from the library."""
    names = {name: re.sub("([A-Z])", r"_\1", name).lower() for name in replay["options"]}
    options = CompleteOptions(**{names[name]: value for name, value in replay["options"].items()})
    networks, memory, times, out = Recorded(options), Memory(), Clock(), list[float]()
    graph = hand_tracking(networks, options)  # type: ignore[arg-type]
    for frame in replay["frames"]:
        image = np.zeros((frame["height"], frame["width"], 3), np.uint8)
        networks.frame, networks.asked, networks.searched = frame, [], False
        if replay["kind"] == "track":
            hands = graph(image, frame["time_s"])
            out += [networks.searched, len(networks.asked)]
            for regions in networks.asked:
                out.append(len(regions))
                for one in regions:
                    out += [one.x, one.y, one.size, one.angle_rad]
        else:
            times, found = tick(times, frame["time_s"]), [made(row) for row in frame["given"]]
            kept = unique(found, options=options)
            memory = update_tracks(at_size(memory, image), kept, True, tracker_time(times), options.remember_s)
            hands = current_hands(memory, options.smooth, options.vote_handedness)
        out.append(len(hands))
        for hand in hands:
            out += [hand.track_id or 0, hand.handedness == "Left", hand.handedness_score]
            out += [*hand.landmarks.ravel(), *hand.world.ravel()]
    return out


def decoded(replay: dict[str, Any]) -> list[float]:
    raw = {"boxes": np.zeros((1, 2016, 18), np.float32), "scores": np.full((1, 2016, 1), -100, np.float32)}
    for number, score, *values in replay["rows"]:
        raw["scores"][0, int(number)], raw["boxes"][0, int(number)] = score, values
    size, model = (replay["width"], replay["height"]), PalmModel(boxes="boxes", scores="scores")
    palms = suppress(decode_palms(raw, size, 192, model, replay["minScore"]))
    return [len(palms), *(value for one in palms for value in (one.score, *one.box, *one.keypoints.ravel()))]


def test_the_library_plays_the_replays() -> None:
    replays = replaying.replays()
    out = [value for one in replays if one["kind"] != "palms" for value in played(one)]
    out += [value for one in replays if one["kind"] == "palms" for value in decoded(one)]
    replaying.compare(" ".join(str(float(value)) for value in out), replays)


def test_replays_hold_every_kind_of_event() -> None:
    replays = [one for one in replaying.replays() if one["kind"] == "track"]
    frames = [frame for one in replays for frame in one["frames"]]
    assert len({frame["searched"] for frame in frames}) == 2 and max(len(frame["hands"]) for frame in frames) == 2
    assert {len(frame["reads"]) for frame in frames} >= {0, 1, 2, 3}
    assert max(hand["id"] for frame in frames for hand in frame["hands"]) > 1
    with pytest.raises(AssertionError, match="one hand turns, frame 3"):  # a program that is a pixel off fails
        shifted = replaying.replays()
        shifted[0]["frames"][3]["hands"][0]["landmarks"][0] += 1
        replaying.compare(" ".join(str(float(value)) for value in played(shifted[0])), shifted[:1])


def compiler_of(command: str, version: str) -> str:
    """The path of a compiler; skips the test where there is none that runs."""
    found = shutil.which(command)
    if found is None or subprocess.run([found, version], capture_output=True, timeout=600).returncode != 0:
        pytest.skip(f"needs a compiler: {command}")
    return found


def compile_kotlin(folder: Path, files: list[str]) -> list[str]:
    compiler, java = compiler_of("kotlinc", "-version"), shutil.which("kotlin")
    if java is None:
        pytest.skip("needs kotlin beside kotlinc")
    subprocess.run([compiler, *files, "-d", "replay.jar"], cwd=folder, check=True, timeout=600)
    return [java, "-cp", "replay.jar", "ReplayKt"]


def compile_swift(folder: Path, files: list[str]) -> list[str]:
    compiler = compiler_of("swiftc", "--version")
    subprocess.run([compiler, "-o", "replay", *files], cwd=folder, check=True, timeout=600)
    return [str(folder / "replay")]


@pytest.mark.parametrize(("language", "compiled"), [("kotlin", compile_kotlin), ("swift", compile_swift)])
def test_other_languages_play_the_replays(language: str, compiled: Any, tmp_path: Path) -> None:
    pattern, program = SOURCES[language]
    files = [*(replaying.MOBILE / language).glob(pattern), program]
    for file in files:
        shutil.copy(file, tmp_path)
    command = compiled(tmp_path, [file.name for file in files])
    numbers = replaying.numbers_of(replaying.replays())
    run = subprocess.run(command, input=numbers, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=600)
    replaying.compare(run.stdout, replaying.replays())


@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_constants_and_defaults_are_those_of_the_library(language: str) -> None:
    files = (replaying.MOBILE / language).glob(SOURCES[language][0])
    text = "\n".join(file.read_text() for file in files)
    constants = dict(re.findall(r"^(?:const val|let) ([A-Z_]+) = ([\d./ ]+)$", text, re.M))
    assert len(constants) >= 24
    for name, written in constants.items():
        number = float(np.divide(*map(float, written.split("/")))) if "/" in written else float(written)
        places = (clock, palm, smooth, tracker, tracks)
        expected = 192 if name == "PALM_SIDE" else next(getattr(one, name) for one in places if hasattr(one, name))
        assert number == pytest.approx(expected), name
    defaults = dict(re.findall(r"va[lr] (\w+): (?:Int\??|Double|Bool|Boolean) = ([\w.]+)", text))
    bundle = catalogue.find("knuckle")
    assert {name for name in replaying.OPTIONS} <= set(defaults)
    for name in replaying.OPTIONS:
        ours = re.sub("([A-Z])", r"_\1", name).lower()
        value = getattr(CompleteOptions(), ours) if not hasattr(bundle, ours) else getattr(bundle, ours)
        as_text = "null" if value is None and language == "kotlin" else "nil" if value is None else str(value).lower()
        assert defaults[name] == as_text, name
