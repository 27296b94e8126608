"""Compare `knuckle.detect` on a list with a loop over single images, and ways to run a network on several pictures.

    python benchmarks/batches.py [PHOTO ...] [--models BUNDLE ...] [--count N] [--runs N]

Without photos, drawn ones are used. Both sides of each comparison alternate within one run, and the median ratio is
printed, so that other work on the machine changes both. A ratio above 1 means faster than one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image as pillow

import knuckle
from knuckle.media.inputs import open_image
from knuckle.models.session import Session, default_threads

Ways = dict[str, Callable[[], Any]]


def compare(title: str, ways: Ways, chosen: argparse.Namespace, pictures: int | None = None) -> None:
    """Time the ways in turn and print each one's milliseconds per picture and its ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(chosen.runs):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start) / (pictures or chosen.count))
    first = next(iter(times.values()))
    for name, values in times.items():
        ratios = [one / other for one, other in zip(first, values, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        line = f"{statistics.median(values):6.2f} ms a picture, {middle:.2f} times as fast ({low:.2f} to {high:.2f})"
        print(f"{title:34} {name:30} {line}", flush=True)


def resized(model: Path, threads: int, pictures: Any) -> Callable[[], Any] | None:
    """The network with its input resized to the whole batch; None if it has shapes for one picture inside."""
    loaded = Interpreter(model_path=str(model), num_threads=threads)
    entry = loaded.get_input_details()[0]["index"]
    try:
        loaded.resize_tensor_input(entry, pictures.shape)
        loaded.allocate_tensors()
        loaded.set_tensor(entry, pictures.astype(np.float32) / 255)
        loaded.invoke()
    except (RuntimeError, ValueError):
        return None
    outputs = [detail["index"] for detail in loaded.get_output_details()]
    if any(loaded.get_tensor(index).shape[0] != len(pictures) for index in outputs):
        return None

    def run() -> None:
        np.multiply(pictures, np.float32(1 / 255), out=loaded.tensor(entry)()[:])
        loaded.invoke()
        for index in outputs:
            loaded.get_tensor(index)

    return run


def of_network(session: Session, count: int) -> Ways:
    """Ways to run one network on several pictures."""
    side = session.side
    pictures = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    ways: Ways = {
        "one after the other": lambda: [session(pictures[k : k + 1]) for k in range(count)],
        "an interpreter for each thread": lambda: session(pictures),
    }
    batch = resized(session.model, session.threads, pictures)
    if batch:
        ways["input resized to a batch"] = batch
    else:
        print(f"{session.model.name} cannot be resized to a batch")
    return ways


def drawn(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEG photos of two drawn hands with some noise, as the tests draw them."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from conftest import two_hands

    paths = [folder / f"{size[0]}_{k}.jpg" for k in range(count)]
    for k, path in enumerate(paths):
        noise = np.random.default_rng(k).integers(-9, 9, (size[1], size[0], 1))
        image = np.clip(two_hands(k / count, *size) + noise, 0, 255).astype(np.uint8)
        pillow.fromarray(image).save(path, quality=90)
    return paths


def of_detect(photos: list[Any], models: str) -> Ways:
    """`detect` in a loop and on a list; and the loop in threads, each with networks of its own."""
    loaded = knuckle.load(models, threads=1)
    bundle = loaded.bundle
    networks = [
        replace(loaded, palm=Session(bundle.palm_path, 1), hand=Session(bundle.hand_path, 1))
        for _ in range(default_threads())
    ]
    pool = ThreadPoolExecutor(len(networks))

    def share(k: int) -> list[list[knuckle.Hand]]:
        return [knuckle.detect(photo, networks[k]) for photo in photos[k :: len(networks)]]

    return {
        "loop": lambda: [knuckle.detect(photo, models) for photo in photos],
        "list": lambda: knuckle.detect(photos, models),
        "a loop in each thread": lambda: list(pool.map(share, range(len(networks)))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--models", nargs="+", default=["mediapipe", "knuckle-fast"], help="bundles")
    parser.add_argument("--count", type=int, default=8, help="pictures that a network gets at once, and drawn photos")
    parser.add_argument("--runs", type=int, default=9, help="runs of each way")
    chosen = parser.parse_args()
    print(f"{default_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        if chosen.photos:
            sources = {f"{len(chosen.photos)} photos": chosen.photos}
        else:
            sources = {
                f"files of {w} x {h}": drawn(Path(folder), chosen.count, (w, h))
                for w, h in ((640, 480), (1280, 960), (4000, 3000))
            }
            sources = {"arrays of 640 x 480": [open_image(path) for path in sources["files of 640 x 480"]], **sources}
        for models in chosen.models:
            networks = knuckle.load(models)
            for role in ("palm", "hand"):
                compare(f"{models}, {role} network", of_network(getattr(networks, role), chosen.count), chosen)
            for name, photos in sources.items():
                compare(f"{models}, {name}", of_detect(photos, models), chosen, len(photos))


if __name__ == "__main__":
    main()
