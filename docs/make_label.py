"""Write the measured tables of docs/label.md: `python docs/make_label.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from make_stream import table, with_parts

PAGE = Path(__file__).resolve().with_name("label.md")
RESULTS = PAGE.parents[1] / "benchmarks" / "results"


def tables() -> dict[str, str]:
    """The generated parts by their marks in the page."""
    return {
        "clips": clips(json.loads((RESULTS / "label_clips.json").read_text())),
        "run": whole_run(json.loads((RESULTS / "label_run.json").read_text())),
        "few": few_labels(json.loads((RESULTS / "few_labels.json").read_text())),
    }


def clips(found: dict[str, Any]) -> str:
    """What benchmarks/label_clips.py measured."""
    head = ("clip", "frames", "tracker alone", "straight lines", "filled", "flagged", "wrong, and flagged of these")
    rows = []
    for one in found["clips"]:
        errors = [f"{one[name]['median']} % ({one[name]['missed']})" for name in ("tracker", "line", "filled")]
        checked = str(one["flagged"]), f"{one['wrong']}, {one['wrong_flagged']}"
        rows.append((f"`{one['clip']}`", str(one["frames"]), *errors, *checked))
    return table(head, rows)


def whole_run(found: dict[str, Any]) -> str:
    """What benchmarks/label_run.py measured, a column for each kind of photos."""
    lines = {
        "photos labelled by keyboard": "{photos}",
        "keys pressed": "{keys}",
        "seconds that the script took for them": "{label_s}",
        "photos that the training run held out": "{held_out}",
        "median error on these before and after, % of the palm": "{before:.2f}, {after:.2f}",
        "of the points that were moved": "{moved_before:.2f}, {moved_after:.2f}",
        "hands missed before and after": "{missed_before:.0f}, {missed_after:.0f}",
        "minutes of training": "{train_min}",
    }
    kinds = {name: f"{name} photos" for name in found}
    rows = [(title, *(line.format(**found[kind]) for kind in kinds)) for title, line in lines.items()]
    return table(("", *kinds.values()), rows)


def few_labels(found: dict[str, Any]) -> str:
    """What benchmarks/few_labels.py measured."""
    rows = []
    for name, title in (("median", "median error of the two tips"), ("mean", "mean error")):
        before, after = found[f"before_{name}"], found[f"after_{name}"]
        rows.append((title, f"{before:.2f}", f"{after:.2f}", f"{100 * (after / before - 1):+.0f} %".replace("-", "−")))
    text = (
        f"{found['better']} of {found['tips']} tips are nearer than before. The run promised {found['promised']}, took "
        f"{found['minutes']:.0f} minutes, ended itself after step {found['steps']}, and kept the "
        f"weights of step {found['best_step']}."
    )
    return table(("", "before", "after", "change"), rows) + f"\n\n{text}"


def page(text: str) -> str:
    """The page with its generated parts written anew."""
    return with_parts(text, tables())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
