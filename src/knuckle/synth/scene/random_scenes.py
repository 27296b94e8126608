"""Random scenes: for crops of one hand, for whole pictures, and without any hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from knuckle.results import FloatArray, Roi
from knuckle.synth.body.model import BodyModel
from knuckle.synth.camera import labels
from knuckle.synth.render import lighting
from knuckle.synth.render.primitives import Camera, SceneObject, Surroundings
from knuckle.synth.scene import clothed_bodies, crops, placement, random_objects
from knuckle.synth.scene.placement import NEAREST_M, rotation
from knuckle.synth.scene.random_hands import SceneMix, pair_of_hands, random_hand, random_person
from knuckle.synth.scene.stage import Focus, SceneHand, Stage


@dataclass(frozen=True, eq=False)
class Room:
    """Light and the camera in it.

    Attributes:
        surroundings: what lights the scene.
        tilt: (3, 3) rotation of the camera against what stands upright.
        rotation: (3, 3) rotation of the camera in the room, the direction it faces included.
    """

    surroundings: Surroundings
    tilt: FloatArray
    rotation: FloatArray


def random_room(rng: np.random.Generator) -> Room:
    """Any light. The camera is level more often than not and sometimes looks far down or up."""
    pitch = rng.normal(0, 0.25) if rng.random() < 0.8 else rng.normal(0, 0.8)
    tilt = rotation(pitch, 0, rng.normal(0, 0.08))
    turn = tilt @ rotation(0, rng.uniform(-math.pi, math.pi), 0)
    return Room(lighting.random_surroundings(rng).turned(turn), tilt, turn)


def crop_scene(body: BodyModel, frame: Camera, rng: np.random.Generator, mix: SceneMix) -> tuple[Stage, int]:
    """A scene for a crop, and the index of the hand that the crop shows; -1 for a crop without a hand."""
    room = random_room(rng)
    if rng.random() < mix.no_hand:
        return hand_free_scene(body, frame, room, rng, mix), -1
    if not mix.poses and not mix.missing and rng.random() < mix.people:
        stage = people_scene(body, frame, room, rng, mix, 1 + int(rng.random() < 0.2))
        seen = [k for k, hand in enumerate(stage.hands) if placement.share_in_frame(hand.points, frame) > 0.7]
        if seen:
            return stage, int(rng.choice(seen))
    person = random_person(body, rng, mix)
    side = str(rng.choice(["Left", "Right"]))
    if not mix.poses and rng.random() < mix.paired:
        pair = pair_of_hands(body, person, 1, rng, mix)
        transform = placement.random_place(pair[0], frame, rng)
        moved = [hand.moved(*transform) for hand in pair]
        if min(float(hand.points[:, 2].min()) for hand in moved) > NEAREST_M:
            return Stage(tuple(moved), (), room.surroundings, room.rotation), 0
    first = random_hand(body, person, side, 1, rng, mix)
    first = first.moved(*placement.random_place(first, frame, rng))
    hands = [first]
    if rng.random() < 0.15:
        other = person if rng.random() < 0.8 else random_person(body, rng, mix)
        second = random_hand(body, other, "Left" if side == "Right" else "Right", 2, rng, mix)
        hands.append(second.moved(placement.random_turn(rng), placement.beside(first, rng)))
    objects = random_objects.object_near(first, rng) if rng.random() < 0.08 else []
    return Stage(tuple(hands), tuple(objects), room.surroundings, room.rotation), 0


def whole_scene(body: BodyModel, frame: Camera, rng: np.random.Generator, mix: SceneMix) -> Stage:
    """A scene for a whole picture: arms that reach in, people, or no hand."""
    room = random_room(rng)
    chance = rng.random()
    if chance < 0.1:
        return hand_free_scene(body, frame, room, rng, mix, whole_frame=True)
    if chance < 0.6:
        count = 1 + int(rng.choice(3, p=[0.62, 0.26, 0.12]))
        return people_scene(body, frame, room, rng, mix, count)
    return arms_scene(body, frame, room, rng, mix)


def people_scene(
    body: BodyModel, frame: Camera, room: Room, rng: np.random.Generator, mix: SceneMix, count: int
) -> Stage:
    """People in front of the camera, whole or in part."""
    hands: list[SceneHand] = []
    objects: list[SceneObject] = []
    half_tilt = rotation(0.5 * math.asin(room.tilt[2, 1]), 0, 0.5 * math.asin(room.tilt[1, 0]))
    for number in range(count):
        figure = clothed_bodies.random_figure(random_person(body, rng, mix), number, rng)
        figure = clothed_bodies.placed(figure, frame, half_tilt, rng)
        objects += figure.body
        for hand in figure.hands:
            if hand.points[:, 2].min() > NEAREST_M:
                hands.append(hand)
            else:
                objects += hand.objects
    return Stage(tuple(hands), tuple(objects), room.surroundings, room.rotation, metadata={"kind": "people"})


def arms_scene(body: BodyModel, frame: Camera, room: Room, rng: np.random.Generator, mix: SceneMix) -> Stage:
    """One to six hands that reach in from the borders of the picture, 15 % to 85 % of its side long."""
    count = 1 + int(rng.choice(6, p=[0.34, 0.4, 0.1, 0.09, 0.04, 0.03]))
    usual = math.exp(rng.uniform(math.log(0.15), math.log(0.85 if count < 3 else 0.4)))
    hands: list[SceneHand] = []
    person = random_person(body, rng, mix)
    if count > 1 and rng.random() < 0.25:
        pair = pair_of_hands(body, person, count + 1, rng, mix)
        transform = placement.reaching_in(pair[0], frame, usual, [], rng)
        moved = [hand.moved(*transform) for hand in pair] if transform else []
        if moved and min(float(hand.points[:, 2].min()) for hand in moved) > NEAREST_M:
            hands, count = moved, count - 2
    for k in range(count):
        if k % 2 == 0 and k:
            person = random_person(body, rng, mix)
        side = ("Left", "Right")[k % 2] if rng.random() < 0.85 else ("Right", "Left")[k % 2]
        hand = random_hand(body, person, side, k + 1, rng, mix)
        share = float(np.clip(usual * math.exp(rng.normal(0, 0.3)), 0.1, 0.9))
        transform = placement.reaching_in(hand, frame, share, [other.points for other in hands], rng)
        if transform is not None:
            hands.append(hand.moved(*transform))
    objects = random_objects.object_near(hands[0], rng) if rng.random() < 0.25 and hands else []
    return Stage(tuple(hands), tuple(objects), room.surroundings, room.rotation, metadata={"kind": "arms"})


def hand_free_scene(
    body: BodyModel, frame: Camera, room: Room, rng: np.random.Generator, mix: SceneMix, whole_frame: bool = False
) -> Stage:
    """Faces, shoulders, feet, objects or only background, with a `Focus` for the crop.

    The crop around the focus shows no hand. With `whole_frame`, the whole frame shows none.
    """
    if rng.random() < 0.4:
        stage = focused_off_hands(people_scene(body, frame, room, rng, mix, 1), frame, rng)
        if stage is not None:
            hidden = all(placement.share_in_frame(hand.points, frame) == 0 for hand in stage.hands)
            if hidden or not whole_frame:
                return stage
    distance = math.exp(rng.uniform(math.log(0.25), math.log(3)))
    pixel = rng.uniform(0.1, 0.9, 2) * [frame.width, frame.height]
    centre = np.array([*((pixel - [frame.cx, frame.cy]) / frame.fx), 1]) * distance
    objects: list[SceneObject] = []
    if rng.random() < 0.7:
        for k in range(int(rng.integers(1, 4))):
            offset = centre + rng.normal(0, 0.05, 3) * (k > 0)
            parts = random_objects.random_object(rng)
            turn = placement.random_rotation(rng)
            objects += random_objects.placed(parts, turn, offset, random_objects.FIRST_OBJECT_ID + k)
    focus = _focus(centre, float(rng.uniform(0.05, 0.2)))
    return Stage((), tuple(objects), room.surroundings, room.rotation, focus=focus)


def focused_off_hands(stage: Stage, frame: Camera, rng: np.random.Generator) -> Stage | None:
    """The stage with a focus on a part of a body that has no hand near it; None if no such part was found."""
    points = projected_hands(stage.hands, frame)
    meshes = [item.mesh.vertices for item in stage.objects if len(item.mesh.vertices)]
    vertices = np.concatenate([np.empty((0, 3)), *(mesh for mesh in meshes if mesh[:, 2].min() > NEAREST_M)])
    for _ in range(10 if len(vertices) else 0):
        point = vertices[rng.integers(len(vertices))].astype(np.float64)
        radius = float(rng.uniform(0.08, 0.22))
        distances = np.linalg.norm(points - labels.project(point, frame), axis=1)
        clear = (distances > 2.2 * radius * frame.fx / point[2]).all()
        if placement.share_in_frame(point[None], frame) and clear:
            return replace(stage, focus=_focus(point, radius))
    return None


def projected_hands(hands: Sequence[SceneHand], frame: Camera) -> FloatArray:
    """(21 x hands, 2) pixels of all landmarks."""
    return labels.project(np.concatenate([np.empty((0, 3)), *(hand.points for hand in hands)]), frame)


def _focus(point: FloatArray, radius: float) -> Focus:
    x, y, z = (float(value) for value in point)
    return Focus((x, y, z), radius)


def random_crop(stage: Stage, target: int, frame: Camera, rng: np.random.Generator) -> crops.CropRegion:
    """The region that a tracker would cut: of the hand with the index `target`, or around the focus if it is -1."""
    if target >= 0:
        return crops.crop_of_hand(labels.project(stage.hands[target].points, frame), rng)
    assert stage.focus is not None
    x, y = labels.project(np.array(stage.focus.point), frame)
    size = 2 * stage.focus.radius * frame.fx / stage.focus.point[2]
    roi = Roi(float(x), float(y), float(size), float(rng.uniform(-math.pi, math.pi)))
    return crops.CropRegion(roi, "nothing")
