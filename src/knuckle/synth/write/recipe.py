"""Settings that determine the content of shards: the product, its size and seed, and what the images show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from knuckle.errors import InputError
from knuckle.synth.body.hand_poses import FAMILIES, NAMED

PRODUCTS = ("hands", "scenes")
DEPTH_UNIT_M = 0.0002  # of the depth pictures; 16 bits reach 13 m


@dataclass(frozen=True)
class Recipe:
    """Settings that determine the content of shards, together with the renderer.

    Attributes:
        product: "hands" (crops of one hand) or "scenes" (whole pictures for the palm detector).
        count: number of samples.
        side: of the square pictures, pixels.
        seed: sample k of a seed is always the same; `count`, `per_shard` and the number of processes do not matter.
        backgrounds: folder of photos to draw behind the hands, or None for procedural backgrounds only.
        masks: also write KEY.mask.png (hand ids).
        depth: also write KEY.depth.png (16 bits, unit `DEPTH_UNIT_M`, 0 where there is no object).
        per_shard: samples per tar file.
        margin: for "hands": how many times the tracker's region a picture shows, so that training can cut its own.
        poses: for "hands": only these, names of `hand_poses.NAMED` and `hand_poses.FAMILIES`. () is everything.
    """

    product: str
    count: int
    side: int
    seed: int = 0
    backgrounds: str | None = None
    masks: bool = False
    depth: bool = False
    per_shard: int = 1000
    margin: float = 1.0
    poses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.product not in PRODUCTS:
            raise InputError(f"product must be 'hands' or 'scenes', got {self.product!r}")
        lowest = {"count": 1, "side": 32, "seed": 0, "per_shard": 1, "margin": 0.1}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} must be at least {low}, got {getattr(self, name)!r}")
        if self.poses and self.product != "hands":
            raise InputError(f"poses can be chosen for 'hands' only, got {self.poses} for {self.product!r}")
        if unknown := [name for name in self.poses if name not in NAMED and name not in FAMILIES]:
            raise InputError(f"there is no pose {unknown[0]!r}; there are {', '.join([*FAMILIES, *NAMED])}")

    @property
    def shards(self) -> int:
        """Number of tar files."""
        return -(-self.count // self.per_shard)

    def name(self, shard: int) -> str:
        return f"{self.product}-{shard:06d}.tar"

    def keys(self, shard: int) -> range:
        """Numbers of the samples in a shard."""
        return range(shard * self.per_shard, min(self.count, (shard + 1) * self.per_shard))


def random_of(recipe: Recipe, index: int) -> np.random.Generator:
    """The random generator of one sample."""
    return np.random.default_rng([recipe.seed, PRODUCTS.index(recipe.product), index])
