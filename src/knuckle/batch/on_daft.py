"""Videos of a Daft data frame: `frame.select("path", track_column(work)(frame["path"]))`."""

from __future__ import annotations

from typing import Any

from knuckle.batch.rows import COLUMNS, track_source
from knuckle.batch.work import TrackVideo
from knuckle.extras import required


class SourceColumn:
    """The class that `daft.cls` makes one instance of per process."""

    def __init__(self, work: TrackVideo) -> None:
        self.work = work

    def track(self, sources: Any) -> list[dict[str, Any]]:
        """Do the sources of a `daft.Series`."""
        return [track_source(self.work, source) for source in sources.to_pylist()]


def track_column(work: TrackVideo, workers: int | None = None, gpus: int = 0) -> Any:
    """A function of a column of sources, made by `daft.cls`: one row per video.

    Each process loads the networks once. A source that cannot be read is a row with an error.

    Args:
        work: the worker; its output folder must be shared by all machines.
        workers: the most processes; None leaves it to Daft.
        gpus: GPUs per process.

    Returns:
        The function. Its column is a struct with the fields of `knuckle.batch.rows.COLUMNS`.

    Raises:
        MissingExtraError: Daft is not installed.
    """
    daft = required("daft", "daft", "Daft data frames")
    kind = {str: daft.DataType.string(), int: daft.DataType.int64(), float: daft.DataType.float64()}
    row = daft.DataType.struct({name: kind[of] for name, of in COLUMNS.items()})
    daft.method.batch(return_dtype=row, batch_size=1)(SourceColumn.track)
    return daft.cls(SourceColumn, max_concurrency=workers, gpus=gpus, use_process=True)(work).track
