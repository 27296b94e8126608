"""Scores, labels and predictions -> a Markdown file, and an HTML page that needs no other files.

The page shows the figures of all trackers side by side with their intervals, the curves, and the images on which they
did worst. So a reader sees the failures themselves, not only their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from knuckle.errors import SinkError
from knuckle.evaluate import report_tables
from knuckle.evaluate.report_plots import curve_svg, intervals_svg, swatch
from knuckle.evaluate.report_sheet import ReadPicture, choose, exhibits
from knuckle.evaluate.report_tables import WAYS, markdown, metric_name, terminal
from knuckle.evaluate.results import Report, Row

__all__ = ["Pages", "Report", "html", "markdown", "terminal", "write_report"]

PER_KIND = 4  # cases of each kind and dataset that are shown


@dataclass(frozen=True)
class Pages:
    """The files of a report."""

    markdown: Path
    html: Path


def write_report(
    report: Report, folder: Path, *, picture: ReadPicture | None = None, per_kind: int = PER_KIND
) -> Pages:
    """Write `report.md` and `report.html` into a folder.

    Args:
        picture: (source, frame) -> RGB image for the worst cases; by default they are read from their files.
        per_kind: how many cases of each kind and dataset to show.

    Raises:
        MissingExtraError: there are curves and matplotlib is not installed.
        SinkError: the files cannot be written.
    """
    pages = Pages(folder / "report.md", folder / "report.html")
    page = html(report, picture=picture, per_kind=per_kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pages.markdown.write_text(markdown(report), encoding="utf-8")
        pages.html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"cannot write the report to {folder}: {error.strerror}") from error
    return pages


def html(report: Report, *, picture: ReadPicture | None = None, per_kind: int = PER_KIND) -> str:
    """The page. Arguments as for `write_report`; the template is templates/report.html."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("knuckle.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = ("about_dataset", "cells", "counted", "heading", "headline", "shared_unit", "tally")
    constants = ("BADGES", "LEGEND", "MEANINGS", "VERDICTS")
    environment.globals.update({name: getattr(report_tables, name) for name in (*tables, *constants)})
    environment.globals.update(
        metric_words=metric_words, swatch=swatch, intervals_svg=intervals_svg, curve_svg=curve_svg
    )
    shown = []
    for score in report.scores:
        predictions = report.predictions.get(score.dataset.name, ())
        shown.append(exhibits(score.dataset, choose(score.cases, per_kind), predictions, picture, score.cases))
    return environment.get_template("report.html").render(
        report=report, models=report.models, exhibits=shown, commands=report.all_commands
    )


def metric_words(row: Row, unit: str = "") -> str:
    """The name of a metric; its arrow never stands alone on a line."""
    words = metric_name(row, unit)
    for way in filter(None, WAYS.values()):
        words = words.replace(f" {way}", f"\N{NO-BREAK SPACE}{way}")
    return words
