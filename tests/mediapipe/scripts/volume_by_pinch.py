"""Gesture volume control: thumb to index, interpolated to a volume; only with model_complexity 0."""

import json
import sys
from math import hypot

import cv2
import mediapipe as mp
import numpy as np

cap = cv2.VideoCapture(sys.argv[2])
cap.set(cv2.CAP_PROP_POS_FRAMES, 60)
mpHands = mp.solutions.hands
hands = mpHands.Hands(static_image_mode=True, model_complexity=0, max_num_hands=1, min_detection_confidence=0.6)
for _ in range(6):
    success, img = cap.read()
    if not success:
        break
    results = hands.process(cv2.cvtColor(img, cv2.COLOR_BGR2RGB))
    if results.multi_hand_landmarks:
        lmList = []
        for handlandmark in results.multi_hand_landmarks:
            for id, lm in enumerate(handlandmark.landmark):
                h, w, _ = img.shape
                lmList.append([id, lm.x * w, lm.y * h])
        x1, y1 = lmList[4][1], lmList[4][2]
        x2, y2 = lmList[8][1], lmList[8][2]
        length = hypot(x2 - x1, y2 - y1)
        print(json.dumps({"length_px": length, "volume_mean": float(np.interp(length, [15, 220], [0, 100]))}))
    else:
        print(json.dumps({"length_px": None}))
