"""A sink that draws the results on each frame before another sink writes it."""

from __future__ import annotations

from dataclasses import replace

from knuckle.media.drawer import HandDrawer
from knuckle.media.write_common import Results, Sink
from knuckle.results import Frame


class Drawn(Sink):
    """Gives another sink the annotated frames. In `InBackground` the drawing overlaps with tracking, too.

    Args:
        sink: writes the frames.
        drawer: draws on them.
    """

    def __init__(self, sink: Sink, drawer: HandDrawer) -> None:
        self.sink, self.drawer, self.path, self.problems = sink, drawer, sink.path, sink.problems
        self.written = False

    def write(self, frame: Frame, results: Results) -> None:
        self.sink.write(replace(frame, image=self.drawer(frame.image, results, frame.time_s)), results)

    def close(self) -> None:
        try:
            self.sink.close()
        finally:
            self.path, self.written = self.sink.path, self.sink.written
