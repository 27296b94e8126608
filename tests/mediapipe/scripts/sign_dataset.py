"""A pickled data set for a sign language classifier: landmarks minus their minimum, all coordinates in a row."""

import json
import os
import pickle
import sys
import tempfile

import cv2
import mediapipe as mp

mp_hands = mp.solutions.hands
mp_drawing = mp.solutions.drawing_utils
hands = mp_hands.Hands(static_image_mode=True, min_detection_confidence=0.3)
data, labels = [], []
for img_path in sorted(os.listdir(sys.argv[1])):
    if not img_path.endswith(".jpg"):
        continue
    data_aux, x_, y_ = [], [], []
    img = cv2.imread(os.path.join(sys.argv[1], img_path))
    results = hands.process(cv2.cvtColor(img, cv2.COLOR_BGR2RGB))
    if results.multi_hand_landmarks:
        for hand_landmarks in results.multi_hand_landmarks:
            for i in range(len(hand_landmarks.landmark)):
                x_.append(hand_landmarks.landmark[i].x)
                y_.append(hand_landmarks.landmark[i].y)
            for i in range(len(hand_landmarks.landmark)):
                data_aux.append(hand_landmarks.landmark[i].x - min(x_))
                data_aux.append(hand_landmarks.landmark[i].y - min(y_))
        data.append(data_aux)
        labels.append((img_path, results.multi_handedness[0].classification[0].label))
with tempfile.TemporaryFile() as f:
    pickle.dump({"data": data, "labels": labels, "raw": results.multi_hand_landmarks}, f)
    f.seek(0)
    stored = pickle.load(f)
for row, label in zip(stored["data"], stored["labels"]):
    print(json.dumps({"label": label, "row": row}))
