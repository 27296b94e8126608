"""Compare the speed of Knuckle and mediapipe 0.10.21 on the same decoded frames: `make bench`.

It installs mediapipe in a scratch environment, decodes the videos once, runs both systems alternately, and writes
benchmarks/results/speed.json. docs/make_tables.py turns it into the table of README.md. Times are milliseconds per
frame without decoding. Ratios are taken within a round, so that a machine that slows down affects both systems.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import knuckle

HERE = Path(__file__).resolve().parent
SCRATCH = HERE / "scratch"
RESULTS = HERE / "results" / "speed.json"
REFERENCE = "mediapipe==0.10.21"


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: title of the row.
        worker: case of worker.py: "video" or "stills".
        pieces: parts of videos: (file, first frame, frame after the last one); none for photos.
        target: the ratio that we aim for.
        back: play each part forwards and backwards, so that it can be repeated without a jump.
    """

    name: str
    worker: str
    pieces: tuple[tuple[str, int, int], ...]
    target: float
    back: bool = False


ONE = tuple((f"ti1k_{name}_1.mp4", 0, 50) for name in ("rotation", "scale", "translation"))
TWO = (("asl_please.mkv", 14, 64), ("asl_bird.mkv", 16, 44), ("asl_student.mkv", 24, 50))
SIGNS = ("bird", "brother", "help", "learn", "night", "please", "sister", "student", "walk", "yes")
ALL = tuple((f"asl_{sign}.mkv", 0, 90) for sign in SIGNS)
CASES = (
    Case("one hand visible, `max_hands=2`", "video", ONE, 3.5, back=True),
    Case("two hands tracked", "video", TWO, 2.2),
    Case("ten clips of signing people", "video", ALL, 1.0),
    Case("photos", "stills", (), 1.8),
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="photos and clips")
    options.add_argument("--rounds", type=int, default=5, help="how often the systems alternate")
    options.add_argument("--passes", type=int, default=2, help="passes over the frames per round")
    chosen = options.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"no photos and clips at {chosen.data}; name their folder with --data")
    knuckle.load()
    pythons = {"knuckle": Path(sys.executable), "mediapipe": reference_python()}
    rows = [measure(case, pythons, chosen) for case in CASES]
    rows += measure_start(pythons, chosen)
    machine = {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform()}
    versions = {"knuckle": knuckle.__version__, "reference": REFERENCE, "python": platform.python_version()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=2) + "\n")
    print(table(json.loads(RESULTS.read_text())))


def reference_python() -> Path:
    """The Python of the scratch environment, which has mediapipe installed."""
    home = SCRATCH / REFERENCE.replace("==", "-")
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", REFERENCE], check=True)
        (home / "ready").touch()
    return python


def frames_of(case: Case, data: Path) -> Path:
    """A folder with the frames of a case, one .npy file per video or photo; decoded once."""
    folder = SCRATCH / case.name.replace(" ", "_").replace(",", "")
    if folder.is_dir():
        return folder
    folder.mkdir(parents=True)
    for clip, first, end in case.pieces:
        images = [frame.image for frame in knuckle.read(data / "video" / clip)][first:end]
        images += images[::-1] if case.back else []
        np.save(folder / f"{Path(clip).stem}.npy", np.stack(images))
    if not case.pieces:
        for frame in knuckle.read(data / "photos" / "gestures40"):
            np.save(folder / f"{frame.index:03}.npy", frame.image[None])
    return folder


def run(python: Path, system: str, case: str, folder: Path, passes: int) -> dict[str, Any]:
    """Run worker.py and return its answer."""
    command = [python, HERE / "worker.py", system, case, folder, str(passes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def measure(case: Case, pythons: dict[str, Path], chosen: argparse.Namespace) -> dict[str, Any]:
    """The time per frame of both systems."""
    folder = frames_of(case, chosen.data)
    times: dict[str, list[float]] = {system: [] for system in pythons}
    hands: dict[str, Any] = {}
    for _ in range(chosen.rounds):
        for system, python in pythons.items():
            answer = run(python, system, case.worker, folder, chosen.passes)
            times[system].append(statistics.median(answer["ms"]))
            hands[system] = answer["hands"]
    return row(case.name, "ms a frame", times, case.target) | {"frames_by_hands": hands}


def measure_start(pythons: dict[str, Path], chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and peak memory from the start of Python to the first result."""
    folder = frames_of(CASES[-1], chosen.data)
    start: dict[str, list[float]] = {system: [] for system in pythons}
    memory: dict[str, list[float]] = {system: [] for system in pythons}
    for _ in range(chosen.rounds):
        for system, python in pythons.items():
            answer = run(python, system, "start", folder, 1)
            start[system].append(answer["start_s"])
            memory[system].append(answer["peak_mb"])
    return [row("start: import to first result", "s", start, 2.0), row("peak memory until then", "MB", memory, 2.0)]


def row(name: str, unit: str, values: dict[str, list[float]], target: float) -> dict[str, Any]:
    """A row of the results: the values of both systems over all rounds, and their ratio."""
    ratios = [theirs / ours for ours, theirs in zip(values["knuckle"], values["mediapipe"], strict=True)]
    summary = {s: {"median": statistics.median(v), "min": min(v), "max": max(v)} for s, v in values.items()}
    ratio = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
    return {"name": name, "unit": unit, **summary, "ratio": ratio, "target": target}


def processor() -> str:
    """The name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def table(results: dict[str, Any]) -> str:
    """The table of the README. A test compares it with the README."""
    lines = ["| | Knuckle | mediapipe 0.10.21 | ratio |", "|---|---|---|---|"]
    for entry in results["rows"]:
        digits = {"MB": 0, "s": 2}.get(entry["unit"], 1)
        unit = entry["unit"].removesuffix(" a frame")
        ours, theirs = (f"{entry[system]['median']:.{digits}f}" for system in ("knuckle", "mediapipe"))
        ratio = entry["ratio"]
        spread = f"{ratio['min']:.1f}–{ratio['max']:.1f}"
        lines.append(f"| {entry['name']}, {unit} | {ours} | {theirs} | **{ratio['median']:.1f}×** ({spread}) |")
    machine = results["machine"]
    lines += ["", f"Medians on {machine['cores']} cores, {machine['processor']} (`make bench`)."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
