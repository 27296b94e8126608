"""Images and measurements of docs/synthetic.md.

python docs/make_synthetic.py sheets                  # the contact sheets
python docs/make_synthetic.py evaluate --count 5000   # recall and error of the reference bundle on crops and scenes
python docs/make_synthetic.py offsets --count 2000    # its landmarks relative to ours, joint by joint
python docs/make_synthetic.py clip                    # examples/hands.mp4
python docs/make_synthetic.py tables                  # write the measurements into docs/synthetic.md
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import knuckle
from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.geometry import iou
from knuckle.results import PALM_LANDMARKS, HandLandmark, Roi
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.studio import Sample
from knuckle.synth.write.clips import ClipRecipe, write_clips
from knuckle.synth.write.preview import contact_sheet, draw_labels, save_sheet
from knuckle.synth.write.recipe import Recipe
from knuckle.synth.write.shards import samples_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "synthetic.json"
PAGE = ROOT / "docs" / "synthetic.md"
PARENT = (0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
PALM_JOINTS = {0, 1, 5, 9, 13, 17}


def sheets(count: int) -> None:
    """64 crops, the first 32 of them with their labels, and 32 scenes, every fourth with its labels."""
    crops = list(samples_of(Recipe("hands", 64, 256, seed=2026), range(64)))
    save_sheet(ROOT / "docs/images/synth_hands.jpg", contact_sheet([s.image for s in crops], 8), 84)
    drawn = [draw_labels(sample.image, sample.hands, zoom=1) for sample in crops[:32]]
    save_sheet(ROOT / "docs/images/synth_labels.jpg", contact_sheet(drawn, 8), 84)
    scenes = list(samples_of(Recipe("scenes", 32, 384, seed=2026), range(32)))
    pictures = [draw_labels(s.image, s.hands, zoom=1) if k % 8 in (3, 7) else s.image for k, s in enumerate(scenes)]
    save_sheet(ROOT / "docs/images/synth_scenes.jpg", contact_sheet(pictures, 8), 82)


def clip(count: int) -> None:
    """The clip that `make demo` tracks."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = ClipRecipe(seconds=6, seed=EXAMPLE_SEED, quality=0.97, acts=EXAMPLE_ACTS)
        (path,) = write_clips(Path(folder), recipe)
        shutil.copy(path, ROOT / "examples/hands.mp4")


EXAMPLE_SEED, EXAMPLE_ACTS = 20, ("wave", "two", "ok", "cross", "open")


def look_at_crops(numbers: range) -> list[dict[str, Any]]:
    """The reference landmark network on crops: one row per crop that shows most of a hand, or no hand."""
    networks, rows = knuckle.load(threads=1), []
    for sample in samples_of(Recipe("hands", 1, 256, seed=77), numbers):
        kind = sample.scene["crop"]["kind"]
        whole = [Roi(128, 128, 256)]
        if not sample.hands:
            seen = knuckle.landmarks_in(sample.image, whole, networks)[0] is not None
            rows.append({"kind": "nothing", "found": seen})
            continue
        truth = sample.hands[0]
        if kind == "wrong" or (truth.visibility == Visibility.OUTSIDE).sum() > 3:
            continue
        hand = knuckle.landmarks_in(sample.image, whole, networks, min_presence=0.0)[0]
        if hand is None:
            continue
        scale = palm_px(sample, truth)
        error = float(np.linalg.norm(hand.landmarks[:, :2] - truth.landmarks[:, :2], axis=1).mean() / scale)
        rows.append(words_of(sample, truth) | {"found": hand.presence > 0.5, "error": error})
        rows[-1]["side_right"] = hand.handedness == truth.handedness
    return rows


