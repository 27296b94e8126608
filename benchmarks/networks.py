"""Landmark networks alone, on the same crops: speed, error on renders, false positives on hand-free photos.

    python benchmarks/networks.py --free PHOTOS/office_no_hands --renders benchmarks/scratch/accuracy/renders

Each network gets a crop of its own side of the same region of the same picture, and runs on the same engine.
(`benchmarks/accuracy.py --bundle knuckle` measures whole photos and clips.) The networks are timed alternately, on one
thread and on all, and the result is the median ratio to `mediapipe` within a round. Figures are written to
benchmarks/results/networks.json; docs/make_tables.py puts them into the model card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as pillow
from rich.progress import track

from knuckle.datasets import open_image
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import SourceError
from knuckle.geometry import crop
from knuckle.images import Image
from knuckle.media.draw import draw_hands
from knuckle.media.sources import load_image
from knuckle.metrics import bootstrap
from knuckle.models import catalogue
from knuckle.models.session import Session, default_threads
from knuckle.pipeline.hand import MCP_JOINTS, HandLandmarker, HandModel
from knuckle.results import Hand, Roi
from knuckle.train.augment import RegionNoise
from knuckle.train.hand.data import hand_free_region, read_source
from knuckle.train.hand.labels import TIPS, is_trainable, region_of
from knuckle.train.sources import Source

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "networks.json"
NAMES = ("mediapipe", "mediapipe-lite", "knuckle-fast", "knuckle")
TRACKED = RegionNoise(any_angle=0, lost=0, tracked=0)  # errors of regions from palms
PER_PHOTO, ROUNDS, RUNS = 200, 15, 20
FAR_PX = (64, 32)  # sides of the regions of distant hands
TILE = 200


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--free", required=True, action="append", type=Path, help="folder of photos without hands")
    options.add_argument("--renders", required=True, help="renders that no network was trained on")
    options.add_argument("--models", nargs="+", default=list(NAMES))
    options.add_argument(
        "--worst", type=Path, help="picture to draw of the renders with the largest errors of the last network"
    )
    chosen = options.parse_args()
    networks = {name: landmarker(name) for name in chosen.models}
    found = {
        "time": in_turn(chosen.models, hand_session),
        "free": false_alarms(networks, chosen.free),
        "renders": on_renders(networks, read_source(chosen.renders)),
    }
    if chosen.worst:
        draw_worst(networks[chosen.models[-1]], read_source(chosen.renders), chosen.worst)
    RESULTS.write_text(json.dumps({"models": chosen.models, **found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def landmarker(name: str) -> HandLandmarker:
    """A bundle's landmark network that accepts any presence."""
    bundle = catalogue.find(name)
    model = HandModel(**bundle.hand_outputs)
    return HandLandmarker(Session(bundle.hand_path), model, min_presence=-1.0)


def read(network: HandLandmarker, image: Image, rois: Sequence[Roi]) -> list[Hand]:
    """The hands that a network reads in some regions, even those of low presence."""
    return network.read(image, rois)


def hand_session(name: str, threads: int) -> tuple[Session, int]:
    """A bundle's landmark network and its side."""
    bundle = catalogue.find(name)
    return Session(bundle.hand_path, threads), bundle.hand_side


def in_turn(names: Sequence[str], opened: Callable[[str, int], tuple[Session, int]]) -> dict[str, Any]:
    """Milliseconds per picture of each network, on one thread and on all, and its ratio to the first network."""
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {name: {} for name in names}
    for threads in sorted({1, default_threads()}):
        sessions, pictures = {}, {}
        for name in names:
            sessions[name], side = opened(name, threads)
            pictures[name] = rng.integers(0, 255, (1, side, side, 3), np.uint8)
        rounds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, session in sessions.items():
                session(pictures[name])
                started = time.perf_counter()
                for _ in range(RUNS):
                    session(pictures[name])
                rounds[name].append((time.perf_counter() - started) / RUNS * 1000)
        for name, figures in ratios(rounds).items():
            found[name][f"{threads} thread{'s' * (threads > 1)}"] = figures
    return found


