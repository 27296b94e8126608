"""Write the generated parts of the documents: tables, command line help, pictures. Run as `make docs`.

Tests compare the texts with the committed ones, so a change of the program must change its documents.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent / "tests"), str(DOCS.parent / "benchmarks")]

COMMAND_LINE = """# Command line

This page shows the `--help` of every command; `make docs` writes it.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | part of the input could not be read, or the run ended early; the outputs contain everything until then |
| 2 | nothing was done, for example because of a wrong option or a missing file; stderr says why in one line |
| 130 | stopped with Ctrl-C; the outputs of `knuckle track` contain all frames until then |
"""


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand of `knuckle`, as its words."""
    import click

    from knuckle.cli.app import cli

    found: list[tuple[str, ...]] = [()]
    for name, lazy in cli.commands.items():
        found.append((name,))
        command = lazy.load()
        if isinstance(command, click.Group):
            found += [(name, inner) for inner, one in command.commands.items() if not one.hidden]
    return found


def command_line() -> str:
    """docs/cli.md."""
    from click.testing import CliRunner

    from knuckle.cli.app import cli

    parts = [COMMAND_LINE]
    for words in commands():
        settings = {"prog_name": "knuckle", "terminal_width": 80, "catch_exceptions": False}
        shown = CliRunner().invoke(cli, [*words, "--help"], **settings).output
        parts.append(f"## knuckle {' '.join(words)}".rstrip() + f"\n\n```\n{shown.strip()}\n```\n")
    return "\n".join(parts)


def graph_page() -> None:
    """Write the diagram of docs/graph.md: a Mermaid block, and docs/images/graph.svg, which the site shows instead."""
    from knuckle import HandTracker
    from knuckle.inspect.diagram import as_mermaid, diagram_of
    from knuckle.inspect.page import as_svg

    diagram = diagram_of(HandTracker().graph)
    path = DOCS / "graph.md"
    head, rest = path.read_text().split("```mermaid\n", 1)
    path.write_text(f"{head}```mermaid\n{as_mermaid(diagram)}```{rest.split('```', 1)[1]}")
    (DOCS / "images" / "graph.svg").write_text(as_svg(diagram))


def picture() -> None:
    """Write docs/images/hands.jpg: three drawn hands with the landmarks that were found."""
    import numpy as np
    from PIL import Image
    from scene import blank, draw_hand

    import knuckle

    scene = blank(1000, 600)
    draw_hand(scene, 200, 300, 170, -0.12)
    draw_hand(scene, 500, 300, 170, 0.1, right=True)
    draw_hand(scene, 800, 300, 153, 0.5, right=True)
    tracker = knuckle.HandTracker(max_hands=3)
    hands = tracker(scene)
    assert len(hands) == 3
    shown = knuckle.draw_hands(scene, hands)
    middle = Image.fromarray(np.ascontiguousarray(shown[170:450]))
    middle.save(DOCS / "images" / "hands.jpg", quality=88)


def main() -> None:
    for script in (
        "make_web_constants.py",
        "make_accuracy.py",
        "make_tables.py",
        "make_exports.py",
        "make_stream.py",
        "make_latency.py",
        "make_reliability.py",
    ):
        subprocess.run([sys.executable, str(DOCS / script)], check=True)
    (DOCS / "cli.md").write_text(command_line())
    graph_page()
    picture()


if __name__ == "__main__":
    main()
