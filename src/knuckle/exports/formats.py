"""`FORMATS`: every format that results are saved in, what it can hold, what writes it and what reads it."""

from __future__ import annotations

from knuckle.exports.openpose import OpenPoseSink, read_openpose
from knuckle.media.data_format import DataFormat, parts
from knuckle.media.sinks import DATA_FORMATS

# The first one is what a folder gets for each source.
FORMATS: tuple[DataFormat, ...] = (
    *DATA_FORMATS,
    DataFormat(
        "openpose",
        "OpenPose",
        ".openpose",
        OpenPoseSink,
        parts("photos", "clips", "sources", "empty", "times", "size", "handedness"),
        read=read_openpose,
        is_folder=True,
    ),
)
