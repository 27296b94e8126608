"""What is in front of a camera: hands, other objects, light, and what a crop without a hand shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from knuckle.results import HAND_POINTS, FloatArray, PointSet
from knuckle.synth.render.mesh import place_object
from knuckle.synth.render.primitives import Floats, SceneObject, Surroundings


@dataclass(frozen=True, eq=False)
class SceneHand:
    """A hand in camera space, with what it wears and holds.

    Attributes:
        objects: meshes of the hand, its clothes and what it holds. All but the held objects have the hand's id.
        points: (21, 3) landmarks, metres.
        handedness: "Left" or "Right".
        id: value in the id picture, unique in the scene.
        metadata: for the labels: pose, skin tone and the like.
        track_id: the same number for the same hand through a clip; None on stills.
        point_set: the points that get labels.
        extra: (k, 3) metres, the extra points of `point_set`; NaN for those without a label.
        missing: fingers that the hand does not have.
    """

    objects: tuple[SceneObject, ...]
    points: Floats
    handedness: str
    id: int
    metadata: Mapping[str, Any]
    track_id: int | None = None
    point_set: PointSet = HAND_POINTS
    extra: Floats = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    missing: tuple[str, ...] = ()

    def moved(self, rotation: FloatArray, offset: Sequence[float] | FloatArray = (0, 0, 0)) -> SceneHand:
        """Turned by a (3, 3) rotation, then moved by (3,) metres."""
        offset = np.asarray(offset, np.float32)
        return replace(
            self,
            objects=tuple(place_object(item, rotation, offset) for item in self.objects),
            points=(self.points @ np.asarray(rotation, np.float32).T + offset).astype(np.float32),
            extra=(self.extra @ np.asarray(rotation, np.float32).T + offset).astype(np.float32),
        )


@dataclass(frozen=True)
class Focus:
    """What a crop without a hand shows: a point in camera space and the radius around it, metres."""

    point: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Stage:
    """Everything in front of a camera, in that camera's space.

    Attributes:
        hands: the hands that get labels.
        objects: everything else that can be seen, except the background.
        surroundings: what lights the scene.
        rotation, position: (3, 3) and (3,) of the camera in the world.
        metadata: for the sample's JSON.
        focus: what a crop without a hand shows.
    """

    hands: tuple[SceneHand, ...]
    objects: tuple[SceneObject, ...]
    surroundings: Surroundings
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    position: FloatArray = field(default_factory=lambda: np.zeros(3))
    metadata: Mapping[str, Any] = field(default_factory=dict)
    focus: Focus | None = None

    def turned(self, roll: FloatArray) -> Stage:
        """The stage for a camera turned about its own centre; `roll` (3, 3) maps old camera axes to new ones."""
        return replace(
            self,
            hands=tuple(hand.moved(roll) for hand in self.hands),
            objects=tuple(place_object(item, roll, (0, 0, 0)) for item in self.objects),
            surroundings=self.surroundings.turned(roll),
            rotation=roll @ self.rotation,
        )
