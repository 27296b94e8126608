"""Measure many videos on this machine: frames per CPU second, 1 and 2 workers, memory over a long video.

    python benchmarks/scale.py [--reference-python PYTHON] [--rounds N] [--only clips|ways|memory] [--at-once N]

It writes benchmarks/results/scale.json;
docs/make_scale.py makes the tables of docs/scale.md from it. Each way to find
hands runs in a process of its own (`scale_worker.py`), after one clip that warms up. The first figure is CPU time (user
and system) per frame, from the file to the result. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from bench import processor, reference_python

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "scale.json"
OWN_CLIP = HERE.parent / "examples" / "hands.mp4"
# Ways of scale_worker.py, and their bundles.
WAYS = (
    ("mediapipe", "mediapipe"),
    ("plain", "mediapipe"),
    ("batch-1-1", "mediapipe"),
    ("batch-1-4", "mediapipe"),
    ("plain", "knuckle"),
    ("plain-1", "knuckle"),
    ("batch-1-1", "knuckle"),
    ("batch-4-1", "knuckle"),
    ("batch-1-4", "knuckle"),
    ("batch-1-8", "knuckle"),
)
SIGNS = ("brother", "help")
FRAMES = 300  # of each clip
LONG_S, LONG_RATE, LONG_SIZE = 7200, 2, (320, 240)  # the long video of the memory test
SETTLED = 0.1  # the part of the long run after which memory must be flat


def cases(data: Path, folder: Path, frames: int) -> dict[str, list[Path]]:
    """Clips by what is in them. Those that are not here are left out."""
    video = data / "video"
    found = {
        "two hands that move": [OWN_CLIP] * 2,
        "people who sign": [video / f"asl_{sign}.mkv" for sign in SIGNS],
        "one hand": [video / f"ti1k_{name}_1.mp4" for name in ("rotation", "translation")],
        "hands now and then": [video / "bottle-detection.mp4"] * 2,
    }
    return {
        name: [beginning(clip, folder, frames) for clip in clips]
        for name, clips in found.items()
        if all(clip.exists() for clip in clips)
    }


def beginning(clip: Path, folder: Path, frames: int) -> Path:
    """The first frames of a clip, with the same packets. Matroska files, which are short here, stay whole."""
    if clip.suffix == ".mkv":
        return clip
    path = folder / clip.name
    if not path.exists():
        with av.open(str(clip)) as source, av.open(str(path), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in islice(source.demux(video=0), frames):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    return path


def start(way: str, bundle: str, clips: dict[str, list[Path]], out: str, python: Path) -> subprocess.Popen[str]:
    """Start one process of a way."""
    given = json.dumps({name: [str(clip) for clip in some] for name, some in clips.items()})
    command = [str(python), str(HERE / "scale_worker.py"), way, bundle, out, str(OWN_CLIP), given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def answers_of(process: subprocess.Popen[str]) -> dict[str, dict[str, Any]]:
    """What a process measured, by case."""
    answers = (json.loads(line) for line in process.communicate()[0].splitlines() if line.startswith("{"))
    return {answer["case"]: answer for answer in answers}


def compare(
    clips: dict[str, list[Path]], pythons: dict[str, Path], rounds: int, at_once: int
) -> dict[str, dict[str, Any]]:
    """Each way in one process, `at_once` processes at the same time: for each case, the figures of each way."""
    runs: dict[str, dict[str, list[dict[str, float]]]] = {name: {} for name in clips}

    def measure(way: str, bundle: str) -> None:
        python = pythons["mediapipe" if way == "mediapipe" else "knuckle"]
        with tempfile.TemporaryDirectory() as out:
            answers = answers_of(start(way, bundle, clips, out, python))
        for name, answer in answers.items():
            row = {"cpu_ms": 1000 * answer["cpu_s"] / answer["frames"], "frames": answer["frames"]}
            runs[name].setdefault(f"{way} {bundle}", []).append(row | {"hands": answer["hands"]})
            print(f"{way:10} {bundle:10} {name:20} {row}", flush=True)

    for _ in range(rounds):
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(measure, *zip(*WAYS, strict=True)))
    return {name: {way: summary(rows) for way, rows in ways.items()} for name, ways in runs.items()}


def scaling(clips: dict[str, list[Path]], rounds: int) -> dict[str, dict[str, float]]:
    """Frames per second of 1 worker and of one per core, in turn: medians for each case."""
    cores = len(os.sched_getaffinity(0))
    rates: dict[str, dict[int, list[float]]] = {name: {1: [], cores: []} for name in clips}
    for _ in range(rounds):
        for workers in (1, cores):
            with tempfile.TemporaryDirectory() as out:
                command = ("batch-1-1", "knuckle", clips)
                running = [start(*command, f"{out}/{k}", Path(sys.executable)) for k in range(workers)]
                all_answers = [answers_of(process) for process in running]
            for name in clips:
                rate = sum(answers[name]["frames"] / answers[name]["wall_s"] for answers in all_answers)
                rates[name][workers].append(rate)
    return {
        name: {str(workers): round(statistics.median(values), 1) for workers, values in by_workers.items()}
        for name, by_workers in rates.items()
    }


def summary(answers: list[dict[str, float]]) -> dict[str, Any]:
    """The median of each figure, and all CPU times."""
    row: dict[str, Any] = {name: round(statistics.median(a[name] for a in answers), 3) for name in answers[0]}
    return row | {"all_cpu_ms": [round(a["cpu_ms"], 3) for a in answers]}


def long_video(path: Path) -> None:
    """Two hours of the example clip, made small: the same packets over and over, with rising time stamps."""
    small = path.with_name("small.mp4")
    width, height = LONG_SIZE
    with av.open(str(OWN_CLIP)) as source, av.open(str(small), "w") as target:
        stream = target.add_stream("libx264", rate=LONG_RATE, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        every = [picture for k, picture in enumerate(source.decode(video=0)) if k % 6 == 0]
        for picture in every:
            image = picture.reformat(width, height, format="yuv420p")
            image.pts = None
            target.mux(stream.encode(image))
        target.mux(stream.encode(None))
    with av.open(str(small)) as source, av.open(str(path), "w") as target:
        packets = [(bytes(packet), packet.is_keyframe) for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        for number in range(LONG_S * LONG_RATE):
            data, is_key = packets[number % len(packets)]
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, stream.time_base, is_key
            packet.pts = packet.dts = round(number / LONG_RATE / stream.time_base)
            target.mux(packet)


def memory(python: Path) -> dict[str, Any]:
    """Memory of a worker while it tracks two hours of video as one item."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        long_video(path)
        answer = answers_of(start("batch-1-1", "knuckle", {"long": [path]}, f"{folder}/out", python))["long"]
        written = sum(file.stat().st_size for file in Path(folder, "out", "parts").rglob("*.parquet"))
    samples = np.array(answer["memory"])
    settled = samples[samples[:, 0] > SETTLED * samples[-1, 0]]
    video_h = settled[:, 0] / samples[-1, 0] * LONG_S / 3600
    slope, _ = np.polyfit(video_h, settled[:, 1], 1)
    return {
        "video_s": LONG_S,
        "frames": answer["frames"],
        "hands": answer["hands"],
        "mb_per_hour": round(float(slope), 2),
        "begin_mb": round(float(settled[: len(settled) // 10 + 1, 1].mean()), 1),
        "end_mb": round(float(settled[-(len(settled) // 10 + 1) :, 1].mean()), 1),
        "peak_mb": round(float(samples[:, 1].max()), 1),
        "bytes_per_hand": round(written / max(answer["hands"], 1), 1),
    }


def parts_to_measure(chosen: argparse.Namespace, pythons: dict[str, Path]) -> Iterator[tuple[str, Any]]:
    """The parts of the results, one after the other."""
    if chosen.only != "memory":
        with tempfile.TemporaryDirectory() as folder:
            clips = cases(chosen.data, Path(folder), chosen.frames)
            yield "cases", compare(clips, pythons, chosen.rounds, chosen.at_once)
            if chosen.only != "ways":
                yield "workers", scaling(clips, chosen.rounds)
    if chosen.only in (None, "memory"):
        yield "memory", memory(pythons["knuckle"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="photos and clips")
    parser.add_argument("--reference-python", type=Path, help="a Python that has mediapipe 0.10.21 and PyAV")
    parser.add_argument("--rounds", type=int, default=3, help="how often the ways take turns")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each clip")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--at-once", type=int, default=cores, help="processes; on a busy machine all, so all are slowed"
    )
    parser.add_argument(
        "--only", choices=("clips", "ways", "memory"), help="measure this part only, and keep the other"
    )
    chosen = parser.parse_args()
    reference = chosen.reference_python
    if reference is None:
        reference = reference_python()
        subprocess.run([reference, "-m", "pip", "install", "-qq", "av"], check=True)
    pythons = {"mediapipe": reference, "knuckle": Path(sys.executable)}
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = {"processor": processor(), "cores": cores, "load": round(os.getloadavg()[0], 1)}
    for name, part in parts_to_measure(chosen, pythons):
        results[name] = part
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
