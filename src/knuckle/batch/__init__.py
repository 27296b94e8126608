"""Many videos and photos: one worker for every runner, one table per video, a manifest that says what is done."""

from knuckle.batch.items import Item, ItemResult, Stretch
from knuckle.batch.work import TrackVideo

__all__ = ["Item", "ItemResult", "Stretch", "TrackVideo"]
