"""Figures as text: how many digits, which is best, which way is good; the same in every kind of report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knuckle.datasets.labels import Dataset
from knuckle.evaluate.results import Figure, Row, Score, Table

WAYS = {"higher": "↑", "lower": "↓", None: ""}
VERDICTS = {"better": "▲", "worse": "▼", "same": "="}
HEADLINES = 6  # rows of a table that the summary shows
VIDEO = "video"  # title of the table whose rows the summary shows besides those of the first
BADGES = {
    "mediapipe": "agreement, not accuracy",
    "renderer": "rendered pictures",
    "nobody": "no labels",
    "people": "labelled by people",
}
MEANINGS = {
    "mediapipe": "These labels were made by MediaPipe itself: the figures say how far a tracker agrees with it, its "
    "mistakes included, and not how good it is.",
    "renderer": "These pictures were rendered: the labels are exact, the hands are not real.",
    "nobody": "Nobody labelled these: the figures say how steady and how consistent a tracker is, not how accurate.",
    "people": "",
}
LEGEND = (
    "The small range is the 95 % interval, by resampling groups of images that belong together.",
    "↑ higher is better, ↓ lower is better, ★ best of the row, by chance or not.",
    "▲ better, ▼ worse than the first model on the same images, beyond chance; = no difference beyond chance.",
)
NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A figure as text; `verdict` is a key of `VERDICTS` or ""."""

    value: str
    interval: str = ""
    best: bool = False
    verdict: str = ""


def cells(row: Row, models: Sequence[str]) -> list[Cell]:
    """One cell per model, all with the same number of decimals."""
    figures = [row.figures.get(model, Figure(math.nan)) for model in models]
    digits = _decimals(figures, row.unit)
    best = _best(figures, digits, row.better)
    return [
        Cell(
            number(figure.value, digits), _interval(figure, digits), number(figure.value, digits) == best,
            row.verdicts.get(model, ""),
        )
        for model, figure in zip(models, figures, strict=True)
    ]  # fmt: skip


def number(value: float, digits: int) -> str:
    """The value with so many decimals, "–" for NaN, with a real minus sign."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _decimals(figures: Sequence[Figure], unit: str) -> int:
    """Three digits of the largest figure, two of a small one; one decimal for percentages, none for whole numbers."""
    values = [v for f in figures for v in (f.value, f.low, f.high) if math.isfinite(v)]
    most = max(map(abs, values), default=0.0)
    if unit.startswith("%"):
        return 1 if most >= 5 or not most else 2
    if most < 1e-9 or (not unit and most >= 2 and all(value == round(value) for value in values)):
        return 0
    return 5 if most < 0.001 else 4 if most < 0.01 else 3 if most < 1 else 2 if most < 10 else 1 if most < 100 else 0


def _best(figures: Sequence[Figure], digits: int, better: str | None) -> str | None:
    """The text of the best figure; None where no way is good, or all look the same."""
    known = [figure.value for figure in figures if not math.isnan(figure.value)]
    if better is None or len({number(value, digits) for value in known}) < 2:
        return None
    return number(max(known) if better == "higher" else min(known), digits)


def _interval(figure: Figure, digits: int) -> str:
    if math.isnan(figure.low) or math.isnan(figure.high) or math.isnan(figure.value):
        return ""
    between = " to " if figure.low < 0 else "–"
    return f"{number(figure.low, digits)}{between}{number(figure.high, digits)}"


def heading(table: Table) -> str:
    """Its title, with the unit where all rows share it."""
    return ", ".join(part for part in (table.title, shared_unit(table)) if part)


def measure(row: Row, unit: str = "") -> str:
    """ "found, % ↑"; the name alone where the table's heading says the unit."""
    if unit:
        return row.metric
    return " ".join(
        part for part in (f"{row.metric}, {row.unit}" if row.unit else row.metric, WAYS[row.better]) if part
    )


def counted(row: Row) -> str:
    """ "n = 640", or the range where models differ; "" where no figure says it."""
    counts = sorted({figure.count for figure in row.figures.values() if figure.count})
    return f"n = {counts[0]}" + (f"–{counts[-1]}" if len(counts) > 1 else "") if counts else ""


def _count(row: Row) -> str:
    return counted(row).removeprefix("n = ")


def headline(score: Score) -> tuple[Row, ...]:
    """What the summary shows of a dataset: the first rows that can be good or bad, of its first table and of video."""
    shown = [table for k, table in enumerate(score.tables) if k == 0 or table.title == VIDEO]
    return tuple(row for table in shown for row in [row for row in table.rows if row.better][:HEADLINES])


def tally(scores: Sequence[Score], models: Sequence[str]) -> list[str]:
    """One line per model that was compared: how many rows of the summary are better, worse and the same."""
    rows = [row for score in scores for row in headline(score)]
    lines = []
    for model in models:
        said = [row.verdicts[model] for row in rows if model in row.verdicts]
        counts = [f"{VERDICTS[verdict]} {verdict} in {said.count(verdict)}" for verdict in VERDICTS]
        lines += [f"{model}: {', '.join(counts)} of {len(said)} rows"] if said else []
    return lines


