"""Many videos and photos: one worker for every runner, one table per video, a manifest that says what is done."""

from knuckle.batch.items import Item, ItemResult, Stretch
from knuckle.batch.pool import LocalPool
from knuckle.batch.run import BatchOptions, Progress, Runner, run
from knuckle.batch.work import TrackVideo

__all__ = ["BatchOptions", "Item", "ItemResult", "LocalPool", "Progress", "Runner", "Stretch", "TrackVideo", "run"]
