"""Label Studio: tasks with predictions, which people then correct (labelstud.io/guide/predictions).

A hand is a rectangle, `Left hand` or `Right hand`, and 21 keypoints whose parent it is. Projects need `LABEL_CONFIG`.
`knuckle.datasets.formats.label_studio` is the reader, also of what people corrected and exported.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from knuckle.datasets.formats.label_studio import LOCAL
from knuckle.errors import InputError
from knuckle.exports.labels import corner_box, known_hands, read_labels
from knuckle.exports.pictures import PictureNames, is_photo, path_beside
from knuckle.media.names import as_json
from knuckle.media.write_common import FileSink
from knuckle.results import FINGERS, Frame, Hand, HandLandmark

NAMES = [point.name.lower() for point in HandLandmark]
SIDES = ("Left", "Right")
COLOURS = {"thumb": "#ff8a4c", "index": "#ffcd3c", "middle": "#60d678", "ring": "#40bef6", "pinky": "#b284ff"}
COLOUR_OF = {point: COLOURS[name] for name, points in FINGERS.items() for point in points}
POINT_PERCENT = 0.4  # the width of a keypoint as a percentage of the image's width
LABEL_CONFIG = "\n".join(
    [
        "<View>",
        '  <Image name="image" value="$image"/>',
        '  <RectangleLabels name="hand" toName="image">',
        *(f'    <Label value="{side} hand"/>' for side in SIDES),
        "  </RectangleLabels>",
        '  <KeyPointLabels name="landmarks" toName="image">',
        *(
            f'    <Label value="{name}" background="{COLOUR_OF.get(k, "#e2e6ec")}" model_index="{k}"/>'
            for k, name in enumerate(NAMES)
        ),
        "  </KeyPointLabels>",
        "</View>",
    ]
)


class LabelStudioSink(FileSink):
    """Writes a JSON file of tasks to import. Photos are named as a local storage names them, relative to the file."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.names, self.tasks = PictureNames(), 0
        with self._opening():
            self.text = self.file.part.open("w", encoding="utf-8")
            self.text.write("[")

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        data: dict[str, Any]
        if is_photo(frame):
            name = path_beside(frame.source, self.path.parent)
            data = {"image": name if "://" in name else LOCAL + quote(name)}
        else:
            clip = self.names.of_clip(frame.source)
            data = {"image": f"{LOCAL}{quote(as_json(clip))}/frame_{frame.index:06d}.png"}
            data |= {"clip": path_beside(frame.source, self.path.parent), "frame": frame.index}
            data |= {"time_s": round(frame.time_s, 6)}
        data |= {"width": frame.width, "height": frame.height}
        task = {"data": data, "predictions": [prediction(results, frame.width, frame.height)]}
        self.text.write(f"{',' if self.tasks else ''}\n{json.dumps(task)}")
        self.tasks += 1

    def finish(self) -> None:
        try:
            if not self._failed:
                self.text.write("\n]\n")
        finally:
            self.text.close()


@dataclass(frozen=True)
class Controls:
    """The names of the controls of a project: rectangle labels, keypoint labels, image, and its field of the data."""

    boxes: str = "hand"
    keypoints: str = "landmarks"
    image: str = "image"
    field: str = "image"


def controls_of(label_config: str) -> Controls:
    """The controls in a project's labelling configuration, whatever they are called.

    Raises:
        InputError: it is no XML, or lacks an image, or the labels for hands or landmarks.
    """
    try:
        root = ElementTree.fromstring(label_config)
    except ElementTree.ParseError as error:
        raise InputError(f"the labelling configuration is not XML: {error}") from error
    images = {str(one.get("name")): str(one.get("value", "")).removeprefix("$") for one in root.iter("Image")}
    found = {}
    for kind, wanted in (("RectangleLabels", [f"{side} hand" for side in SIDES]), ("KeyPointLabels", NAMES)):
        for control in root.iter(kind):
            if set(wanted) <= {label.get("value") for label in control.iter("Label")}:
                found[kind] = control
        if kind not in found:
            raise InputError(
                f"the labelling configuration has no {kind} with {wanted[0]}, {wanted[1]}, …; see docs/serve.md"
            )
    image = str(found["KeyPointLabels"].get("toName"))
    if image not in images:
        raise InputError(f"the labelling configuration has no Image called {image}")
    boxes, points = (str(found[kind].get("name")) for kind in ("RectangleLabels", "KeyPointLabels"))
    return Controls(boxes, points, image, images[image])


def prediction(hands: Sequence[Hand], width: int, height: int, controls: Controls | None = None) -> dict[str, Any]:
    """One prediction of a task.

    Args:
        hands: the hands of the image.
        width, height: its size in pixels.
        controls: what the project calls its controls; None: as `LABEL_CONFIG` does.
    """
    names = controls or Controls()
    shared = {"to_name": names.image, "original_width": width, "original_height": height, "image_rotation": 0}
    result: list[dict[str, Any]] = []
    known = known_hands(hands)
    for number, hand in enumerate(known):
        parent = f"hand{number}"
        score = round(hand.presence, 4)
        left, top, across, down = (np.array(corner_box(hand)) * 100 / [width, height, width, height]).tolist()
        value: dict[str, Any] = {"x": left, "y": top, "width": across, "height": down, "rotation": 0}
        value["rectanglelabels"] = [f"{hand.handedness} hand"]
        about = {"id": parent, "from_name": names.boxes, "type": "rectanglelabels", "score": score}
        result.append({**shared, **about, "value": value})
        percent = hand.landmarks[:, :2].astype(float) * 100 / [width, height]
        for k, (x, y) in enumerate(percent.tolist()):
            if np.isfinite([x, y]).all():
                value = {"x": x, "y": y, "width": POINT_PERCENT, "keypointlabels": [NAMES[k]]}
                about = {"id": f"{parent}p{k}", "from_name": names.keypoints, "type": "keypointlabels", "score": score}
                result.append({**shared, **about, "parentID": parent, "value": value})
    score = min((hand.presence for hand in known), default=1.0)
    return {"model_version": "knuckle", "score": round(score, 4), "result": result}


read_label_studio = partial(read_labels, "label-studio")
