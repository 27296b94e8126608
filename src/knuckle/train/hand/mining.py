"""Hard negative mining: crops without a hand in which a landmark network sees one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from knuckle.datasets import open_image
from knuckle.datasets.labels import Shot
from knuckle.geometry import crop
from knuckle.images import Image
from knuckle.train.hand.data import hand_free_region
from knuckle.train.teacher import input_side

WRITTEN_PX = 224  # side of the crops


@torch.no_grad()
def hard_negatives(
    network: nn.Module, shot: Shot, seed: int, attempts: int = 24, min_presence: float = 0.2
) -> Iterator[tuple[int, Image]]:
    """Crops of a photo beside its hands whose presence is above a threshold.

    Args:
        network: a landmark network.
        shot: a photo with all its hands labelled.
        seed: of the random regions.
        attempts: number of regions.

    Yields:
        The number of the region, and the crop (224, 224, 3).
    """
    image, rng = open_image(shot.source), np.random.default_rng(seed)
    size = image.shape[1], image.shape[0]
    tried = (hand_free_region(size, shot.hands or (), rng) for _ in range(attempts))
    rois = [roi for roi in tried if roi is not None]
    if not rois:
        return
    pictures = np.stack([crop(image, roi, input_side(network)) for roi in rois]).transpose(0, 3, 1, 2)
    presence = network(torch.from_numpy(pictures).float() / 255)["presence"][:, 0].numpy()
    for place in np.flatnonzero(presence > min_presence).tolist():
        yield place, crop(image, rois[place], WRITTEN_PX)
