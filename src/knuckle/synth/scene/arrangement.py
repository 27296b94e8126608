"""What may be in a picture: the hand that a crop is of, others near it, things, and pictures without any hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from knuckle.results import FloatArray, Roi
from knuckle.synth.body import poses, two_hands
from knuckle.synth.body.grasps import Grasp, random_grasp
from knuckle.synth.body.model import BodyModel, Shape
from knuckle.synth.camera import labels
from knuckle.synth.render import lighting, materials
from knuckle.synth.render.mesh import Camera, Material, Mesh, Surroundings, Thing, place
from knuckle.synth.scene import crops, objects, people, whole_people
from knuckle.synth.scene.people import Actor, Person
from knuckle.synth.scene.stage import Focus, Stage

HAND_M = 0.18  # an adult's hand from wrist to finger tip
HAND_FREE = 0.15  # share of crops without a hand
NEAREST_M = 0.1
FROM_PEOPLE = 0.14  # share of crops that are cut from pictures of whole people
PAIRED = 0.08  # share of crops of two hands together
HOLDS = 0.18  # share of hands that hold something
PEOPLE, GRASPS = 128, 4  # bodies that a process draws from, and grasps of each


def hand_stage(
    body: BodyModel, frame: Camera, rng: np.random.Generator, among: Sequence[str] = ()
) -> tuple[Stage, int]:
    """A stage for a crop and which actor the crop is of; -1 where it is of no hand.

    With `among`, hands alone and empty, in these poses (see `poses.random_pose`).
    """
    surroundings, tilt, rotation = random_room(rng)
    if rng.random() < HAND_FREE:
        return hand_free(body, frame, surroundings, tilt, rotation, rng), -1
    if not among and rng.random() < FROM_PEOPLE:
        stage = crowd(body, frame, surroundings, tilt, rotation, rng, 1 + int(rng.random() < 0.2))
        seen = [k for k, actor in enumerate(stage.actors) if within(actor.points, frame) > 0.7]
        if seen:
            return stage, int(rng.choice(seen))
    person = random_person(body, rng)
    side = str(rng.choice(["Left", "Right"]))
    props: list[Thing] = []
    if not among and rng.random() < PAIRED:
        pair = pair_of(body, person, 1, rng)
        place = random_place(pair[0], frame, rng)
        actors = [actor.moved(*place) for actor in pair]
        if min(float(actor.points[:, 2].min()) for actor in actors) > NEAREST_M:
            return Stage(tuple(actors), (), surroundings, rotation), 0
    first = posed_actor(body, person, side, 1, rng, among)
    first = first.moved(*random_place(first, frame, rng))
    actors = [first]
    if rng.random() < 0.15:
        other = person if rng.random() < 0.8 else random_person(body, rng)
        second = posed_actor(body, other, "Left" if side == "Right" else "Right", 2, rng, among)
        actors.append(second.moved(people.random_turn(rng), beside(first, rng)))
    if rng.random() < 0.08:
        props += floating(first, rng)
    return Stage(tuple(actors), tuple(props), surroundings, rotation), 0


def within(points: FloatArray, frame: Camera) -> float:
    """The share of points, camera space, that the frame shows."""
    pixels = labels.project(points, frame)
    inside = (pixels > 0).all(1) & (pixels < [frame.width, frame.height]).all(1) & (points[:, 2] > NEAREST_M)
    return float(inside.mean())


def random_room(rng: np.random.Generator) -> tuple[Surroundings, FloatArray, FloatArray]:
    """Light, how the camera is tilted against what stands upright (3, 3), and its whole rotation in the room.

    Level more often than not, sometimes looking far down or up.
    """
    pitch = rng.normal(0, 0.25) if rng.random() < 0.8 else rng.normal(0, 0.8)
    tilt = people.rotation(pitch, 0, rng.normal(0, 0.08))
    turn = tilt @ people.rotation(0, rng.uniform(-math.pi, math.pi), 0)
    return lighting.random_surroundings(rng).turned(turn), tilt, turn


def shape_of(body: BodyModel, number: int) -> Shape:
    """One of `PEOPLE` shapes, the same in every process."""
    found = _shapes.get(number)
    if found is None:
        found = _shapes[number] = body.random_shape(np.random.default_rng([7, number]))
    return found


_shapes: dict[int, Shape] = {}


def random_person(body: BodyModel, rng: np.random.Generator) -> Person:
    """Anybody."""
    number = int(rng.integers(PEOPLE))
    return people.random_person(shape_of(body, number), number, rng)


def posed_actor(
    body: BodyModel, person: Person, side: str, hand_id: int, rng: np.random.Generator, among: Sequence[str] = ()
) -> Actor:
    """A person's hand in a random pose, holding something now and then, in the hand's own space."""
    if not among and rng.random() < HOLDS:
        return holding(body, person, side, hand_id, rng)
    name, pose = poses.random_pose(rng, among=among)
    return people.dressed(body.posed_hand(person.shape, pose, side), person, hand_id, name)


def pair_of(body: BodyModel, person: Person, first_id: int, rng: np.random.Generator) -> tuple[Actor, Actor]:
    """Two hands that touch, cross, clasp or shake, in one space; a handshake is two people's."""
    joints = person.shape.hand[1]
    pair = two_hands.random_pair(float(np.linalg.norm(joints[9] - joints[0])), rng)
    same = pair.handedness[0] == pair.handedness[1]
    owners = (person, random_person(body, rng) if same else person)
    made = []
    for k, (owner, side, pose) in enumerate(zip(owners, pair.handedness, pair.poses, strict=True)):
        actor = people.dressed(body.posed_hand(owner.shape, pose, side), owner, first_id + k, pair.name)
        made.append(actor.moved(pair.rotations[k], pair.offsets[k]))
    return made[0], made[1]


