"""CVAT: one XML file of "CVAT for images 1.1" with a skeleton of 21 points for each hand.

Format: docs.cvat.ai/docs/manual/advanced/formats/format-cvat/. `knuckle.datasets.formats.cvat` is the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import numpy as np

from knuckle.exports.labels import VISIBLE, known_hands, read_labels
from knuckle.exports.pictures import PictureNames, is_photo, path_beside
from knuckle.media.names import readable
from knuckle.media.write_common import FileSink
from knuckle.results import HAND_CONNECTIONS, Frame, Hand, HandLandmark

NAMES = [point.name.lower() for point in HandLandmark]
LABEL = "hand"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML cannot hold
# Where the points of an open right hand are drawn in CVAT's picture of the skeleton, in percent.
DRAWN = [(50, 95), (34, 86), (22, 74), (14, 63), (7, 54), (36, 50), (32, 33), (30, 22), (28, 12), (49, 47), (48, 28)]
DRAWN += [(48, 17), (48, 6), (61, 49), (63, 32), (64, 21), (65, 11), (73, 54), (77, 42), (80, 33), (83, 25)]


class CvatSink(FileSink):
    """Writes the XML file. Frames of clips are called `clip/frame_000012`, as CVAT's tasks of videos name them."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.names, self.images = PictureNames(), 0
        with self._opening():
            self.text = self.file.part.open("w", encoding="utf-8", errors="xmlcharrefreplace")
            self.xml = XMLGenerator(self.text, "utf-8", short_empty_elements=True)
            self.xml.startDocument()
            self.start("annotations")
            self.element("version", {}, "1.1")
            self.start("meta")
            self.start("task")
            self.start("labels")
            for label in label_spec():
                self.write_label(label, None)
                for point in label["sublabels"]:
                    self.write_label(point, LABEL)
            for name in ("labels", "task", "meta"):
                self.xml.endElement(name)

    def write_label(self, label: Mapping[str, Any], parent: str | None) -> None:
        self.start("label")
        self.element("name", {}, label["name"])
        self.element("type", {}, label["type"])
        self.start("attributes")
        for attribute in label["attributes"]:
            self.start("attribute")
            self.element("name", {}, attribute["name"])
            self.element("mutable", {}, str(attribute["mutable"]))
            self.element("input_type", {}, attribute["input_type"])
            self.element("default_value", {}, "")
            self.element("values", {}, "\n".join(attribute["values"]))
            self.xml.endElement("attribute")
        self.xml.endElement("attributes")
        if parent:
            self.element("parent", {}, parent)
        else:
            self.element("svg", {}, label["svg"])
        self.xml.endElement("label")

    def start(self, name: str, attributes: Mapping[str, str] | None = None) -> None:
        """Write the start of an element."""
        self.xml.startElement(name, AttributesImpl(attributes or {}))

    def element(self, name: str, attributes: Mapping[str, str], text: str = "") -> None:
        """Write an element that holds text only."""
        self.start(name, attributes)
        self.xml.characters(text)
        self.xml.endElement(name)

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        if is_photo(frame):
            about = {"name": path_beside(frame.source, self.path.parent)}
        else:
            about = {"name": f"{self.names.of_clip(frame.source)}/frame_{frame.index:06d}"}
            about |= {"source": path_beside(frame.source, self.path.parent), "frame": f"{frame.index}"}
            about |= {"time_s": f"{frame.time_s:.6f}"}
        about = {name: CONTROL.sub("_", readable(value)) for name, value in about.items()}
        size = {"width": f"{frame.width}", "height": f"{frame.height}"}
        self.start("image", {"id": f"{self.images}", **about, **size})
        for hand in known_hands(results):
            self.start("skeleton", {"label": LABEL, "source": "auto", "z_order": "0"})
            self.element("attribute", {"name": "handedness"}, hand.handedness.lower())
            if hand.track_id is not None:
                self.element("attribute", {"name": "track_id"}, str(hand.track_id))
            for point in skeleton_points(hand):
                x, y = point["points"]
                flags = {name: str(point[name]) for name in ("outside", "occluded")}
                self.element("points", {"label": point["label"], "source": "auto", **flags, "points": f"{x},{y}"})
            self.xml.endElement("skeleton")
        self.xml.endElement("image")
        self.images += 1

    def finish(self) -> None:
        try:
            if not self._failed:
                self.xml.endElement("annotations")
                self.xml.endDocument()
        finally:
            self.text.close()


def skeleton_points(hand: Hand) -> list[dict[str, Any]]:
    """The 21 points of a skeleton: `label`, `points` (x, y in pixels), `outside` (not known), `occluded`."""
    known = np.array(np.isfinite(hand.landmarks[:, :2]).all(axis=1))
    hidden = np.array([False] * 21 if hand.visibility is None else hand.visibility < VISIBLE)
    places = np.where(known[:, None], hand.landmarks[:, :2], 0).astype(float).round(3).tolist()
    return [
        {"label": name, "points": place, "outside": int(not sees), "occluded": int(is_hidden)}
        for name, place, sees, is_hidden in zip(NAMES, places, known, hidden, strict=True)
    ]


def label_spec() -> list[dict[str, Any]]:
    """The label `hand` as CVAT's raw editor of labels takes it, and as its serverless functions describe it."""
    handedness = {"name": "handedness", "mutable": False, "input_type": "select", "values": ["left", "right"]}
    number = {"name": "track_id", "mutable": False, "input_type": "number", "values": ["0", "1000000", "1"]}
    points = [{"id": k, "name": name, "type": "points", "attributes": []} for k, name in enumerate(NAMES, 1)]
    lines = "".join(
        f'<line x1="{DRAWN[a][0]}" y1="{DRAWN[a][1]}" x2="{DRAWN[b][0]}" y2="{DRAWN[b][1]}" data-type="edge" '
        f'data-node-from="{a + 1}" data-node-to="{b + 1}"></line>'
        for a, b in HAND_CONNECTIONS
    )
    dots = "".join(
        f'<circle r="1.5" cx="{x}" cy="{y}" data-type="element node" data-element-id="{k}" data-node-id="{k}" '
        f'data-label-name="{name}"></circle>'
        for k, ((x, y), name) in enumerate(zip(DRAWN, NAMES, strict=True), 1)
    )
    svg = lines + dots
    return [{"name": LABEL, "type": "skeleton", "attributes": [handedness, number], "sublabels": points, "svg": svg}]


def detections(hands: Sequence[Hand]) -> list[dict[str, Any]]:
    """The answer of a serverless function to one image."""
    return [
        {
            "confidence": str(round(hand.presence, 4)),
            "label": LABEL,
            "type": "skeleton",
            "attributes": [{"name": "handedness", "value": hand.handedness.lower()}],
            "elements": [
                {key: point[key] for key in ("label", "points", "outside", "occluded")}
                | {"type": "points", "confidence": str(round(hand.presence, 4))}
                for point in skeleton_points(hand)
            ],
        }
        for hand in known_hands(hands)
    ]


def nuclio_function(name: str) -> dict[str, Any]:
    """A description of ourselves, as Nuclio's dashboard gives it to CVAT."""
    notes = {"name": "Knuckle", "type": "detector", "framework": "knuckle", "spec": json.dumps(label_spec())}
    description = "21 landmarks per hand, with left and right"
    return {
        "metadata": {"name": name, "namespace": "nuclio", "annotations": {**notes, "version": "2"}},
        "spec": {"description": description},
        "status": {"state": "ready", "httpPort": 0},
    }


read_cvat = partial(read_labels, "cvat")
