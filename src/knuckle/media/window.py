"""A window that plays annotated frames at their own speed: pause, step, seek, mirror, snapshots."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from knuckle.media.drawer import HandDrawer
from knuckle.media.output_names import OutputNames
from knuckle.media.screen import Screen
from knuckle.media.write_images import save_image
from knuckle.results import Frame

log = logging.getLogger(__name__)

SEEK_S = 5.0
LATE_S = 0.1  # a frame that is later than this moves the schedule, so that the next ones do not rush
MAX_STEPS_BACK = 10_000
POLL_S = 0.02  # how often a window that waits looks for keys
KEYS = "q quit, space pause, comma and period step, arrows seek 5 s, m mirror, s snapshot"
# Tk's names of keys.
QUIT, PAUSE, MIRROR, SNAPSHOT = {"q", "Escape"}, {"space", "k"}, {"m"}, {"s"}
FORWARD, BACK, LATER, EARLIER = {"period", "n"}, {"comma", "p"}, {"Right"}, {"Left"}


class Window:
    """Use it as a context manager and call `show` for each frame.

    Args:
        drawer: draws the results; None: `HandDrawer()`.
        kind: of the source, see `Reader.kind`. A video is played at its own speed, a photo waits for a key, and a live
            source is shown as it comes.
        mirrored: start with mirror images, as people expect of their own camera; the key m switches.
        seek: goes to a time of the video, in seconds; None where that is not possible.

    Raises:
        EngineError: there is no screen, or this Python has no Tk.
    """

    def __init__(
        self,
        drawer: HandDrawer | None = None,
        kind: str = "live",
        mirrored: bool = False,
        seek: Callable[[float], None] | None = None,
    ) -> None:
        self.mirrored = mirrored
        self.drawer, self.kind, self.seek = drawer or HandDrawer(), kind, seek
        self.paused = self._stepping = self._sought = False
        self._shown_s: deque[float] = deque(maxlen=MAX_STEPS_BACK)  # times of the frames up to the current one
        self._anchor: tuple[float, float] | None = None  # clock and time of the frame that the schedule starts from
        self._last: tuple[Frame, Sequence[Any]] | None = None
        self._names = OutputNames()
        self.screen = Screen(f"Knuckle ({KEYS})")

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.screen.close()

    def show(self, frame: Frame, results: Sequence[Any]) -> bool:
        """Show one frame when it is due, and wait while the user pauses.

        Args:
            frame: the frame, without anything drawn on it.
            results: its hands or palms.

        Returns:
            False if the user quits.
        """
        due = self._due(frame) if self.kind == "video" else 0.0
        if due and self._last is not None and not self._stepping:
            if not self._wait(until=due):
                return False
            if self._sought:  # the user went elsewhere before this frame was due
                self._sought = False
                return True
        self._last, self._stepping = (frame, results), False
        self._shown_s.append(frame.time_s)
        self._display(frame, results)
        more = self._wait(hold=self.kind == "image")
        self._sought = False
        return more

    def hold(self) -> bool:
        """Keep the last frame of a video on the screen. Returns True if the user goes back, False if they quit."""
        return self.seek is not None and self._last is not None and self._wait(hold=True, at_end=True)

    def _due(self, frame: Frame) -> float:
        """The clock at which a frame of a video is shown."""
        now = time.perf_counter()
        if self._anchor is None or now - self._anchor[0] - (frame.time_s - self._anchor[1]) > LATE_S:
            self._anchor = now, frame.time_s
        return self._anchor[0] + frame.time_s - self._anchor[1]

    def _display(self, frame: Frame, results: Sequence[Any]) -> None:
        self._picture = self.drawer(frame.image, results, frame.time_s, mirrored=self.mirrored)
        self.screen.put(self._picture)

    def _wait(self, until: float = 0.0, hold: bool = False, at_end: bool = False) -> bool:
        """Handle keys until the clock reaches `until`, and while paused or `hold`. False if the user quits."""
        while True:
            self.screen.update()
            while self.screen.keys:
                key = self.screen.keys.pop(0)
                if key in QUIT:
                    return False
                if self._goes_on(key, hold, at_end):
                    return True
            if self.screen.closed:
                return False
            rest_s = until - time.perf_counter()
            if not (self.paused or hold) and rest_s <= 0:
                return True
            time.sleep(POLL_S if self.paused or hold else min(POLL_S, rest_s))

    def _goes_on(self, key: str, hold: bool, at_end: bool) -> bool:
        """Do what a key asks for. True if another frame should follow at once."""
        assert self._last is not None
        frame, results = self._last
        if key in MIRROR:
            self.mirrored = not self.mirrored
            self._display(frame, results)
        elif key in SNAPSHOT:
            self._snapshot(frame)
        elif key in PAUSE and not hold:
            self.paused, self._anchor = not self.paused, None
        elif hold and key in FORWARD | LATER | PAUSE and not at_end:
            return True
        elif key in FORWARD and not at_end:
            self.paused, self._stepping, self._anchor = True, True, None
            return True
        elif key in BACK and len(self._shown_s) > 1:
            self.paused = True
            self._shown_s.pop()
            return self._go_to(self._shown_s.pop())
        elif key in EARLIER | LATER and not (at_end and key in LATER):
            self._shown_s.clear()
            return self._go_to(max(0.0, frame.time_s + (SEEK_S if key in LATER else -SEEK_S)))
        return False

    def _go_to(self, time_s: float) -> bool:
        if self.seek is None:
            return False
        self._anchor, self._sought, self._stepping = None, True, True
        self.drawer.reset()
        self.seek(time_s)
        return True

    def _snapshot(self, frame: Frame) -> None:
        """Save what is shown as PNG in the working directory."""
        target = self._names.free(Path(), frame.source or "snapshot", f"_{frame.time_s:.3f}s.png")
        save_image(self._picture, target)
        log.info("snapshot %s", target)
