"""What recognising gestures costs, how often it is right, and what triggers by mistake.

    python benchmarks/gestures.py speed
    python benchmarks/gestures.py triggers --data DATA
    python benchmarks/gestures.py motion [--people 1]
    python benchmarks/gestures.py few-shot --data DATA
    python benchmarks/gestures.py sets --data DATA

`speed` times one hand, as the last step of the pipeline does it, beside the landmark network. `triggers` tracks the
clips in DATA/video and counts what triggers with and without the locks. `motion` renders people who make each gesture
in motion and says which are recognised. `few-shot` teaches letters from ten photos each and asks other people. `sets`
judges all sets on photos of people who never train. DATA is laid out as `recipes/gestures.py` says. Landmarks are kept
in `--work`.

Each part is kept in benchmarks/results/gestures.json; `python docs/make_tables.py` puts it into docs/model_gestures.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

import knuckle
from knuckle.gestures.examples import recorded
from knuckle.gestures.lock import GestureLock
from knuckle.gestures.motion import MotionGestures
from knuckle.gestures.recogniser import GestureSet, load_gestures, set_names
from knuckle.gestures.taught import ExampleHands, fit_gestures
from knuckle.results import Hand
from knuckle.train.gestures.judge import judge
from knuckle.train.gestures.photos import PhotoHands, hands_of_photos, read_labels
from knuckle.train.splits import read_splits

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "gestures.json"
RUNS = 300
SIZE = (480, 360)  # of rendered clips, pixels
HOLD_S = 0.5  # of the lock for gestures in motion
SIGNING = ("asl_", "signing_")
LETTERS = {
    "A": ("asl_A|fist", "asl_A", "fist"),
    "B": ("asl_B",),
    "I": ("pinky",),
    "K": ("asl_K",),
    "L": ("ell",),
    "V": ("two",),
    "W": ("three|six",),
    "Y": ("call",),
}
DRAWS, EXAMPLES = 20, 10
Frames = list[tuple[float, list[Hand]]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("speed", "triggers", "motion", "few-shot", "sets"))
    options.add_argument("--data", type=Path)
    options.add_argument("--work", type=Path, default=Path("runs/gestures"))
    options.add_argument("--people", type=int, default=1)
    chosen = options.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    parts = {"speed": speed, "triggers": triggers, "motion": motion, "few-shot": few_shot, "sets": sets}
    if chosen.what in ("triggers", "few-shot", "sets") and not chosen.data:
        options.error(f"{chosen.what} needs --data")
    found = parts[chosen.what](chosen)
    before = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps({**before, chosen.what: found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def speed(chosen: argparse.Namespace) -> dict[str, float]:
    """Processor time, ms: the smallest of many runs."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (21, 3)).astype(np.float32)
    hand = Hand(points * 80 + 200, points * 0.05, "Right", 0.9, 0.9, knuckle.Roi(200, 200, 300))
    recognise = load_gestures()
    landmarker = knuckle.load(threads=1).hand_landmarker(knuckle.TrackerOptions())
    image = rng.integers(0, 255, (480, 640, 3), np.uint8)
    return {
        "one hand": smallest_ms(lambda: recognise([hand])),
        "two hands": smallest_ms(lambda: recognise([hand, hand])),
        "landmarks of one hand": smallest_ms(lambda: landmarker.read(image, [hand.roi])),
    }


def smallest_ms(run: Callable[[], object]) -> float:
    """Processor time of one call, the smallest of `RUNS`."""
    times = []
    for _ in range(RUNS):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return round(1000 * min(times), 3)


def triggers(chosen: argparse.Namespace) -> dict[str, Any]:
    """What triggered in clips of people who sign, and in the others; every clip is seen once."""
    found: dict[str, Any] = {}
    for clip in sorted(path for path in (chosen.data / "video").rglob("*") if path.suffix in (".mp4", ".mkv")):
        kind = "signing" if clip.name.startswith(SIGNING) else "other"
        part = found.setdefault(kind, {"clips": 0, "seconds": 0.0, "hands": 0, "counts": Counter()})
        frames = [(frame.time_s, hands) for frame, hands in knuckle.HandTracker(gestures="canned").track(clip)]
        part["clips"] += 1
        part["seconds"] += frames[-1][0]
        part["hands"] += sum(len(hands) for _, hands in frames)
        part["counts"].update(counted(frames))
    for part in found.values():
        hours = part["seconds"] / 3600
        part["an hour"] = {name: round(count / hours, 1) for name, count in part["counts"].items()}
        part["at most an hour"] = {name: round(most(count) / hours) for name, count in part["counts"].items()}
    return found


def most(count: int) -> float:
    """Upper limit of the 95 % interval of a Poisson rate of which `count` events were seen (Garwood, 1936)."""
    return float(chi2.ppf(0.95, 2 * count + 2) / 2)


def counted(frames: Frames) -> dict[str, int]:
    """What triggers in a clip, without and with a lock."""
    locks = {
        "held, no lock": GestureLock(hold_s=0, refractory_s=0, min_score=0, still=1e9, raised=False, calm_s=0),
        "held, lock": GestureLock(),
        "motion, no lock": MotionGestures(),
        "motion, lock": MotionGestures(HOLD_S),
    }
    return {
        name: sum(event.phase in ("once", "begin") for time_s, hands in frames for event in lock(hands, time_s))
        for name, lock in locks.items()
    }


