"""Name the gesture of each hand with a node of your own: python examples/gesture_label.py PHOTO_OR_VIDEO"""

import sys

from knuckle import Hand, HandTracker, read
from knuckle.graph import Graph, Node

GESTURES = {"": "fist", "index": "pointing", "index middle": "two", "index middle ring pinky": "open hand"}


def gesture_of(hand: Hand) -> str:
    extended = " ".join(finger for finger in ("index", "middle", "ring", "pinky") if hand.is_extended(finger))
    return GESTURES.get(extended, extended)


tracking = Node(HandTracker().graph, ("image", "time_s"), "hands")
naming = Node(lambda hands: [(hand, gesture_of(hand)) for hand in hands], ("hands",), "labelled")
graph = Graph("gestures", ["image", "time_s"], [tracking, naming], "labelled")
for frame in read(sys.argv[1]):
    for hand, gesture in graph(frame.image, frame.time_s):
        print(f"{frame.index:5} {frame.time_s:7.2f} s  {hand.handedness:5} {hand.track_id}: {gesture}")
