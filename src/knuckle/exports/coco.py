"""COCO: one JSON file with images and hands of 21 keypoints, as CVAT, Label Studio, Roboflow and pycocotools read it.

Format: cocodataset.org/#format-data. `knuckle.datasets.formats.coco` is the reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, ClassVar

from knuckle.exports.labels import corner_box, flagged_points, known_hands, pairs, read_labels
from knuckle.exports.pictures import PictureNames, is_photo, path_beside
from knuckle.media.names import as_json
from knuckle.media.write_common import FileSink
from knuckle.results import HAND_CONNECTIONS, Frame, Hand, HandLandmark

NAMES = [point.name.lower() for point in HandLandmark]
HAND_CATEGORY = {
    "id": 1,
    "name": "hand",
    "supercategory": "person",
    "keypoints": NAMES,
    "skeleton": [[start + 1, end + 1] for start, end in HAND_CONNECTIONS],
}
BODY = ["nose"] + [f"{side}_{part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
                   for side in ("left", "right")]  # fmt: skip
PERSON_CATEGORY = {"id": 1, "name": "person", "supercategory": "person", "keypoints": BODY, "skeleton": []}


class CocoSink(FileSink):
    """Writes a COCO file of hands. Images and annotations go to disk at once, so memory does not grow.

    The name of a photo is its path relative to the file. A frame of a clip is called `clip/frame_000012.PNG`, as in
    CVAT's tasks; `videos`, `video_id`, `frame_id` and `time_s` say which frame of which clip it is.
    """

    CATEGORY: ClassVar[dict[str, Any]] = HAND_CATEGORY

    def __init__(self, path: Path, palms: bool = False) -> None:
        super().__init__(path)
        self.names = PictureNames()
        self.videos: dict[str, int] = {}
        self.images = self.annotations = 0
        with self._opening():
            # Without a name, on the disk that has room for the file itself.
            self.notes = TemporaryFile("w+", encoding="utf-8", dir=self.file.part.parent)  # noqa: SIM115
            self.text = self.file.part.open("w", encoding="utf-8")
            about = {"description": "hands found by Knuckle"}
            self.text.write(f'{{"info": {json.dumps(about)}, "licenses": [], "images": [')

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        self.images += 1
        image: dict[str, Any] = {"id": self.images, "width": frame.width, "height": frame.height}
        if is_photo(frame):
            image["file_name"] = path_beside(frame.source, self.path.parent)
        else:
            video = self.videos.setdefault(frame.source, len(self.videos) + 1)
            name = self.names.of_clip(frame.source)
            image |= {"file_name": f"{name}/frame_{frame.index:06d}.PNG", "video_id": video}
            image |= {"frame_id": frame.index, "time_s": round(frame.time_s, 6)}
        self.text.write(f"{',' if self.images > 1 else ''}\n{json.dumps(image)}")
        for found in self.annotations_of(known_hands(results)):
            self.annotations += 1
            entry = {"id": self.annotations, "image_id": self.images, "category_id": 1, "iscrowd": 0, **found}
            entry["segmentation"] = []  # readers expect the field
            self.notes.write(f"{',' if self.annotations > 1 else ''}\n{json.dumps(entry)}")

    def annotations_of(self, hands: Sequence[Hand]) -> Iterator[dict[str, Any]]:
        """The annotations of one image, without their ids."""
        for hand in hands:
            attributes: dict[str, Any] = {"handedness": hand.handedness.lower()}
            if hand.track_id is not None:
                attributes["track_id"] = hand.track_id
            yield (
                boxed([hand])
                | keypoints("keypoints", hand)
                | {
                    "num_keypoints": int((flagged_points(hand)[:, 2] > 0).sum()),
                    "score": round(hand.presence, 4),
                    "attributes": attributes,
                }
            )

    def finish(self) -> None:
        try:
            if not self._failed:
                self.text.write('\n], "annotations": [')
                self.notes.seek(0)
                for line in self.notes:
                    self.text.write(line)
                videos = [
                    {"id": number, "name": as_json(name), "file_name": path_beside(name, self.path.parent)}
                    for name, number in self.videos.items()
                ]
                self.text.write(f'\n], "videos": {json.dumps(videos)}, "categories": [{json.dumps(self.CATEGORY)}]}}\n')
        finally:
            self.text.close()
            self.notes.close()


class WholeBodySink(CocoSink):
    """Writes COCO-WholeBody (github.com/jin-s13/COCO-WholeBody): people with hands; body, feet and face are empty.

    The n-th left and the n-th right hand of an image are those of its n-th person.
    """

    CATEGORY = PERSON_CATEGORY

    def annotations_of(self, hands: Sequence[Hand]) -> Iterator[dict[str, Any]]:
        for person in pairs(hands):
            found = boxed(list(person.values())) | {"keypoints": [0.0] * 51, "num_keypoints": 0}
            found["score"] = round(max(hand.presence for hand in person.values()), 4)
            for name, count in (("face", 68), ("foot", 6)):
                found |= {f"{name}_kpts": [0.0] * 3 * count, f"{name}_valid": False}
            found["face_box"] = [0.0] * 4
            for side in ("left", "right"):
                hand = person.get(side.capitalize())
                found[f"{side}hand_valid"] = hand is not None
                found[f"{side}hand_box"] = [0.0] * 4 if hand is None else corner_box(hand)
                found |= keypoints(f"{side}hand_kpts", hand)
            yield found


def boxed(hands: Sequence[Hand]) -> dict[str, Any]:
    """`bbox` and `area` of the box around hands."""
    corners = [corner_box(hand) for hand in hands]
    left, top = min(box[0] for box in corners), min(box[1] for box in corners)
    width = max(box[0] + box[2] for box in corners) - left
    height = max(box[1] + box[3] for box in corners) - top
    return {"bbox": [left, top, round(width, 3), round(height, 3)], "area": round(width * height, 3)}


def keypoints(name: str, hand: Hand | None) -> dict[str, list[float]]:
    """63 numbers x, y, flag under this name; zeros without a hand."""
    return {name: [0.0] * 63 if hand is None else flagged_points(hand).round(3).ravel().tolist()}


read_coco = partial(read_labels, "coco")
read_wholebody = partial(read_labels, "coco-wholebody")
