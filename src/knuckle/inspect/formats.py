"""The formats of a drawn graph, by name and by file suffix. To add one, write a function and list it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from knuckle.errors import InputError, SinkError
from knuckle.inspect.diagram import Diagram, as_mermaid, as_text
from knuckle.inspect.page import as_html, as_svg
from knuckle.inspect.pbtxt import as_pbtxt

FORMATS: Mapping[str, Callable[[Diagram], str]] = {
    "text": as_text,
    "mermaid": as_mermaid,
    "svg": as_svg,
    "html": as_html,
    "pbtxt": as_pbtxt,
}
SUFFIXES = {".txt": "text", ".mmd": "mermaid", ".svg": "svg", ".html": "html", ".pbtxt": "pbtxt"}


def save(diagram: Diagram, path: Path, form: str | None = None) -> list[Path]:
    """Write a diagram to a file, or as GraphConfig text to a folder, with one file per graph.

    Args:
        diagram: the diagram.
        path: a path without a suffix is a folder, unless `form` is another format than "pbtxt".
        form: a name of `FORMATS`; by default the suffix of the path decides.

    Returns:
        The files.

    Raises:
        InputError: the suffix is unknown and no format is given.
        SinkError: a file cannot be written.
    """
    if path.suffix or form not in (None, "pbtxt"):
        chosen = form or SUFFIXES.get(path.suffix.lower())
        if chosen is None:
            raise InputError(f"a graph is written as {', '.join(SUFFIXES)}, got {path.name!r}")
        texts = {path: FORMATS[chosen](diagram)}
    else:
        texts = {path / f"{inner.name}.pbtxt": as_pbtxt(inner) for inner in diagram.all()}
    try:
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
    return list(texts)
