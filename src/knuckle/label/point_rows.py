"""Hands as the labelling page takes them: a row for each of the 21 points and for each extra point of the bundle.

The label file keeps points beyond the 21 apart, under `extra`. Those that the bundle does not give stay there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knuckle.errors import InputError
from knuckle.media.draw_style import JOINT_COLOURS, colour_of_point
from knuckle.results import BONES, Colour, PointSet
from knuckle.results.point_set import NAMES

BY_POINT = ("landmarks", "world", "visibility")  # lists of `extra` with an entry for each name


def to_page(hand: Mapping[str, Any], points: PointSet) -> dict[str, Any]:
    """A hand of our JSON lines for the page: `landmarks` and `visibility` have rows for the extra points too."""
    shown = dict(hand)
    if not points.extra or hand.get("landmarks") is None:
        return shown
    extra = dict(hand.get("extra") or {"names": []})
    place = {name: number for number, name in enumerate(extra["names"])}
    width, codes = len(hand["landmarks"][0]), extra.get("visibility")
    rows = [extra["landmarks"][place[name]][:width] if name in place else [None] * width for name in points.extra_names]
    seen = [codes[place[name]] if codes and name in place else None for name in points.extra_names]
    shown["landmarks"] = [*hand["landmarks"], *rows]
    shown["visibility"] = [*(hand.get("visibility") or [None] * len(NAMES)), *seen]
    shown["extra"] = only(extra, [name for name in extra["names"] if name not in points.extra_names])
    return shown


def from_page(shown: Mapping[str, Any], points: PointSet) -> dict[str, Any]:
    """The inverse of `to_page`. Metric places of extra points, which belong to points that nobody moved, are dropped.

    Raises:
        KeyError, TypeError, ValueError: the page sent something else.
    """
    hand = dict(shown)
    if points.extra and hand.get("landmarks") is not None:
        count, rest = len(NAMES), hand.pop("extra", None) or {"names": []}
        if len(hand["landmarks"]) != count + len(points.extra):
            raise ValueError(f"expected {count + len(points.extra)} points, got {len(hand['landmarks'])}")
        codes = hand.get("visibility") or [None] * len(hand["landmarks"])
        extra = {"names": list(points.extra_names), "parents": list(points.parents)}
        extra |= {"landmarks": hand["landmarks"][count:], "visibility": codes[count:]}
        hand |= {"landmarks": hand["landmarks"][:count], "visibility": codes[:count]}
        hand["extra"] = joined(extra, rest)
        hand["corrected"] = [number for number in hand.get("corrected") or () if number < count]
    if not (hand.get("extra") or {"names": []})["names"]:
        hand.pop("extra", None)
    return hand


def labels_to_page(labels: Mapping[str, Any], points: PointSet) -> dict[str, Any]:
    """The labels of an image, whose `hands` the page takes."""
    return {**labels, "hands": [to_page(hand, points) for hand in labels["hands"]]}


def labels_from_page(given: Mapping[str, Any], points: PointSet) -> Mapping[str, Any]:
    """The labels that the page sends, with `hands` of our JSON lines.

    Raises:
        InputError: the hands have other points.
    """
    if not points.extra:
        return given
    try:
        return {**given, "hands": [from_page(hand, points) for hand in given["hands"]]}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(f"these labels are damaged, so they were not saved: {error}") from error


def only(extra: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The entries of `extra` with these names."""
    rows = [extra["names"].index(name) for name in names]
    lists = [key for key in (*BY_POINT, "parents") if extra.get(key)]
    return {"names": names} | {key: [extra[key][row] for row in rows] for key in lists}


def joined(extra: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Both together; unknown entries are empty."""
    if not rest["names"]:
        return dict(extra)
    width = len(extra["landmarks"][0])
    unknown: dict[str, Any] = {"landmarks": [None] * width, "visibility": None, "parents": ""}
    both = {"names": [*extra["names"], *rest["names"]]}
    for key, empty in unknown.items():
        both[key] = [*extra[key], *(rest.get(key) or [empty] * len(rest["names"]))]
    both["landmarks"] = [point[:width] for point in both["landmarks"]]
    return both


def drawn(points: PointSet) -> tuple[list[tuple[list[int], Colour]], list[Colour], list[str]]:
    """The bones as pairs of rows with their colours, the colour and the name of each row."""
    names = [*NAMES, *points.extra_names]
    bones = [([names.index(one.parent), names.index(one.name)], colour_of_point(one.name)) for one in points.extra]
    colours = [*JOINT_COLOURS, *map(colour_of_point, points.extra_names)]
    return [*BONES, *bones], colours, [name.replace("_", " ") for name in names]
