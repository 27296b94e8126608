"""Landmarks as dictionaries and JSON: fingertips by MessageToDict, items in order, files that are read back."""

import json
import os
import sys

import cv2
import mediapipe as mp
import numpy as np
from google.protobuf import json_format
from google.protobuf.json_format import MessageToDict, MessageToJson

mp_hands = mp.solutions.hands
image = cv2.cvtColor(cv2.imread(os.path.join(sys.argv[1], "drawn_two.jpg")), cv2.COLOR_BGR2RGB)
with mp_hands.Hands(static_image_mode=True) as hands:
    results = hands.process(image)
for hand_landmarks, world in zip(results.multi_hand_landmarks, results.multi_hand_world_landmarks):
    h_l = MessageToDict(hand_landmarks)["landmark"]
    print(json.dumps({"tips": [h_l[i] for i in (8, 12, 16, 20)]}))
    rows = np.empty([0, 3])
    for region in mp_hands.HandLandmark:
        data = list(MessageToDict(hand_landmarks.landmark[region]).items())
        rows = np.append(rows, [[data[k][1] for k in range(3)]], axis=0)
    print(json.dumps({"shape": rows.shape, "sum": rows.sum(axis=0).tolist()}))
    text = MessageToJson(world)
    back = json_format.Parse(text, type(world)())
    again = json_format.ParseDict(json.loads(text), type(world)())
    print(json.dumps({"lines": text.count("\n"), "same": back == again == world, "world": json.loads(text)}))
