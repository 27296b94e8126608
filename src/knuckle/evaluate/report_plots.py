"""Curves and intervals as SVG. The colours come from the page, so the plots follow light and dark mode."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from knuckle.errors import MissingExtraError
from knuckle.evaluate.results import Curve, Row

# Matplotlib has no CSS variables: it draws in placeholder colours that are replaced afterwards.
INK, SOFT, EDGE = "#010203", "#010204", "#010205"
MODEL_COLOURS = tuple(f"#0202{k:02x}" for k in range(8))
PLACEHOLDERS = {INK: "var(--ink)", SOFT: "var(--soft)", EDGE: "var(--edge)"} | {
    colour: f"var(--m{k})" for k, colour in enumerate(MODEL_COLOURS)
}
DASHES = ("", "7 3", "2 2.5", "8 2.5 2 2.5")  # a second way to tell models apart


def curve_svg(curve: Curve, models: Sequence[str], name: str) -> Markup:
    """One plot with a line per model, as an <svg> element for a page that defines --ink, --soft, --edge, --m0, …

    Args:
        models: all models of the report; a model's index gives its colour and dashes.
        name: a prefix for ids, unique in the page.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import RcParams, rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("reports with curves need matplotlib: pip install 'knuckle[plot]'") from error
    style: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 9.5,
        "axes.linewidth": 0.8,
        "text.color": INK,
    }
    style |= {"axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "axes.edgecolor": EDGE}
    with rc_context(RcParams(style)):
        figure = Figure(figsize=(4.6, 3.1), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        _draw(axes, curve, models)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    label = f"{curve.title}: {', '.join(curve.lines)}"
    return _inlined(text.getvalue(), label, name)


def _draw(axes: Any, curve: Curve, models: Sequence[str]) -> None:
    if curve.diagonal:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, dashes=(1, 3))
    for model, line in curve.lines.items():
        index = models.index(model)
        points = np.asarray(line, np.float64).reshape(-1, 2)
        points = points[np.isfinite(points).all(axis=1)]
        (drawn,) = axes.plot(*points.T, color=MODEL_COLOURS[index % len(MODEL_COLOURS)], linewidth=1.8, label=model)
        if dashes := DASHES[index % len(DASHES)]:
            drawn.set_dashes([float(part) / 1.8 for part in dashes.split()])
        if len(points) <= 12:
            drawn.set_marker("os^D"[index % 4])
            drawn.set_markersize(4)
    axes.set_xlabel(curve.x_label)
    axes.set_ylabel(curve.y_label)
    axes.grid(True, color=EDGE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    for label, limits, limit in (
        (curve.x_label, axes.get_xlim, axes.set_xlim),
        (curve.y_label, axes.get_ylim, axes.set_ylim),
    ):
        low, high = limits()
        if label.endswith("%") and high > 60:  # percentages: up to 100, from 0 unless all are high
            limit(0 if low < 50 else low, 101)


def _inlined(text: str, label: str, name: str) -> Markup:
    """Matplotlib's file as an element of the page: unique ids, the page's colours, the full width."""
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in PLACEHOLDERS.items():
        svg = svg.replace(colour, variable)
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return Markup(f'{head} role="img" aria-label="{escape(label)}">{rest}')


def intervals_svg(row: Row, models: Sequence[str]) -> Markup:
    """The figures and intervals of a row on a common scale, as a small <svg>; "" if there is nothing to compare."""
    figures = [(index, row.figures[model]) for index, model in enumerate(models) if model in row.figures]
    shown = [(index, f) for index, f in figures if math.isfinite(f.value)]
    ends = [v for _, f in shown for v in (f.value, f.low, f.high) if math.isfinite(v)]
    if len(shown) < 2 or max(ends) - min(ends) < 1e-9 * max(1.0, *map(abs, ends)):
        return Markup()
    low, high = min(ends), max(ends)
    width, pitch, parts = 150, 9, []

    def across(value: float) -> str:
        return f"{6 + (width - 12) * (value - low) / (high - low):.1f}"

    for line, (index, f) in enumerate(shown):
        y = 6 + pitch * line
        bar = f'<path d="M{across(f.low)} {y}H{across(f.high)}"/>' if math.isfinite(f.low + f.high) else ""
        colour = f"--c:var(--m{index % len(MODEL_COLOURS)})"
        parts.append(f'<g style="{colour}">{bar}{mark(index, float(across(f.value)), y)}</g>')
    height = 12 + pitch * (len(shown) - 1)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return Markup(f'<svg class="spread" {size} aria-hidden="true">{"".join(parts)}</svg>')


def mark(index: int, x: float, y: float) -> str:
    """The marker of a model: circle, square, triangle or diamond."""
    shape = index % 4
    if shape == 0:
        return f'<circle cx="{x:.1f}" cy="{y}" r="3.4"/>'
    if shape == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3}" width="6" height="6"/>'
    path = f"M{x:.1f} {y - 4}l4 7h-8z" if shape == 2 else f"M{x:.1f} {y - 4.2}l4.2 4.2l-4.2 4.2l-4.2 -4.2z"
    return f'<path class="dot" d="{path}"/>'


def swatch(index: int) -> Markup:
    """A model's line and marker, for legends and table headings."""
    dashes = DASHES[index % len(DASHES)]
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    line = f'<path d="M1 6H25"{dash}/>'
    return Markup(
        f'<svg class="swatch" viewBox="0 0 26 12" width="26" height="12" aria-hidden="true" '
        f'style="--c:var(--m{index % len(MODEL_COLOURS)})">{line}{mark(index, 13, 6)}</svg>'
    )
