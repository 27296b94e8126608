"""What stands before a camera: hands, other objects, light, and where a crop without a hand looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from knuckle.results import FloatArray
from knuckle.synth.render.mesh import Surroundings, Thing, place
from knuckle.synth.scene.people import Actor


@dataclass(frozen=True)
class Focus:
    """A place of interest that is not a hand: metres in the camera's space, and how much around it to show."""

    point: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Stage:
    """What stands before a camera, in that camera's space.

    actors: hands with what they wear and hold. props: everything else that can be seen.
    surroundings: light. rotation, position: of the camera in the world. words: about all this. focus: what a crop
    without a hand is of.
    """

    actors: tuple[Actor, ...]
    props: tuple[Thing, ...]
    surroundings: Surroundings
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    position: FloatArray = field(default_factory=lambda: np.zeros(3))
    words: Mapping[str, Any] = field(default_factory=dict)
    focus: Focus | None = None

    def turned(self, roll: FloatArray) -> Stage:
        """As a camera sees it that was turned about its own centre: (3, 3) from the old camera's axes to the new."""
        return replace(
            self,
            actors=tuple(actor.moved(roll) for actor in self.actors),
            props=tuple(replace(thing, mesh=place(thing.mesh, roll, (0, 0, 0))) for thing in self.props),
            surroundings=self.surroundings.turned(roll),
            rotation=roll @ self.rotation,
        )
