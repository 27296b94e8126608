"""CVAT for images 1.1: an XML file with a skeleton of 21 points for each hand, as CVAT exports it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from knuckle.datasets.formats.coco import landmark_order, side_of
from knuckle.datasets.formats.coco_images import Place, path_of, photos_and_clips
from knuckle.datasets.labels import Dataset, LabelledHand, Shot, Visibility
from knuckle.datasets.parsing import files_of, hands_maybe_visible, numbers, row_of
from knuckle.errors import DAMAGE, InputError, reason_of

START = 4096  # bytes in which the root element is


def find(path: Path) -> dict[str, Callable[[], Dataset]]:
    """annotations.xml, or any .xml file with <annotations>; each file is a split."""
    found: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "*.xml"):
        with file.open("rb") as opened:
            if b"<annotations" in opened.read(START):
                found[file.stem] = functools.partial(_read, file)
    return found


def _read(file: Path) -> Dataset:
    """One file (docs.cvat.ai/docs/manual/advanced/formats/format-cvat/). An image without skeletons shows no hand."""
    shots = []
    try:
        for _, image in ElementTree.iterparse(file):
            if image.tag == "image":
                with row_of(file, f"image {image.get('name')}"):
                    shots.append(_shot(file, image))
                image.clear()
    except InputError:
        raise
    except (*DAMAGE, ElementTree.ParseError) as error:
        raise InputError(f"{file} is not XML: {reason_of(error)}") from error
    photos, clips = photos_and_clips(shots)
    return Dataset(file.stem, photos, clips, note="the file does not say who made the labels; people are assumed")


def _shot(file: Path, image: ElementTree.Element) -> tuple[Place, Shot]:
    """One image. `source`, `frame` and `time_s` are our own additions for frames of clips."""
    about = image.attrib
    if "source" in about:
        place = Place(str(path_of(file, about["source"])), int(about["frame"]), float(about["time_s"]), True)
    else:
        place = Place(str(path_of(file, about["name"])))
    shown, complete = hands_maybe_visible([_hand(found) for found in image.iter("skeleton")], complete=True)
    size = (int(about["width"]), int(about["height"]))
    return place, Shot(place.source, place.frame, place.time_s, size, shown, complete, group=place.source)


def _hand(found: ElementTree.Element) -> LabelledHand:
    points = list(found.iter("points"))
    if len(points) != 21:
        raise ValueError(f"expected 21 points of a hand, got {len(points)}")
    order = landmark_order([str(point.get("label")) for point in points])
    landmarks, visibility = np.full((21, 2), np.nan, np.float32), np.zeros(21, np.uint8)
    for landmark, index in enumerate(order):
        about = points[index].attrib
        if about.get("outside") != "1":
            landmarks[landmark] = numbers(about["points"].split(","), 2)
            visibility[landmark] = Visibility.HIDDEN if about.get("occluded") == "1" else Visibility.VISIBLE
    attributes = {str(one.get("name")).lower(): one.text for one in found.iter("attribute")}
    track_id = attributes.get("track_id")
    return LabelledHand(
        landmarks=landmarks,
        handedness=side_of(attributes, found.get("label")),
        visibility=visibility,
        track_id=int(track_id) if track_id else None,
    )
