"""Peak memory of a process that tracks a clip, for each bundle and mediapipe 0.10.21: `python benchmarks/memory.py`.

    python benchmarks/memory.py --reference /path/to/python    # an environment that has mediapipe already

Every process reads the same decoded frames from a file, one at a time. Each is run in turn `--repeats` times, and the
smallest peak counts, since other programs can only make it larger. Linux only: the peak is read below /proc.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from bench import reference_python
from reliability import Row, save

import knuckle

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "examples" / "hands.mp4"
BUNDLES = ("knuckle", "knuckle-fast", "knuckle-far", "mediapipe", "mediapipe-lite")
FRAMES = 120
MAX_SHARE = 0.5  # of the reference's peak
NOTE = (
    "Engines share the bytes of a network file, but not its packed weights: LiteRT's Python package has an option"
    " for a file of packed weights for compiled models only, not for the interpreter that runs here. With three"
    " threads or more there is an engine for single hands, and one per thread for several hands, each with 12 MB of "
    "weights and buffers of its own; with one or two threads there is one engine. A third of the figure is code of "
    "OpenCV, NumPy and LiteRT that the system can share between processes; how much of it counts depends on what "
    "the file cache holds, by up to 20 MB."
)
TRACK = """
import json, sys, numpy
from pathlib import Path
{make}
with open(sys.argv[1], "rb") as file:
    for number in range(int(sys.argv[2])):
        image = numpy.fromfile(file, numpy.uint8, 480 * 640 * 3).reshape(480, 640, 3)
        count += follow(image, number / 30)
status = Path("/proc/self/status").read_text()
print(json.dumps([int(status.split("VmHWM:")[1].split()[0]), count]))
"""
OURS = """
import knuckle
tracker, count = knuckle.HandTracker(sys.argv[3]), 0
def follow(image, time_s): return len(tracker(image, time_s))
"""
ONE_THREAD = OURS.replace("sys.argv[3]", "sys.argv[3], threads=1")  # each network's weights are held once
THEIRS = """
from mediapipe.python.solutions.hands import Hands
hands, count = Hands(model_complexity=int(sys.argv[3])), 0
def follow(image, time_s): return len(hands.process(image).multi_hand_landmarks or [])
"""


def peak_mb(python: Path, make: str, frames: Path, model: str) -> float:
    """Peak resident memory of a new process, MB."""
    command = [python, "-c", TRACK.format(make=make), frames, str(FRAMES), model]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model} with {python} failed:\n{done.stderr}")
    peak_kib, found = json.loads(done.stdout.splitlines()[-1])
    assert found, "no hands were found"
    return float(peak_kib) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="Python with mediapipe 0.10.21; without it one is installed")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    theirs = options.reference or reference_python()
    runs = {f"`{name}`": (Path(sys.executable), OURS, name) for name in BUNDLES}
    runs |= {f"`{name}`, `threads=1`": (Path(sys.executable), ONE_THREAD, name) for name in BUNDLES}
    runs |= {"reference": (theirs, THEIRS, "1"), "reference, complexity 0": (theirs, THEIRS, "0")}
    best = dict.fromkeys(runs, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames.rgb"
        frames.write_bytes(b"".join(frame.image.tobytes() for frame in islice(knuckle.read(CLIP), FRAMES)))
        for _ in range(options.repeats):
            for name, (python, code, model) in runs.items():
                best[name] = min(best[name], peak_mb(python, code, frames, model))
                print(f"{name}: {best[name]:.0f} MB", flush=True)
    rows = []
    for name in runs:
        if name.startswith("reference"):
            rows.append(Row(f"{name}: peak", f"{best[name]:.0f} MB"))
        else:
            share = best[name] / best["reference, complexity 0" if "lite" in name else "reference"]
            measured = f"{best[name]:.0f} MB, {share:.2f} of the reference's"
            rows.append(Row(f"{name}: peak", measured, f"{MAX_SHARE} of the reference's", share <= MAX_SHARE))
    if not options.no_save:
        save("memory", "memory", "python benchmarks/memory.py", rows, NOTE)


if __name__ == "__main__":
    main()
