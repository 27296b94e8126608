"""Fills the tables of the model card and of the training pages with what was measured: `python docs/make_tables.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from make_accuracy import section

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "benchmarks" / "results"
BUNDLE = "knuckle"
NAMES = {"knuckle": "`knuckle`", "mediapipe": "`mediapipe`", "mediapipe-lite": "`mediapipe-lite`"}


def main() -> None:
    networks, ablations = read("networks"), read("ablations")
    fill(
        "model_hand.md",
        {
            "time": times(networks["time"]),
            "free": free(networks["free"]),
            "renders": renders(networks["renders"], networks["models"]),
            "accuracy": accuracy(read(f"accuracy_{BUNDLE}")["datasets"]),
        },
    )
    fill("training.md", {name: ablation(ablations[name]) for name in ("data", "heads")})


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def fill(name: str, tables: Mapping[str, str]) -> None:
    """Put each table between its marks, `<!-- NAME -->` and `<!-- /NAME -->`, in a document."""
    path = DOCS / name
    text = path.read_text()
    for mark, table in tables.items():
        start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        text = f"{text[: text.index(start)]}{start}{table}\n{text[text.index(end) :]}"
    path.write_text(text)


def ablation(entry: dict[str, Any]) -> str:
    """A row per trained network, a column per figure and dataset that it was judged on."""
    titles = {"error": "error, % of palm", "tips": "tips, %", "world_mm": "in space, mm", "handedness": "side right"}
    checks = list(entry["rows"][0]["figures"])
    columns = [(c, key) for c in checks for key in titles if key in entry["rows"][0]["figures"][c]]
    lines = [
        f"| | {' | '.join(f'{check}: {titles[key]}' for check, key in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    for row in entry["rows"]:
        values = [row["figures"][check][key] for check, key in columns]
        lines.append(f"| {row['name']} | {' | '.join(f'{value:.3g}' for value in values)} |")
    return f"{entry['steps']} steps of {entry['batch']}, one seed.\n\n" + "\n".join(lines)


def times(found: dict[str, Any]) -> str:
    """Milliseconds of a crop, and the ratio to the first network's."""
    settings = list(next(iter(found.values())))
    lines = [f"| | {' | '.join(settings)} |", f"|---|{'---|' * len(settings)}"]
    for name, by_setting in found.items():
        cells = [
            f"{cell['ms']:.2f} ms, {cell['ratio']:.2f}× ({cell['low']:.2f}–{cell['high']:.2f})"
            for cell in by_setting.values()
        ]
        lines.append(f"| {NAMES[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def free(found: dict[str, Any]) -> str:
    """Share of hand-free crops with a hand, with its interval."""
    lines = [f"| crops of {found['photos']} photos, {found['crops_per_photo']} each | with a hand |", "|---|---|"]
    for name in NAMES:
        value, low, high = found[name]
        lines.append(f"| {NAMES[name]} | {value:.2f} % ({low:.2f}–{high:.2f}) |")
    return "\n".join(lines)


def renders(found: dict[str, Any], models: list[str]) -> str:
    """One row per slice: errors and shares of each network."""
    columns = {"error": "error, % of palm", "tips": "tips, %", "world_mm": "in space, mm", "present": "seen, %"}
    columns |= {"side": "side right, %"}
    order = [name for name in NAMES if name in models]
    lines = [
        f"| slice | n | {' | '.join(columns.values())} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for name, entry in found.items():
        cells = [" / ".join(f"{entry[model][key]:.1f}" for model in order) for key in columns]
        lines.append(f"| {name} | {entry['count']} | {' | '.join(cells)} |")
    return f"In each cell: {' / '.join(NAMES[name] for name in order)}.\n\n" + "\n".join(lines)


def accuracy(datasets: list[dict[str, Any]]) -> str:
    """The tables of `docs/accuracy.md` for this bundle, beside `mediapipe`; slices are in the table of renders."""
    parts = []
    for dataset in datasets:
        tables = [table for table in dataset["tables"] if table["title"] in ("images", "video")]
        parts.append(section(dataset | {"tables": tables}, NAMES).replace("## ", "#### ", 1))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
