"""Scores, labels and predictions -> a Markdown file and one HTML page that needs nothing else.

The page shows figures of all trackers side by side with their intervals, the curves, and the pictures on which they
did worst, so that a person sees the failures and not only their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from knuckle.errors import SinkError
from knuckle.evaluate.report_plots import curve_svg, intervals_svg, swatch
from knuckle.evaluate.report_sheet import Exhibit, ReadPicture, choose, exhibits
from knuckle.evaluate.report_tables import (
    BADGES,
    LEGEND,
    MEANINGS,
    VERDICTS,
    WAYS,
    about_dataset,
    all_models,
    cells,
    counted,
    heading,
    headline,
    markdown,
    measure,
    shared_unit,
    tally,
    terminal,
)
from knuckle.evaluate.results import Predictions, Row, Score

__all__ = ["Pages", "html", "markdown", "terminal", "write_report"]


@dataclass(frozen=True)
class Pages:
    """Where the report is."""

    markdown: Path
    html: Path


def write_report(
    scores: Sequence[Score],
    folder: Path,
    *,
    predictions: Mapping[str, Sequence[Predictions]] | None = None,
    about: Mapping[str, str] | None = None,
    commands: Sequence[str] = (),
    title: str = "Accuracy",
    notes: Sequence[str] = (),
    picture: ReadPicture | None = None,
    per_kind: int = 4,
) -> Pages:
    """Write `report.md` and `report.html` into a folder.

    Args:
        scores: one per dataset; models keep their colour and place through the report.
        predictions: by dataset's name, of all trackers: what each of them saw on the pictures of the worst cases.
        about: a line per model.
        commands: that made the report; those of the scores follow.
        notes: paragraphs for the beginning.
        picture: (source, frame) -> RGB for the worst cases; without it they are read from their files.
        per_kind: how many cases of each kind and dataset to show.

    Raises:
        MissingExtraError: there are curves and matplotlib is not installed.
        SinkError: the files cannot be written.
    """
    pages = Pages(folder / "report.md", folder / "report.html")
    text = markdown(scores, title=title, about=about, commands=commands, notes=notes)
    page = html(
        scores,
        predictions=predictions,
        about=about,
        commands=commands,
        title=title,
        notes=notes,
        picture=picture,
        per_kind=per_kind,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pages.markdown.write_text(text, encoding="utf-8")
        pages.html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"cannot write the report to {folder}: {error.strerror}") from error
    return pages


def html(
    scores: Sequence[Score],
    *,
    predictions: Mapping[str, Sequence[Predictions]] | None = None,
    about: Mapping[str, str] | None = None,
    commands: Sequence[str] = (),
    title: str = "Accuracy",
    notes: Sequence[str] = (),
    picture: ReadPicture | None = None,
    per_kind: int = 4,
) -> str:
    """The page. Arguments as for `write_report`."""
    models = all_models(scores)
    intro = "".join(f"<p>{escape(note)}</p>" for note in notes) + _models(models, about or {}) + _contents(scores)
    body = [_summary(scores, models)] if scores else ["<p>Nothing was scored.</p>"]
    for place, score in enumerate(scores):
        told = (predictions or {}).get(score.dataset.name, ())
        shown = exhibits(score.dataset, choose(score.cases, per_kind), told, picture, score.cases)
        body.append(_section(score, place, models, shown))
    body.append(_commands([*commands, *(command for score in scores for command in score.commands)]))
    page = files("knuckle.evaluate").joinpath("report.html").read_text(encoding="utf-8")
    for name, text in {"title": escape(title), "intro": intro, "body": "\n".join(body)}.items():
        page = page.replace(f"<!--{name}-->", text)
    return page


def _models(models: Sequence[str], about: Mapping[str, str]) -> str:
    lines = "".join(
        f"<dt>{swatch(place)}{escape(model)}</dt><dd>{escape(about.get(model, ''))}</dd>"
        for place, model in enumerate(models)
    )
    return f'<dl class="models">{lines}</dl>' if models else ""


def _contents(scores: Sequence[Score]) -> str:
    links = "".join(f'<a href="#d{place}">{escape(score.dataset.name)}</a>' for place, score in enumerate(scores))
    return f'<nav aria-label="Datasets">{links}</nav>' if scores else ""


def _summary(scores: Sequence[Score], models: Sequence[str]) -> str:
    legend = "".join(f"<li>{escape(line)}</li>" for line in LEGEND)
    bodies = []
    for place, score in enumerate(scores):
        name = f'<a href="#d{place}">{escape(score.dataset.name)}</a>{_badge(score)}'
        rows = "".join(_row(row, models, models) for row in headline(score))
        if rows:
            bodies.append(f'<tbody><tr class="group"><th colspan="{len(models) + 2}">{name}</th></tr>{rows}</tbody>')
    counts = "".join(f"<li>{escape(line)}</li>" for line in tally(scores, models))
    table = _table("".join(bodies), models, models)
    return f'<h2>Summary</h2><ul class="legend">{legend}</ul>{table}<ul class="tally">{counts}</ul>'


def _section(score: Score, place: int, models: Sequence[str], shown: Sequence[Exhibit]) -> str:
    dataset = score.dataset
    parts = [f'<section id="d{place}"><h2>{escape(dataset.name)}{_badge(score)}</h2>']
    parts.append(f'<p class="meta">{escape(about_dataset(dataset))}</p>')
    parts += [f"<p>{escape(dataset.note)}</p>"] if dataset.note else []
    meaning = MEANINGS[dataset.labelled_by]
    parts += [f'<p class="warning">{escape(meaning)}</p>'] if meaning else []
    for table in score.tables:
        unit = shared_unit(table)
        rows = "".join(_row(row, score.models, models, unit) for row in table.rows)
        title = heading(table)
        parts += [f"<h3>{escape(title)}</h3>"] if title else []
        parts += [f'<p class="meta">{escape(table.note)}</p>'] if table.note else []
        parts.append(_table(f"<tbody>{rows}</tbody>", score.models, models, unit))
    if score.curves:
        plots = "".join(_plot(score, k, f"d{place}c{k}", models) for k in range(len(score.curves)))
        parts.append(f'<h3>Curves</h3><div class="plots">{plots}</div>')
    if shown:
        parts.append(
            '<h3>Worst cases</h3><p class="meta">White: the labels, boxes dashed, points as rings. Coloured: what was '
            "predicted. A cross marks the trackers that are named above.</p>"
        )
        parts += map(_case, shown)
    return "".join(parts) + "</section>"


def _badge(score: Score) -> str:
    by = score.dataset.labelled_by
    return "" if by == "people" else f' <span class="badge">{escape(BADGES[by])}</span>'


def _table(bodies: str, columns: Sequence[str], models: Sequence[str], unit: str = "") -> str:
    names = "".join(f'<th scope="col">{swatch(models.index(name))}{escape(name)}</th>' for name in columns)
    spread = '<th scope="col" class="spreads">side by side</th>' if len(columns) > 1 else ""
    head = f'<thead><tr><th scope="col">measure</th>{names}{spread}</tr></thead>'
    return f'<div class="scroll"><table class="{"dense" if unit else ""}">{head}{bodies}</table></div>'


def _row(row: Row, columns: Sequence[str], models: Sequence[str], unit: str = "") -> str:
    words = escape(measure(row, unit))
    for way in filter(None, WAYS.values()):
        words = words.replace(f" {way}", f"&nbsp;{way}")
    parts = [f'<tr><th scope="row">{words} <small>{escape(counted(row))}</small></th>']
    for name, cell in zip(columns, cells(row, columns), strict=True):
        kind = " ".join(part for part in ("best" if cell.best else "", cell.verdict) if part)
        verdict = f'<abbr title="{cell.verdict}">{VERDICTS[cell.verdict]}</abbr>' if cell.verdict in VERDICTS else ""
        interval = f"<small>{escape(cell.interval)}</small>" if cell.interval else ""
        parts.append(
            f'<td data-model="{escape(name, quote=True)}" class="{kind}"><div><span class="value">{escape(cell.value)}'
            f'</span><span class="verdict">{verdict}</span>{interval}</div></td>'
        )
    spread = f'<td class="spreads">{intervals_svg(row, models)}</td>' if len(columns) > 1 else ""
    return "".join(parts) + spread + "</tr>"


def _plot(score: Score, index: int, name: str, models: Sequence[str]) -> str:
    curve = score.curves[index]
    keys = "".join(f"<span>{swatch(models.index(model))}{escape(model)}</span>" for model in curve.lines)
    caption = f'<figcaption>{escape(curve.title)}<div class="keys">{keys}</div></figcaption>'
    return f"<figure>{caption}{curve_svg(curve, models, name)}</figure>"


def _case(shown: Exhibit) -> str:
    head = f"<h4>{escape(shown.why)}</h4><small>{escape(shown.where)}</small>"
    if shown.reason:
        return f'<div class="case">{head}<p class="warning">{escape(shown.reason)}</p></div>'
    tiles = "".join(
        f'<figure class="{"failed" if tile.failed else ""}"><img src="{tile.address}" loading="lazy" '
        f'alt="{escape(tile.alt, quote=True)}"><figcaption>{escape(tile.alt)}</figcaption></figure>'
        for tile in shown.tiles
    )
    return f'<div class="case">{head}<div class="tiles">{tiles}</div></div>'


def _commands(commands: Sequence[str]) -> str:
    told = "\n".join(dict.fromkeys(commands))
    return f"<h2>Made by</h2><pre>{escape(told)}</pre>" if told else ""
