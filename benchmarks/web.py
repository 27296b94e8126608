"""Compare Knuckle and MediaPipe's tasks-vision in Chromium, on the same frames.

    python benchmarks/web.py --data FOLDER

Knuckle runs as it comes from npm, with its float network, as the drop-in for tasks-vision, and with the bundle
`mediapipe`. The benchmark needs `web/dist` (`make web`), node, npm and Chromium. It installs @mediapipe/tasks-vision
into benchmarks/scratch, reads videos and photos from FOLDER, runs all systems alternately on the same canvas, and
writes benchmarks/results/web.json. docs/make_tables.py turns it into a table. Ratios are taken within a round, so that
a machine that slows down affects all systems.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import knuckle
from knuckle.models import catalogue
from knuckle.models.bundle import TASK_MEMBERS

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from chromium import CHROMIUM, open_browser, serve_folders  # noqa: E402

SCRATCH = HERE / "scratch" / "web"
RESULTS = HERE / "results" / "web.json"
DIST = HERE.parent / "web" / "dist"
REFERENCE = "@mediapipe/tasks-vision@1.1.0"

# The files that a browser downloads before the first result, besides the networks. The last system is the reference.
PLAIN, THREADED = "wasm/litert_wasm_internal", "wasm/litert_wasm_threaded_internal"
LIBRARY = ("index.js", "knuckle.js", "worker.js", f"{THREADED}.js", f"{THREADED}.wasm")
DROP_IN = ("tasks-vision.js", "knuckle.js", "drawing.js", "local_tracker.js", f"{PLAIN}.js", f"{PLAIN}.wasm")
REFERENCE_FILES = ("vision_bundle.mjs", "wasm/vision_wasm_internal.js", "wasm/vision_wasm_internal.wasm")
TASK = "hand_landmarker.task"


@dataclass(frozen=True)
class System:
    """What a browser downloads: the folder and names of the program's files, and the networks."""

    program: Path
    files: tuple[str, ...]
    networks: tuple[Path, ...]


def systems() -> dict[str, System]:
    """The systems by the names that the page has for them."""
    int8, plain = (
        tuple(DIST / "models" / f"{role}{kind}.tflite" for role in ("palm", "hand")) for kind in ("_int8", "")
    )
    task = (SCRATCH / TASK,)
    return {
        "knuckle": System(DIST, LIBRARY, int8),
        "knuckle, float": System(DIST, LIBRARY, plain),
        "knuckle, drop-in": System(DIST, DROP_IN, int8),
        "mediapipe": System(DIST, LIBRARY, task),
        "tasks-vision": System(tasks_vision(), REFERENCE_FILES, task),
    }


@dataclass(frozen=True)
class Case:
    """A row of the table: parts of videos (file, first frame, frame after the last one), and the maximum of hands."""

    name: str
    pieces: tuple[tuple[str, int, int], ...]
    allowed: int


CASES = (
    Case("one hand visible, `max_hands=2`", tuple((f"ti1k_{n}_1.mp4", 0, 50) for n in ("rotation", "scale")), 2),
    Case("one hand in view, one allowed", tuple((f"ti1k_{n}_1.mp4", 0, 50) for n in ("rotation", "scale")), 1),
    Case("two hands tracked", (("asl_please.mkv", 14, 64), ("asl_bird.mkv", 16, 44)), 2),
)

