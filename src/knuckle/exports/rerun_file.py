"""Rerun: a recording (`.rrd`) that the Rerun viewer plays (rerun.io): hands in the picture and in metres."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.exports.pictures import PictureNames, is_photo
from knuckle.extras import required
from knuckle.media.names import readable
from knuckle.media.write_common import FileSink
from knuckle.results import BONES, Frame, Hand, HandLandmark

CLASSES = {"Left": 1, "Right": 2}


class RerunSink(FileSink):
    """Writes a recording: `SOURCE/image/hands/ID` are 2D points in pixels, `SOURCE/world/hands/ID` 3D points in metres.

    The timelines are `frame` and `video_time`, for photos `photo`. Pictures are not stored.
    """

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.rerun = required("rerun", "rerun", "Rerun recordings")
        super().__init__(path)
        self.names, self.photos = PictureNames(), 0
        self.shown: dict[str, set[tuple[str, ...]]] = {}  # source -> entities of the frame before
        with self._opening():
            self.recording = self.rerun.RecordingStream("knuckle")
            self.recording.save(self.file.part)
            names = [(int(point), point.name.lower()) for point in HandLandmark]
            bones = [(pair[0], pair[1]) for pair, _ in BONES]
            about = [
                self.rerun.ClassDescription(
                    info=(number, f"{side.lower()} hand"), keypoint_annotations=names, keypoint_connections=bones
                )
                for side, number in CLASSES.items()
            ]
            self.recording.log("/", self.rerun.AnnotationContext(about), static=True)

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        if is_photo(frame):
            self.recording.reset_time()
            self.recording.set_time("photo", sequence=self.photos)
            self.photos += 1
            place = ["photos", readable(self.names(frame))]
        else:
            self.recording.reset_time()
            self.recording.set_time("frame", sequence=frame.index)
            self.recording.set_time("video_time", duration=frame.time_s)
            place = [readable(self.names.of_clip(frame.source))]
        shown = set[tuple[str, ...]]()
        for number, hand in enumerate(results):
            key = f"{number}" if hand.track_id is None else f"{hand.track_id}"
            shown |= self.log_hand(place, key, hand)
        for entity in self.shown.pop(frame.source, set()) - shown:
            self.recording.log(list(entity), self.rerun.Clear(recursive=False))
        if not is_photo(frame):
            self.shown[frame.source] = shown

    def log_hand(self, place: list[str], key: str, hand: Hand) -> set[tuple[str, ...]]:
        """Log the landmarks of one hand that are known.

        Returns:
            the entities.
        """
        about = {"class_ids": CLASSES[hand.handedness], "show_labels": False}
        entities = set()
        for part, values, kind in (
            ("image", hand.landmarks[:, :2], self.rerun.Points2D),
            ("world", hand.world, self.rerun.Points3D),
        ):
            known = np.isfinite(values).all(axis=1)
            if known.any():
                entity = (*place, part, "hands", key)
                self.recording.log(list(entity), kind(values[known], keypoint_ids=np.flatnonzero(known), **about))
                entities.add(entity)
        return entities

    def finish(self) -> None:
        self.recording.disconnect()