def look_at_scenes(numbers: range) -> list[dict[str, Any]]:
    """The reference palm detector on scenes: one row per hand, one per false positive and one per scene."""
    networks, rows = knuckle.load(threads=1), []
    for sample in samples_of(Recipe("scenes", 1, 384, seed=78), numbers):
        palms = knuckle.detect_palms(sample.image, networks)
        unused = set(range(len(palms)))
        for truth in sample.hands:
            shown = float((truth.visibility == Visibility.VISIBLE).mean())
            inside = (truth.palm[:2] > -20).all() and (truth.palm[2:] < 404).all()
            best = max(unused, key=lambda k: float(iou(truth.palm, palms[k].box[None])[0]), default=None)
            found = best is not None and float(iou(truth.palm, palms[best].box[None])[0]) > 0.3
            if found and best is not None:
                unused.discard(best)
            if shown < 0.25 or not inside:
                continue
            row = words_of(sample, truth) | {"kind": "palm", "found": found, "size": size_of(truth)}
            if found and best is not None:
                row |= palm_difference(truth, palms[best])
            rows.append(row)
        rows += [{"kind": "false", "found": True}] * len(unused) + [{"kind": "scene", "found": bool(sample.hands)}]
    return rows


def palm_difference(truth: LabelledHand, palm: Any) -> dict[str, Any]:
    """How the detector's box differs from the label's: ratio of sides, shift and key point distance in sides."""
    side = float(truth.palm[2] - truth.palm[0])
    shift = (palm.box[:2] + palm.box[2:] - truth.palm[:2] - truth.palm[2:]) / 2 / side
    spread = np.linalg.norm(palm.keypoints - truth.landmarks[list(PALM_LANDMARKS), :2], axis=1).mean() / side
    return {"ratio": float(palm.box[2] - palm.box[0]) / side, "shift": float(np.hypot(*shift)), "points": float(spread)}


def words_of(sample: Sample, truth: LabelledHand) -> dict[str, Any]:
    """The words that tables are grouped by."""
    about = truth.about or {}
    pose = str(about.get("pose", ""))
    covered = (truth.visibility == Visibility.HIDDEN) & ~np.array(truth.self_occluded, bool)
    return {
        "kind": "hand",
        "pose": "letter" if pose.startswith("asl_") else "holding" if about.get("holds") else pose,
        "tone": f"{about.get('tone', 0):02d}",
        "glove": "glove" if about.get("glove") else "bare",
        "light": sample.scene["light"],
        "resolution": f"{sample.scene['film']['resolution']:.1f}",
        "hidden": "hidden in part" if covered.any() else "in full view",
    }


def size_of(truth: LabelledHand) -> str:
    """Side of the palm box in the detector's input of 192 px, as a range."""
    side = float(truth.palm[2] - truth.palm[0]) / 2
    for low, high in ((0, 6), (6, 10), (10, 16), (16, 32), (32, 64), (64, 999)):
        if low <= side < high:
            return f"{low:02d}-{high} px" if high < 999 else "64 px and more"
    return "none"


def palm_px(sample: Sample, truth: LabelledHand) -> float:
    """The unit of the error: distance from wrist to middle MCP seen from the front, pixels."""
    length = float(np.linalg.norm(truth.world[9] - truth.world[0]))
    return length * sample.camera["fx"] / float(truth.centre[2] + truth.world[0, 2])