def holding(body: BodyModel, person: Person, side: str, hand_id: int, rng: np.random.Generator) -> Actor:
    """A hand that holds a thing."""
    grasp = grasp_of(person.shape, person.number, int(rng.integers(GRASPS)))
    grasp = grasp if side == "Right" else grasp.mirrored()
    hand = people.dressed(body.posed_hand(person.shape, grasp.pose, side), person, hand_id, grasp.name)
    held = _placed(thing_of(grasp.kind, grasp.size, rng), grasp.rotation, grasp.offset, 100 + hand_id)
    return replace(hand, things=(*hand.things, *held), about={**hand.about, "holds": grasp.kind})


def grasp_of(shape: Shape, person: int, number: int) -> Grasp:
    """One of a person's `GRASPS` grasps, the same in every process; closing a hand costs as much as a crop."""
    key = (person, number)
    if key not in _grasps:
        _grasps[key] = random_grasp(shape, np.random.default_rng([11, person, number]))
    return _grasps[key]


_grasps: dict[tuple[int, int], Grasp] = {}


def random_place(actor: Actor, frame: Camera, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Rotation and offset that show a hand anywhere in the frame, 6 % to 110 % of its shorter side long."""
    shorter = min(frame.width, frame.height)
    for _ in range(20):
        share = math.exp(rng.uniform(math.log(0.06), math.log(1.1)))
        distance = float(np.clip(frame.fx * HAND_M / (share * shorter), 0.15, 6))
        turn = people.random_turn(rng)
        inside = 0.5 - 0.45 * min(share * shorter / frame.width, 1), 0.5 - 0.45 * min(share * shorter / frame.height, 1)
        reach = np.array(inside) if rng.random() < 0.85 else np.array([0.5, 0.5])  # one in seven leaves the frame
        pixel = (0.5 + rng.uniform(-1, 1, 2) * reach) * [frame.width, frame.height]
        pixel = pixel - frame.fx / distance * (actor.points.mean(0) @ turn.T)[:2]  # of the wrist; the hand is there
        offset = np.array([*((pixel - [frame.cx, frame.cy]) / frame.fx * distance), distance])
        lowest = float((actor.things[0].mesh.vertices[::4] @ turn.T.astype(np.float32))[:, 2].min())
        if lowest + distance > NEAREST_M:
            break
    offset[2] += max(0.0, NEAREST_M - lowest - distance)
    return turn, offset


def beside(actor: Actor, rng: np.random.Generator) -> FloatArray:
    """A place for another hand's wrist: near, seldom inside of the first."""
    angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.07, 0.22)
    centre = actor.points.mean(0)
    depth = max(NEAREST_M + 0.1, float(centre[2]) + float(rng.normal(0, 0.08)))
    return np.array([centre[0] + far * math.cos(angle), centre[1] + far * math.sin(angle) + 0.06, depth])


def random_thing(rng: np.random.Generator) -> list[tuple[Material, Mesh]]:
    """Any thing of `things.MAKERS` in its own frame: (material, mesh) of its parts."""
    kind = str(rng.choice(list(objects.MAKERS)))
    low, high = SIZES[kind]
    return thing_of(kind, [float(rng.uniform(a, b)) for a, b in zip(low, high, strict=True)], rng)


def thing_of(kind: str, size: Sequence[float], rng: np.random.Generator) -> list[tuple[Material, Mesh]]:
    """A thing of that size; parts of one name are of one material."""
    chosen: dict[str, Material] = {}
    found = []
    for what, mesh in objects.make(kind, size):
        if what not in chosen:
            chosen[what] = materials.random_material(rng, kind, what)
        found.append((chosen[what], mesh))
    return found