def motion(chosen: argparse.Namespace) -> dict[str, Any]:
    """For each gesture in motion: how many rendered people made it, in how many it was found, and what else was."""
    from gesture_clips import acts

    found: dict[str, Any] = {}
    for number, act in enumerate(acts()):
        name = f"{act.name} {act.direction}" if act.direction else act.name
        row = found.setdefault(name, {"made": 0, "found": 0, "other": 0})
        for frames in rendered(chosen, number):
            recognise = MotionGestures()
            events = [event for time_s, hands in frames for event in recognise(hands, time_s)]
            said = {(event.name, event.direction if act.direction else None) for event in events}
            row["made"] += 1
            row["found"] += (act.name, act.direction) in said
            row["other"] += len({one for one, _ in said} - {act.name})
    return found


def rendered(chosen: argparse.Namespace, number: int) -> Iterator[Frames]:
    """The tracked hands of each person who makes a gesture, from the work folder or rendered and kept there."""
    from gesture_clips import acts, frames_of

    from knuckle.synth.scene.studio import Studio

    for person in range(chosen.people):
        kept = chosen.work / f"motion-{number}-{person}.jsonl"
        if not kept.is_file():
            tracker, lines = knuckle.HandTracker(), []
            for time_s, image in frames_of(acts()[number], Studio(SIZE[0], None), 100 * number + person, SIZE):
                lines.append({"time_s": time_s, "hands": [hand.to_dict() for hand in tracker(image, time_s)]})
            kept.write_text("".join(json.dumps(line) + "\n" for line in lines))
        times = [json.loads(line)["time_s"] for line in kept.read_text().splitlines()]
        yield list(zip(times, recorded(kept), strict=True))


def photo_hands(chosen: argparse.Namespace) -> PhotoHands:
    """The labelled hands, from the work folder or detected and kept there, as `recipes/gestures.py` does."""
    kept = chosen.work / "photos-knuckle.npz"
    if not kept.is_file():
        detect = partial(knuckle.detect, max_hands=4)
        hands_of_photos(read_labels(ROOT / "recipes/gesture_labels.csv"), chosen.data / "photos", detect).save(kept)
    return PhotoHands.load(kept)


def few_shot(chosen: argparse.Namespace) -> dict[str, Any]:
    """Letters taught with ten photos each of `asl_letters`, asked of another person, `letters_hawk`."""
    hands = photo_hands(chosen)
    learned, asked = (letters(hands.of_sources([source])) for source in ("asl_letters", "letters_hawk"))
    rng = np.random.default_rng(0)
    right, unknown, wrong = Counter[str](), Counter[str](), Counter[str]()
    accuracies = []
    for _ in range(DRAWS):
        rows = [rng.choice(np.flatnonzero(learned.names == name), EXAMPLES, replace=False) for name in LETTERS]
        taught = fit_gestures(learned.chosen(np.concatenate(rows)), directed=False)
        said = nearest(taught, asked)
        for name, one in zip(asked.names.tolist(), said, strict=True):
            (right if one == name else unknown if one is None else wrong)[name] += 1
        accuracies.append(float(np.mean([one == name for name, one in zip(asked.names.tolist(), said, strict=True)])))
    return {
        "draws": DRAWS,
        "examples": EXAMPLES,
        "hands": dict(Counter(asked.names.tolist())),
        "mean": round(float(np.mean(accuracies)), 3),
        "worst": round(min(accuracies), 3),
        "wrong": dict(wrong),
        "unknown": dict(unknown),
    }


def letters(hands: PhotoHands) -> ExampleHands:
    """The hands whose label is one of `LETTERS`, under the letter's name."""
    by_label = {label: name for name, labels in LETTERS.items() for label in labels}
    names = np.array([by_label.get(str(label), "") for label in hands.labels])
    every = ExampleHands(names, hands.sources, hands.landmarks, hands.world, hands.left)
    return every.chosen(np.flatnonzero(names != ""))


def nearest(taught: Any, hands: ExampleHands) -> list[str | None]:
    """What taught gestures say of each hand; None is no gesture."""
    squares = ((hands.placed(taught.directed)[:, None] - taught.means) ** 2).sum(axis=2)
    best = squares.argmin(axis=1)
    return [taught.names[k] if row[k] < taught.radius**2 else None for k, row in zip(best, squares, strict=True)]


def sets(chosen: argparse.Namespace) -> dict[str, Any]:
    """Each set on the photos of sources that never train: hands and share right of each gesture."""
    splits = read_splits(ROOT / "recipes" / "splits.json")
    hands = photo_hands(chosen).of_sources([name for name, part in splits.sources.items() if part != "train"])
    return {name: judged(load_gestures(name).gestures, hands) for name in set_names()}


def judged(gestures: Any, hands: PhotoHands) -> dict[str, Any]:
    """How often a set is right."""
    assert isinstance(gestures, GestureSet)
    found = judge(load_gestures().network, gestures, hands)
    right, names = found.accuracies(), found.names
    rows = {}
    for k, row in enumerate(found.confusion.astype(int).tolist()):
        wrong = {names[other]: count for other, count in enumerate(row) if count and other != k}
        rows[names[k]] = {"hands": sum(row), "right": round(right.get(names[k], 0.0), 3), "taken for": wrong}
    return {
        "macro": round(found.macro_accuracy(), 3),
        "calibration error": round(found.calibration_error, 3),
        "gestures": rows,
    }


if __name__ == "__main__":
    main()
