"""Decoded photos for training, kept in memory as long as there is room."""

from __future__ import annotations

import functools
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch

from knuckle.datasets import open_image
from knuckle.images import Image

MEMORY_SHARE = 0.25  # of the available memory, for all processes that prepare samples together
UNKNOWN_MEMORY = 4 << 30  # bytes assumed on a system that does not report its memory


def available_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may use: the machine's, or less where a container limits it.

    Args:
        root: where `proc` and `sys` are mounted.
    """
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        machine = UNKNOWN_MEMORY
    return min([machine, *_cgroup_limits(root)])


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Memory limits of this process's control group and of all groups above it, bytes; cgroup versions 1 and 2.

    A limit of a parent group also applies to its children. Inside a container the mounted hierarchy often starts at
    the container's own group, so the path from `/proc/self/cgroup` need not exist: its parents are tried as well.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            mount, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        for folder in (group, *group.parents):
            try:
                limit = (mount / folder / name).read_text().strip()
            except OSError:
                continue
            if limit.isdigit():  # "max" means no limit
                yield int(limit)


class PictureCache:
    """Decoded photos by path; when the cache is full, the least recently used ones are dropped.

    Decoding takes half of the time of a sample, and more for large photos.
    """

    def __init__(self) -> None:
        self.kept: OrderedDict[str, Image] = OrderedDict()
        self.bytes = 0

    @functools.cached_property
    def limit(self) -> float:
        """Bytes that this process may keep: the processes of a data loader share `MEMORY_SHARE`."""
        worker = torch.utils.data.get_worker_info()
        return MEMORY_SHARE * available_memory() / (worker.num_workers if worker else 1)

    def __call__(self, source: str) -> Image:
        """Read a photo: (height, width, 3) RGB uint8, read-only.

        Args:
            source: as `knuckle.datasets.open_image` takes it.

        Raises:
            SourceError: the photo does not exist.
        """
        if source in self.kept:
            self.kept.move_to_end(source)
            return self.kept[source]
        image = open_image(source)
        image.flags.writeable = False
        self.kept[source] = image
        self.bytes += image.nbytes
        while self.bytes > self.limit:
            self.bytes -= self.kept.popitem(last=False)[1].nbytes
        return image


open_cached = PictureCache()  # one per process