SIZES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "cylinder": ((0.02, 0.05), (0.08, 0.2)),
    "bottle": ((0.05, 0.16), (0.09, 0.3)),
    "stick": ((0.01, 0.12), (0.035, 0.4)),
    "ball": ((0.02,), (0.12,)),
    "box": ((0.03, 0.03, 0.02), (0.15, 0.2, 0.1)),
    "card": ((0.05, 0.08, 0.0008), (0.12, 0.18, 0.001)),
    "book": ((0.1, 0.14, 0.008), (0.18, 0.26, 0.035)),
    "phone": ((0.065, 0.135, 0.007), (0.08, 0.17, 0.011)),
    "cup": ((0.06, 0.07), (0.095, 0.12)),
    "glass": ((0.055, 0.08), (0.085, 0.17)),
    "pen": ((0.007, 0.12), (0.012, 0.16)),
}


def floating(actor: Actor, rng: np.random.Generator) -> list[Thing]:
    """A thing between the hand and the camera, or behind it."""
    centre = actor.points.mean(0)
    share = rng.uniform(0.6, 0.9) if rng.random() < 0.4 else rng.uniform(1.05, 1.5)
    at = centre * share + np.append(rng.normal(0, 0.07, 2), 0) * share
    return _placed(random_thing(rng), people.rotation(*rng.uniform(-math.pi, math.pi, 3)), at, 100)


def hand_free(
    body: BodyModel,
    frame: Camera,
    surroundings: Surroundings,
    tilt: FloatArray,
    rotation: FloatArray,
    rng: np.random.Generator,
    whole: bool = False,
) -> Stage:
    """Faces, shoulders, feet, things or nothing but background, with a `Focus` for the crop; no hand in the frame
    at all where the `whole` of it is shown."""
    if rng.random() < 0.4:
        stage = crowd(body, frame, surroundings, tilt, rotation, rng, 1)
        elsewhere = off_the_hands(stage, frame, rng)
        if elsewhere is not None and (not whole or all(within(a.points, frame) == 0 for a in stage.actors)):
            return elsewhere
    distance = math.exp(rng.uniform(math.log(0.25), math.log(3)))
    at = np.array([*((rng.uniform(0.1, 0.9, 2) * [frame.width, frame.height] - [frame.cx, frame.cy]) / frame.fx), 1])
    found: list[Thing] = []
    if rng.random() < 0.7:
        for k in range(int(rng.integers(1, 4))):
            spot = at * distance + rng.normal(0, 0.05, 3) * (k > 0)
            found += _placed(random_thing(rng), people.rotation(*rng.uniform(-math.pi, math.pi, 3)), spot, 100 + k)
    x, y, z = (float(v) for v in at * distance)
    return Stage((), tuple(found), surroundings, rotation, focus=Focus((x, y, z), float(rng.uniform(0.05, 0.2))))


def off_the_hands(stage: Stage, frame: Camera, rng: np.random.Generator) -> Stage | None:
    """The stage with a focus on some other part of a body, no hand near it in the picture; None where all is near."""
    seen = [thing.mesh.vertices for thing in stage.props if len(thing.mesh.vertices)]
    vertices = np.concatenate([np.empty((0, 3)), *(part for part in seen if part[:, 2].min() > NEAREST_M)])
    tips = [actor.points for actor in stage.actors]
    hands = labels.project(np.concatenate(tips) if tips else np.empty((0, 3)), frame)
    for _ in range(10 if len(vertices) else 0):
        point = vertices[rng.integers(len(vertices))].astype(np.float64)
        radius = float(rng.uniform(0.08, 0.22))
        away = np.linalg.norm(hands - labels.project(point, frame), axis=1)
        if within(point[None], frame) and (away > 2.2 * radius * frame.fx / point[2]).all():
            return replace(stage, focus=Focus((float(point[0]), float(point[1]), float(point[2])), radius))
    return None


def _placed(parts: list[tuple[Material, Mesh]], turn: FloatArray, at: FloatArray, its_id: int) -> list[Thing]:
    return [Thing(place(mesh, turn, at), material, its_id) for material, mesh in parts]


def scene_stage(body: BodyModel, frame: Camera, rng: np.random.Generator) -> Stage:
    """A stage for a whole picture: arms that reach in, people, or no hand at all."""
    surroundings, tilt, rotation = random_room(rng)
    chance = rng.random()
    if chance < 0.1:
        return hand_free(body, frame, surroundings, tilt, rotation, rng, whole=True)
    if chance < 0.6:
        count = 1 + int(rng.choice(3, p=[0.62, 0.26, 0.12]))
        return crowd(body, frame, surroundings, tilt, rotation, rng, count)
    return arms(body, frame, surroundings, rotation, rng)


