"""Which hands are in the picture: MessageToDict on the handedness, and the label found by index and score."""

import glob
import json
import os
import sys

import cv2
import mediapipe as mp
import numpy as np
from google.protobuf.json_format import MessageToDict

mp_hands = mp.solutions.hands
hands = mp_hands.Hands(static_image_mode=True, model_complexity=1, min_detection_confidence=0.75, max_num_hands=2)


def get_label(index, hand, results, size):
    for idx, classification in enumerate(results.multi_handedness):
        if classification.classification[0].index == index:
            label = classification.classification[0].label
            score = round(classification.classification[0].score, 2)
            wrist = hand.landmark[mp_hands.HandLandmark.WRIST]
            coords = np.multiply(np.array((wrist.x, wrist.y)), size).astype(int).tolist()
            return {"text": label, "score": score, "coords_px": coords, "idx": idx}
    return None


for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.jpg"))):
    img = cv2.flip(cv2.imread(path), 1)
    results = hands.process(cv2.cvtColor(img, cv2.COLOR_BGR2RGB))
    if not results.multi_hand_landmarks:
        print(json.dumps({"text": "no hands"}))
        continue
    if len(results.multi_handedness) == 2:
        print(json.dumps({"text": "Both Hands"}))
    for i in results.multi_handedness:
        entry = MessageToDict(i)["classification"][0]
        print(json.dumps({"label": entry["label"], "index": entry.get("index", 0), "score": entry["score"]}))
    for num, hand in enumerate(results.multi_hand_landmarks):
        print(json.dumps(get_label(num, hand, results, [img.shape[1], img.shape[0]])))
