"""The tracker's clock: from the time stamps of frames to times that motion can be measured with.

Time stamps are not always the times at which frames were taken. Clocks move in coarse steps, drivers and networks
deliver frames in bursts, files repeat stamps or lack them. Two frames that seem to be 0.1 ms apart would give a hand a
speed of hundreds of metres per second, and the tracker would look for it far outside of the image.

One rule: a step of less than half the usual step is not believed. The frame then counts as a little less than one usual
step after the frame before it, and the steps that follow make up for the difference. Steps that are believed stay
exactly as they are, so a video with even stamps, or one that lacks some frames, keeps its times.

`web/src/clock.ts` is the same in TypeScript; `tests/pipeline/clock.json` holds for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FRAME_S = 1 / 30  # the usual step until stamps show another one
USUAL_STEPS = 30  # the usual step is the mean over about this many steps
BELIEVED_PART = 0.5  # steps below this part of the usual step are not believed
GUESSED_PART = 0.9  # the part of the usual step that is taken instead; below 1, so that the stamps catch up
MIN_USUAL_S = 1 / 240  # the usual step is at least this
MAX_USUAL_S = 1.0  # a longer step, such as a pause, counts as this in the mean
MAX_AHEAD_S = 2.0  # stamps that are further behind the clock have gone back for good
MAX_REPEATS = 10  # a stamp that is repeated this often in a row is said


@dataclass(frozen=True)
class Clock:
    """What the clock knows when a frame arrives.

    Attributes:
        stamp_s: time stamp of the previous frame, as given; -inf before the first frame.
        time_s: time of the previous frame for the tracker; always rises.
        step_s: mean step of the stamps, seconds.
        steps: number of steps in that mean.
        offset_s: added to stamps. It changes when they go back for good.
        repeats: how many frames in a row had the same stamp as the frame before.
        trouble: the first thing about the stamps that a user should know; empty if they are fine.
    """

    stamp_s: float = -math.inf
    time_s: float = -math.inf
    step_s: float = FRAME_S
    steps: int = 1
    offset_s: float = 0.0
    repeats: int = 0
    trouble: str = ""

    @property
    def usual_s(self) -> float:
        """The usual step between frames, seconds."""
        return max(abs(self.step_s), MIN_USUAL_S)


def tick(clock: Clock, stamp_s: float) -> Clock:
    """The clock after a frame with this time stamp. Stamps may be equal, go back, or come in bursts.

    Args:
        clock: the clock after the previous frame; `Clock()` for the first one.
        stamp_s: time stamp of this frame, seconds, finite.
    """
    if math.isinf(clock.stamp_s):
        return Clock(stamp_s, stamp_s)
    trouble, repeats = clock.trouble, clock.repeats + 1 if stamp_s == clock.stamp_s else 0
    if repeats == MAX_REPEATS:
        trouble = trouble or f"the time has been {stamp_s:g} s for {repeats + 1} frames"
    if stamp_s + clock.offset_s < clock.time_s - MAX_AHEAD_S:
        if stamp_s < clock.stamp_s:  # else the steps became much shorter, which is no trouble
            trouble = trouble or f"the time went back from {clock.stamp_s:g} to {stamp_s:g} s and stays behind"
        time_s = clock.time_s + clock.usual_s
        return Clock(stamp_s, time_s, clock.step_s, clock.steps, time_s - stamp_s, repeats, trouble)
    steps = min(clock.steps + 1, USUAL_STEPS)
    step_s = clock.step_s + (min(stamp_s - clock.stamp_s, MAX_USUAL_S) - clock.step_s) / steps
    usual_s, time_s = Clock(step_s=step_s).usual_s, stamp_s + clock.offset_s
    if time_s < clock.time_s + BELIEVED_PART * usual_s:
        time_s = clock.time_s + GUESSED_PART * usual_s
    return Clock(stamp_s, time_s, step_s, steps, clock.offset_s, repeats, trouble)


def tracker_time(clock: Clock) -> float:
    """The time of the frame for the tracker, seconds."""
    return clock.time_s
