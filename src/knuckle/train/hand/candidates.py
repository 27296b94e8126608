"""Regions that a palm network really proposes, hands or not: what presence must tell apart when the tracker runs.

Crops around labels and random hand-free crops are easier than these. A palm network proposes what looks like a palm, so
presence must reject the few things that do: faces, gloves that nobody wears, knots in wood.

Labels are cheap: a region on a box that a person drew holds a hand, and a region of a photo without hands holds none.
Where people drew a box around every hand, a region away from all boxes holds none either: arms, feet and faces. In
photos that nobody labelled a teacher's landmark network decides, where it is sure of the region and of its mirror
image. Regions without a hand that the proposing bundle takes for one are drawn most often.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from knuckle.datasets import open_image
from knuckle.datasets.labels import Shot
from knuckle.errors import InputError
from knuckle.images import Image
from knuckle.pipeline.hand import roi_from_landmarks
from knuckle.pipeline.networks import Networks, load
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import roi_from_palm
from knuckle.results import HAND_POINTS, FloatArray, PointSet, Roi
from knuckle.train import sources
from knuckle.train.augment import PhotometricAugment, Random, RegionNoise, crop_from_image, motion_blurred, warp
from knuckle.train.hand.labels import labels_without_hand, scalar
from knuckle.train.pictures import open_cached
from knuckle.train.sources import Source

logger = logging.getLogger("knuckle")

MIN_PALM_SCORE = 0.2  # of palms whose regions are taught
MOST_PALMS, MOST_PER_BOX = 12, 2  # regions of a photo and of a box, the best ones
FITS_BOX = (0.8, 2.8)  # side of a region on a hand, relative to the longer side of the hand's box
LEAST_PX = 12.0
SECOND_LOOK = (
    0.02  # presence from which on the region of the hand's own landmarks is taught too, as the tracker reads it
)
# A teacher's presence, in both mirror images: below the first a region holds no hand, above the second it holds one.
NO_HAND, HAND = 0.05, 0.6
SAME_PLACE = 0.6  # of a hand's region: others whose centre is nearer to it may show the same hand
# A region is away from a box if the palm in it, a square with this share of the region's side, keeps off the box grown
# by this share of its own sides.
PALM_PART, BOX_MARGIN = 0.44, 0.1
EASY = 0.1  # regions without a hand are drawn in proportion to this plus their presence
# A tracker must hold hands that move, and few photos show any: without these, hands of signing people were lost.
MOTION_BLURRED, MOTION_BLUR_PX = 0.4, (5, 26)  # share of the regions with a hand; length in a crop of 224 pixels
NOISE = RegionNoise(shift=0.03, scale=0.06, angle_rad=math.radians(6), any_angle=0.0, lost=0.0, tracked=0.0)


@dataclass(frozen=True)
class CandidateOptions:
    """Which candidates are taught, and how much.

    Attributes:
        data: photos with people's boxes around hands, or without hands. On the regions that a palm network proposes in
            them presence is learned, and nothing else. Can be given several times.
        unlabelled: photos that nobody labelled, where the teacher decides what holds a hand.
        teacher: the bundle whose landmark network is the teacher.
        models: the bundle that proposes them.
        beside: regions away from all boxes of a photo hold no hand, unless its labels say that they are not complete
            (docs/datasets.md).
        share: share of the samples that are such regions, half of them hands.
        weight: weight of these samples in the loss of presence.
    """

    data: tuple[str, ...] = field(default=(), metadata={"metavar": "PATH[@SPLIT]"})
    unlabelled: tuple[str, ...] = field(default=(), metadata={"metavar": "PATH[@SPLIT]"})
    teacher: str = "mediapipe"
    models: str = "knuckle"
    beside: bool = False
    share: float = 0.14
    weight: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or not self.weight > 0:
            raise InputError(
                f"the share of candidates must be between 0 and 1 and their weight above 0, got {self.share} and "
                f"{self.weight}"
            )


@dataclass(frozen=True)
class ProposedRegion:
    """A region of a photo that the tracker would read.

    Attributes:
        source: as in `Shot`.
        roi: the region.
        is_hand: whether it holds a hand.
        presence: what the proposing bundle says about that, for the palm that the region comes from.
    """

    source: str
    roi: Roi
    is_hand: bool
    presence: float = 0.0


def read_source(text: str) -> Source:
    """Read photos with boxes around hands, and photos that certainly show none: PATH[@SPLIT][:WEIGHT].

    Raises:
        SourceError: the dataset does not exist, or images are missing.
        InputError: it cannot be read, or no image is usable.
    """

    def is_usable(shot: Shot) -> bool:
        hands = shot.without_ignored().hands or ()
        return bool(shot.complete and shot.hands == ()) or any(hand.extent is not None for hand in hands)

    return sources.read_shots(text, is_usable, "has no image with boxes around hands and none without hands")


def read_unlabelled(text: str) -> Source:
    """Read photos that nobody labelled: PATH[@SPLIT][:WEIGHT]. Errors are those of `read_source`."""
    return sources.read_shots(text, lambda shot: shot.hands is None, "has labels everywhere; give it as data")


def decided_regions(networks: Networks, teacher: Networks, shot: Shot) -> Iterator[ProposedRegion]:
    """The regions of an unlabelled photo that the tracker would read, in both looks, where a teacher is sure.

    Args:
        networks: they propose the regions.
        teacher: its landmark network decides.
    """
    image = open_image(shot.source)
    proposed = _looks(networks, image)
    presence = {look: score for looks, score in proposed for look in looks}
    looks = usable(presence, image)
    width = image.shape[1]
    mirrored = [Roi(width - look.x, look.y, look.size, -look.angle_rad) for look in looks]
    judge = teacher.hand_landmarker(TrackerOptions())
    seen = zip(judge.read(image, looks), judge.read(np.ascontiguousarray(image[:, ::-1]), mirrored), strict=True)
    scores = [sorted((hand.presence, again.presence)) for hand, again in seen]
    hands = [look for look, (low, _) in zip(looks, scores, strict=True) if low > HAND]
    for look, (_, high) in zip(looks, scores, strict=True):
        if look in hands:
            yield ProposedRegion(shot.source, look, True, presence[look])
        elif high < NO_HAND and not any(may_be_same(look, hand) for hand in hands):
            yield ProposedRegion(shot.source, look, False, presence[look])


def may_be_same(look: Roi, hand: Roi) -> bool:
    """Whether a region may show the same hand as another."""
    return math.hypot(look.x - hand.x, look.y - hand.y) < SAME_PLACE * hand.size


def proposed_regions(networks: Networks, shot: Shot, beside: bool = False) -> Iterator[ProposedRegion]:
    """The regions of a photo that the tracker would read, in both looks, if it is known whether they hold a hand.

    Args:
        shot: a photo that `read_source` keeps.
        beside: see `CandidateOptions`.
    """
    image = open_image(shot.source)
    shot = shot.without_ignored()
    boxes = [hand.extent for hand in shot.hands or () if hand.extent is not None]
    used = [0] * len(boxes)
    for looks, presence in _looks(networks, image):
        box = _box_of(looks[0], boxes)
        if box is None and boxes and not (beside and shot.complete and is_away(looks[0], boxes)):
            continue
        if box is not None:
            if used[box] == MOST_PER_BOX:
                continue
            used[box] += 1
        for look in usable(looks, image):
            if box is None or _contains(boxes[box], look):
                yield ProposedRegion(shot.source, look, box is not None, presence)


def is_away(roi: Roi, boxes: Sequence[FloatArray]) -> bool:
    """Whether the palm in a region lies beside all boxes."""
    half = PALM_PART / 2 * roi.size
    low, high = np.array([roi.x - half, roi.y - half]), np.array([roi.x + half, roi.y + half])
    margins = (BOX_MARGIN * (box[2:] - box[:2]) for box in boxes)
    return all(
        bool((high < box[:2] - margin).any() or (low > box[2:] + margin).any())
        for box, margin in zip(boxes, margins, strict=True)
    )


def _looks(networks: Networks, image: Image) -> list[tuple[list[Roi], float]]:
    """The regions of the best palms, each with its presence. The region of the landmarks in it follows if they may be a
    hand's."""
    options = TrackerOptions(min_palm_score=MIN_PALM_SCORE)
    palms = sorted(networks.palm_detector(options).graph()(image), key=lambda palm: -palm.score)[:MOST_PALMS]
    regions = [roi_from_palm(palm, options.upright_rad) for palm in palms]
    hands = networks.hand_landmarker(options).read(image, regions)
    return [
        ([region, roi_from_landmarks(hand.landmarks)] if hand.presence > SECOND_LOOK else [region], hand.presence)
        for region, hand in zip(regions, hands, strict=True)
    ]


