"""Errors in metres on four calibrated cameras: a board's corners, hands seen by several, hands seen by one.

    python benchmarks/space.py FOLDER

FOLDER holds cam_N.mp4, config.toml, timestamps.csv, xy_CHARUCO.csv and xyz_CHARUCO.csv, as caliscope's sample project
of four cameras does. Writes benchmarks/results/space.json; `python docs/make_tables.py` puts it into docs/space.md.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle import HandTracker
from knuckle.cli.triangulate import read_timestamps
from knuckle.results import Hand
from knuckle.space import Camera, Locator, RigHand, locate, read_cameras, triangulate
from knuckle.space.rigs import bone_lengths, median_lengths
from knuckle.space.views import Sightings, triangulate_points

RESULTS = Path(__file__).resolve().parent / "results" / "space.json"
SAME_PX = 1.0
Frames = list[tuple[float, list[Hand]]]


def board(folder: Path, cameras: Sequence[Camera]) -> dict[str, float]:
    """Triangulated corners of the board against those of the calibration program, which had all frames at once."""
    with (folder / "xyz_CHARUCO.csv").open() as lines:
        truth = {
            (row["sync_index"], row["keypoint_id"]): [float(row[f"{axis}_coord"]) for axis in "xyz"]
            for row in csv.DictReader(lines)
        }
    places, pixels = {key: k for k, key in enumerate(truth)}, np.full((len(cameras), len(truth), 2), np.nan)
    with (folder / "xy_CHARUCO.csv").open() as lines:
        for row in csv.DictReader(lines):
            if (key := (row["sync_index"], row["keypoint_id"])) in places:
                pixels[int(row["cam_id"]), places[key]] = float(row["img_loc_x"]), float(row["img_loc_y"])
    found = triangulate_points(Sightings.of(cameras, pixels, np.ones(pixels.shape[:2])))
    off = 1000 * np.linalg.norm(found.points - np.array(list(truth.values())), axis=1)
    known = off[np.isfinite(off)]
    return {
        "corners": len(truth),
        "found": len(known),
        "median_mm": float(np.median(known)),
        "p90_mm": float(np.percentile(known, 90)),
        "reprojection_px": float(np.nanmedian(found.errors_px)),
    }


def rig_figures(hands: Sequence[RigHand], frames: int) -> list[dict[str, Any]]:
    """Of each track: how many views, how well they agree, and how constant the bones are."""
    rows = []
    for number in sorted({hand.track_id for hand in hands}):
        own = [hand for hand in hands if hand.track_id == number]
        lengths = np.stack([bone_lengths(hand.points) for hand in own])
        median = median_lengths(list(lengths))
        spread = np.nanmedian(np.abs(lengths / median - 1), axis=0) * 1.4826
        rows.append(
            {
                "handedness": own[0].handedness,
                "frames": len(own),
                "of": frames,
                "views": float(np.mean([len(hand.cameras) for hand in own])),
                "reprojection_px": float(np.median([hand.error_px for hand in own])),
                "known_points": float(np.mean([np.isfinite(hand.points[:, 0]).mean() for hand in own])),
                "std_mm": float(1000 * np.nanmedian([hand.std for hand in own])),
                "hand_length_m": float(median[2].sum()),
                "palm_spread": float(100 * np.median(spread[1:, 0])),
                "bone_spread": float(100 * np.median(spread)),
            }
        )
    return rows


def one_camera(
    views: Mapping[str, Frames], cameras: Mapping[str, Camera], truth: Sequence[RigHand], length_m: float
) -> dict[str, dict[str, float]]:
    """Positions from each camera alone against those of the rig, for hands that three or more cameras see."""
    known = [hand for hand in truth if len(hand.cameras) >= 3]
    ways: dict[str, Any] = {
        "each image": lambda camera: lambda hands, time_s: locate(hands, camera),
        "video": lambda camera: (lambda locator: lambda hands, time_s: locator(hands, None, time_s))(Locator(camera)),
        "each image, known length": lambda camera: lambda hands, time_s: locate(hands, camera, hand_length_m=length_m),
        "video, known length": lambda camera: (lambda locator: lambda hands, time_s: locator(hands, None, time_s))(
            Locator(camera, length_m)
        ),
    }
    return {name: compared(views, cameras, known, way) for name, way in ways.items()}


def compared(
    views: Mapping[str, Frames], cameras: Mapping[str, Camera], known: Sequence[RigHand], way: Any
) -> dict[str, float]:
    """Errors of one way to place hands, over all cameras."""
    depth, across, scores, tracks = [], [], [], {}
    for name, frames in views.items():
        camera, placer = cameras[name], way(cameras[name])
        for time_s, hands in frames:
            near = [hand for hand in known if abs(hand.time_s - time_s) < 0.02 and name in hand.cameras]
            for hand in placer(hands, time_s):
                for other in near:
                    true = camera.to_camera(other.points)
                    if hand.handedness != other.handedness:
                        continue
                    off = np.nanmedian(hand.camera - true, axis=0)
                    relative = float(off[2] / np.nanmedian(true[:, 2]))
                    depth.append(relative)
                    tracks.setdefault((name, other.track_id), []).append(relative)
                    across.append(float(np.hypot(*off[:2])))
                    scores.append(np.nanmedian(((hand.camera - true) / hand.camera_std)[:, 2] ** 2) / 0.455)
    return {
        "hands": len(depth),
        "bias": 100 * float(np.median(depth)),
        "median": 100 * float(np.median(np.abs(depth))),
        "p90": 100 * float(np.percentile(np.abs(depth), 90)),
        "steady": 100 * float(np.mean([np.std(own) for own in tracks.values() if len(own) > 10])),
        "across_mm": 1000 * float(np.median(across)),
        "errors_to_stated": float(np.sqrt(np.median(scores))),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    cameras = read_cameras(folder / "config.toml")
    stamps = dict(zip(cameras, read_timestamps(folder / "timestamps.csv", list(cameras)), strict=True))
    views: dict[str, Frames] = {}
    for name in cameras:
        tracked = HandTracker(smooth=False).track(str(folder / f"{name}.mp4"))
        views[name] = [(time_s, hands) for time_s, (_, hands) in zip(stamps[name], tracked, strict=False)]
    hands = triangulate(views, cameras)
    rows = rig_figures(hands, len(stamps[next(iter(cameras))]))
    length_m = float(np.mean([row["hand_length_m"] for row in rows]))
    alone = one_camera(views, cameras, hands, length_m)
    found = {
        "board": board(folder, list(cameras.values())),
        "rig": rows,
        "one_camera": alone,
        "hand_length_m": length_m,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
