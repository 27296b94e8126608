"""Labelled hands: one form for all labels (`labels.py`), a reader for each file format (`formats/`, docs/datasets.md).

`read_dataset` recognises a format by its files. To add a format, see `knuckle.datasets.formats`.
"""

from knuckle.datasets.developer_sets import sample_datasets
from knuckle.datasets.formats import KINDS, Kind
from knuckle.datasets.image_source import file_of, open_image
from knuckle.datasets.labels import Clip, Dataset, LabelledBy, LabelledHand, Shot, Visibility
from knuckle.datasets.read import read_dataset

__all__ = [
    "KINDS",
    "Clip",
    "Dataset",
    "Kind",
    "LabelledBy",
    "LabelledHand",
    "Shot",
    "Visibility",
    "file_of",
    "open_image",
    "read_dataset",
    "sample_datasets",
]
