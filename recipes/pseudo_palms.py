"""Whole photos with all their palms labelled: what `knuckle train palm` needs, from photos with boxes or with nothing.

    python recipes/pseudo_palms.py INDEX.jsonl OUT [--sources subhih asl_letters ...] [--models mediapipe]

Palms are searched in the whole photo, in its quarters and in four directions, with a low threshold. Each hand is read
from the twelve turned, scaled and shifted crops of `pseudo_labels.py`; where these agree on the palm, their median is
the label. A box that people drew and no such hand lies in is searched again, cropped, turned and scaled. What stays
unknown, a box without a palm or a palm that the crops do not agree on, becomes a hand with a box alone: training leaves
it out of the score's loss, so it teaches neither hand nor background.

OUT/train.jsonl and OUT/held_out.jsonl (the same rows with a `split` field) name copies of the photos in OUT/images;
OUT/held_out_boxes.jsonl has people's own boxes of the latter. Of the sources in `HELD_OUT` a third is held out, by
capture where that can be told; photos of `NEVER` are for evaluation alone.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pseudo_labels import capture_of, split_of, views_of
from rich.progress import track

import knuckle
from knuckle.geometry import apply, crop, image_from_crop
from knuckle.images import Image
from knuckle.media.sources import load_image
from knuckle.metrics import centredness, iou_matrix
from knuckle.pipeline.hand import HandLandmarker, roi_from_landmarks
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import PalmDetector, roi_from_palm, suppress
from knuckle.pipeline.tracker import Networks
from knuckle.results import PALM_LANDMARKS, FloatArray, Hand, Palm, Roi

NEVER = ("ti1k", "gestures40", "office_no_hands")
# Hands that a photo shows at least, where nobody drew boxes. With fewer known ones the whole photo becomes a hand with
# a box alone, or the others would be taught as background; with none it is left out.
HANDS_SHOWN = {"sign_digits": 1, "lab_gestures": 2, "rf100_signers": 2}
MIN_PALM_SCORE = 0.25  # of palms that are looked at
SURE_PALM_SCORE = 0.5  # a palm above it that the crops do not agree on is unknown; below it, nothing
LEAST_VIEWS = 9  # of the twelve crops that must hold a hand
DEVIATION, FURTHEST = 0.06, 0.2  # of the palm: how far its points may be from their median, in the middle and at most
SAME_HAND = 0.4  # overlap from which two boxes are one hand
PALM = list(PALM_LANDMARKS)
LOOKED_AT = 192  # pixels of the side of a part that is searched again
AROUND_BOX = (1.3, 1.8, 2.6)  # sides of such parts, of the box's longer side
TURNS = tuple(math.radians(angle) for angle in (0, 90, 180, 270, 45, -45))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("index", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--sources", nargs="+", help="of the index; all but those for evaluation alone without it")
    options.add_argument("--models", default="mediapipe")
    options.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.index.read_text().splitlines()]
    rows = [row for row in rows if row["source"] not in NEVER and row["source"] in (chosen.sources or [row["source"]])]
    eyes = Eyes.of(knuckle.load(chosen.models))
    (chosen.out / "images").mkdir(parents=True, exist_ok=True)
    counts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((chosen.out / f"{name}.jsonl").open("w"))
            for name in ("train", "held_out", "held_out_boxes")
        }
        for row in track(rows[:: chosen.every], "photos"):
            image = load_image(chosen.index.parent / row["image"])
            hands = label(image, row.get("hand_boxes"), eyes)
            known = sum("landmarks" in hand for hand in hands)
            if row.get("hand_boxes") is None and not known:
                counts.update({(row["source"], "left out"): 1})
                continue
            if row.get("hand_boxes") is None and known < HANDS_SHOWN.get(row["source"], 1):
                hands.append({"box": [0.0, 0.0, float(image.shape[1]), float(image.shape[0])]})
            name = f"images/{row['source']}_{Path(row['image']).name}"
            shutil.copyfile(chosen.index.parent / row["image"], chosen.out / name)
            split = split_of(row)
            about = {"image": name, "source": row["source"], "licence": row["licence"], "split": split}
            about |= {
                "width": image.shape[1],
                "height": image.shape[0],
                "group": capture_of(row),
                "slices": [row["source"]],
            }
            line = {**about, "labelled_by": "mediapipe", "hands": hands, "complete": True}
            files[split].write(json.dumps(line) + "\n")
            if split == "held_out":
                line = {**about, "labelled_by": "people", "hand_boxes": row["hand_boxes"]}
                files["held_out_boxes"].write(json.dumps(line) + "\n")
            told = {"photos": 1, "palms": known, "unknown": len(hands) - known, "held out": int(split == "held_out")}
            counts.update({(row["source"], what): count for what, count in told.items()})
    for source in dict.fromkeys(source for source, _ in counts):
        words = (f"{counts[source, what]:5} {what}" for what in ("photos", "palms", "unknown", "held out", "left out"))
        print(f"{source:20}", *words)


class Eyes:
    """The networks that look for hands."""

    def __init__(self, detector: PalmDetector, landmarker: HandLandmarker) -> None:
        self.detector, self.find, self.landmarker = detector, detector.graph(), landmarker

    @classmethod
    def of(cls, networks: Networks) -> Eyes:
        options = TrackerOptions(min_palm_score=MIN_PALM_SCORE)
        return cls(networks.palm_detector(options), networks.hand_landmarker(options))

    def palms_in(self, image: Image, roi: Roi) -> list[Palm]:
        """Palms of a turned square of an image, in image pixels; their boxes are upright in the image, not in it."""
        affine = image_from_crop(roi, LOOKED_AT)
        scale = roi.size / LOOKED_AT
        moved = []
        for palm in self.find(crop(image, roi, LOOKED_AT)):
            middle = apply(affine, ((palm.box[:2] + palm.box[2:]) / 2).astype(np.float64))
            half = (palm.box[2:] - palm.box[:2]) * (scale / 2)
            box = np.concatenate([middle - half, middle + half]).astype(np.float32)
            points = apply(affine, palm.keypoints.astype(np.float64)).astype(np.float32)
            moved.append(Palm(box, points, palm.score))
        return moved

    def agreed(self, image: Image, palm: Palm) -> Hand | None:
        """The median of what twelve crops around a palm say, or None where they do not agree on the palm."""
        roi = roi_from_palm(palm)
        for _ in range(2):
            hands = self.landmarker.gate(self.landmarker.read(image, [roi]))
            if not hands:
                return None
            roi = roi_from_landmarks(hands[0].landmarks)
        found = self.landmarker.gate(self.landmarker.read(image, views_of(roi)))
        if len(found) < LEAST_VIEWS:
            return None
        points = np.stack([hand.landmarks for hand in found])
        middle = np.median(points, axis=0).astype(np.float32)
        side = float(np.ptp(middle[PALM, :2], axis=0).max())
        away = np.linalg.norm(points[:, PALM, :2] - middle[PALM, :2], axis=2)
        if np.median(away) > DEVIATION * side or np.median(away, axis=0).max() > FURTHEST * side:
            return None
        world = np.median(np.stack([hand.world for hand in found]), axis=0).astype(np.float32)
        one_side = len({hand.handedness for hand in found}) == 1
        label: Hand = replace(found[0], landmarks=middle, landmarks_raw=middle, world=world, roi=roi)
        return label if one_side else replace(label, handedness="")


def label(image: Image, boxes: list[list[float]] | None, eyes: Eyes) -> list[dict[str, Any]]:
    """The `hands` of a photo's row; `boxes` are people's, [] where they saw no hand, None where nobody looked."""
    if boxes == []:
        return []
    drawn = [np.array(box, np.float32) for box in boxes or ()]
    known: list[Hand] = []
    unknown: list[FloatArray] = []
    for palm in everywhere(image, eyes):
        if _holds([hand.box for hand in known], palm.box):
            continue
        hand = eyes.agreed(image, palm)
        if hand is not None:
            _keep(known, hand)
        elif palm.score >= SURE_PALM_SCORE and _touches(hand_box(palm), image):
            unknown.append(hand_box(palm))
    for box in drawn:
        if not any(_holds([box], hand.box) for hand in known):
            found = (eyes.agreed(image, palm) for palm in closely(image, box, eyes) if _holds([box], palm.box))
            hand = next((hand for hand in found if hand is not None and _holds([box], hand.box)), None)
            _keep(known, hand) if hand is not None else unknown.append(box)
    left: list[FloatArray] = []
    for box in sorted(unknown, key=lambda box: -float(np.prod(box[2:] - box[:2]))):
        seen = [hand.box for hand in known] + left
        if not _holds(seen, box):
            left.append(box)
    labelled = [_row_of(hand) for hand in known]
    return labelled + [{"box": np.round(box.astype(float), 1).tolist()} for box in left]


def _row_of(hand: Hand) -> dict[str, Any]:
    landmarks, world = hand.landmarks.astype(float), hand.world.astype(float)
    row = {"landmarks": np.round(landmarks, 2).tolist(), "world": np.round(world, 5).tolist()}
    return row | ({"handedness": hand.handedness} if hand.handedness else {})


def everywhere(image: Image, eyes: Eyes) -> list[Palm]:
    """Palms of the whole image, of its quarters and of the image turned, best first, one for each place."""
    height, width = image.shape[:2]
    whole = Roi(width / 2, height / 2, max(width, height))
    palms = list(eyes.find(image))
    for turn in TURNS[1:4]:
        palms += eyes.palms_in(image, Roi(whole.x, whole.y, whole.size, turn))
    part = 0.6 * whole.size
    for x in (part / 2, width - part / 2):
        for y in (part / 2, height - part / 2):
            palms += eyes.palms_in(image, Roi(x, y, part))
    return suppress(palms)


def closely(image: Image, box: FloatArray, eyes: Eyes) -> Iterator[Palm]:
    """Palms near a box that people drew: larger and smaller parts of the image, turned, until one is right."""
    x, y = (float(value) for value in _middle(box))
    longer = float((box[2:] - box[:2]).max())
    for scale in AROUND_BOX:
        for turn in TURNS:
            yield from eyes.palms_in(image, Roi(x, y, scale * longer, turn))


def hand_box(palm: Palm) -> FloatArray:
    """Where the hand of a palm may be: the square that the landmark network would be given, as an upright box."""
    roi = roi_from_palm(palm)
    half = roi.size / 2
    return np.array([roi.x - half, roi.y - half, roi.x + half, roi.y + half], np.float32)


def _touches(box: FloatArray, image: Image) -> bool:
    """Whether a pixel of a box lies within an image: palms are seen beside turned ones too."""
    height, width = image.shape[:2]
    return bool((box[2:] >= 1).all() and (box[:2] <= (width - 1, height - 1)).all())


def _keep(known: list[Hand], hand: Hand) -> None:
    if not known or iou_matrix([hand.box], [other.box for other in known]).max() < SAME_HAND:
        known.append(hand)


def _holds(boxes: list[FloatArray], box: FloatArray) -> bool:
    """Whether the middle of a box lies in one of some boxes."""
    return bool(boxes) and bool((centredness(_middle(box), np.stack(boxes)) >= 0).any())


def _middle(box: FloatArray) -> FloatArray:
    return np.asarray((box[:2] + box[2:]) / 2)


if __name__ == "__main__":
    main()
