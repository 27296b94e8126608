"""Write the tables of messages in docs/stream.md from the code: `python docs/make_stream.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).resolve().with_name("stream.md")
RESULTS = PAGE.parents[1] / "benchmarks" / "results" / "stream.json"


def tables() -> dict[str, str]:
    """The generated tables by their marks in the page."""
    from knuckle.cli.stream import GESTURES
    from knuckle.gestures.recogniser import load_gestures
    from knuckle.stream import midi, mqtt, vmc
    from knuckle.stream.humanoid import BONE_NAMES
    from knuckle.stream.messages import VALUES

    osc: list[tuple[str, str, str]] = [
        ("`/knuckle/frame`", "2 ints, float", "number of the frame, hands in it, its time in seconds"),
        ("`/knuckle/SIDE/visible`", "int", "1 with every frame of the hand, 0 once when it is lost"),
    ]
    keys = [("`name`", "text", "`left`, `right`; a second hand of a side is `left2`"), ("`visible`", "bool", "true")]
    for value in VALUES:
        parts = f" for each `PART`: {shortened(value.parts)}" if value.parts else ""
        address = f"`/knuckle/SIDE/{value.name}{'/PART' if value.parts else ''}`"
        osc.append((address, value.shape, value.meaning + parts))
        shape = {"3 floats": "[x, y, z]", "63 floats": "[[x, y, z], …21]", "4 floats": "[x, y, z, w]"}
        inner = shape.get(value.shape, value.shape)
        keys.append((f"`{value.name}`", f"{{PART: {inner}}}" if value.parts else inner, value.meaning))
    return {
        "osc": table(("address", "arguments", "meaning"), osc),
        "json": table(("key of a hand", "value", "meaning"), keys),
        "vmc": table(("address", "arguments", "meaning"), ((f"`{a}`", b, c) for a, b, c in vmc.MESSAGES)),
        "bones": ", ".join(f"`Left{name}`" for name in BONE_NAMES),
        "mqtt": table(("topic", "content", "meaning"), ((f"`{a}`", b, c) for a, b, c in mqtt.TOPICS)),
        "midi": table(("message", "number", "meaning"), midi.messages(load_gestures(GESTURES).names)),
        "latency": latency(),
    }


def shortened(parts: Sequence[str]) -> str:
    """A list of names; the middle of a long one is left out."""
    shown = parts if len(parts) < 8 else (*parts[:3], "…", parts[-1])
    return ", ".join(name if name == "…" else f"`{name}`" for name in shown)


def latency() -> str:
    """What benchmarks/stream.py measured."""
    found = json.loads(RESULTS.read_text())
    rows = [
        (f"`--{row['receiver']}`", row["until"], f"{row['p50_ms']:.2f}", f"{row['p95_ms']:.2f}", f"{row['p99_ms']:.2f}")
        for row in found["rows"]
    ]
    return table(("receiver", "until", "median, ms", "95 %, ms", "99 %, ms"), rows) + f"\n\n{found['note']}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """A page with the contents of its marked parts replaced, by mark."""
    for mark, content in parts.items():
        start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        text = f"{text[: text.index(start)]}{start}\n{content}\n\n{text[text.index(end) :]}"
    return text


def page(text: str) -> str:
    """The page with its tables written anew."""
    return with_parts(text, tables())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
