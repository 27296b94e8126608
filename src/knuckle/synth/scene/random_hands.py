"""Random people and their hands: posed, holding something, or two hands together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from knuckle.results import FINGERS, HAND_POINTS, PointSet
from knuckle.synth.body import hand_poses
from knuckle.synth.body.grasps import Grasp, random_grasp
from knuckle.synth.body.hand_pairs import random_pair
from knuckle.synth.body.missing_fingers import ANY
from knuckle.synth.body.model import BodyModel, Shape
from knuckle.synth.scene import people, random_objects
from knuckle.synth.scene.people import Person
from knuckle.synth.scene.stage import SceneHand

PEOPLE = 128  # body shapes that a process draws from
GRASPS = 4  # grasps of each body shape


@dataclass(frozen=True)
class SceneMix:
    """What random images show, and how often: shares from 0 to 1.

    Attributes:
        poses: if given, hands are alone and empty and in these poses (see `hand_poses.random_pose`).
        no_hand: crops without a hand.
        people: crops cut from pictures of whole people.
        paired: crops of two hands together.
        holding: hands that hold something.
        gloves: people who wear gloves.
        points: the points that get labels. On the hands of whole people only the 21 do.
        missing: fingers that hands do not have; "any" is another one for each person. Whole people are not drawn then.
        missing_share: people who lack these fingers.
    """

    poses: Sequence[str] = ()
    no_hand: float = 0.15
    people: float = 0.14
    paired: float = 0.08
    holding: float = 0.18
    gloves: float = 0.14
    points: PointSet = HAND_POINTS
    missing: tuple[str, ...] = ()
    missing_share: float = 1.0


EVERYTHING = SceneMix()


def shape_of(body: BodyModel, number: int) -> Shape:
    """One of `PEOPLE` body shapes, the same in every process."""
    if number not in _shapes:
        _shapes[number] = body.random_shape(np.random.default_rng([7, number]))
    return _shapes[number]


_shapes: dict[int, Shape] = {}


def random_person(body: BodyModel, rng: np.random.Generator, mix: SceneMix = EVERYTHING) -> Person:
    """A person with one of `PEOPLE` body shapes and any skin and clothes, and with the points and fingers of a mix."""
    number = int(rng.integers(PEOPLE))
    person = people.random_person(shape_of(body, number), number, rng, mix.gloves)
    missing: tuple[str, ...] = ()
    if mix.missing and rng.random() < mix.missing_share:
        missing = tuple(dict.fromkeys(str(rng.choice(list(FINGERS))) if one == ANY else one for one in mix.missing))
    return replace(person, points=mix.points, missing=missing)


def random_hand(
    body: BodyModel, person: Person, side: str, hand_id: int, rng: np.random.Generator, mix: SceneMix
) -> SceneHand:
    """A person's hand in a random pose, sometimes holding something, in the hand's own space."""
    if not mix.poses and rng.random() < mix.holding:
        return holding_hand(body, person, side, hand_id, rng)
    name, pose = hand_poses.random_pose(rng, among=mix.poses)
    return people.dressed_hand(person.posed_hand(pose, side), person, hand_id, name)


def pair_of_hands(
    body: BodyModel, person: Person, first_id: int, rng: np.random.Generator, mix: SceneMix
) -> tuple[SceneHand, SceneHand]:
    """Two hands that touch, cross, clasp or shake, in one space. The hands of a handshake belong to two people."""
    joints = person.shape.hand[1]
    pair = random_pair(float(np.linalg.norm(joints[9] - joints[0])), rng)
    same_side = pair.handedness[0] == pair.handedness[1]
    owners = (person, random_person(body, rng, mix) if same_side else person)
    hands = []
    for k, (owner, side, pose) in enumerate(zip(owners, pair.handedness, pair.poses, strict=True)):
        hand = people.dressed_hand(owner.posed_hand(pose, side), owner, first_id + k, pair.name)
        hands.append(hand.moved(pair.rotations[k], pair.offsets[k]))
    return hands[0], hands[1]


def holding_hand(body: BodyModel, person: Person, side: str, hand_id: int, rng: np.random.Generator) -> SceneHand:
    """A hand that holds an object."""
    grasp = grasp_of(person.shape, person.number, int(rng.integers(GRASPS)))
    grasp = grasp if side == "Right" else grasp.mirrored()
    hand = people.dressed_hand(person.posed_hand(grasp.pose, side), person, hand_id, grasp.name)
    parts = random_objects.object_of(grasp.kind, grasp.size, rng)
    held = random_objects.placed(parts, grasp.rotation, grasp.offset, random_objects.FIRST_OBJECT_ID + hand_id)
    return replace(hand, objects=(*hand.objects, *held), metadata={**hand.metadata, "holds": grasp.kind})


def grasp_of(shape: Shape, person: int, number: int) -> Grasp:
    """One of a person's `GRASPS` grasps, the same in every process. Cached: a grasp takes as long as a crop."""
    key = (person, number)
    if key not in _grasps:
        _grasps[key] = random_grasp(shape, np.random.default_rng([11, person, number]))
    return _grasps[key]


_grasps: dict[tuple[int, int], Grasp] = {}
