"""Figures as text, the same in every kind of report: digits, the best of a row, verdicts; Markdown and terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from knuckle.datasets.labels import Dataset
from knuckle.evaluate.results import Figure, Report, Row, Score, Table

WAYS = {"higher": "↑", "lower": "↓", None: ""}
VERDICTS = {"better": "▲", "worse": "▼", "same": "="}
HEADLINES = 6  # rows per table in the summary
VIDEO = "video"  # title of the second table whose rows the summary shows
BADGES = {
    "mediapipe": "agreement, not accuracy",
    "renderer": "rendered images",
    "nobody": "no labels",
    "people": "labelled by people",
}
MEANINGS = {
    "mediapipe": "These labels were made by MediaPipe itself. The figures measure how far a tracker agrees with "
    "MediaPipe, including its mistakes, not how accurate it is.",
    "renderer": "These images were rendered: the labels are exact, but the hands are not real.",
    "nobody": "These images have no labels. The figures measure how steady and consistent a tracker is, not how "
    "accurate it is.",
    "people": "",
}
LEGEND = (
    "The small range is the 95 % interval, from resampling groups of images that belong together.",
    "↑ higher is better, ↓ lower is better, ★ best of the row (it may be by chance).",
    "▲ better, ▼ worse than the first model on the same images, more than by chance; = no such difference.",
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
    shown = []
    for model, figure in zip(models, figures, strict=True):
        value = number(figure.value, digits)
        shown.append(Cell(value, _interval(figure, digits), value == best, row.verdicts.get(model, "")))
    return shown


def number(value: float, digits: int) -> str:
    """The value with `digits` decimals and a real minus sign; "–" for NaN."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _decimals(figures: Sequence[Figure], unit: str) -> int:
    """Decimals of a row: about three digits in the largest figure; for percentages one, or two if all are below 5."""
    values = [v for f in figures for v in (f.value, f.low, f.high) if math.isfinite(v)]
    most = max(map(abs, values), default=0.0)
    if unit.startswith("%"):
        return 1 if most >= 5 or not most else 2
    if most < 1e-9 or (not unit and most >= 2 and all(value == round(value) for value in values)):
        return 0
    return 5 if most < 0.001 else 4 if most < 0.01 else 3 if most < 1 else 2 if most < 10 else 1 if most < 100 else 0


def _best(figures: Sequence[Figure], digits: int, better: str | None) -> str | None:
    """The text of the best figure; None if no direction is better, or if all figures look the same."""
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
    """A table's title, with the unit if all rows share it."""
    return ", ".join(part for part in (table.title, shared_unit(table)) if part)


def metric_name(row: Row, unit: str = "") -> str:
    """ "hands found, % ↑"; only "hands found" if the heading of the table says the `unit`."""
    if unit:
        return row.metric
    named = f"{row.metric}, {row.unit}" if row.unit else row.metric
    return f"{named} {WAYS[row.better]}".strip()


def counted(row: Row) -> str:
    """ "n = 640", or a range if the models differ; "" if the figures have no counts."""
    counts = sorted({figure.count for figure in row.figures.values() if figure.count})
    return f"n = {counts[0]}" + (f"–{counts[-1]}" if len(counts) > 1 else "") if counts else ""


def _count(row: Row) -> str:
    return counted(row).removeprefix("n = ")


def headline(score: Score) -> tuple[Row, ...]:
    """The summary of a dataset: the first rows that can be good or bad, of its first table and of the video table."""
    rows: list[Row] = []
    for k, table in enumerate(score.tables):
        if k == 0 or table.title == VIDEO:
            rows += [row for row in table.rows if row.better][:HEADLINES]
    return tuple(rows)


def tally(scores: Sequence[Score], models: Sequence[str]) -> list[str]:
    """One line per compared model: in how many rows of the summary it is better, worse and the same."""
    rows = [row for score in scores for row in headline(score)]
    lines = []
    for model in models:
        verdicts = [row.verdicts[model] for row in rows if model in row.verdicts]
        counts = [f"{VERDICTS[verdict]} {verdict} in {verdicts.count(verdict)}" for verdict in VERDICTS]
        lines += [f"{model}: {', '.join(counts)} of {len(verdicts)} rows"] if verdicts else []
    return lines


def shared_unit(table: Table) -> str:
    """The unit for the heading, "% of palm ↓", if all rows of a longer table share it; else ""."""
    kinds = {(row.unit, row.better) for row in table.rows}
    if len(table.rows) < HEADLINES or len(kinds) > 1:
        return ""
    unit, better = next(iter(kinds))
    return f"{unit} {WAYS[better]}".strip()


