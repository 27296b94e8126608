"""A worker for tests whose process dies of one video, as it may in a decoder of the system."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass

from knuckle.batch import Item, ItemResult, TrackVideo
from knuckle.batch.on_ray import RayPool


@dataclass(frozen=True)
class Deadly(TrackVideo):
    """Dies of the item with the key "deadly"."""

    def __call__(self, item: Item) -> ItemResult:
        if item.key == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(item)


if __name__ == "__main__":
    address, out, *sources = sys.argv[1:]
    items = [Item("deadly", sources[0]), *(Item(source, source) for source in sources)]
    for result in RayPool(address)(Deadly(out), items):
        print(os.path.basename(result.key), result.status, result.tries, result.error, sep=";", flush=True)
