"""LeRobot: a dataset of version 3.0 in which each clip is an episode (huggingface.co/docs/lerobot/lerobot-dataset-v3).

The layout is written as documented, with PyArrow, so LeRobot need not be installed. A frame has at most one left and
one right hand; of several the one with the highest presence is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import DAMAGE, Error, InputError, SourceError, reason_of
from knuckle.exports.pictures import is_photo, path_beside, source_beside
from knuckle.extras import required
from knuckle.media.data_format import Tracked, blank_frame
from knuckle.media.names import readable
from knuckle.media.read_tables import explained, row_explained
from knuckle.media.write_common import FolderSink
from knuckle.results import Frame, Hand, HandLandmark

VERSION, TASK, RATE = "v3.0", "track hands", 30
SIDES = ("Left", "Right")
DATA, EPISODES = Path("data/chunk-000/file-000.parquet"), Path("meta/episodes/chunk-000/file-000.parquet")
AXES = [f"{point.name.lower()}_{axis}" for point in HandLandmark for axis in "xyz"]
# Feature of each hand -> type, length, names of its numbers. A hand that is absent has zeros and `present` 0.
HAND_FEATURES: dict[str, tuple[str, int, list[str]]] = {
    "present": ("float32", 1, ["present"]),
    "landmarks_px": ("float32", 63, AXES),
    "world_m": ("float32", 63, AXES),
    "track_id": ("int64", 1, ["track_id"]),
}
FEATURES = {f"observation.{side.lower()}_hand.{name}": about for side in SIDES for name, about in HAND_FEATURES.items()}
COUNTERS = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64"}
COUNTERS |= {"task_index": "int64"}
ROWS_PER_BLOCK = 2000


class LeRobotSink(FolderSink):
    """Writes the folder of a dataset. Rows are written in blocks, so memory does not grow with the clips."""

    MARKER = "meta/info.json"

    def __init__(self, path: Path, palms: bool = False) -> None:
        self.arrow = required("pyarrow", "parquet", "LeRobot datasets")
        self.parquet = required("pyarrow.parquet", "parquet", "LeRobot datasets")
        super().__init__(path)
        self.episodes: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.total, self.rate_sum = 0, 0.0
        self.spread = {name: Spread() for name in (*FEATURES, *COUNTERS)}
        with self._opening():
            for file in (DATA, EPISODES):
                (self.file.part / file).parent.mkdir(parents=True)
            pa = self.arrow
            fields = [(name, pa.list_(pa.type_for_alias(kind), n)) for name, (kind, n, _) in FEATURES.items() if n > 1]
            fields += [(name, pa.type_for_alias(kind)) for name, (kind, n, _) in FEATURES.items() if n == 1]
            fields += [(name, pa.type_for_alias(kind)) for name, kind in COUNTERS.items()]
            self.schema = pa.schema(fields)
            self.writer = self.parquet.ParquetWriter(self.file.part / DATA, self.schema)

    def write_frame(self, frame: Frame, results: Sequence[Any]) -> None:
        if is_photo(frame):
            raise InputError(f"LeRobot's episodes are clips, and {frame.source} is a photo")
        if not self.episodes or self.episodes[-1]["key"] != frame.source:
            self.episodes.append({"key": frame.source, "length": 0, "start_s": frame.time_s, "first": frame.index})
            self.episodes[-1] |= {"from": self.total, "width": frame.width, "height": frame.height}
        episode = self.episodes[-1]
        while episode["length"] < frame.index - episode["first"]:  # frames of which the source has no row
            before = episode.get("time_s", 0.0)
            step = (frame.time_s - episode["start_s"] - before) / (
                frame.index - episode["first"] - episode["length"] + 1
            )
            self.add_row(episode, before + step, [])
        self.add_row(episode, frame.time_s - episode["start_s"], results)

    def add_row(self, episode: dict[str, Any], time_s: float, hands: Sequence[Hand]) -> None:
        """Add one frame, at a time since the episode's start."""
        row: dict[str, Any] = {"timestamp": time_s, "frame_index": episode["length"], "index": self.total}
        row |= {"episode_index": len(self.episodes) - 1, "task_index": 0}
        for side in SIDES:
            found = max(
                (hand for hand in hands if hand.handedness == side), key=lambda hand: hand.presence, default=None
            )
            row |= {f"observation.{side.lower()}_hand.{name}": value for name, value in features_of(found).items()}
        for name, spread in self.spread.items():
            spread.add(row[name])
        self.rows.append(row)
        episode["length"] += 1
        episode["time_s"] = time_s
        self.total += 1
        if len(self.rows) >= ROWS_PER_BLOCK:
            self.write_block()

    def write_block(self) -> None:
        rows, self.rows = self.rows, []
        self.writer.write_table(self.arrow.Table.from_pylist(rows, self.schema))

    def finish(self) -> None:
        try:
            if self.rows and not self._failed:
                self.write_block()
        finally:
            self.writer.close()
        if self._failed:
            return
        if not self.total:
            raise InputError(f"{self.path.name}: a LeRobot dataset needs at least one frame")
        meta = self.file.part / "meta"
        rates = [(one["length"] - 1) / one["time_s"] for one in self.episodes if one["time_s"]]
        (meta / "info.json").write_text(json.dumps(self.info(round(max(rates, default=RATE))), indent=1))
        (meta / "stats.json").write_text(json.dumps({name: one.to_dict() for name, one in self.spread.items()}))
        self.parquet.write_table(task_table(self.arrow), meta / "tasks.parquet")
        rows = [self.episode_row(number, one) for number, one in enumerate(self.episodes)]
        self.parquet.write_table(self.arrow.Table.from_pylist(rows), self.file.part / EPISODES)

    def episode_row(self, number: int, episode: dict[str, Any]) -> dict[str, Any]:
        """One row of meta/episodes; `source`, `start_s`, `width` and `height` are our own additions."""
        start = episode["from"]
        row = {"episode_index": number, "tasks": [TASK], "length": episode["length"]}
        row |= {"dataset_from_index": start, "dataset_to_index": start + episode["length"]}
        row |= {f"{part}/{kind}_index": 0 for part in ("data", "meta/episodes") for kind in ("chunk", "file")}
        row["source"] = readable(path_beside(episode["key"], self.path.parent))
        return row | {name: episode[name] for name in ("start_s", "first", "width", "height")}

    def info(self, rate: int) -> dict[str, Any]:
        """meta/info.json."""
        features: dict[str, Any] = {
            name: {"dtype": kind, "shape": [length], "names": names} for name, (kind, length, names) in FEATURES.items()
        }
        features |= {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in COUNTERS.items()}
        pattern = "chunk-{chunk_index:03d}/file-{file_index:03d}"
        return {
            "codebase_version": VERSION,
            "robot_type": None,
            "total_episodes": len(self.episodes),
            "total_frames": self.total,
            "total_tasks": 1,
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": rate,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": f"data/{pattern}.parquet",
            "video_path": None,
            "features": features,
        }


