"""MCAP: one clip as a recording for Foxglove and other robotics tools (mcap.dev), with JSON messages and no ROS.

Channels: `/hands` holds everything that JSON lines hold; `/hands/annotations` (`foxglove.ImageAnnotations`) draws the
hands on the clip's pictures; `/hands/world` (`foxglove.SceneUpdate`) shows the world landmarks.
Schemas: docs.foxglove.dev/docs/sdk/schemas.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from knuckle.errors import Error, InputError, SourceError, reason_of
from knuckle.exports.one_clip import OneClipSink
from knuckle.extras import required
from knuckle.media.data_format import Tracked, blank_frame
from knuckle.media.read_tables import explained, row_explained
from knuckle.media.write_tables import frame_row
from knuckle.results import BONES, Frame, Hand
from knuckle.results.regions import listed

TOPIC = "/hands"
POINTS, LINE_LIST, SCENE_LINE_LIST = 1, 4, 2  # types of annotations and of lines in a scene
POINT = {"type": "object", "properties": {axis: {"type": "number"} for axis in "xyz"}}
ANY_LIST: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
SCHEMAS: dict[str, tuple[str, dict[str, Any]]] = {
    TOPIC: (
        "knuckle.Hands",
        {
            "frame": {"type": "integer"},
            "time_s": {"type": "number"},
            "source": {"type": "string"},
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "hands": ANY_LIST,
        },
    ),
    f"{TOPIC}/annotations": (
        "foxglove.ImageAnnotations",
        {"circles": ANY_LIST, "points": ANY_LIST, "texts": ANY_LIST},
    ),
    f"{TOPIC}/world": ("foxglove.SceneUpdate", {"deletions": ANY_LIST, "entities": ANY_LIST}),
}


class McapSink(OneClipSink):
    """Writes the recording of one clip."""

    def __init__(self, path: Path, palms: bool = False) -> None:
        writer = required("mcap.writer", "mcap", "MCAP files")
        super().__init__(path)
        with self._opening():
            self.bytes = self.file.part.open("wb")
            self.writer = writer.Writer(self.bytes)
            self.writer.start(profile="", library="knuckle")
            self.channels = {}
            for topic, (name, fields) in SCHEMAS.items():
                schema = {"title": name, "type": "object", "properties": fields}
                number = self.writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
                self.channels[topic] = self.writer.register_channel(topic, "json", number)

    def write_clip_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        time_ns = round(frame.time_s * 1e9)
        stamp = {"sec": time_ns // 10**9, "nsec": time_ns % 10**9}
        messages = {
            TOPIC: frame_row(frame, results),
            f"{TOPIC}/annotations": drawn_hands(results, stamp),
            f"{TOPIC}/world": scene(results, stamp),
        }
        for topic, message in messages.items():
            data = json.dumps(message).encode()
            self.writer.add_message(self.channels[topic], time_ns, data, time_ns, frame.index)

    def finish(self) -> None:
        try:
            self.writer.finish()
        finally:
            self.bytes.close()


def colour(rgb: Sequence[int]) -> dict[str, float]:
    return {name: value / 255 for name, value in zip("rgb", rgb, strict=True)} | {"a": 1.0}


def drawn_hands(hands: Sequence[Hand], stamp: dict[str, int]) -> dict[str, Any]:
    """The bones of each hand as a list of lines, its landmarks as points, its side and id as text."""
    points, texts = list[dict[str, Any]](), list[dict[str, Any]]()
    for hand in hands:
        pixels = [{"x": x, "y": y} for x, y in listed(hand.landmarks[:, :2])]
        known = [point for point in pixels if None not in point.values()]
        style = {"timestamp": stamp, "fill_color": colour((255, 255, 255)), "outline_color": colour((255, 255, 255))}
        bones = [(pair, rgb) for pair, rgb in BONES if all(pixels[end] in known for end in pair)]
        lines = {"type": LINE_LIST, "points": [pixels[end] for pair, _ in bones for end in pair], "thickness": 2.0}
        points.append({**style, **lines, "outline_colors": [colour(rgb) for _, rgb in bones]})
        points.append({**style, "type": POINTS, "points": known, "outline_colors": [], "thickness": 4.0})
        title = hand.handedness if hand.track_id is None else f"{hand.handedness} {hand.track_id}"
        place = known[0] if known else {"x": 0.0, "y": 0.0}
        text = {"timestamp": stamp, "position": place, "text": title, "font_size": 14.0}
        texts.append(text | {"text_color": colour((255, 255, 255)), "background_color": colour((0, 0, 0))})
    return {"circles": [], "points": points, "texts": texts}


def scene(hands: Sequence[Hand], stamp: dict[str, int]) -> dict[str, Any]:
    """The bones of each hand in metres, around its own centre; hands of the frame before are deleted."""
    identity = {"position": dict.fromkeys("xyz", 0.0), "orientation": {**dict.fromkeys("xyz", 0.0), "w": 1.0}}
    entities = []
    for number, hand in enumerate(hands):
        world = [{"x": x, "y": y, "z": z} for x, y, z in listed(hand.world)]
        bones = [(pair, rgb) for pair, rgb in BONES if all(None not in world[end].values() for end in pair)]
        lines = {
            "type": SCENE_LINE_LIST,
            "pose": identity,
            "thickness": 0.004,
            "scale_invariant": False,
            "points": [world[end] for pair, _ in bones for end in pair],
            "color": colour((255, 255, 255)),
            "colors": [colour(rgb) for _, rgb in bones for _ in range(2)],
            "indices": [],
        }
        name = f"hand_{number if hand.track_id is None else hand.track_id}"
        entities.append(
            {
                "timestamp": stamp,
                "frame_id": name,
                "id": name,
                "lifetime": {"sec": 0, "nsec": 0},
                "frame_locked": False,
                "metadata": [{"key": "handedness", "value": hand.handedness}],
                "lines": [lines],
                **{kind: [] for kind in ("arrows", "cubes", "spheres", "cylinders", "triangles", "texts", "models")},
            }
        )
    return {"deletions": [{"timestamp": stamp, "type": 1, "id": ""}], "entities": entities}


def read_mcap(path: Path) -> Iterator[Tracked]:
    """The frames of a recording that this module wrote.

    Raises:
        InputError: it has no channel `/hands` of ours.
        MissingExtraError: the package mcap is not installed.
        SourceError: the file cannot be read.
    """
    reader = required("mcap.reader", "mcap", "MCAP files")
    count = 0
    with explained(path), closing(path.open("rb")) as file:
        try:
            for schema, _, message in reader.make_reader(file).iter_messages(topics=[TOPIC], log_time_order=False):
                if schema is None or schema.name != SCHEMAS[TOPIC][0]:
                    continue
                count += 1
                with row_explained(path, f"message {count}"):
                    row = json.loads(message.data)
                    row |= {"index": row["frame"], "is_photo": False}
                    hands = [Hand.from_dict(found) for found in row["hands"]]
                    frame = blank_frame(row)
                yield frame, hands
        except Error:
            raise
        except Exception as error:  # the reader raises whatever the bytes lead to
            raise SourceError(f"{path} is no MCAP file that can be read: {reason_of(error)}") from error
    if not count:
        raise InputError(f"{path} has no channel {TOPIC} of {SCHEMAS[TOPIC][0]}, so it has no hands to read")
