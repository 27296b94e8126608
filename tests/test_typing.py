"""A user's file against our type hints: what is right passes a strict check, each mistake is reported at its line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
USER_FILE = """
import asyncio
from pathlib import Path
from typing import Literal

import numpy as np

import knuckle

bgr = np.zeros((480, 640, 3), np.uint8)
tracker = knuckle.HandTracker("knuckle", max_hands=1, smooth=False, order="bgr", threads=1)
hands: list[knuckle.Hand] = tracker(bgr, 0.0)
for frame, found in tracker.track("clip.mp4"):
    width: int = frame.width
    side: Literal["Left", "Right"] = found[0].handedness
with knuckle.HandTracker(knuckle.load("knuckle")) as other:
    other.close()


async def follow() -> int:
    async with tracker.track(0, live=True) as tracked:
        return sum([len(hands) async for _, hands in tracked])


one: list[knuckle.Hand] = knuckle.detect("hand.jpg", max_hands=4, min_palm_score=0.3)
one = knuckle.detect(Path("hand.jpg"), "knuckle", knuckle.TrackerOptions(max_hands=3))
many: list[list[knuckle.Hand]] = knuckle.detect([bgr, "hand.jpg"], order="bgr")
many = knuckle.detect(Path("photos").glob("*.jpg"))
palms: list[knuckle.Palm] = knuckle.detect_palms(bgr)
regions: list[knuckle.Hand | None] = knuckle.landmarks_in(bgr, [knuckle.Roi(1, 2, 3)], mirrored=True)
angle: float = one[0].angle("index_pip", unit="deg")
angle = one[0].angle(knuckle.HandLandmark.THUMB_IP)
gap: float = one[0].distance("thumb_tip", "index_tip", unit="palm")
bent: bool = not one[0].is_extended("index")
total: int = asyncio.run(follow())

knuckle.HandTracker(oops=3)  # error: Unexpected keyword argument "oops"
knuckle.HandTracker(max_hands="2")  # error: expected "int"
knuckle.HandTracker(order="hsv")  # error: expected "Literal['rgb', 'bgr']"
knuckle.detect(bgr, oops=3)  # error: No overload variant
knuckle.detect(3)  # error: No overload variant
knuckle.landmarks_in(bgr, [], smoth=True)  # error: Unexpected keyword argument "smoth"
one[0].distance("wrist", "index_tip", unit="inch")  # error: expected "Literal['palm', 'px', 'm']"
one[0].presence = 0.5  # error: read-only
one[0].mood  # error: has no attribute "mood"
side = "left"  # error: Incompatible types in assignment
one = knuckle.detect(["hand.jpg"])  # error: Incompatible types in assignment
tracker.track("clip.mp4", speed=2)  # error: Unexpected keyword argument "speed"
"""


def test_mypy_accepts_what_is_right_and_reports_each_mistake(tmp_path: Path) -> None:
    path = tmp_path / "user.py"
    path.write_text(USER_FILE)
    # The cache of `make check` is used, so that only this file has to be checked.
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, cwd=ROOT, env=environment)
    reported: dict[int, str] = {}
    for number, text in re.findall(r"user\.py:(\d+): error: (.*)", done.stdout):
        reported[int(number)] = reported.get(int(number), "") + text
    lines = USER_FILE.splitlines()
    expected = {k: line.split("# error: ")[1] for k, line in enumerate(lines, 1) if "# error: " in line}
    assert set(reported) == set(expected), done.stdout + done.stderr
    assert len(expected) > 10
    for number, words in expected.items():
        assert words in reported[number], reported[number]