def shared_unit(table: Table) -> str:
    """ "% of palm ↓" where all rows of a longer table have it, which then need not repeat it; else ""."""
    kinds = {(row.unit, row.better) for row in table.rows}
    if len(table.rows) < HEADLINES or len(kinds) > 1:
        return ""
    unit, better = next(iter(kinds))
    return f"{unit} {WAYS[better]}".strip()


def all_models(scores: Sequence[Score]) -> list[str]:
    """Every model once, in the order in which they come."""
    return list(dict.fromkeys(model for score in scores for model in score.models))


def about_dataset(dataset: Dataset) -> str:
    """How much there is, of what origin: "640 photos · labelled by people · Apache-2.0"."""
    frames = sum(len(clip.shots) for clip in dataset.clips)
    parts = [_plural(len(dataset.shots), "photo") if dataset.shots else ""]
    parts += [_plural(len(dataset.clips), "clip") if dataset.clips else ""]
    parts += [_plural(frames, "labelled frame") if frames else ""]
    parts += [BADGES[dataset.labelled_by], dataset.licence]
    return " · ".join(part for part in parts if part)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def markdown(
    scores: Sequence[Score],
    *,
    title: str = "Accuracy",
    about: Mapping[str, str] | None = None,
    commands: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    """The report without pictures: a summary over all datasets, then every table of each, then the commands."""
    models = all_models(scores)
    lines = [f"# {title}", "", *(line for note in notes for line in (note, ""))]
    lines += [f"- **{model}**: {text}" for model, text in (about or {}).items()] + [""] * bool(about)
    lines += [f"- {line}" for line in LEGEND] + [""]
    if scores:
        lines += ["## Summary", "", *_markdown_head(["dataset", "measure", "n"], models)]
        for score in scores:
            lines += _summary_lines(score, models)
        lines += ["", *(f"- {line}" for line in tally(scores, models)), ""]
    for score in scores:
        lines += _section(score)
    told = list(dict.fromkeys([*commands, *(command for score in scores for command in score.commands)]))
    if told:
        lines += ["## Made by", "", "```", *told, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary_lines(score: Score, models: Sequence[str]) -> list[str]:
    badge = "" if score.dataset.labelled_by == "people" else f" (*{BADGES[score.dataset.labelled_by]}*)"
    first = f"[{score.dataset.name}](#{anchor(score)}){badge}"
    return [
        _markdown_row([first if k == 0 else "", measure(row), _count(row)], row, models)
        for k, row in enumerate(headline(score))
    ]


def anchor(score: Score) -> str:
    """The address of a dataset's section: what GitHub makes of its heading."""
    kept = (c for c in score.dataset.name.lower().replace(" ", "-") if c.isalnum() or c in "-_")
    return "".join(kept)


def _section(score: Score) -> list[str]:
    dataset = score.dataset
    lines = [f"## {dataset.name}", "", f"{about_dataset(dataset)}.", ""]
    lines += [line for text in (dataset.note, MEANINGS[dataset.labelled_by]) if text for line in (text, "")]
    for table in score.tables:
        lines += [f"### {heading(table)}", ""] if heading(table) else []
        lines += [f"*{table.note}*", ""] if table.note else []
        unit = shared_unit(table)
        lines += _markdown_head(["measure", "n"], score.models)
        lines += [_markdown_row([measure(r, unit), _count(r)], r, score.models) for r in table.rows]
        lines.append("")
    return lines


def _markdown_head(first: Sequence[str], models: Sequence[str]) -> list[str]:
    names = [*first, *map(_escaped, models)]
    rules = ["---"] * (len(first) - 1) + ["---:"] * (len(models) + 1)
    return [f"| {' | '.join(names)} |", f"| {' | '.join(rules)} |"]


def _markdown_row(first: Sequence[str], row: Row, models: Sequence[str]) -> str:
    texts = []
    for cell in cells(row, models):
        value = f"**{cell.value}** ★" if cell.best else cell.value
        interval = f"({cell.interval})" if cell.interval else ""
        texts.append(" ".join(part for part in (value, interval, VERDICTS.get(cell.verdict, "")) if part))
    return f"| {' | '.join([*(text if text.startswith('[') else _escaped(text) for text in first), *texts])} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def terminal(scores: Sequence[Score]) -> str:
    """The summary as plain text with aligned columns, for the end of a run."""
    models = all_models(scores)
    rows = [["dataset", "measure", "n", *models]]
    for score in scores:
        for k, row in enumerate(headline(score)):
            texts = [
                " ".join(p for p in (c.value + " ★" * c.best, f"({c.interval})" if c.interval else "") if p)
                + f" {VERDICTS.get(c.verdict, '')}".rstrip()
                for c in cells(row, models)
            ]
            name = score.dataset.name + (" ≈" if score.dataset.labelled_by == "mediapipe" else "")
            rows.append([name if k == 0 else "", measure(row), _count(row), *texts])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    lines += ["", *tally(scores, models)]
    if any(score.dataset.labelled_by == "mediapipe" for score in scores):
        lines.append(f"≈ labelled by MediaPipe: {BADGES['mediapipe']}")
    return "\n".join(lines) + "\n"
