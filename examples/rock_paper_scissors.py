"""Two hands play: python examples/rock_paper_scissors.py [SOURCE]. A round counts when both show a sign for 0.3 s."""

import sys

import knuckle

SIGNS = {"Closed_Fist": "rock", "Open_Palm": "paper", "Victory": "scissors"}
BEATS = {("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")}
tracker, score = knuckle.HandTracker(gestures="mediapipe"), {"left": 0, "right": 0}
shown, since_s, seen_s, counted = (), 0.0, 0.0, False
for frame in knuckle.read(sys.argv[1] if len(sys.argv) > 1 else 0):
    hands = sorted(tracker(frame.image, frame.time_s), key=lambda hand: hand.wrist[0])  # left in the image first
    signs = tuple(SIGNS[hand.gesture.name] for hand in hands if hand.gesture and hand.gesture.name in SIGNS)
    if len(signs) < 2:
        continue  # single frames without a sign do not count; a pause ends the round
    if signs != shown or frame.time_s - seen_s > 0.5:
        shown, since_s, counted = signs, frame.time_s, False
    seen_s = frame.time_s
    if not counted and seen_s - since_s >= 0.3:
        counted = True
        winner = "left" if signs in BEATS else "right" if signs[::-1] in BEATS else "nobody"
        if winner in score:
            score[winner] += 1
        print(f"{signs[0]} against {signs[1]}: {winner} wins. {score['left']} : {score['right']}", flush=True)
