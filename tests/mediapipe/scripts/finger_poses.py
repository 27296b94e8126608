"""A helper in the manner of fingerpose: curl of each finger by angles, direction by its slope, gesture by votes."""

import json
import math
import os
import sys

import cv2
import mediapipe as mp

FINGERS = {"thumb": (1, 2, 3, 4), "index": (5, 6, 7, 8), "middle": (9, 10, 11, 12), "ring": (13, 14, 15, 16)}
FINGERS["pinky"] = (17, 18, 19, 20)
GESTURES = {"open": ["no"] * 5, "fist": ["full"] * 5, "point": ["full", "no", "full", "full", "full"]}


def angle(a, b, c):
    u, v = [(p.x - b.x, p.y - b.y, p.z - b.z) for p in (a, c)]
    cosine = sum(i * j for i, j in zip(u, v)) / math.dist(u, (0, 0, 0)) / math.dist(v, (0, 0, 0))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


hands = mp.solutions.hands.Hands(static_image_mode=True, max_num_hands=1)
for name in ("drawn_one", "drawn_two", "drawn_turned", "scene_00", "scene_02", "scene_03"):
    image = cv2.cvtColor(cv2.imread(os.path.join(sys.argv[1], name + ".jpg")), cv2.COLOR_BGR2RGB)
    results = hands.process(image)
    if not results.multi_hand_landmarks:
        continue
    lm = results.multi_hand_landmarks[0].landmark
    bends = {finger: angle(lm[p[0]], lm[p[1]], lm[p[-1]]) for finger, p in FINGERS.items()}
    curls = ["no" if bend > 130 else "half" if bend > 60 else "full" for bend in bends.values()]
    slopes = [math.degrees(math.atan2(lm[p[0]].y - lm[p[3]].y, lm[p[3]].x - lm[p[0]].x)) for p in FINGERS.values()]
    votes = {gesture: sum(a == b for a, b in zip(curls, wanted)) for gesture, wanted in GESTURES.items()}
    print(
        json.dumps(
            {
                "photo": name,
                "bends_deg": list(bends.values()),
                "slopes_deg": slopes,
                "gesture": max(votes, key=votes.get),
            }
        )
    )
