"""Settings that determine the content of shards: the product, its size and seed, and what the images show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from knuckle.errors import InputError
from knuckle.results import HAND_POINTS, PointSet
from knuckle.synth.body.hand_poses import FAMILIES, NAMED
from knuckle.synth.body.missing_fingers import checked
from knuckle.synth.scene.random_hands import EVERYTHING, SceneMix

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
        points: the points that are labelled: the 21, and the extra ones of this set (docs/points.md).
        missing: for "hands": fingers that hands do not have; "any" is another one for each person.
        missing_share: people who lack them.
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
    points: PointSet = HAND_POINTS
    missing: tuple[str, ...] = ()
    missing_share: float = 1.0

    def __post_init__(self) -> None:
        if self.product not in PRODUCTS:
            raise InputError(f"product must be 'hands' or 'scenes', got {self.product!r}")
        lowest = {"count": 1, "side": 32, "seed": 0, "per_shard": 1, "margin": 0.1}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} must be at least {low}, got {getattr(self, name)!r}")
        if self.poses and self.product != "hands":
            raise InputError(f"poses can be chosen for 'hands' only, got {self.poses} for {self.product!r}")
        if checked(self.missing) and self.product != "hands":
            raise InputError(f"fingers can be missing for 'hands' only, got {self.missing} for {self.product!r}")
        if not 0 < self.missing_share <= 1:
            raise InputError(f"the share of people with missing fingers must be from 0 to 1, got {self.missing_share}")
        if unknown := [name for name in self.poses if name not in NAMED and name not in FAMILIES]:
            raise InputError(f"there is no pose {unknown[0]!r}; there are {', '.join([*FAMILIES, *NAMED])}")

    def mix(self, mix: SceneMix = EVERYTHING) -> SceneMix:
        """What images show: a mix with the poses, the points and the missing fingers of this recipe."""
        missing = {"missing": self.missing, "missing_share": self.missing_share}
        return replace(mix, poses=self.poses, points=self.points, **missing)  # type: ignore[arg-type]

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