def ratios(rounds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """The median time of each network, and the quartiles of its ratio to the first one within a round."""
    first = next(iter(rounds.values()))
    found = {}
    for name, mine in rounds.items():
        low, middle, high = np.quantile(np.divide(mine, first), (0.25, 0.5, 0.75)).tolist()
        found[name] = {"ms": statistics.median(mine), "ratio": middle, "low": low, "high": high}
    return found


def false_alarms(networks: dict[str, HandLandmarker], folders: Sequence[Path]) -> dict[str, Any]:
    """The share of random crops of hand-free photos in which a network sees a hand, with an interval over photos."""
    photos = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    alarms: dict[str, list[int]] = {name: [] for name in networks}
    for number, image in enumerate(track(list(images_in(photos)), "photos without hands")):
        rng = np.random.default_rng(number)
        rois = [roi for _ in range(PER_PHOTO) if (roi := hand_free_region((image.shape[1], image.shape[0]), (), rng))]
        for name, network in networks.items():
            alarms[name].append(sum(hand.presence > 0.5 for hand in read(network, image, rois)))
    counts = {name: np.array(each) for name, each in alarms.items()}
    return {
        "photos": len(next(iter(counts.values()))),
        "crops_per_photo": PER_PHOTO,
        **{n: bootstrap(lambda k, c=c: 100 * c[k].mean() / PER_PHOTO, range(len(c))) for n, c in counts.items()},  # type: ignore[misc]
    }


def images_in(paths: Sequence[Path]) -> Iterator[Image]:
    """The files that are photos."""
    for path in paths:
        try:
            yield load_image(path)
        except SourceError:
            continue


def on_renders(networks: dict[str, HandLandmarker], source: Source) -> dict[str, Any]:
    """Figures on rendered hands, by slice and network, see `figures_of` and `summary`.

    The slices `region of N px` hold all hands again, but as distant as that.
    """
    rows: list[dict[str, Any]] = []
    for shot, image, roi, true in crops_of(source):
        looks = {("all", *shot.slices): image}
        looks |= {(f"region of {pixels} px",): further(image, pixels / roi.size) for pixels in FAR_PX}
        for slices, look in looks.items():
            said = {name: figures_of(read(network, look, [roi])[0], true) for name, network in networks.items()}
            rows.append({"slices": slices, "said": said})
    slices = sorted({name for row in rows for name in row["slices"]}, key=lambda name: (name != "all", name))
    return {name: summary([row["said"] for row in rows if name in row["slices"]]) for name in slices}


def further(image: Image, scale: float) -> Image:
    """An image with the detail of a smaller one, at its own size."""
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def crops_of(source: Source) -> Iterator[tuple[Shot, Image, Roi, LabelledHand]]:
    """The first hand of every picture, and a region around it as the tracker would crop it."""
    for number, shot in enumerate(track(source.shots, "renders")):
        hands = [hand for hand in shot.hands or () if is_trainable(hand)]
        if hands:
            roi = TRACKED.apply(region_of(hands[0], MCP_JOINTS), np.random.default_rng(number))
            yield shot, open_image(shot.source), roi, hands[0]


def draw_worst(network: HandLandmarker, source: Source, path: Path, columns: int = 8, rows: int = 4) -> None:
    """A sheet of the crops with the largest errors: predictions drawn over the picture, ground truth as white dots."""
    cases = []
    for _, image, roi, true in crops_of(source):
        hand = read(network, image, [roi])[0]
        cases.append((figures_of(hand, true)["error"], image, roi, hand, true))
    cases.sort(key=lambda case: -case[0])
    sheet = pillow.new("RGB", (columns * TILE, rows * TILE))
    for place, (_, image, roi, hand, true) in enumerate(cases[: columns * rows]):
        picture = draw_hands(image, [hand], labels=False)
        assert true.landmarks is not None
        for x, y in true.landmarks[:, :2]:
            cv2.circle(picture, (round(float(x)), round(float(y))), 2, (255, 255, 255), -1, cv2.LINE_AA)
        tile = pillow.fromarray(crop(picture, roi, TILE))
        sheet.paste(tile, (place % columns * TILE, place // columns * TILE))
    sheet.save(path, quality=85)


def figures_of(hand: Hand, true: Any) -> dict[str, float]:
    """One crop's errors: all landmarks and fingertips (% of palm size), 3D (mm); presence and handedness right (%)."""
    known = np.isfinite(true.landmarks[:, :2]).all(axis=1)
    distance = np.hypot(*(hand.landmarks[:, :2] - true.landmarks[:, :2]).T)
    palm = float(np.hypot(*(true.landmarks[9, :2] - true.landmarks[0, :2])))
    palm = max(palm, 0.7 * float(np.ptp(true.landmarks[[0, 5, 9, 13, 17], :2], axis=0).max()))
    space = (hand.world - hand.world.mean(axis=0)) - (true.world - true.world.mean(axis=0))
    return {
        "error": 100 * float(distance[known].mean()) / palm,
        "tips": 100 * float(distance[TIPS].mean()) / palm,
        "world_mm": 1000 * float(np.linalg.norm(space, axis=1).mean()),
        "present": 100.0 * (hand.presence > 0.5),
        "side": 100.0 * (hand.handedness == true.handedness),
    }


def summary(said: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians of errors and means of shares, for each network."""
    found: dict[str, Any] = {"count": len(said)}
    for name in said[0]:
        columns = {key: np.array([each[name][key] for each in said]) for key in said[0][name]}
        found[name] = {
            key: float(np.mean(values) if key in ("present", "side") else np.median(values))
            for key, values in columns.items()
        }
    return found


if __name__ == "__main__":
    main()
