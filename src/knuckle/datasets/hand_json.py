"""One labelled hand as JSON, the form of our JSON lines and of the renderer's shards and clips (docs/datasets.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand, Visibility
from knuckle.datasets.parsing import box_of, handedness_of, numbers, points
from knuckle.errors import DAMAGE, InputError, reason_of
from knuckle.results import PALM_LANDMARKS, ExtraPoints

# Codes in the files: 0 visible, 1 hidden by the same hand, 2 hidden by something else, 3 outside, 4 absent (this hand
# has no such point), null not labelled.
CODE_SELF_OCCLUDED, CODE_ABSENT, CODE_UNKNOWN = 1, 4, -1
_V = Visibility
MEANING = np.array([_V.VISIBLE, _V.HIDDEN, _V.HIDDEN, _V.OUTSIDE, _V.ABSENT, _V.UNKNOWN], np.uint8)  # the last is at -1
CODE = {_V.VISIBLE: 0, _V.HIDDEN: 2, _V.OUTSIDE: 3, _V.ABSENT: CODE_ABSENT, _V.UNKNOWN: None}


def hand_from_json(found: Mapping[str, Any], details: bool = False) -> LabelledHand:
    """Read one entry of `hands`. Every field may be absent.

    Args:
        details: also read what only renders have: `self_occluded`, `centre`, `mask_id` and `about`.

    Raises:
        ValueError: a field is damaged, or this is a prediction and not a label.
    """
    if "presence" in found:
        raise ValueError("this is a prediction (it has a presence), not a label")
    given = {name: value for name, value in found.items() if value is not None}
    codes = visibility_codes(given["visibility"]) if "visibility" in given else None
    palm = given.get("palm")
    if palm is not None:
        palm = box_of(palm["box"] if isinstance(palm, Mapping) else palm)
    track_id = given.get("track_id", given.get("track"))
    rendered: dict[str, Any] = {}
    if details:
        rendered = {
            "self_occluded": None if codes is None else codes == CODE_SELF_OCCLUDED,
            "centre": numbers(given["centre"], 3) if "centre" in given else None,
            "mask_id": int(given.get("id", 0)),
            "about": given.get("about"),
        }
    return LabelledHand(
        box=box_of(given["box"]) if "box" in given else None,
        landmarks=points(given["landmarks"], 2, 3) if "landmarks" in given else None,
        world=points(given["world"], 3) if "world" in given else None,
        handedness=handedness_of(given.get("handedness")),
        visibility=None if codes is None else MEANING[codes],
        palm=palm,
        track_id=None if track_id is None else int(track_id),
        ignore=bool(given.get("ignore", False)),
        corrected=None if "corrected" not in given else chosen_points(given["corrected"]),
        extra=None if "extra" not in given else extra_from_json(given["extra"]),
        **rendered,
    )


def extra_from_json(found: Any) -> ExtraPoints:
    """Points beyond the 21: as `ExtraPoints.from_dict`, but with codes of visibility and with x, y or x, y, z.

    Raises:
        ValueError: a field is damaged.
    """
    try:
        given = {name: value for name, value in found.items() if name != "visibility"}
        if all(len(point) == 2 for point in given["landmarks"]):
            given["landmarks"] = [[*point, None] for point in given["landmarks"]]
        extra = ExtraPoints.from_dict(given)
        codes = found.get("visibility")
        return extra if codes is None else replace(extra, visibility=MEANING[visibility_codes(codes, len(extra))])
    except (InputError, *DAMAGE) as error:
        raise ValueError(f"extra points: {reason_of(error)}") from error


def visibility_codes(values: Any, count: int = 21) -> npt.NDArray[np.int8]:
    """(count,) codes of a file, -1 for null.

    Raises:
        ValueError: these are not as many codes.
    """
    codes = numbers([CODE_UNKNOWN if value is None else value for value in values], count)
    if not np.isin(codes, range(CODE_UNKNOWN, CODE_ABSENT + 1)).all():
        raise ValueError(f"visibility must be 0 to {CODE_ABSENT}, got {values}")
    return codes.astype(np.int8)


def chosen_points(numbers_of_points: Any) -> npt.NDArray[np.bool_]:
    """(21,) True for the points with these numbers.

    Raises:
        ValueError: these are not numbers of points.
    """
    chosen = [int(number) for number in numbers_of_points]
    if not set(chosen) <= set(range(21)):
        raise ValueError(f"corrected points must be numbers from 0 to 20, got {numbers_of_points!r:.60}")
    return np.isin(np.arange(21), chosen)


def hand_to_json(hand: LabelledHand) -> dict[str, Any]:
    """Plain lists and words that `hand_from_json` reads back; only the fields that are labelled."""
    found: dict[str, Any] = {}
    if hand.box is not None:
        found["box"] = _rounded(hand.box, 3)
    if hand.landmarks is not None:
        found["landmarks"] = _rounded(hand.landmarks, 3)
    if hand.world is not None:
        found["world"] = _rounded(hand.world, 5)
    if hand.centre is not None:
        found["centre"] = _rounded(hand.centre, 5)
    if hand.handedness is not None:
        found["handedness"] = hand.handedness
    if hand.visibility is not None:
        codes = [CODE[Visibility(value)] for value in hand.visibility.tolist()]
        own = [False] * 21 if hand.self_occluded is None else hand.self_occluded.tolist()
        found["visibility"] = [
            CODE_SELF_OCCLUDED if value == Visibility.HIDDEN and by_itself else code
            for value, by_itself, code in zip(hand.visibility.tolist(), own, codes, strict=True)
        ]
    if hand.corrected is not None and hand.corrected.any():
        found["corrected"] = np.flatnonzero(hand.corrected).tolist()
    if hand.palm is not None:
        found["palm"] = {"box": _rounded(hand.palm, 3)}
        if hand.landmarks is not None:
            found["palm"]["keypoints"] = _rounded(hand.landmarks[list(PALM_LANDMARKS), :2], 3)
    if hand.mask_id:
        found["id"] = hand.mask_id
    if hand.track_id is not None:
        found["track_id"] = hand.track_id
    if hand.about:
        found["about"] = dict(hand.about)
    if hand.ignore:
        found["ignore"] = True
    if hand.extra is not None:
        found["extra"] = hand.extra.to_dict()
        if hand.extra.visibility is not None:
            found["extra"]["visibility"] = [CODE[Visibility(int(value))] for value in hand.extra.visibility]
    return found


def _rounded(values: npt.NDArray[Any], digits: int) -> Any:
    """Nested lists; NaN, which JSON does not have, becomes None."""
    rounded = values.astype(float).round(digits)
    return np.where(np.isfinite(rounded), rounded.astype(object), np.array(None)).tolist()
