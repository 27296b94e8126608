"""Make docs/latency.md from benchmarks/results/frame_time.json: `python docs/make_latency.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
RESULT = DOCS.parent / "benchmarks" / "results" / "frame_time.json"
HEAD = """# Latency

Where the time of a frame goes. `python docs/make_latency.py` writes this page from what
`python benchmarks/frame_time.py` measured: 640 × 480 pixels, networks on one thread, medians over the frames in which a
part runs. The floor of a part is one call of the library that does its work, with everything else prepared and its data
in the cache. [Reliability](reliability.md) has the 99th percentile and the overhead outside of the networks.

A frame with one hand held is a crop, the landmark network, decoding and tracking. The letterbox, the palm network and
its decoding run only in frames that are searched for hands.

Milliseconds on another computer differ; the shares are what to compare. On a busy computer the parts outside of the
networks grow most, since their data and code leave the processor's cache.
"""
WHAT = {
    "letterbox": "scale the whole image for the palm network",
    "palm network": "find palms",
    "decode palms": "anchors, suppression",
    "crop": "copy the hand's part of the image, turn and scale it",
    "landmark network": "21 landmarks",
    "decode hands": "to image pixels, presence",
    "track": "clock, motion, matching, filters",
}


def page(found: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [HEAD]
    for name, one in found.items():
        p50, p99, longest = one["one_hand_ms"]
        parts += [
            f"## `{name}`\n",
            f"{one['frames']:,} frames with one hand: median {p50:.2f} ms, 99 % within {p99:.2f} ms, "
            f"longest {longest:.2f} ms.\n",
            "| part | what | median, ms | floor, ms |\n|---|---|---|---|",
        ]
        for part, what in WHAT.items():
            floor = one["floors"].get(part)
            shown = "" if floor is None else f"{floor:.2f}"
            parts.append(f"| {part} | {what} | {one['parts'][part]:.2f} | {shown} |")
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    (DOCS / "latency.md").write_text(page(json.loads(RESULT.read_text())))
