"""`RayPool`: many videos on a Ray cluster. One row per video, one actor per worker, the manifest stays with us.

Never a row per frame: Ray splits and reorders blocks of rows, and a tracker needs its frames in order.
"""

from __future__ import annotations

import logging
import math
import pickle
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from knuckle import errors
from knuckle.batch.items import Item, ItemResult
from knuckle.batch.pool import TRIES, cores
from knuckle.batch.rows import result_of, row_of, track_source
from knuckle.batch.work import TrackVideo
from knuckle.errors import EngineError, Error, InputError
from knuckle.extras import required

LOCAL = "local"
# Each row is an object that the driver keeps, about 30 kB. So a million items go to Ray in waves.
WAVE = 10_000
LOCAL_STORE_BYTES = 200_000_000  # rows are small: frames never enter Ray's object store
CONNECT_S = 10.0
log = logging.getLogger("knuckle")


@dataclass(frozen=True)
class RayPool:
    """Does items on a Ray cluster: `for result in RayPool("auto")(work, items)`.

    Ray starts actors as there is room for them, up to `workers`, and its autoscaler adds machines. An actor or a
    machine that dies takes nothing with it: Ray gives its items to others.

    Attributes:
        address: "local" starts Ray on this machine for the run; "auto" finds the cluster that this machine belongs to;
            else the address of its head, such as "10.0.0.1:6379".
        workers: the most actors; None: as many as there is room for.
        min_workers: actors that are kept from the start.
        cpus: CPU cores per actor; None: the threads of the worker.
        gpus: GPUs per actor, such as 0.25 for four actors on one; None: 1 if the worker's device is not "cpu".
    """

    address: str = LOCAL
    workers: int | None = None
    min_workers: int = 1
    cpus: float | None = None
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.min_workers < 1 or (self.workers is not None and self.workers < self.min_workers):
            raise InputError(f"need 1 <= min_workers <= workers, got {self.min_workers} and {self.workers}")
        if not self.address.strip():
            raise InputError('the address of a Ray cluster is "local", "auto" or HOST:PORT, got an empty text')

    def __call__(self, work: TrackVideo, items: Iterable[Item]) -> Iterator[ItemResult]:
        """Do the items. They are taken from `items` in waves; results come as they are ready.

        Raises:
            Error: the cluster cannot be reached, a table cannot be written, or the networks cannot be loaded.
            MissingExtraError: Ray is not installed.
        """
        ray = required("ray", "ray", "runs on Ray")
        data = required("ray.data", "ray", "runs on Ray")
        remaining = iter(items)
        wave = list(islice(remaining, WAVE))
        if not wave:
            return
        with self._connected(ray, self._cpus(work)):
            while wave:
                rows = data.from_items([{"item": pickle.dumps(item)} for item in wave], override_num_blocks=len(wave))
                waiting = {item.key for item in wave}
                try:
                    for row in self.track(rows, work).iter_rows():
                        result = result_of(row)
                        if result.key in waiting:  # Ray may repeat what a lost machine had done
                            waiting.remove(result.key)
                            yield result
                except ray.exceptions.RayError as error:
                    raise _explained(error) from error
                if waiting:
                    raise EngineError(f"Ray returned no result for {len(waiting)} items; run the same command again")
                wave = list(islice(remaining, WAVE))

    def track(self, dataset: Any, work: TrackVideo) -> Any:
        """Add what becomes of each video to a Ray dataset with a row per video.

        Args:
            dataset: a `ray.data.Dataset` with the column `source`: a file or address that all machines can read. For
                equal load give it a block per row: `override_num_blocks`, or `repartition`.
            work: the worker.

        Returns:
            The dataset with the columns of `knuckle.batch.rows.COLUMNS`, lazily. Rows come as they are ready. `source`
            stays, so it can be the `id_column` of Ray's `CheckpointConfig`.
        """
        ray = required("ray", "ray", "runs on Ray")
        data = required("ray.data", "ray", "runs on Ray")
        gpus = (0.0 if work.device == "cpu" else 1.0) if self.gpus is None else self.gpus
        if gpus and not ray.cluster_resources().get("GPU"):
            log.warning("no machine of the Ray cluster has a GPU now; the run waits until one joins")
        # An actor has one item at a time: videos take long, and one that waits behind another is not shared out.
        pool = data.ActorPoolStrategy(min_size=self.min_workers, max_size=self.workers, max_tasks_in_flight_per_actor=1)
        # So an actor is never used more than 100 %; Ray's own bound, 175 %, would never add one. From 75 % on the pool
        # grows by a third at a time.
        dataset.context.autoscaling_config.actor_pool_util_upscaling_threshold = 0.75
        dataset.context.execution_no_progress_timeout_s = -1  # a video may take hours, and so may a machine to come
        here = required("ray.util.scheduling_strategies", "ray", "runs on Ray").NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        settings = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
        starts = ray.remote(Starts).options(**settings).remote()
        return dataset.map(
            RayWorker,
            fn_constructor_args=(work, starts),
            compute=pool,
            num_cpus=self._cpus(work),
            num_gpus=gpus,
        )

    def _cpus(self, work: TrackVideo) -> float:
        return float(work.threads or 1) if self.cpus is None else self.cpus

    @contextmanager
    def _connected(self, ray: Any, cpus: float) -> Iterator[None]:
        """A connection to the cluster. One that the program has already made is used, and left open."""
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised
        required("ray.data", "ray", "runs on Ray").DataContext.get_current().enable_progress_bars = False
        if ray.is_initialized():
            yield
            return
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address == LOCAL:
            room = math.ceil(max(self.workers or cores(), self.min_workers) * cpus)
            settings |= {"num_cpus": room, "object_store_memory": LOCAL_STORE_BYTES, "include_dashboard": False}
        _check_port(self.address)
        try:
            ray.init(address=self.address, **settings)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())
            raise EngineError(f"the Ray cluster {self.address} cannot be reached: {why}") from error
        try:
            yield
        finally:
            ray.shutdown()