def usable(looks: Iterable[Roi], image: Image) -> list[Roi]:
    """The regions that are neither tiny nor much larger than the image."""
    return [look for look in looks if LEAST_PX < look.size < 3 * max(image.shape[:2])]


def _box_of(roi: Roi, boxes: Sequence[FloatArray]) -> int | None:
    """The first box that holds the centre of a region and is about as large as a hand in it would be."""
    for place, box in enumerate(boxes):
        relative = roi.size / max(float((box[2:] - box[:2]).max()), 1.0)
        if _contains(box, roi) and FITS_BOX[0] < relative < FITS_BOX[1]:
            return place
    return None


def _contains(box: FloatArray, roi: Roi) -> bool:
    return bool(box[0] <= roi.x <= box[2] and box[1] <= roi.y <= box[3])


@dataclass(frozen=True, eq=False)
class CandidateCrops:
    """Samples that teach presence on proposed regions.

    Attributes:
        hands, others: regions with and without a hand.
        side: side of the crop, pixels.
        options: see `CandidateOptions`.
        look: see `knuckle.train.augment`.
        points: the points of the network.
        drawn: (n,) how often each of `others` is drawn, as sums of shares up to 1.
    """

    hands: Sequence[ProposedRegion]
    others: Sequence[ProposedRegion]
    side: int
    options: CandidateOptions
    look: PhotometricAugment
    points: PointSet = HAND_POINTS
    drawn: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        shares = np.cumsum([EASY + region.presence for region in self.others])
        object.__setattr__(self, "drawn", shares / shares[-1])

    def sample(self, rng: Random) -> dict[str, Any]:
        """One region, augmented: picture (3, side, side) uint8, and the labels of `labels_in_crop`."""
        if rng.random() < 0.5:
            region = self.hands[int(rng.integers(len(self.hands)))]
        else:
            region = self.others[int(np.searchsorted(self.drawn, rng.random(), side="right"))]
        roi = NOISE.apply(region.roi, rng)
        affine = crop_from_image(roi, self.side, mirrored=bool(rng.random() < 0.5))
        picture = warp(open_cached(region.source), affine, self.side, self.side / roi.size)
        if region.is_hand and rng.random() < MOTION_BLURRED:
            picture = motion_blurred(picture, rng.uniform(*MOTION_BLUR_PX) * self.side / 224, rng)
        picture = self.look.apply(picture, rng)
        labels = labels_without_hand(self.points)
        labels["presence"], labels["presence_weight"] = scalar(region.is_hand), scalar(self.options.weight)
        return {"picture": np.ascontiguousarray(picture.transpose(2, 0, 1)), **labels}


def find_candidates(
    shots: Sequence[Shot], unlabelled: Sequence[Shot], side: int, options: CandidateOptions, look: PhotometricAugment
) -> CandidateCrops:
    """Let the palm network of a bundle propose regions in photos.

    Args:
        shots: photos that `read_source` keeps.
        unlabelled: photos that nobody labelled.
        side: side of the crops, pixels.

    Raises:
        BundleError: there is no such bundle.
        InputError: it proposes no hand, or nothing that is none.
    """
    networks = load(options.models, precision="float")  # the same regions on every machine
    found = [region for shot in shots for region in proposed_regions(networks, shot, options.beside)]
    if unlabelled:
        teacher = load(options.teacher, precision="float")
        found += [region for shot in unlabelled for region in decided_regions(networks, teacher, shot)]
    hands, others = ([region for region in found if region.is_hand == is_hand] for is_hand in (True, False))
    logger.info("%s proposes %d hands and %d other regions", options.models, len(hands), len(others))
    if not hands or not others:
        raise InputError(
            f"candidates need regions with a hand and regions without one; {options.models} proposes {len(hands)} and "
            f"{len(others)} in these photos. Give photos with boxes around hands, and more photos without hands"
        )
    return CandidateCrops(hands, others, side, options, look)
