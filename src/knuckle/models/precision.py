"""Which form of a network is faster on this machine: float or int8. Measured once, then kept in the user's cache.

8-bit arithmetic is faster where the processor has instructions for it (VNNI on x86, dot products on ARM) and slower or
equal elsewhere. Both forms give the same landmarks within a small tolerance, see docs/model_hand.md.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import platform
import time
from pathlib import Path
from typing import Final, Literal

import numpy as np

from knuckle.models.bundle import Bundle, sha256_of
from knuckle.models.cache import cache_folder
from knuckle.models.session import Session, default_threads

logger = logging.getLogger("knuckle")

Precision = Literal["auto", "float", "int8"]
PRECISIONS: Final = ("auto", "float", "int8")
Role = Literal["palm", "hand"]
ROLES: Final[tuple[Role, Role]] = ("palm", "hand")
RUNS = 8  # of each form, in turn; the fastest run of each counts, because other programs only slow runs down
WORTHWHILE = 0.95  # int8 is taken if it needs less than this share of the time of float
_measured: dict[str, bool] = {}


def open_network(bundle: Bundle, role: Role, threads: int | None, precision: Precision = "auto") -> Session:
    """A network of a bundle on the CPU, in the form that `precision` names; "auto" takes the faster one.

    A bundle without an int8 form gives its only form.
    """
    plain: Path = getattr(bundle, f"{role}_path")
    int8 = getattr(bundle, f"{role}_int8")
    if int8 is None or precision == "float":
        return Session(plain, threads)
    path: Path = bundle.folder / int8.file
    if precision == "int8" or int8_is_faster(plain, path, threads or default_threads()):
        return Session(path, threads)
    return Session(plain, threads)


def int8_is_faster(floats: Path, ints: Path, threads: int) -> bool:
    """Whether the second network is the faster one; measured once per pair of files, number of threads and machine.

    Both are opened only to measure, so that a process holds the weights of one.
    """
    key = " ".join(
        [
            sha256_of(floats)[:16],
            sha256_of(ints)[:16],
            str(threads),
            platform.machine(),
            _processor(),
            str(importlib.import_module("ai_edge_litert").__version__),
        ]
    )
    if key not in _measured:
        kept = _read()
        if key not in kept:
            kept[key] = _time_ratio(Session(floats, threads), Session(ints, threads)) < WORTHWHILE
            _write(kept)
        _measured.update(kept)
    return _measured[key]


def _time_ratio(floats: Session, ints: Session) -> float:
    """Time of the second network over that of the first, each the fastest of `RUNS` runs."""
    picture = np.zeros((1, floats.side, floats.side, 3), np.uint8)
    best = [float("inf"), float("inf")]
    for _ in range(RUNS):
        for i, session in enumerate((floats, ints)):
            start = time.perf_counter()
            session(picture)
            best[i] = min(best[i], time.perf_counter() - start)
    logger.debug("%s: %.2f ms, %s: %.2f ms", floats.model.name, best[0] * 1e3, ints.model.name, best[1] * 1e3)
    return best[1] / best[0]


def _processor() -> str:
    """The processor's model name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _file() -> Path:
    return cache_folder().parent / "precision.json"


def _read() -> dict[str, bool]:
    """What was measured before; nothing if the file is missing or damaged."""
    try:
        kept = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in kept.items() if isinstance(value, bool)} if isinstance(kept, dict) else {}


def _write(kept: dict[str, bool]) -> None:
    """Keep the measurements; a cache that cannot be written means that the next process measures again."""
    target = _file()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        workshop = target.with_name(f"{target.name}.{os.getpid()}")
        workshop.write_text(json.dumps(kept, indent=1))
        workshop.replace(target)
    except OSError as error:
        logger.debug("%s cannot be written: %s", target, error)
