"""A reader for each format of labels, one module per format.

To add a format: write a module with `find(path)`, which returns a function per split that reads it ({} if the path
does not hold this format), and add a line to `KINDS` and a row to the table in docs/datasets.md. All readers give
pixels with centres at integers, x0 y0 x1 y1 boxes, metres, and the person's own left and right. They do not decode
images; where a format has no image sizes, they come from the image headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from knuckle.datasets.formats import (
    clips,
    coco,
    coco_wholebody,
    cvat,
    freihand,
    hagrid,
    interhand,
    jsonl,
    label_studio,
    onehand10k,
    rhd,
    shards,
    ti1k,
    yolo_pose,
)
from knuckle.datasets.labels import Dataset


@dataclass(frozen=True)
class Kind:
    """A format of labels.

    Attributes:
        looks_for: the files that identify it.
        find: returns the splits at a path in this format, a function per split that reads it. The split ""
            is everything.
    """

    looks_for: str
    find: Callable[[Path], Mapping[str, Callable[[], Dataset]]]


# The order matters: the first format whose files are there is used.
KINDS: Mapping[str, Kind] = {
    "jsonl": Kind("index.jsonl with an 'image' or a 'clip' in every row", jsonl.find),
    "clips": Kind("NAME.jsonl with a row per frame beside NAME.mp4", clips.find),
    "shards": Kind("*.tar with KEY.jpg and KEY.json", shards.find),
    "coco-wholebody": Kind("[annotations/]coco_wholebody_SPLIT_v1.0.json or NAME.wholebody.json", coco_wholebody.find),
    "freihand": Kind("SPLIT_xyz.json and SPLIT_K.json", freihand.find),
    "interhand2.6m": Kind("[annotations/*/]InterHand2.6M_SPLIT_data.json", interhand.find),
    "rhd": Kind("SPLIT/anno_SPLIT.pickle", rhd.find),
    "onehand10k": Kind("SPLIT/label_joint.txt or [annotations/]onehand10k_SPLIT.json", onehand10k.find),
    "yolo-pose": Kind("*.yaml with kpt_shape: [21, 3]", yolo_pose.find),
    "ti1k": Kind("[Annotation/]label.txt, or NAME.txt with 'Frame_1 …' beside NAME.mp4", ti1k.find),
    "hagrid": Kind("[*/][*/]GESTURE.json with 'bboxes' and 'labels'", hagrid.find),
    "hagrid-landmarks": Kind("the same, with the landmarks that MediaPipe made", hagrid.find_with_landmarks),
    "cvat": Kind("NAME.xml of 'CVAT for images' with skeletons of 21 points", cvat.find),
    "label-studio": Kind("NAME.json of Label Studio with 21 keypoints per rectangle", label_studio.find),
    "coco": Kind("[*/]NAME.json of COCO with 21 keypoints per hand", coco.find),
}
