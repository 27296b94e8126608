"""Videos of a Spark data frame: `frame.select("path", track_udf(work)("path"))`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from knuckle.batch.rows import COLUMNS, track_source
from knuckle.batch.work import TrackVideo
from knuckle.extras import required


def track_udf(work: TrackVideo) -> Any:
    """A function of a column of sources, made by Spark's `predict_batch_udf`: one row per video.

    A Python worker of Spark loads the networks once. A source that cannot be read is a row with an error. When a Python
    worker dies, Spark repeats its task; a table has the name of its video, so nothing is there twice.

    Args:
        work: the worker; its output folder must be shared by all machines.

    Returns:
        The function. Its column is a struct with the fields of `knuckle.batch.rows.COLUMNS`.

    Raises:
        MissingExtraError: PySpark is not installed.
    """
    functions = required("pyspark.ml.functions", "spark", "Spark data frames")
    types = required("pyspark.sql.types", "spark", "Spark data frames")
    field = {str: types.StringType, int: types.LongType, float: types.DoubleType}

    def make_predict() -> Callable[[Sequence[str | None]], list[dict[str, Any]]]:
        return lambda sources: [track_source(work, source) for source in sources]

    row = types.StructType([types.StructField(name, field[kind]()) for name, kind in COLUMNS.items()])
    return functions.predict_batch_udf(make_predict, return_type=row, batch_size=1)
