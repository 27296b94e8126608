"""One run at a time writes to an output folder; runs of different shards may write together."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from knuckle.batch.manifest import FOLDER
from knuckle.errors import InputError
from knuckle.media.write_common import writing

Shard = tuple[int, int]
WHOLE: Shard = (1, 1)
NAME = re.compile(r"shard-(\d+)-of-(\d+)\.lock")


@contextmanager
def only_run(out: Path, shard: Shard = WHOLE) -> Iterator[bool]:
    """Hold the lock of a shard. The system releases it when the process ends, also when it is killed.

    Where a file system has no locks, nothing is locked: two runs then do the same work twice, with one result.

    Yields:
        Whether no other shard's run is writing to the folder.

    Raises:
        InputError: another run does the same items.
        SinkError: the folder cannot be written.
    """
    path = out / FOLDER / "shard-{}-of-{}.lock".format(*shard)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        if not _lock(file):
            raise _taken(out, file)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        alone = True
        for other in sorted((out / FOLDER).glob("*.lock")):
            name = NAME.fullmatch(other.name)
            if other == path or not name:
                continue
            with other.open("a+") as others:
                if not _lock(others):
                    alone = False
                    if int(name[2]) != shard[1]:
                        raise _taken(out, others)
        yield alone


def _taken(out: Path, file: IO[str]) -> InputError:
    file.seek(0)
    who = file.read() or "another process"
    return InputError(
        f"another run is writing to {out}: {who}. Wait until it ends, or share the work: --shard 1/2 here, 2/2 there"
    )


def _lock(file: IO[str]) -> bool:
    """Lock an open file until it is closed; False if another process has the lock."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # beyond the text, which others read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
