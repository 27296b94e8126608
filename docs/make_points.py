"""The tables of points.md, from what `benchmarks/points.py` measured; `python docs/make_tables.py` fills them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS = {
    "error": "the 21 points",
    "tips": "fingertips",
    "extra": "nails, all",
    "offset": "the way from a fingertip to its nail",
}


def points_tables(found: Mapping[str, Any]) -> dict[str, str]:
    """The generated tables by their marks."""
    return {"nails": nails_table(found), "missing": missing_table(found["missing"])}


def nails_table(found: Mapping[str, Any]) -> str:
    """Errors on held-out renders before and after, and what the new points cost."""
    before, after = found["nails"]["before"], found["nails"]["after"]
    names = ROWS | {name: name.replace("_", " ") for name in before if name not in ROWS}
    lines = [
        f"Median error on {found['nails']['hands']} held-out renders, % of the palm size. Before: the nails are where "
        f"the fingertips are. After: {found['renders']} renders, {found['steps']} steps of 16. The new layers add "
        f"{100 * found['parameters']['added'] / found['parameters']['usual']:.1f} % to the parameters of `knuckle`.",
        "",
        "| | before | after |",
        "|---|---|---|",
    ]
    return "\n".join(lines + [f"| {text} | {before[name]:.1f} | {after[name]:.1f} |" for name, text in names.items()])


def missing_table(found: Mapping[str, Any]) -> str:
    """What `knuckle` says about hands that lack a finger."""
    return "\n".join(
        [
            "| `knuckle`, without training | hands that lack a finger | whole hands |",
            "|---|---|---|",
            f"| hands | {found['hands']} | {found['whole']} |",
            f"| median error of the points that are there, % of the palm size | {found['error']:.1f} "
            f"| {found['error_whole']:.1f} |",
            f"| median visibility of visible points | {found['visible']:.2f} | |",
            f"| median visibility of absent points | {found['absent']:.2f} | |",
            f"| AUROC of visible against absent | {found['auroc']:.2f} | |",
        ]
    )