PAGE = """<!doctype html><meta charset="utf-8"><title>benchmark</title><body><script type="module">
const frames = async (names) => Promise.all(names.map(async (name) =>
  createImageBitmap(await (await fetch(name)).blob())));
const canvas = document.createElement("canvas");
const show = (bitmap) => {
  canvas.width = bitmap.width; canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
};
const ours = (chosen) => async (hands, still) => {
  const { HandTracker } = await import("/lib/index.js");
  const tracker = await HandTracker.create({ ...chosen, maxHands: hands, engine: "cpu" });
  return {
    run: async (image, timeS) => (still ? await tracker.detect(image) : await tracker.track(image, timeS)).length,
    reset: () => tracker.reset(), about: `${tracker.device}, ${tracker.threads} threads`,
  };
};
const task = (library, model) => async (hands, still) => {
  const { FilesetResolver, HandLandmarker } = await import(library);
  const files = await FilesetResolver.forVisionTasks("/reference/wasm");
  const baseOptions = { ...model, delegate: "CPU" };
  const runningMode = still ? "IMAGE" : "VIDEO";
  const task = await HandLandmarker.createFromOptions(files, { baseOptions, runningMode, numHands: hands });
  let base = 0;
  let last = 0;
  return {
    run: async (image, timeS) => {
      last = base + timeS * 1000;
      return (still ? task.detect(image) : task.detectForVideo(image, last)).landmarks.length;
    },
    reset: () => { base = last + 5000; }, about: "cpu, 1 thread",
  };
};
const starters = {
  knuckle: ours(),
  "knuckle, float": ours({ precision: "float" }),
  "knuckle, drop-in": task("/lib/tasks-vision.js"),
  mediapipe: ours({ models: "/models/hand_landmarker.task" }),
  "tasks-vision": task("/reference/vision_bundle.mjs", { modelAssetPath: "/models/hand_landmarker.task" }),
};
window.first = async (system, name) => {
  const [bitmap] = await frames([name]);
  const started = await starters[system](2, false);
  await started.run(show(bitmap), 0);
  return performance.now();
};
window.load = async (names, hands, still) => {
  window.bitmaps = await frames(names);
  window.systems = {};
  for (const system of Object.keys(starters)) window.systems[system] = await starters[system](hands, still);
  return Object.fromEntries(Object.entries(window.systems).map(([name, { about }]) => [name, about]));
};
window.round = async (system) => {
  const { run, reset } = window.systems[system];
  await reset();
  const times = [];
  const found = [];
  for (const [i, bitmap] of window.bitmaps.entries()) {
    const image = show(bitmap);
    const start = performance.now();
    found.push(await run(image, i / 30));
    times.push(performance.now() - start);
  }
  return { times, found };
};
</script>"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="photos and clips")
    options.add_argument("--rounds", type=int, default=4, help="how often the systems alternate")
    options.add_argument("--only", help="only rows whose name has this in it; nothing is written")
    options.add_argument("--frames", type=int, default=100, help="maximum number of frames per round")
    chosen = options.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"no photos and clips at {chosen.data}; name their folder with --data")
    if not (DIST / "index.js").is_file():
        sys.exit(f"{DIST} is not built; run `make web`")
    prepare(chosen.data, chosen.frames)
    folders = {"/lib/": DIST, "/reference/": tasks_vision(), "/models/": SCRATCH, "/frames/": SCRATCH / "frames"}
    with serve_folders({**folders, "/": SCRATCH / "page"}) as address:
        rows = [] if chosen.only else [measure_start(address, chosen.rounds)]
        for name, allowed, still in (*((case.name, case.allowed, False) for case in CASES), ("photos", 2, True)):
            if not chosen.only or chosen.only in name:
                rows.append(measure(address, name, allowed, chosen.rounds, still=still))
    report = {"cores": len(os.sched_getaffinity(0)), "chromium": version(), "reference": REFERENCE, "rows": rows}
    report["download_mb"] = {name: download(system) for name, system in systems().items()}
    RESULTS.parent.mkdir(exist_ok=True)
    if not chosen.only:
        RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def prepare(data: Path, most: int) -> None:
    """Write the frames as JPEG files, MediaPipe's bundle, and the page."""
    for case in CASES:
        write_frames(case.name, clip_frames(data / "video", case, most))
    photos = sorted((data / "photos" / "gestures40").glob("*.jpg"))
    write_frames("photos", (np.asarray(Image.open(photo).convert("RGB")) for photo in photos))
    bundle = catalogue.find("mediapipe")
    with zipfile.ZipFile(SCRATCH / TASK, "w", zipfile.ZIP_STORED) as task:
        task.write(bundle.palm_path, TASK_MEMBERS["palm"])
        task.write(bundle.hand_path, TASK_MEMBERS["hand"])
    (SCRATCH / "page").mkdir(exist_ok=True)
    (SCRATCH / "page" / "index.html").write_text(PAGE)