class Starts:
    """Counts how often each item was begun. It is an actor where the run was started, so it outlives the workers."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    def begin(self, key: str) -> int:
        """Which start of this item it is: 1, 2, …"""
        self.counts[key] += 1
        return self.counts[key]

    def end(self, key: str) -> None:
        """Forget an item that has a result."""
        self.counts.pop(key, None)


class RayWorker:
    """The actor: it keeps the worker, which loads its networks once per process, and does one row per call.

    Ray repeats the row of an actor that died as often as that happens. A video that kills its process would kill
    actors for ever, so it has failed after `TRIES` starts.

    Args:
        work: the worker.
        starts: handle of the `Starts` actor.
    """

    def __init__(self, work: TrackVideo, starts: Any) -> None:
        self.work = work
        self.starts = starts
        self.get = required("ray", "ray", "runs on Ray").get

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Do a row: its `item`, which `RayPool` made, or the file or address in its column `source`."""
        item: Item | None = pickle.loads(row["item"]) if "item" in row else None
        key = item.key if item else str(row["source"])
        tries = self.get(self.starts.begin.remote(key))
        if tries > TRIES:
            error = f"its worker died, {TRIES} times"
            source, files = (item.source, item.files) if item else (key, ())
            result = ItemResult(key, source, "failed", error, tries=TRIES, files=files)
        else:
            done = row_of(self.work(item)) if item else track_source(self.work, row["source"])
            result = replace(result_of(done), tries=tries)
        self.starts.end.remote(key)
        return {**{name: value for name, value in row.items() if name != "item"}, **row_of(result)}


def _explained(error: BaseException) -> Error:
    """The error of ours that a worker raised, which Ray quotes, or what Ray says."""
    told = str(error)
    for name, text in re.findall(r"^knuckle\.errors\.(\w+): (.+)$", told, re.M):
        kind: type[Error] = getattr(errors, name, EngineError)
        return kind(text)
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return EngineError(f"Ray ended the run: {lines[0] if lines else type(error).__name__}")


def _check_port(address: str) -> None:
    """Refuse an address where nobody answers at once; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as error:
        raise EngineError(f"no Ray cluster answers at {address}: {error}") from error
