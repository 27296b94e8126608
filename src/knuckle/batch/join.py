"""The stretches of a video become its tables: frames are numbered and hands keep their ids throughout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.batch.items import ItemResult
from knuckle.results.point_set import NAMES

Rows = dict[int, list[tuple[int, npt.NDArray[Any]]]]  # by frame: id and (21, 2) landmarks of each hand
SAME_HAND = 0.25  # of a hand's size: landmarks of one hand by two trackers are closer on average


def joined(out: Path, stretches: Sequence[ItemResult]) -> list[tuple[str, Any]]:
    """The tables of a video: for each stretch the path of its part, relative to `out`, and its rows.

    Rows of the overlap are dropped: the stretch before has them too. Ids are those of the stretch before where the
    hands in the overlap are the same, and new otherwise.

    Args:
        out: the output folder.
        stretches: results of its stretches in order, from the first to the last, or to one that failed.
    """
    import pyarrow
    import pyarrow.compute as pc
    from pyarrow import parquet

    tables, offset, next_id = [], 0, 1
    before: Rows = {}  # hands in the overlap with the next stretch: by frame of the whole video, with final ids
    for result in stretches:
        (part,) = result.parts
        table = parquet.read_table(out / part)
        first = offset - result.overlap  # the number that frame 0 of this stretch has in the whole video
        frames = pc.add(table["frame"], first)
        table = table.set_column(table.schema.get_field_index("frame"), table.schema.field("frame"), frames)
        if "track_id" in table.column_names:
            hands = hands_by_frame(table)
            ids = same_hands(before, hands)
            for number in table["track_id"].unique().to_pylist():
                if number not in ids:
                    ids[number], next_id = next_id, next_id + 1
            column = pyarrow.array([ids[number] for number in table["track_id"].to_pylist()], pyarrow.int64())
            table = table.set_column(table.schema.get_field_index("track_id"), table.schema.field("track_id"), column)
            table = in_order_of_ids(table)
            before = hands_by_frame(table)
        own = table.filter(pc.greater_equal(table["frame"], offset))
        tables.append((part.replace("stretches/", "parts/", 1), own))
        offset += result.frames
    return tables


def in_order_of_ids(table: Any) -> Any:
    """The table with the hands of each frame by id, as a tracker returns them; `hand` counts them from 0."""
    import pyarrow

    table = table.sort_by([("frame", "ascending"), ("track_id", "ascending")])
    frames = table["frame"].to_numpy()
    rows = np.arange(len(frames))
    first = np.maximum.accumulate(np.where(np.diff(frames, prepend=-1) != 0, rows, 0))
    column = pyarrow.array(rows - first, pyarrow.int32())
    return table.set_column(table.schema.get_field_index("hand"), table.schema.field("hand"), column)


def hands_by_frame(table: Any) -> Rows:
    """The ids and landmarks of a table's hands, by frame."""
    points = np.stack([table[f"{name}_{axis}_px"].to_numpy() for name in NAMES for axis in "xy"], axis=1)
    hands: Rows = {}
    rows = zip(table["frame"].to_pylist(), table["track_id"].to_pylist(), points, strict=True)
    for frame, number, flat in rows:
        hands.setdefault(frame, []).append((number, flat.reshape(-1, 2)))
    return hands


def same_hands(before: Rows, hands: Rows) -> dict[int, int]:
    """Id in `hands` -> id in `before` of the same hand, from the frames that both have.

    Each frame votes for the pairs of hands that lie on each other; later frames count more, because there the second
    tracker has settled.
    """
    votes = Counter[tuple[int, int]]()
    for place, frame in enumerate(sorted(before.keys() & hands.keys()), 1):
        for number, points in hands[frame]:
            size = float(np.ptp(points, axis=0).max())
            for known, others in before[frame]:
                if float(np.linalg.norm(points - others, axis=1).mean()) < SAME_HAND * size:
                    votes[number, known] += place
    same: dict[int, int] = {}
    for (number, known), _ in votes.most_common():
        if number not in same and known not in same.values():
            same[number] = known
    return same
