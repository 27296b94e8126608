"""The contact sheet: images on which a tracker did badly, each with the labels and every tracker's prediction."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np

from knuckle.datasets.labels import Dataset, Shot
from knuckle.errors import Error
from knuckle.evaluate.results import Case, ImagePrediction, Predictions
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.draw import draw_hands
from knuckle.results import HAND_CONNECTIONS, FloatArray, Hand

ReadPicture = Callable[[str, int], Image]
SIDE = 340  # pixels of a tile's longer side: sharp on a phone, which shows it at half that width
LABEL, SHADOW = (255, 255, 255), (20, 20, 24)


@dataclass(frozen=True)
class Tile:
    """One image of a case.

    Attributes:
        address: the image as a data URL.
        alt: what it shows.
        failed: this tracker did badly.
    """

    title: str
    address: str
    alt: str
    failed: bool = False


@dataclass(frozen=True)
class Exhibit:
    """One case: what went wrong, where, and its tiles; or the `reason` why the image cannot be read."""

    why: str
    where: str
    tiles: tuple[Tile, ...] = ()
    reason: str = ""


def choose(cases: Sequence[Case], per_kind: int) -> list[Case]:
    """The worst cases of each kind, models in turn, each image once: what a person should look at first.

    A kind is the text of `why` without its numbers: "1 missed" and "2 missed" are the same kind.
    """
    kinds: dict[str, dict[str, list[Case]]] = {}
    for case in sorted(cases, key=lambda case: -case.badness):
        kind = re.sub(r"[\d.]+", "", case.why)
        kinds.setdefault(kind, {}).setdefault(case.model, []).append(case)
    chosen: dict[tuple[str, int], Case] = {}
    for by_model in kinds.values():
        taken = 0
        for case in (case for turn in zip_longest(*by_model.values()) for case in turn if case):
            key = (case.shot.source, case.shot.frame)
            if taken < per_kind and key not in chosen:
                chosen[key] = case
                taken += 1
    return list(chosen.values())


def exhibits(
    dataset: Dataset,
    cases: Sequence[Case],
    predictions: Sequence[Predictions],
    picture: ReadPicture | None = None,
    all_cases: Sequence[Case] = (),
) -> list[Exhibit]:
    """The tiles of each case, in order.

    Args:
        cases: those to show, one per image.
        all_cases: to name every tracker that did badly on an image, not only the one whose case is shown.
        predictions: of all trackers on this dataset; each gets a tile beside the labels.
        picture: (source, frame) -> RGB image; by default photos and clips are read from their files.
    """
    if picture is None:
        clips = {clip.source for clip in dataset.clips}
        picture = _reader({(case.shot.source, case.shot.frame) for case in cases}, clips)
    failures: dict[tuple[str, int], dict[str, str]] = {}
    for case in [*cases, *all_cases]:
        failures.setdefault((case.shot.source, case.shot.frame), {}).setdefault(case.model, case.why)
    return [_exhibit(case, failures[case.shot.source, case.shot.frame], predictions, picture) for case in cases]


def _exhibit(
    case: Case, failures: Mapping[str, str], predictions: Sequence[Predictions], picture: ReadPicture
) -> Exhibit:
    shot = case.shot
    name = "/".join(Path(shot.source).parts[-2:])
    where = f"{name}, frame {shot.frame}" if shot.frame else name
    why = " · ".join(f"{model}: {reason}" for model, reason in failures.items())
    try:
        image = picture(shot.source, shot.frame)
    except (Error, OSError) as error:
        return Exhibit(why, where, reason=f"The image cannot be shown: {error}")
    predicted = {p.model: p.by_image.get((shot.source, shot.frame)) for p in predictions} | {case.model: case.predicted}
    near, origin, scale = _cut(image, _region(shot, list(predicted.values()), image.shape[1], image.shape[0]))
    true = shot.hands
    labels = "labels: " + ("not checked" if true is None else _hands(len(true)))
    tiles = [Tile("labels", _address(_draw_labels(near.copy(), shot, origin, scale)), labels)]
    for model, prediction in predicted.items():
        if prediction is not None:
            hands = [_moved(hand, origin, scale) for hand in prediction.hands]
            drawn = _draw_labels(draw_hands(near, hands), shot, origin, scale, boxes_only=True)
            tiles.append(Tile(model, _address(drawn), f"{model}: {_hands(len(hands))}", model in failures))
    return Exhibit(why, where, tuple(tiles))


def _hands(count: int) -> str:
    return f"{count} hand" + ("" if count == 1 else "s") if count else "no hand"


def _region(shot: Shot, predicted: Sequence[ImagePrediction | None], width: int, height: int) -> FloatArray:
    """(4,) the part of the image that shows labels and predictions, with a margin; at least a quarter of the image."""
    boxes = [hand.extent for hand in shot.hands or () if hand.extent is not None]
    boxes += [hand.box for one in predicted if one for hand in one.hands if np.isfinite(hand.box).all()]
    if shot.both_hands_box is not None:
        boxes.append(shot.both_hands_box)
    if not boxes:
        return np.array([0, 0, width, height], np.float64)
    low, high = np.min([box[:2] for box in boxes], axis=0), np.max([box[2:] for box in boxes], axis=0)
    side = max(1.5 * float((high - low).max()), max(width, height) / 4)
    centre = (low + high) / 2
    low = np.clip(centre - side / 2, 0, [width, height])
    high = np.clip(centre + side / 2, 0, [width, height])
    return np.concatenate([low, high]) if (high - low).min() >= 2 else np.array([0, 0, width, height], np.float64)


def _cut(image: Image, region: FloatArray) -> tuple[Image, FloatArray, float]:
    """The tile of a region, the region's origin in the image, and the tile's pixels per pixel of the image."""
    x0, y0 = np.floor(region[:2]).astype(int)
    x1, y1 = np.ceil(region[2:]).astype(int)
    part = image[y0:y1, x0:x1]
    scale = SIDE / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8), np.array([x0, y0], np.float64), scale


def _in_tile(points: FloatArray, origin: FloatArray, scale: float) -> FloatArray:
    """Image pixels as pixels of the tile, both with centres at integers."""
    moved: FloatArray = (points - origin + 0.5) * scale - 0.5
    return moved


def _moved(hand: Hand, origin: FloatArray, scale: float) -> Hand:
    landmarks = hand.landmarks.astype(np.float64)
    landmarks[:, :2] = _in_tile(landmarks[:, :2], origin, scale)
    landmarks[:, 2] *= scale
    return replace(hand, landmarks=landmarks.astype(np.float32))


def _draw_labels(tile: Image, shot: Shot, origin: FloatArray, scale: float, boxes_only: bool = False) -> Image:
    """Draw the labels in white with a dark rim: dashed boxes, landmarks as thin bones and rings."""
    for hand in shot.hands or ():
        if hand.box is not None:
            _dashed_box(tile, _in_tile(hand.box.reshape(2, 2), origin, scale))
        if hand.landmarks is not None:
            _points(tile, _in_tile(hand.landmarks[:, :2], origin, scale), bones=not boxes_only)
    if shot.both_hands_box is not None:
        _dashed_box(tile, _in_tile(shot.both_hands_box.reshape(2, 2), origin, scale))
    return tile


def _points(tile: Image, points: FloatArray, bones: bool) -> None:
    known = {k: _whole(point) for k, point in enumerate(points) if np.isfinite(point).all()}
    for colour, width in ((SHADOW, 4), (LABEL, 2)):
        for a, b in HAND_CONNECTIONS if bones else ():
            if a in known and b in known:
                cv2.line(tile, known[a], known[b], colour, width, cv2.LINE_AA)
        for point in known.values():
            cv2.circle(tile, point, 4, colour, width, cv2.LINE_AA)


def _whole(point: FloatArray) -> list[int]:
    return [round(float(value)) for value in np.clip(point, -1e4, 1e4)]


def _dashed_box(tile: Image, corners: FloatArray) -> None:
    (x0, y0), (x1, y1) = corners
    square = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
    for colour, width in ((SHADOW, 4), (LABEL, 2)):
        for start, end in pairwise(square):
            length = float(np.hypot(*(end - start)))
            for begin in np.arange(0, max(length, 1e-6), 14):
                first, last = (start + (end - start) * min(at / max(length, 1e-6), 1) for at in (begin, begin + 8))
                cv2.line(tile, _whole(first), _whole(last), colour, width, cv2.LINE_AA)


def _address(tile: Image) -> str:
    from PIL import Image as Pillow

    data = io.BytesIO()
    Pillow.fromarray(tile).save(data, "WEBP", quality=72, method=4)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def _reader(wanted: set[tuple[str, int]], clips: set[str]) -> ReadPicture:
    """Reads photos one by one, and each clip once, up to the last wanted frame."""
    from knuckle.datasets import open_image
    from knuckle.media.sources import read

    kept: dict[str, Mapping[int, Image]] = {}

    def picture(source: str, frame: int) -> Image:
        if source not in clips:
            return open_image(source)
        if source not in kept:
            frames = {index for name, index in wanted if name == source}
            found: dict[int, Image] = {}
            with read(source) as clip:
                for one in clip:
                    if one.index in frames:
                        found[one.index] = one.image
                    if one.index >= max(frames):
                        break
            kept[source] = found
        if frame not in kept[source]:
            raise OSError(f"{source} has no frame {frame}")
        return kept[source][frame]

    return picture