def clip_frames(folder: Path, case: Case, most: int) -> Iterator[np.ndarray[Any, Any]]:
    """The frames of each part, forwards and backwards, so that repeating it does not jump."""
    for name, first, end in case.pieces:
        images = [f.image for f in knuckle.read(folder / name) if first <= f.index < end]
        yield from (images + images[::-1])[: most // len(case.pieces)]


def write_frames(name: str, images: Iterator[np.ndarray[Any, Any]]) -> None:
    folder = frames_folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for k, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{k:03}.jpg", quality=95)


def frames_folder(name: str) -> Path:
    return SCRATCH / "frames" / re.sub(r"\W+", "_", name)


def frame_names(name: str) -> list[str]:
    folder = frames_folder(name)
    return [f"/frames/{folder.name}/{path.name}" for path in sorted(folder.iterdir())]


def tasks_vision() -> Path:
    """The folder of the tasks-vision package, installed from npm."""
    package = SCRATCH / "node_modules" / REFERENCE.rsplit("@", 1)[0]
    if not package.is_dir():
        subprocess.run(["npm", "install", "--prefix", str(SCRATCH), "--no-save", REFERENCE], check=True)
    return package


@contextmanager
def page_of(address: str) -> Iterator[Any]:
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto(f"{address}/index.html")
        yield page


def measure(address: str, name: str, allowed: int, rounds: int, still: bool) -> dict[str, Any]:
    """The median time of each round, the ratios, and the number of hands found."""
    medians: dict[str, list[float]] = {system: [] for system in systems()}
    found: dict[str, list[int]] = {}
    with page_of(address) as page:
        about = page.evaluate("([n, h, s]) => load(n, h, s)", [frame_names(name), allowed, still])
        for _ in range(rounds):
            for system in medians:
                done = page.evaluate("(system) => round(system)", system)
                medians[system].append(statistics.median(done["times"][10:]))
                found[system] = done["found"]
    return {"name": name, "about": about, **compared(medians), "hands": {s: sum(n) for s, n in found.items()}}


def measure_start(address: str, rounds: int) -> dict[str, Any]:
    """The time from navigation to the first result, in a fresh browser each time."""
    times: dict[str, list[float]] = {system: [] for system in systems()}
    for _ in range(rounds):
        for system in times:
            with page_of(address) as page:
                times[system].append(page.evaluate("([s, n]) => first(s, n)", [system, frame_names(CASES[0].name)[0]]))
    return {"name": "start: navigation to first result", **compared(times)}


def compared(medians: dict[str, list[float]]) -> dict[str, Any]:
    *ours, reference = medians
    ratios = {
        name: sorted(theirs / own for own, theirs in zip(medians[name], medians[reference], strict=True))
        for name in ours
    }
    return {"ms": {system: statistics.median(values) for system, values in medians.items()}, "ratios": ratios}


def download(system: System) -> float:
    """The download size in MB with Brotli compression (level 9), including the networks."""
    files = [*(system.program / name for name in system.files), *system.networks]
    code = (
        "const z = require('node:zlib'), options = { params: { [z.constants.BROTLI_PARAM_QUALITY]: 9 } };"
        "let sum = 0; for (const f of process.argv.slice(1))"
        "sum += z.brotliCompressSync(require('node:fs').readFileSync(f), options).length;"
        "console.log(sum / 1e6)"
    )
    run = subprocess.run(["node", "-e", code, *map(str, files)], capture_output=True, text=True, check=True)
    return round(float(run.stdout), 2)


def version() -> str:
    run = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True, check=True)
    return run.stdout.strip()


if __name__ == "__main__":
    main()