class Spread:
    """Minimum, maximum, mean and standard deviation of rows that come one by one."""

    def __init__(self) -> None:
        self.count = 0
        self.low = self.high = self.total = self.squares = np.zeros(0)

    def add(self, row: Any) -> None:
        values = np.atleast_1d(np.asarray(row, np.float64))
        if not self.count:
            self.low, self.high, self.total, self.squares = values, values, np.zeros_like(values), np.zeros_like(values)
        self.count += 1
        self.low, self.high = np.minimum(self.low, values), np.maximum(self.high, values)
        self.total, self.squares = self.total + values, self.squares + values**2

    def to_dict(self) -> dict[str, list[float]]:
        mean = self.total / self.count
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0))
        found = {"min": self.low, "max": self.high, "mean": mean, "std": std}
        return {name: values.tolist() for name, values in found.items()} | {"count": [self.count]}


def features_of(hand: Hand | None) -> dict[str, Any]:
    """The features of one hand; unknown numbers, and those of no hand, are 0."""
    if hand is None:
        zeros = [0.0] * 63
        return {"present": 0.0, "landmarks_px": zeros, "world_m": zeros, "track_id": 0}
    landmarks, world = (np.nan_to_num(values).ravel().tolist() for values in (hand.landmarks, hand.world))
    return {"present": 1.0, "landmarks_px": landmarks, "world_m": world, "track_id": hand.track_id or 0}


def task_table(arrow: Any) -> Any:
    """meta/tasks.parquet as pandas writes it: the index is the task."""
    index = {"name": None, "field_name": "__index_level_0__", "pandas_type": "unicode", "numpy_type": "object"}
    number = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    columns = [{**about, "metadata": None} for about in (number, index)]
    about = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [],
        "columns": columns,
        "pandas_version": "2.2.0",
    }
    table = arrow.table({"task_index": [0], "__index_level_0__": [TASK]})
    return table.replace_schema_metadata({"pandas": json.dumps(about)})


def read_lerobot(path: Path) -> Iterator[Tracked]:
    """The frames of a dataset that this module wrote.

    Raises:
        InputError: it is no dataset of version 3.0 with our features.
        MissingExtraError: PyArrow is not installed.
        SourceError: a file cannot be read.
    """
    parquet = required("pyarrow.parquet", "parquet", "LeRobot datasets")
    broken = required("pyarrow", "parquet", "LeRobot datasets").ArrowException
    about_file = path / "meta/info.json"
    with explained(about_file), row_explained(about_file, 1):
        info = dict(json.loads(about_file.read_text(encoding="utf-8")))
        missing = [name for name in FEATURES if name not in dict(info.get("features", {}))]
    if info.get("codebase_version") != VERSION or missing:
        raise InputError(
            f"{path} is no LeRobot dataset {VERSION} with hands: "
            + (f"it has no feature {missing[0]}" if missing else f"its version is {info.get('codebase_version')}")
        )
    with explained(path):
        try:
            episodes = parquet.read_table(path / EPISODES).to_pylist()
            with parquet.ParquetFile(path / DATA) as file:
                rows = (row for batch in file.iter_batches(ROWS_PER_BLOCK) for row in batch.to_pylist())
                for number, group in groupby(rows, key=lambda row: row["episode_index"]):
                    for row in group:
                        with row_explained(path / DATA, row.get("index")):
                            episode = episodes[number]
                            time_s = row["timestamp"] + episode["start_s"]
                            about = {"index": row["frame_index"] + episode["first"], "time_s": time_s}
                            about |= {"is_photo": False, "width": episode["width"], "height": episode["height"]}
                            about["source"] = source_beside(episode["source"], path.parent)
                            frame, hands = blank_frame(about), hands_of_row(row)
                        yield frame, hands
        except Error:
            raise
        except (*DAMAGE, MemoryError, broken) as error:
            raise SourceError(f"{path} has a Parquet file that cannot be read: {reason_of(error)}") from error


def hands_of_row(row: dict[str, Any]) -> list[Hand]:
    hands = []
    for side in SIDES:
        found = {name: row[f"observation.{side.lower()}_hand.{name}"] for name in HAND_FEATURES}
        if found["present"]:
            about = {
                "handedness": side,
                "handedness_score": 1.0,
                "presence": 1.0,
                "track_id": found["track_id"] or None,
            }
            points = {"landmarks": found["landmarks_px"], "world": found["world_m"]}
            hands.append(Hand.from_dict(about | {name: np.reshape(one, (21, 3)) for name, one in points.items()}))
    return hands
