"""Angles of joints from three landmarks each, and world landmarks as an array."""

import json
import os
import sys

import cv2
import mediapipe as mp
import numpy as np

joint_list = [[8, 7, 6], [12, 11, 10], [16, 15, 14], [20, 19, 18], [4, 3, 2]]
mp_hands = mp.solutions.hands
with mp_hands.Hands(min_detection_confidence=0.8, min_tracking_confidence=0.5, static_image_mode=True) as hands:
    for name in ("drawn_one", "drawn_turned", "scene_00", "scene_01", "scene_08"):
        image = cv2.cvtColor(cv2.imread(os.path.join(sys.argv[1], name + ".jpg")), cv2.COLOR_BGR2RGB)
        results = hands.process(image)
        if not results.multi_hand_landmarks:
            print(json.dumps({"photo": name, "hands": 0}))
            continue
        for num, hand in enumerate(results.multi_hand_landmarks):
            angles = []
            for joint in joint_list:
                a, b, c = (np.array([hand.landmark[k].x, hand.landmark[k].y]) for k in joint)
                radians = np.arctan2(c[1] - b[1], c[0] - b[0]) - np.arctan2(a[1] - b[1], a[0] - b[0])
                angle = np.abs(radians * 180.0 / np.pi)
                angles.append(360 - angle if angle > 180.0 else angle)
            world = np.array([(p.x, p.y, p.z) for p in results.multi_hand_world_landmarks[num].landmark])
            print(json.dumps({"photo": name, "angles_deg": angles, "span_m": np.ptp(world, axis=0).tolist()}))
