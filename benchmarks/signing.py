"""False triggers in hours of simulated signing, and gestures in motion of many simulated people.

    python benchmarks/signing.py errors [--people 1]
    python benchmarks/signing.py signing [--hours 0.3]
    python benchmarks/signing.py motion [--people 6]

People move as `simulated_hands` says; their landmarks have errors like those of the tracker, which `errors` measures on
rendered people who make gestures in motion. `signing` counts what triggers while people sign, with and without locks.
`motion` lets people make each gesture in motion and says which are recognised. People have bodies that train nothing.

Each part is kept in benchmarks/results/gestures.json; `python docs/make_tables.py` puts it into docs/model_gestures.md.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gesture_clips import acts, paths_of
from gestures import HOLD_S, RESULTS, SIZE, most
from simulated_hands import signing, watched

import knuckle
from knuckle.gestures.lock import GestureLock
from knuckle.gestures.motion import MotionGestures
from knuckle.gestures.recogniser import GestureRecogniser, load_gestures
from knuckle.gestures.steady import GestureMemory, steadied, with_steady_gestures
from knuckle.results import Hand
from knuckle.synth.body.model import load_body
from knuckle.synth.write.clips import ClipRecipe, clip

SEQUENCE_S = 60.0
RATE, MOTION_RATE = 15.0, 30.0  # frames per second
MOTION_EVERY = 6  # one sequence in so many is searched for gestures in motion, which takes longer
RENDERED = (0, 4, 7, 9)  # acts of which the errors are measured
SEEDS = {"signing": 76_000, "motion": 80_000, "errors": 900}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("errors", "signing", "motion"))
    options.add_argument("--hours", type=float, default=0.3)
    options.add_argument("--people", type=int)
    chosen = options.parse_args()
    parts = {
        "errors": lambda: errors(chosen.people or 1),
        "signing": lambda: signed(chosen.hours),
        "motion": lambda: motion(chosen.people or 6),
    }
    found = parts[chosen.what]()
    before = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps({**before, f"simulated {chosen.what}": found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def signed(hours: float) -> dict[str, Any]:
    """What triggers while simulated people sign."""
    body, recognise = load_body(), load_gestures("canned")
    counts, names, seconds = Counter[str](), Counter[str](), Counter[str]()
    for number in range(round(hours * 3600 / SEQUENCE_S)):
        rng = np.random.default_rng(SEEDS["signing"] + number)
        paths = signing(body, SEQUENCE_S, rng)
        frames = list(named(watched(paths, SEQUENCE_S, RATE, rng), recognise))
        for name, lock in locks(number % MOTION_EVERY == 0).items():
            events = [event for time_s, hands in frames for event in lock(hands, time_s)]
            seconds[name] += round(SEQUENCE_S)
            counts[name] += sum(event.phase in ("once", "begin") for event in events)
            if name.endswith(", lock"):
                names.update(event.name for event in events if event.phase in ("once", "begin"))
    return {
        "counts": {name: counts[name] for name in seconds},
        "hours": {name: round(value / 3600, 2) for name, value in seconds.items()},
        "an hour": {name: round(counts[name] / value * 3600, 1) for name, value in seconds.items()},
        "at most an hour": {name: round(most(counts[name]) / value * 3600, 1) for name, value in seconds.items()},
        "names with the lock": dict(names.most_common()),
    }


def locks(with_motion: bool) -> dict[str, GestureLock | MotionGestures]:
    """What counts triggers, by name."""
    found: dict[str, GestureLock | MotionGestures] = {
        "held, no lock": GestureLock(hold_s=0, refractory_s=0, min_score=0, still=1e9, raised=False, calm_s=0),
        "held, calm_s=0": GestureLock(calm_s=0),
        "held, lock": GestureLock(),
        "motion, 1.5 s": MotionGestures(hold_s=1.5),
    }
    if with_motion:
        found |= {"motion, no lock": MotionGestures(), "motion, lock": MotionGestures(HOLD_S)}
    return found


def named(
    frames: Iterator[tuple[float, list[Hand]]], recognise: GestureRecogniser
) -> Iterator[tuple[float, Sequence[Hand]]]:
    """Frames with steady gestures, as the tracker names them."""
    memory: GestureMemory = {}
    for time_s, hands in frames:
        if hands:
            memory = steadied(memory, hands, list(recognise.probabilities(hands)), time_s)
        yield time_s, with_steady_gestures(hands, memory, recognise.names) if hands else hands


def motion(people: int) -> dict[str, Any]:
    """For each gesture in motion: how many made it, how many were recognised, who was said to make another one."""
    body, found = load_body(), dict[str, Any]()
    for number, act in enumerate(acts()):
        name = f"{act.name} {act.direction}" if act.direction else act.name
        row = found.setdefault(name, {"made": 0, "found": 0, "with lock": 0, "other": 0, "minutes": 0.0, "others": {}})
        others = Counter[str]()
        for person in range(people):
            rng = np.random.default_rng(SEEDS["motion"] + 100 * number + person)
            paths = paths_of(act, body, rng)
            seconds = max(path.keys[-1].time_s for path in paths)
            frames = list(watched(paths, seconds, MOTION_RATE, rng))
            said = [said_of(frames, hold_s, act.direction is not None) for hold_s in (0.0, HOLD_S / 2)]
            row["made"] += 1
            row["minutes"] += seconds / 60
            row["found"] += (act.name, act.direction) in said[0]
            row["with lock"] += (act.name, act.direction) in said[1]
            wrong = {one for one, _ in said[0]} - {act.name}
            row["other"] += len(wrong)
            others.update(wrong)
        row["minutes"], row["others"] = round(row["minutes"], 2), dict(others)
    return found


def said_of(frames: Sequence[tuple[float, list[Hand]]], hold_s: float, directed: bool) -> set[tuple[str, str | None]]:
    """Names and directions of the gestures that are recognised."""
    recognise = MotionGestures(hold_s)
    events = [event for time_s, hands in frames for event in recognise(hands, time_s)]
    return {(event.name, event.direction if directed else None) for event in events}


def errors(people: int) -> dict[str, Any]:
    """Errors of the tracker on rendered people, and of simulated hands, in palm lengths."""
    from knuckle.synth.scene.studio import Studio

    studio, rows = Studio(SIZE[0], None), list[tuple[Any, Any]]()
    for number in RENDERED:
        for person in range(people):
            rng = np.random.default_rng(SEEDS["errors"] + number + 1000 * person)
            paths = paths_of(acts()[number], studio.body, rng)
            recipe = ClipRecipe(seconds=max(path.keys[-1].time_s for path in paths), width=SIZE[0], height=SIZE[1])
            tracker = knuckle.HandTracker()
            for image, line in clip(studio, recipe, rng, paths):
                hands = tracker(image, line["time_s"])
                rows += [(truth, hand) for truth in line["hands"] for hand in hands if near(truth, hand)]
    across = [gaps(np.array(truth["landmarks"])[:, :2], hand.landmarks[:, :2]) for truth, hand in rows]
    space = [gaps(np.array(truth["world"]), hand.world) for truth, hand in rows]
    rng = np.random.default_rng(SEEDS["errors"])
    made = simulated_errors(people=40, rng=rng)
    return {
        "hands": len(rows),
        "across": round(float(np.sqrt(np.mean(np.concatenate(across) ** 2))), 3),
        "depth": round(float(np.sqrt(np.mean(np.concatenate(space)[:, 2] ** 2))), 3),
        "simulated across": round(float(np.sqrt((made[:, :, :2] ** 2).mean())), 3),
        "simulated depth": round(float(np.sqrt((made[:, :, 2] ** 2).mean())), 3),
    }


def near(truth: dict[str, Any], hand: Hand) -> bool:
    """Whether a hand is read where it is."""
    return bool(np.abs(np.array(truth["landmarks"])[:, :2] - hand.landmarks[:, :2]).mean() < hand.palm_size)


def gaps(truth: Any, found: Any) -> Any:
    """(21, d) how far points are from the truth, in palm lengths; in space from the wrist on."""
    palm = float(np.linalg.norm(truth[9] - truth[0]))
    moved = (found - found[0]) - (truth - truth[0]) if truth.shape[1] == 3 else found - truth
    return moved / palm


def simulated_errors(people: int, rng: np.random.Generator) -> Any:
    """(n, 21, 3) errors of simulated hands in palm lengths."""
    from simulated_hands import LastingErrors

    return np.array([error() for error in (LastingErrors(MOTION_RATE, rng) for _ in range(people)) for _ in range(60)])


if __name__ == "__main__":
    main()