def about_dataset(dataset: Dataset) -> str:
    """Size and origin of a dataset: "640 photos · labelled by people · Apache-2.0"."""
    frames = sum(len(clip.shots) for clip in dataset.clips)
    parts = [_plural(len(dataset.shots), "photo") if dataset.shots else ""]
    parts += [_plural(len(dataset.clips), "clip") if dataset.clips else ""]
    parts += [_plural(frames, "labelled frame") if frames else ""]
    parts += [BADGES[dataset.labelled_by], dataset.licence]
    return " · ".join(part for part in parts if part)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def markdown(report: Report) -> str:
    """The report without images: a summary over all datasets, then every table of each, then the commands."""
    lines = [f"# {report.title}", ""]
    for note in report.notes:
        lines += [note, ""]
    if report.about:
        lines += [f"- **{model}**: {text}" for model, text in report.about.items()] + [""]
    lines += [f"- {line}" for line in LEGEND] + [""]
    if report.scores:
        lines += ["## Summary", "", *_markdown_head(["dataset", "measure", "n"], report.models)]
        for score in report.scores:
            lines += _summary_lines(score, report.models)
        lines += ["", *(f"- {line}" for line in tally(report.scores, report.models)), ""]
    for score in report.scores:
        lines += _section(score)
    if report.all_commands:
        lines += ["## Made by", "", "```", *report.all_commands, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary_lines(score: Score, models: Sequence[str]) -> list[str]:
    badge = "" if score.dataset.labelled_by == "people" else f" (*{BADGES[score.dataset.labelled_by]}*)"
    name = f"[{score.dataset.name}](#{anchor(score)}){badge}"
    lines = []
    for row in headline(score):
        lines.append(_markdown_row([name, metric_name(row), _count(row)], row, models))
        name = ""  # only the first row names the dataset
    return lines


def anchor(score: Score) -> str:
    """The anchor that GitHub gives a dataset's heading."""
    return "".join(c for c in score.dataset.name.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _section(score: Score) -> list[str]:
    dataset = score.dataset
    lines = [f"## {dataset.name}", "", f"{about_dataset(dataset)}.", ""]
    for text in filter(None, (dataset.note, MEANINGS[dataset.labelled_by])):
        lines += [text, ""]
    for table in score.tables:
        lines += [f"### {heading(table)}", ""] if heading(table) else []
        lines += [f"*{table.note}*", ""] if table.note else []
        unit = shared_unit(table)
        lines += _markdown_head(["measure", "n"], score.models)
        lines += [_markdown_row([metric_name(r, unit), _count(r)], r, score.models) for r in table.rows]
        lines.append("")
    return lines


def _markdown_head(first: Sequence[str], models: Sequence[str]) -> list[str]:
    names = [*first, *map(_escaped, models)]
    rules = ["---"] * (len(first) - 1) + ["---:"] * (len(models) + 1)
    return [f"| {' | '.join(names)} |", f"| {' | '.join(rules)} |"]


def _markdown_row(first: Sequence[str], row: Row, models: Sequence[str]) -> str:
    names = [text if text.startswith("[") else _escaped(text) for text in first]
    texts = [_cell_text(cell, f"**{cell.value}** ★") for cell in cells(row, models)]
    return f"| {' | '.join([*names, *texts])} |"


def _cell_text(cell: Cell, best: str) -> str:
    """ "92.5 (90.1–94.0) ▼"; `best` is the value if it is the best of the row."""
    interval = f"({cell.interval})" if cell.interval else ""
    parts = (best if cell.best else cell.value, interval, VERDICTS.get(cell.verdict, ""))
    return " ".join(part for part in parts if part)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def terminal(scores: Sequence[Score]) -> str:
    """The summary as plain text with aligned columns, for the end of a run."""
    models = Report(scores).models
    rows = [["dataset", "measure", "n", *models]]
    for score in scores:
        name = score.dataset.name + (" ≈" if score.dataset.labelled_by == "mediapipe" else "")
        for row in headline(score):
            texts = [_cell_text(cell, f"{cell.value} ★") for cell in cells(row, models)]
            rows.append([name, metric_name(row), _count(row), *texts])
            name = ""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    lines += ["", *tally(scores, models)]
    if any(score.dataset.labelled_by == "mediapipe" for score in scores):
        lines.append(f"≈ labelled by MediaPipe: {BADGES['mediapipe']}")
    return "\n".join(lines) + "\n"
