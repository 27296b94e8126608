"""The main graph, which `knuckle track` runs: read a frame, find hands, draw them, pass them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from knuckle.graph import Graph, Node
from knuckle.images import Image
from knuckle.media.draw import draw_palms, hand_renderer
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks, hand_detection, hand_tracking
from knuckle.results import Frame

OnFrame = Callable[..., bool]


def main_graph(
    frames: Iterator[Frame],
    networks: Networks,
    options: TrackerOptions,
    on_frame: OnFrame,
    *,
    stills: bool = False,
    palms_only: bool = False,
    draws: bool = True,
) -> Graph:
    """The graph of one run. Each call processes the next frame and returns whether to continue.

    Args:
        frames: RGB frames with increasing times.
        networks: the networks to run.
        options: options of the tracker.
        on_frame: called with each frame, its hands (or palms) and the annotated image; returns whether to continue.
        stills: the frames are unrelated photos: detect in each instead of tracking.
        palms_only: run the palm detector only.
        draws: draw the results; otherwise `on_frame` gets no annotated image.
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
    nodes.append(Node(on_frame, inputs, "keep_going", when="frame", otherwise=False))
    return Graph("main", inputs=[], nodes=nodes, output="keep_going")


def source(frames: Iterator[Frame]) -> Frame | None:
    """The next frame; None after the last one."""
    return next(frames, None)


def image_of(frame: Frame) -> Image:
    """The image of the frame."""
    return frame.image


def time_of(frame: Frame) -> float:
    """The time of the frame in seconds."""
    return frame.time_s
