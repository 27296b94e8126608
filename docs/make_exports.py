"""Write the table of docs/exports.md from the registry of formats. Run as `python docs/make_exports.py`."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "exports.md"
MARKED = re.compile(r"(<!-- exports -->\n).*?(<!-- /exports -->)", re.DOTALL)
# Title of a column -> the part that it shows.
COLUMNS = {
    "photos": "photos",
    "clips": "clips",
    "several sources": "sources",
    "any number of hands": "many",
    "frames without hands": "empty",
    "times": "times",
    "ids": "ids",
    "z": "z",
    "world": "world",
    "visibility": "visibility",
    "scores": "scores",
    "gestures": "gestures",
    "palms": "palms",
}


def table() -> str:
    """A row for each format: how it is named, what it can hold, whether it can be read, what to install."""
    from knuckle.exports.formats import FORMATS

    head = ["format", "`--format`", "name ends with", *COLUMNS, "read by `convert`", "extra"]
    rows = [head, ["---"] * len(head)]
    for one in FORMATS:
        holds = ["yes" if part in one.holds else "" for part in COLUMNS.values()]
        suffix = f"`{one.suffix}`{' (a folder)' if one.is_folder else ''}"
        extra = f"`{one.extra}`" if one.extra else ""
        rows.append([one.title, f"`{one.name}`", suffix, *holds, "yes" if one.read else "", extra])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def page() -> str:
    """docs/exports.md with the table of today."""
    return MARKED.sub(lambda found: found.group(1) + table() + found.group(2), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
