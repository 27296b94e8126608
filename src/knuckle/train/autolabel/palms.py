"""Pseudo-labels of whole photos: all palms, found by searching everywhere and confirmed where crops agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from knuckle.datasets.labels import LabelledHand
from knuckle.geometry import apply, crop, image_from_crop
from knuckle.images import Image
from knuckle.metrics import centre_in
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import roi_from_palm, suppress
from knuckle.pipeline.tracker import Networks
from knuckle.results import FloatArray, Hand, Palm, Roi
from knuckle.train.autolabel.agreement import PALM_AGREES, label_of, overlaps, read_with_agreement, unsure

MIN_PALM_SCORE = 0.25  # of palms that are looked at
SURE_PALM_SCORE = 0.5  # palms with at least this score on which the crops disagree are unknown; others are dropped
SEARCH_PX = 192  # side in pixels of a part of a photo that is searched
AROUND_BOX = (1.3, 1.8, 2.6)  # sides of the parts around a box, relative to its longer side
TURNS_RAD = tuple(math.radians(angle) for angle in (0, 90, 180, 270, 45, -45))


class PalmLabeller:
    """Labels all palms of photos with the networks of a bundle."""

    def __init__(self, networks: Networks) -> None:
        options = TrackerOptions(min_palm_score=MIN_PALM_SCORE)
        self.find = networks.palm_detector(options).graph()
        self.landmarker = networks.hand_landmarker(options)

    def label(self, image: Image, hand_boxes: Sequence[FloatArray] | None) -> list[LabelledHand]:
        """All hands of a photo.

        Palms are searched in the whole photo, in parts of it and in four rotations. A hand on whose palm nine of twelve
        crops agree gets landmarks. In boxes without such a hand the search is repeated, cropped, rotated and scaled.
        A box in which this fails too becomes a hand with only a box. A palm with a high score on which the crops
        disagree becomes a region to ignore.

        Args:
            image: (height, width, 3).
            hand_boxes: (4,) boxes that people drew; () if they found no hand; None if nobody looked.
        """
        if hand_boxes is not None and not hand_boxes:
            return []
        corner = np.array(image.shape[1::-1]) - 1
        known: list[Hand] = []
        unknown: list[FloatArray] = []
        only_boxes: list[FloatArray] = []
        for palm in self._everywhere(image):
            if centre_in(palm.box, [hand.box for hand in known]):
                continue
            hand = self._confirmed(image, palm)
            box = box_of_hand(palm)
            if hand is not None:
                _add_new(known, hand)
            elif palm.score >= SURE_PALM_SCORE and (box[2:] >= 1).all() and (box[:2] <= corner).all():
                unknown.append(box)  # (palms are also found outside the image, beside rotated parts)
        for box in hand_boxes or ():
            if not any(centre_in(hand.box, [box]) for hand in known):
                hand = self._hand_in(image, box)
                if hand is None:
                    only_boxes.append(box)
                else:
                    _add_new(known, hand)
        boxes: list[FloatArray] = []
        for box in sorted(unknown, key=lambda box: -float(np.prod(box[2:] - box[:2]))):
            if not centre_in(box, [hand.box for hand in known] + only_boxes + boxes):
                boxes.append(box)
        return [*map(label_of, known), *(LabelledHand(box=box) for box in only_boxes), *map(unsure, boxes)]

    def _confirmed(self, image: Image, palm: Palm) -> Hand | None:
        return read_with_agreement(image, roi_from_palm(palm), self.landmarker, PALM_AGREES)

    def _hand_in(self, image: Image, box: FloatArray) -> Hand | None:
        """A confirmed hand whose centre lies in a box that people drew."""
        for palm in self._around(image, box):
            hand = self._confirmed(image, palm) if centre_in(palm.box, [box]) else None
            if hand is not None and centre_in(hand.box, [box]):
                return hand
        return None

    def _everywhere(self, image: Image) -> list[Palm]:
        """The palms of the whole image, of four overlapping parts and of the rotated image, best first."""
        height, width = image.shape[:2]
        longer = max(width, height)
        palms = list(self.find(image))
        for turn in TURNS_RAD[1:4]:
            palms += self._palms_in(image, Roi(width / 2, height / 2, longer, turn))
        part = 0.6 * longer
        for x in (part / 2, width - part / 2):
            for y in (part / 2, height - part / 2):
                palms += self._palms_in(image, Roi(x, y, part))
        return suppress(palms)

    def _around(self, image: Image, box: FloatArray) -> Iterator[Palm]:
        """Palms near a box: in larger and smaller parts of the image around it, rotated."""
        x, y = ((box[:2] + box[2:]) / 2).tolist()
        longer = float((box[2:] - box[:2]).max())
        for scale in AROUND_BOX:
            for turn in TURNS_RAD:
                yield from self._palms_in(image, Roi(x, y, scale * longer, turn))

    def _palms_in(self, image: Image, roi: Roi) -> list[Palm]:
        """The palms of a region in image pixels. Their boxes are upright in the image, also if the region is not."""
        affine = image_from_crop(roi, SEARCH_PX)
        scale = roi.size / SEARCH_PX
        moved = []
        for palm in self.find(crop(image, roi, SEARCH_PX)):
            middle = apply(affine, ((palm.box[:2] + palm.box[2:]) / 2).astype(np.float64))
            half = (palm.box[2:] - palm.box[:2]) * (scale / 2)
            box = np.concatenate([middle - half, middle + half]).astype(np.float32)
            points = apply(affine, palm.keypoints.astype(np.float64)).astype(np.float32)
            moved.append(Palm(box, points, palm.score))
        return moved


def box_of_hand(palm: Palm) -> FloatArray:
    """The upright box (4,) in which the hand of a palm may lie, as large as the landmark network's region."""
    roi = roi_from_palm(palm)
    half = roi.size / 2
    return np.array([roi.x - half, roi.y - half, roi.x + half, roi.y + half], np.float32)


def _add_new(known: list[Hand], hand: Hand) -> None:
    if not overlaps(hand.box, [other.box for other in known]):
        known.append(hand)
