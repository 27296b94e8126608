"""`knuckle stream`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any

import click

from knuckle.cli.app import remark
from knuckle.cli.flags import with_flags
from knuckle.cli.summary import Summary
from knuckle.cli.track import with_progress
from knuckle.cli.tracker_flags import NETWORK_FLAGS, TRACKER_FLAGS, tracker_options
from knuckle.errors import Error
from knuckle.gestures.recogniser import load_gestures
from knuckle.media.draw_style import DrawStyle
from knuckle.media.drawer import HandDrawer
from knuckle.media.live import paced
from knuckle.media.outputs import Outputs
from knuckle.media.reader import Reader
from knuckle.media.sinks import OutputOptions
from knuckle.media.sources import in_background, read
from knuckle.media.window import KEYS, Window
from knuckle.pipeline.run import Run
from knuckle.pipeline.tracker import load
from knuckle.results import Frame
from knuckle.stream.choose import StreamOptions, destinations
from knuckle.stream.sink import StreamSink
from knuckle.stream.values import Measure

GESTURES = "mediapipe"  # the set, unless another one is asked for
RECEIVERS = ("osc", "vmc", "udp", "ws", "mqtt", "midi")
RECEIVER_FLAGS = (
    click.option("--osc", multiple=True, metavar="HOST:PORT", help="OSC, such as TouchDesigner, Max, Resolume."),
    click.option("--vmc", multiple=True, metavar="HOST:PORT", help="VMC: bones of an avatar, such as VSeeFace's."),
    click.option("--udp", multiple=True, metavar="HOST:PORT", help="UDP: JSON, one datagram a frame."),
    click.option("--ws", multiple=True, metavar="HOST:PORT", help="Serve a WebSocket there; ws://… connects to one."),
    click.option("--mqtt", multiple=True, metavar="HOST[:PORT]", help="MQTT broker; mqtts://… for TLS."),
    click.option("--midi", multiple=True, metavar="PORT", help="MIDI port by name; virtual makes one."),
    click.option("--virtual-camera", is_flag=True, help="A camera for other programs, with the hands drawn."),
)
STREAM_FLAGS = (
    click.option("--rate", type=float, help="Send at most N frames a second.  [default: all]"),
    click.option("--hands", type=click.Choice(["left", "right", "both"]), default="both", show_default=True),
    click.option(
        "--space",
        type=click.Choice(["normalized", "pixels", "world"]),
        default="normalized",
        show_default=True,
        help="Coordinates of the points: 0 to 1 of the image, pixels, or metres around the hand.",
    ),
    click.option("--prefix", default="knuckle", show_default=True, help="Beginning of OSC addresses and MQTT topics."),
)


@click.command()
@click.argument("source")
@with_flags(RECEIVER_FLAGS)
@with_flags(STREAM_FLAGS)
@click.option("--loop", is_flag=True, help="Begin a clip again when it ends.")
@click.option("--show", is_flag=True, help=f"Show the hands in a window. Keys: {KEYS}.")
@with_flags(NETWORK_FLAGS)
@with_flags(TRACKER_FLAGS)
@click.pass_context
def stream(context: click.Context, /, source: str, loop: bool, show: bool, virtual_camera: bool, **flags: Any) -> None:
    """Send the hands of SOURCE to other programs while they are tracked.

    SOURCE is a camera number, a video, which is played at its own speed, or an http:// or rtsp:// address. Each option
    for a receiver may be given several times. A receiver that is gone does not stop the tracking: it is reported once
    and connected again when it is back. Gestures are MediaPipe's seven, unless --gestures names another set.
    docs/stream.md lists all messages.

    \b
    knuckle stream 0 --osc 127.0.0.1:9000
    knuckle stream 0 --vmc 127.0.0.1:39539 --hands both
    knuckle stream 0 --mqtt homeassistant.local --rate 5 --ws :8765
    """
    flags["gestures"] = flags["gestures"] or GESTURES
    names = load_gestures(flags["gestures"]).names
    given = {name: flags.pop(name) for name in ("rate", "hands", "space", "prefix")}
    options = StreamOptions(**given, gestures=names)
    receivers = destinations({name: flags.pop(name) for name in RECEIVERS}, options, virtual_camera)
    tracker = tracker_options(flags)
    summary = Summary(1)
    with read(source) as reader:
        networks = load(flags["models"], flags["threads"], flags["device"])
        run = Run(reader, networks, tracker)
        sink = StreamSink(receivers, Measure(options.space, options.hands), options.rate, remark)
        try:
            send_all(run, sink, loop, show)
        except Error as error:
            run.errors.append(error)
    summary.add(run)
    summary.end(Outputs(None, None, OutputOptions(), DrawStyle()))
    for outlet in sink.outlets if run.frames else ():
        dropped = f", {outlet.dropped} dropped" if outlet.dropped else ""
        summary.say("sent", f"{outlet.destination.name}: {outlet.sent} frames{dropped}")
    context.exit(summary.exit_status)


def send_all(run: Run, sink: StreamSink, loop: bool, show: bool) -> None:
    """Track to the end of the source, or until the user stops, and send each frame."""
    frames = played(run, loop, paces=not show)
    first = list(islice(frames, 1))
    with ExitStack() as stack:
        stack.callback(sink.close)
        if first:
            sink.start(first[0])
            run.sinks.append(sink)
        if show and first:
            run.window = stack.enter_context(Window(HandDrawer(), run.reader.kind))
        with_progress(run, chain(first, frames), "")


def played(run: Run, loop: bool, paces: bool) -> Iterator[Frame]:
    """The frames of a source: a clip at its own speed, unless a window plays it, and again and again with `loop`."""
    reader: Reader = run.reader
    if reader.kind == "live":
        yield from reader
        return
    while True:
        ahead = in_background(iter(reader))
        if paces and reader.kind == "video":
            yield from (frame for frame, _ in paced((frame, frame.time_s) for frame in ahead))
        else:
            yield from ahead
        if not loop:
            return
        run.start_again()
