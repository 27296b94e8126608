"""Write a graph as MediaPipe's GraphConfig text, for viz.mediapipe.dev and for tools that read `.pbtxt` files.

The text parses as a `mediapipe.CalculatorGraphConfig`. MediaPipe cannot run it, because it has no calculators with our
names. The format: https://ai.google.dev/edge/mediapipe/framework/framework_concepts/graphs
"""

from __future__ import annotations

import re

from knuckle.errors import InputError
from knuckle.inspect.diagram import PREVIOUS, Box, Diagram, Port

LOOPBACK = "PreviousLoopbackCalculator"
STREAM_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def as_pbtxt(diagram: Diagram) -> str:
    """GraphConfig text of one graph. A graph inside it is a node of that type; `Diagram.all` lists them.

    `when` becomes the input WHEN. A value of the previous call comes from a PreviousLoopbackCalculator. The settings of
    a node are comments, because GraphConfig only allows options that are registered for a calculator.

    Raises:
        InputError: the name of a value is not allowed in GraphConfig.
    """
    lines = [f'type: "{diagram.name}"', *_streams("input", diagram.inputs), *_streams("output", diagram.outputs)]
    for box in diagram.boxes:
        lines += ["", "node {", *(f"  {line}" for line in _node(box, diagram)), "}"]
    return "\n".join(lines) + "\n"


def _node(box: Box, diagram: Diagram) -> list[str]:
    calculator, inputs = box.calculator, box.inputs
    if calculator == PREVIOUS:
        calculator = LOOPBACK
        clock = tuple(Port(port.name, "MAIN") for port in diagram.inputs[:1])  # a stream with a packet in every call
        inputs = (*clock, *inputs)
    lines = [f'calculator: "{calculator}"']
    if box.name:
        lines.append(f'name: "{box.name}"')
    lines += _streams("input", inputs)
    for port in inputs:
        if port.kind == "back":
            lines.append(f'input_stream_info {{ tag_index: "{port.tag}" back_edge: true }}')
    lines += _streams("output", box.outputs)
    for name, value in box.settings:
        text = str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
        lines.append(f"# {name}: {text}")
    return lines


def _streams(side: str, ports: tuple[Port, ...]) -> list[str]:
    lines = []
    for port in ports:
        if not STREAM_NAME.fullmatch(port.name):
            raise InputError(f"GraphConfig needs names of lower-case letters, digits and _, got {port.name!r}")
        lines.append(f'{side}_stream: "{port.tag + ":" if port.tag else ""}{port.name}"')
    return lines
