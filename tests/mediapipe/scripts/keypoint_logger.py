"""Training data for a gesture classifier: box by OpenCV, landmarks relative to the wrist, one CSV row a hand."""

import copy
import csv
import itertools
import json
import os
import sys
import tempfile

import cv2
import mediapipe as mp
import numpy as np


def calc_landmark_list(image, landmarks):
    width, height = image.shape[1], image.shape[0]
    return [
        [min(int(p.x * width), width - 1), min(int(p.y * height), height - 1)] for _, p in enumerate(landmarks.landmark)
    ]


def pre_process(landmark_list):
    temp = copy.deepcopy(landmark_list)
    base_x, base_y = temp[0]
    for point in temp:
        point[0] -= base_x
        point[1] -= base_y
    flat = list(itertools.chain.from_iterable(temp))
    largest = max(map(abs, flat))
    return [n / largest for n in flat]


hands = mp.solutions.hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.7)
path = os.path.join(tempfile.mkdtemp(), "keypoint.csv")
for name in ("drawn_one", "drawn_two", "scene_02", "scene_03", "scene_06"):
    image = cv2.flip(cv2.imread(os.path.join(sys.argv[1], name + ".jpg")), 1)
    results = hands.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    if results.multi_hand_landmarks is None:
        continue
    for hand_landmarks, handedness in zip(results.multi_hand_landmarks, results.multi_handedness):
        points = calc_landmark_list(image, hand_landmarks)
        x, y, w, h = cv2.boundingRect(np.array(points))
        print(json.dumps({"photo": name, "box_px": [x, y, w, h], "label": handedness.classification[0].label[0:]}))
        with open(path, "a", newline="") as f:
            csv.writer(f).writerow([0, *pre_process(points)])
rows = np.loadtxt(path, delimiter=",")
print(json.dumps({"rows": rows.shape, "columns_mean": rows.mean(axis=0).tolist()}))