def crowd(
    body: BodyModel,
    frame: Camera,
    surroundings: Surroundings,
    tilt: FloatArray,
    rotation: FloatArray,
    rng: np.random.Generator,
    count: int,
) -> Stage:
    """People before the camera, whole or in part."""
    actors: list[Actor] = []
    props: list[Thing] = []
    mild = people.rotation(*(0.5 * np.array([math.asin(tilt[2, 1]), 0, math.asin(tilt[1, 0])])))
    for number in range(count):
        who = whole_people.placed(whole_people.figure(body, random_person(body, rng), number, rng), frame, mild, rng)
        actors += [actor for actor in who.actors if actor.points[:, 2].min() > NEAREST_M]
        props += who.body
        props += [t for actor in who.actors if actor.points[:, 2].min() <= NEAREST_M for t in actor.things]
    return Stage(tuple(actors), tuple(props), surroundings, rotation, words={"kind": "people"})


def arms(
    body: BodyModel, frame: Camera, surroundings: Surroundings, rotation: FloatArray, rng: np.random.Generator
) -> Stage:
    """One to six hands that reach in from the picture's borders, 15 % to 85 % of its side long."""
    count = 1 + int(rng.choice(6, p=[0.34, 0.4, 0.1, 0.09, 0.04, 0.03]))
    usual = math.exp(rng.uniform(math.log(0.15), math.log(0.85 if count < 3 else 0.4)))
    actors: list[Actor] = []
    person = random_person(body, rng)
    if count > 1 and rng.random() < 0.25:
        pair = pair_of(body, person, count + 1, rng)
        place = reaching_in(pair[0], frame, usual, [], rng)
        moved = [actor.moved(*place) for actor in pair] if place else []
        if moved and min(float(actor.points[:, 2].min()) for actor in moved) > NEAREST_M:
            actors, count = moved, count - 2
    for k in range(count):
        if k % 2 == 0 and k:
            person = random_person(body, rng)
        side = ("Left", "Right")[k % 2] if rng.random() < 0.85 else ("Right", "Left")[k % 2]
        actor = posed_actor(body, person, side, k + 1, rng)
        share = float(np.clip(usual * math.exp(rng.normal(0, 0.3)), 0.1, 0.9))
        place = reaching_in(actor, frame, share, [a.points for a in actors], rng)
        if place is not None:
            actors.append(actor.moved(*place))
    props = floating(actors[0], rng) if rng.random() < 0.25 and actors else []
    return Stage(tuple(actors), tuple(props), surroundings, rotation, words={"kind": "arms"})


def reaching_in(
    actor: Actor, frame: Camera, share: float, others: list[FloatArray], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray] | None:
    """Rotation and offset of a hand `share` of the side long whose forearm comes from the nearest border.

    None where no free place was found: hands may touch, but two palms in one place do not happen.
    """
    taken = [labels.project(points, frame).mean(0) for points in others]
    for _ in range(12):
        distance = frame.fx * HAND_M / (share * frame.width)
        pixel = rng.uniform(0.06, 0.94, 2) * frame.width
        outwards = pixel - frame.width / 2
        heading = math.atan2(-outwards[0], outwards[1])  # of the forearm: 0 is down, positive turns it left
        turn = people.rotation(0, 0, heading + rng.normal(0, 0.5)) @ people.random_tilt(rng)
        offset = np.array([*((pixel - [frame.cx, frame.cy]) / frame.fx * distance), distance])
        lowest = float((actor.things[0].mesh.vertices[::4] @ turn.T.astype(np.float32))[:, 2].min())
        if lowest + distance < NEAREST_M:
            continue
        centre = labels.project(actor.points @ turn.T + offset, frame).mean(0)
        if all(np.hypot(*(centre - place)) > 0.4 * share * frame.width for place in taken):
            return turn, offset
    return None


def random_cut(stage: Stage, target: int, frame: Camera, rng: np.random.Generator) -> crops.Cut:
    """The region that a tracker would cut: of the target's hand, or where it wrongly saw one."""
    if target >= 0:
        return crops.cut_hand(labels.project(stage.actors[target].points, frame), rng)
    assert stage.focus is not None
    x, y = labels.project(np.array(stage.focus.point), frame)
    size = 2 * stage.focus.radius * frame.fx / stage.focus.point[2]
    roi = Roi(float(x), float(y), float(size), float(rng.uniform(-math.pi, math.pi)))
    return crops.Cut(roi, "nothing")
