"""Which photos and clips are never trained on, so that the released networks can be evaluated on them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

NEVER = ("ti1k", "gestures40", "office_no_hands")  # sources that are for evaluation only
SOURCES = ("subhih", "asl_letters", "lebanese_gestures")  # a third of each is held out, by capture
CAPTURES = ("1528664299.56", "5", "26", "96")  # of subhih, whose file names contain the capture: 213 of 640 photos
CLIPS = ("asl_bird", "asl_night", "asl_please", "asl_sister")  # the two people who sign in them appear nowhere else


def capture_of(row: dict[str, Any]) -> str:
    """What photos of one capture share: a part of the name (subhih), the size (asl_letters), or nothing."""
    name = Path(row["image"]).stem
    if row["source"] == "subhih":
        return f"subhih {name.rpartition('pic')[0].rstrip('_')}"
    size = f"{row.get('width')}x{row.get('height')}"
    return f"{row['source']} {size if row['source'] == 'asl_letters' else name}"


def split_of(row: dict[str, Any]) -> str:
    """ "train" or "held_out", always the same for the same photo."""
    if row["source"] not in SOURCES:
        return "train"
    capture = capture_of(row)
    if row["source"] == "subhih":
        return "held_out" if capture.removeprefix("subhih ") in CAPTURES else "train"
    return "held_out" if zlib.crc32(capture.encode()) % 3 == 0 else "train"
