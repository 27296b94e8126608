"""Damage in labels: boxes off the image, swapped sides, impossible bones, duplicates (docs/datasets.md)."""

from knuckle.datasets.damage.check import check_datasets
from knuckle.datasets.damage.finding import Finding

__all__ = ["Finding", "check_datasets"]
