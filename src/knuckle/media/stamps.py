"""The time stamps of a file become the times of its frames: they start at 0 and rise."""

from __future__ import annotations

import math
from collections.abc import Callable

MIN_STEP_S = 1e-4  # frames with equal or slightly falling stamps get times so far apart
MAX_BACK_S = 0.5  # stamps that fall by more have begun anew, as in joined recordings
MAX_JUMP_S = 10.0  # so do stamps that jump ahead by more, in formats whose clock may jump


class FrameTimes:
    """Times in seconds from stamps that may be missing, equal, or begin anew.

    Args:
        rate: frames per second, for frames without a stamp.
        may_jump: the format's clock may jump ahead, as that of a broadcast.
        note: gets a line, once, if stamps begin anew.
        first_s: the stamp that is time 0; None for that of the first frame.

    Attributes:
        count: number of frames so far.
        first_s: the stamp of the first frame.
        last_s: time of the last frame; -inf before the first.
    """

    def __init__(self, rate: float, may_jump: bool, note: Callable[[str], None], first_s: float | None = None) -> None:
        self.step_s, self.may_jump, self.note = 1 / rate, may_jump, note
        self.count, self.last_s, self.first_s = 0, -math.inf, first_s or 0.0
        self._offset_s, self._said, self._knows_first = -self.first_s, False, first_s is not None

    def next(self, stamp_s: float | None) -> float:
        """The time of the next frame, which has this stamp; None if it has none."""
        if self.count == 0 and self._knows_first and stamp_s is not None:
            time_s = stamp_s + self._offset_s
        elif self.count == 0:
            self.first_s = stamp_s or 0.0
            self._offset_s = -self.first_s
            time_s = 0.0
        elif stamp_s is None:
            time_s = self.last_s + self.step_s
        else:
            time_s = stamp_s + self._offset_s
            step_s = time_s - self.last_s
            if step_s < -MAX_BACK_S or (self.may_jump and step_s > MAX_JUMP_S):
                time_s = self.last_s + self.step_s
                self._offset_s = time_s - stamp_s
                if not self._said:
                    self.note(f"its time stamps begin anew after {self.last_s:.1f} s; the times go on from there")
                self._said = True
            time_s = max(time_s, self.last_s + MIN_STEP_S)
        self.count, self.last_s = self.count + 1, time_s
        return time_s
