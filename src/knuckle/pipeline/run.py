"""One run of the pipeline over a source: frames in, results to files and a window, totals counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from knuckle.errors import Error
from knuckle.graph import Graph, Step
from knuckle.images import Image
from knuckle.media.sinks import Sink
from knuckle.media.sources import Reader
from knuckle.media.window import Window
from knuckle.media.write_common import uninterrupted
from knuckle.pipeline.main_graph import main_graph
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.smooth import OfflineSmoother
from knuckle.pipeline.tracker import Networks
from knuckle.results import Frame, Hand


@dataclass
class Run:
    """Tracks hands from a source into files and a window, and counts what it found.

    Attributes:
        reader: the source.
        networks: the networks to run.
        options: options of the tracker.
        palms_only: run the palm detector only.
        sinks: output files; each receives every frame, in this order.
        window: shows each frame; None for no window.
        frames, found, frames_with: frames processed, results in all of them, frames with at least one result.
        ids: all track ids of the run.
        inference_s: seconds spent on finding hands, without decoding, drawing and writing.
        wall_s: seconds since the run began.
        errors: errors that ended the run.
        stopped: whether the user interrupted the run.
        closed: whether the user closed the window.
        smoother: smooths the hands of videos by the frames before and after; None for the tracker's own filter.
        place: gives the hands of a frame their places in metres; None for none.
    """

    reader: Reader
    networks: Networks
    options: TrackerOptions
    palms_only: bool = False
    sinks: list[Sink] = field(default_factory=list)
    window: Window | None = None
    frames: int = 0
    found: int = 0
    frames_with: int = 0
    ids: set[int] = field(default_factory=set)
    inference_s: float = 0.0
    wall_s: float = 0.0
    errors: list[Error] = field(default_factory=list)
    stopped: bool = False
    closed: bool = False
    smoother: OfflineSmoother | None = None
    place: Callable[[Frame, list[Hand]], list[Hand]] | None = None
    _running: Graph | None = field(default=None, init=False, repr=False)

    @property
    def what(self) -> str:
        """What the run looks for: "palms" or "hands"."""
        return "palms" if self.palms_only else "hands"

    @property
    def failed(self) -> bool:
        """Whether the run ended early, or part of the source could not be read."""
        return bool(self.errors or self.reader.problems or self.sink_problems)

    @property
    def sink_problems(self) -> list[Error]:
        """Output files that were not written, although the run went on."""
        return [problem for sink in self.sinks for problem in sink.problems]

    def graph(self, frames: Iterator[Frame], draws: bool = False) -> Graph:
        """The main graph of this run over `frames`.

        It does not draw unless `draws` is set: the sinks of annotated files draw in their own threads, so that drawing
        overlaps with tracking.
        """
        stills = self.reader.kind == "image"
        settings = {"stills": stills, "palms_only": self.palms_only, "draws": draws}
        return main_graph(frames, self.networks, self.options, self.write, **settings)

    def start_again(self) -> None:
        """Forget the tracked hands, when the user goes to another place of the video."""
        if self._running:
            self._running.reset()
        if self.smoother:
            self.smoother = OfflineSmoother()

    def run(self, frames: Iterator[Frame], after_frame: Callable[[], None]) -> None:
        """Process frames until the source ends, fails, or the user stops the run; Ctrl-C stops it too.

        Args:
            frames: the frames of the source.
            after_frame: called after each frame, to show progress.
        """
        start = time.perf_counter() - self.wall_s
        try:
            self._running = self.graph(frames)
            while self._running.run([], self.observe):
                self.wall_s = time.perf_counter() - start
                after_frame()
        except KeyboardInterrupt:
            self.stopped = True
        finally:
            for pair in self.smoother.flush() if self.smoother else ():
                self._deliver(*pair)
            self.wall_s = time.perf_counter() - start

    def write(self, frame: Frame, found: list[Any], picture: Image | None = None) -> bool:
        """Take the results of one frame; they are written and counted now, or when they have been smoothed.

        Args:
            frame: the frame.
            found: its hands or palms.
            picture: the frame with the results drawn on it; not used, as sinks and window draw.

        Returns:
            False once the user closes the window.
        """
        ready = [(frame, found)] if self.smoother is None else self.smoother.push(frame, found)
        return all([self._deliver(*pair) for pair in ready])

    def _deliver(self, frame: Frame, found: list[Any]) -> bool:
        """Write, count and show the results of one frame; False once the user closes the window."""
        found = self.place(frame, found) if self.place else found
        with uninterrupted():
            for sink in self.sinks:
                sink.write(frame, found)
            self.frames += 1
            self.found += len(found)
            self.frames_with += bool(found)
            self.ids |= {hand.track_id for hand in found if isinstance(hand, Hand) and hand.track_id is not None}
        self.closed = self.window is not None and not self.window.show(frame, found)
        return not self.closed

    def observe(self, step: Step) -> None:
        """Add up the time that finding hands takes."""
        if step.path == ("main", self.what):
            self.inference_s += step.seconds
