"""The main graph, which `knuckle track` runs: frames come in, hands are found, drawn and handed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.media.draw import draw_palms, hand_renderer
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks, hand_detection, hand_tracking
from knuckle.results import Frame

Sink = Callable[..., bool]


def main_graph(
    frames: Iterator[Frame],
    networks: Networks,
    options: TrackerOptions,
    sink: Sink,
    *,
    stills: bool = False,
    palms_only: bool = False,
    draws: bool = True,
) -> Graph:
    """The graph of one run; each call takes the next frame through it and tells whether to go on.

    Args:
        frames: RGB frames whose times rise.
        sink: takes the frame, its hands (or palms) and the drawn picture; tells whether to go on.
        stills: the frames have nothing to do with each other.
        palms_only: look for palms and nothing else.
        draws: without it the sink gets no picture.
    """
    found = "palms" if palms_only else "hands"
    if palms_only:
        finder = networks.palm_detector(options).graph()
    else:
        finder = (hand_detection if stills else hand_tracking)(networks, options)
    nodes = [
        Node(partial(source, frames), (), "frame"),
        Node(image_of, ("frame",), "image", when="frame"),
        Node(time_of, ("frame",), "time_s", when="frame"),
        Node(finder, finder.inputs, found, when="frame"),
    ]
    if draws:
        renderer = draw_palms if palms_only else hand_renderer()
        nodes.append(Node(renderer, ("image", found), "picture", when="frame"))
    inputs = ("frame", found, "picture") if draws else ("frame", found)
    nodes.append(Node(sink, inputs, "goes_on", when="frame", otherwise=False))
    return Graph("main", inputs=[], nodes=nodes, output="goes_on")


def source(frames: Iterator[Frame]) -> Frame | None:
    """The next frame, None after the last."""
    return next(frames, None)


def image_of(frame: Frame) -> Image:
    """The frame's picture."""
    return frame.image


def time_of(frame: Frame) -> float:
    """The frame's time in seconds."""
    return frame.time_s