def evaluate(count: int) -> None:
    """Measure recall and error, also by pose, tone, light, size and glove."""
    rows = list(in_parts(look_at_crops, count))
    scenes = list(in_parts(look_at_scenes, max(200, count // 5)))
    hands = [row for row in rows if row["kind"] == "hand"]
    palms = [row for row in scenes if row["kind"] == "palm"]
    nothing = [row["found"] for row in rows if row["kind"] == "nothing"]
    matched = [row for row in palms if row["found"]]
    result = {
        "crops": {
            "hands": summary(hands) | {"side_right": share(row["side_right"] for row in hands if row["found"])},
            "nothing": {"crops": len(nothing), "taken for a hand": share(nothing)},
            **{name: groups(hands, name) for name in ("pose", "tone", "light", "glove", "hidden", "resolution")},
        },
        "scenes": {
            "palms": {"hands": len(palms), "found": share(row["found"] for row in palms)},
            "scenes": sum(row["kind"] == "scene" for row in scenes),
            "false alarms": sum(row["kind"] == "false" for row in scenes),
            "square": {
                name: [round(float(q), 3) for q in np.percentile([row[name] for row in matched], (10, 50, 90))]
                for name in ("ratio", "shift", "points")
            },
            **{name: groups(palms, name) for name in ("size", "tone", "light", "glove")},
        },
    }
    save(result)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Number of hands, recall, and the median error of the found hands."""
    found = [row["error"] for row in rows if row["found"] and "error" in row]
    entry = {"hands": len(rows), "found": share(row["found"] for row in rows)}
    if found:
        entry["error"] = round(float(np.median(found)), 3)
    return entry


def groups(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The summary for each value of a word that has at least 15 hands."""
    parts = defaultdict(list)
    for row in rows:
        parts[row[name]].append(row)
    return {str(key): summary(part) for key, part in sorted(parts.items(), key=str) if len(part) >= 15}


def share(flags: Iterable[bool]) -> float:
    kept = list(flags)
    return round(float(np.mean(kept)), 3) if kept else 0.0


def look_at_joints(numbers: range) -> list[Any]:
    """For each bare hand that the network finds: how its landmarks differ from ours.

    (21, 2) difference in palm lengths, (21, 2, 3) its change per metre of offset along each axis of the joint,
    (21,) whether the landmark is visible, and whether the skin is dark.
    """
    networks, rows = knuckle.load(threads=1), []
    for sample in samples_of(Recipe("hands", 1, 256, seed=79), numbers, SceneMix(holding=0.0, gloves=0.0)):
        if not sample.hands or sample.camera["distortion"] or sample.scene["crop"]["kind"] == "wrong":
            continue
        truth = sample.hands[0]
        hand = knuckle.landmarks_in(sample.image, [Roi(128, 128, 256)], networks)[0]
        if hand is None or (truth.visibility == Visibility.OUTSIDE).any():
            continue
        away = (hand.landmarks[:, :2] - truth.landmarks[:, :2]) / palm_px(sample, truth)
        if np.linalg.norm(away, axis=1).mean() > 0.25:
            continue
        scale = sample.camera["fx"] / (truth.centre[2] + truth.world[:, 2]) / palm_px(sample, truth)
        seen = truth.visibility == Visibility.VISIBLE
        rows.append((away, joint_frames(truth)[:, :2] * scale[:, None, None], seen, truth.about["tone"] > 5))  # type: ignore[index]
    return rows


def joint_frames(truth: LabelledHand) -> Any:
    """(21, 3, 3) axes along, ulnar, dorsal (columns, camera axes): of the hand for palm joints, else of the bone."""
    world = truth.world.astype(float)
    distal = world[9] - world[0]
    distal /= np.linalg.norm(distal)
    ulnar = world[17] - world[5]
    ulnar -= (ulnar @ distal) * distal
    ulnar /= np.linalg.norm(ulnar)
    sign = 1 if truth.handedness == "Right" else -1
    dorsal = np.cross(ulnar, distal) * sign
    frames = np.empty((21, 3, 3))
    for joint, parent in enumerate(PARENT):
        along = distal if joint in PALM_JOINTS else world[joint] - world[parent]
        along = along / np.linalg.norm(along)
        back = dorsal - (dorsal @ along) * along
        if np.linalg.norm(back) < 0.2:
            back = -distal + (distal @ along) * along
        back /= np.linalg.norm(back)
        frames[joint] = np.stack([along, np.cross(along, back) * sign, back], 1)
    return frames


def offsets(count: int) -> None:
    """Measure the 3D offset of each joint that best explains the network's differences over all views, millimetres."""
    rows = list(in_parts(look_at_joints, count))
    table = {}
    for joint in HandLandmark:
        kept = [(away[joint], frame[joint]) for away, frame, seen, _ in rows if seen[joint]]
        b = np.concatenate([away for away, _ in kept])
        a = np.concatenate([frame for _, frame in kept])
        weights = np.ones(len(b))
        for _ in range(10):  # least absolute error, by reweighting: wrong detections count little
            solution = np.linalg.lstsq(a * weights[:, None], b * weights, rcond=None)[0]
            weights = 1 / np.sqrt(np.maximum(np.abs(a @ solution - b), 0.02))
        before, after = (np.linalg.norm(v.reshape(-1, 2), axis=1) for v in (b, b - a @ solution))
        table[joint.name.lower()] = {
            "mm": [round(1000 * float(v), 1) for v in solution],
            "hands": len(kept),
            "difference": round(float(np.median(before)), 3),
            "left": round(float(np.median(after)), 3),
        }
        print(joint.name.lower(), table[joint.name.lower()])
    save({"offsets": table})


def in_parts(work: Callable[[range], list[Any]], count: int) -> Iterator[Any]:
    """The rows that `work` makes of the numbers below `count`, in order, by two processes."""
    size = 100
    parts = [range(start, min(start + size, count)) for start in range(0, count, size)]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for rows in pool.map(work, parts):
            yield from rows


def save(result: dict[str, Any]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(known | result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sheets", "evaluate", "offsets", "clip", "tables"])
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    {"sheets": sheets, "evaluate": evaluate, "offsets": offsets, "clip": clip, "tables": tables}[options.what](
        options.count
    )


def tables(count: int) -> None:
    """Write the measurements into the page, between its marks."""
    results = json.loads(RESULTS.read_text())
    text = PAGE.read_text()
    for mark, lines in (
        ("crops", crop_tables(results["crops"])),
        ("scenes", scene_tables(results["scenes"])),
        ("offsets", offset_table(results["offsets"])),
    ):
        start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        text = text[: text.index(start) + len(start)] + "\n".join(lines) + "\n" + text[text.index(end) :]
    PAGE.write_text(text)


def crop_tables(crops: dict[str, Any]) -> list[str]:
    whole, nothing = crops["hands"], crops["nothing"]
    lines = [
        f"On {whole['hands']} crops of a hand: recall {whole['found']:.1%}, median error {whole['error']:.3f} palm "
        f"lengths, handedness correct {whole['side_right']:.1%}. On {nothing['crops']} crops without a hand: "
        f"{nothing['taken for a hand']:.1%} false positives.",
    ]
    for name in ("tone", "light", "glove", "hidden", "resolution", "pose"):
        lines += ["", f"| {name} | hands | recall | error |", "|---|---|---|---|"]
        lines += [
            f"| {key} | {v['hands']} | {v['found']:.0%} | {v.get('error', '')} |" for key, v in crops[name].items()
        ]
    return lines


def scene_tables(scenes: dict[str, Any]) -> list[str]:
    square = scenes["square"]
    lines = [
        f"On {scenes['scenes']} scenes with {scenes['palms']['hands']} hands that show at least a quarter of their "
        f"landmarks: recall {scenes['palms']['found']:.1%}, {scenes['false alarms']} false positives.",
        "",
        "| the detector's box relative to the label's | median | 10 % to 90 % |",
        "|---|---|---|",
        *(
            f"| {name} | {square[key][1]} | {square[key][0]} to {square[key][2]} |"
            for key, name in (
                ("ratio", "side, ratio"),
                ("shift", "distance of the centres, in sides"),
                ("points", "distance of the key points, in sides"),
            )
        ),
    ]
    for name in ("size", "tone", "light", "glove"):
        lines += ["", f"| {name} | hands | recall |", "|---|---|---|"]
        lines += [f"| {key} | {v['hands']} | {v['found']:.0%} |" for key, v in scenes[name].items()]
    return lines


def offset_table(table: dict[str, Any]) -> list[str]:
    lines = [
        "| landmark | along, mm | ulnar, mm | dorsal, mm | difference | without the offset |",
        "|---|---|---|---|---|---|",
    ]
    for name, v in table.items():
        along, ulnar, dorsal = v["mm"]
        lines.append(f"| {name} | {along:+.1f} | {ulnar:+.1f} | {dorsal:+.1f} | {v['difference']} | {v['left']} |")
    return lines


if __name__ == "__main__":
    main()
