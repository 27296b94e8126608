"""Hands as a pandas table, with the columns of our files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from knuckle.errors import InputError
from knuckle.extras import required
from knuckle.media.columns import HAND_COLUMNS, frame_columns, hand_row, more_columns
from knuckle.results import Frame, Hand

if TYPE_CHECKING:
    import pandas


def to_pandas(hands: Iterable[Any]) -> pandas.DataFrame:
    """A table with a row for each hand and the columns of docs/formats.md.

    Args:
        hands: the hands of one image; or a list of hands for each image of a list, as `detect` gives them; or pairs of
            (Frame, list of hands), as `HandTracker.track` gives them. With lists the column `frame` has their number,
            with pairs also time, source and size are filled in.

    Raises:
        InputError: `hands` holds something else.
        MissingExtraError: pandas is not installed.
    """
    pd = required("pandas", "pandas", "tables of hands")
    rows: list[dict[str, Any]] = []
    if not isinstance(hands, Iterable):
        raise InputError(f"to_pandas takes a list of hands, got {type(hands).__name__}")
    for number, item in enumerate(hands):
        if isinstance(item, Hand):
            rows.append(hand_row(number, item))
            continue
        is_pair = isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Frame)
        found = item[1] if is_pair else item
        about = frame_columns(item[0]) if is_pair else {"frame": number}
        if not isinstance(found, (list, tuple)) or not all(isinstance(hand, Hand) for hand in found):
            raise InputError(
                f"to_pandas takes hands, lists of hands or (Frame, hands) pairs, got {type(item).__name__}"
            )
        rows += [about | hand_row(index, hand) for index, hand in enumerate(found)]
    kinds = {"string": "string", "int64": "Int64", "int32": "Int32", "float": "float32", "double": "float64"}
    columns = HAND_COLUMNS | more_columns(rows)
    table = pd.DataFrame(rows, columns=list(columns))
    typed: pandas.DataFrame = table.astype({name: kinds[kind] for name, kind in columns.items()})
    return typed
