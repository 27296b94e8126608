"""Count the fingers of all hands: python examples/finger_counting.py [SOURCE]"""

import sys

import knuckle

STEADY_S = 0.2  # a number counts once it was shown for so long
tracker = knuckle.HandTracker(gestures="fingers")
said, number, since_s = None, None, 0.0
for frame in knuckle.read(sys.argv[1] if len(sys.argv) > 1 else 0):
    hands = tracker(frame.image, frame.time_s)
    counted = [int(hand.gesture.name) for hand in hands if hand.gesture]
    if number != (sum(counted) if counted else None):
        number, since_s = sum(counted) if counted else None, frame.time_s
    if number not in (said, None) and frame.time_s - since_s >= STEADY_S:
        said = number
        print(f"{frame.time_s:6.2f} s  {' + '.join(map(str, counted))} = {number}", flush=True)
