"""A node of one's own says what each hand shows: python examples/gesture_label.py PHOTO_OR_CLIP"""

import sys

import numpy as np

import knuckle
from knuckle import FINGERS, Hand
from knuckle.graph import Graph, Node


def is_straight(hand: Hand, finger: str) -> bool:
    joints = hand.world[list(FINGERS[finger])]
    along = np.linalg.norm(np.diff(joints, axis=0), axis=1).sum()
    return bool(np.linalg.norm(joints[-1] - joints[0]) > 0.9 * along)


def label_gestures(hands: list[Hand]) -> list[tuple[Hand, str]]:
    """Each hand with what its fingers, without the thumb, make of it."""
    names = {"": "fist", "index": "pointing", "index middle": "two", "index middle ring pinky": "open hand"}
    straight = [" ".join(f for f in ("index", "middle", "ring", "pinky") if is_straight(hand, f)) for hand in hands]
    return [(hand, names.get(fingers, fingers)) for hand, fingers in zip(hands, straight, strict=True)]


tracking = Node(knuckle.HandTracker().graph, ("image", "time_s"), "hands")
graph = Graph("gestures", ["image", "time_s"], [tracking, Node(label_gestures, ("hands",), "labelled")], "labelled")
for frame in knuckle.read(sys.argv[1]):
    for hand, gesture in graph(frame.image, frame.time_s):
        print(f"{frame.index:5} {frame.time_s:7.2f} s  {hand.handedness:5} {hand.track_id}: {gesture}")
