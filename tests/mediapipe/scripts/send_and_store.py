"""Landmarks through a socket and a file: SerializeToString, FromString, pickle, deepcopy, CopyFrom, MergeFrom."""

import copy
import json
import os
import pickle
import sys
from collections import deque

import cv2
import mediapipe as mp
from mediapipe.framework.formats import classification_pb2, landmark_pb2

image = cv2.cvtColor(cv2.imread(os.path.join(sys.argv[1], "drawn_one.jpg")), cv2.COLOR_BGR2RGB)
with mp.solutions.hands.Hands(static_image_mode=True) as hands:
    results = hands.process(image)
points, side = results.multi_hand_landmarks[0], results.multi_handedness[0]
data = points.SerializeToString()
received = landmark_pb2.NormalizedLandmarkList.FromString(data)
parsed = classification_pb2.ClassificationList()
parsed.ParseFromString(side.SerializeToString())
print(json.dumps({"bytes": len(data), "size": points.ByteSize(), "same": received == points and parsed == side}))
print(json.dumps({"pickled": pickle.loads(pickle.dumps(points)) == points, "copied": copy.deepcopy(points) == points}))

history = deque(maxlen=3)
for shift in (0.0, 0.01, 0.02):
    moved = landmark_pb2.NormalizedLandmarkList()
    moved.CopyFrom(points)
    for landmark in moved.landmark:
        landmark.x += shift
    history.append(moved)
mean = landmark_pb2.NormalizedLandmarkList()
for k in range(21):
    mean.landmark.add(x=sum(h.landmark[k].x for h in history) / 3, y=history[0].landmark[k].y)
both = landmark_pb2.NormalizedLandmarkList()
both.MergeFrom(points)
both.MergeFrom(mean)
del both.landmark[21:]
print(json.dumps({"mean": [[p.x, p.y, p.z] for p in mean.landmark[:4]], "merged": both == points}))
fields = points.landmark[8].ListFields()
print(json.dumps({"fields": [(field.name, field.number, value) for field, value in fields]}))
print(json.dumps({"has": [points.landmark[0].HasField(name) for name in ("x", "visibility", "presence")]}))
names = [field.name for field in points.landmark[0].DESCRIPTOR.fields]
print(json.dumps({"name": points.DESCRIPTOR.full_name, "names": names, "visibility": points.landmark[0].visibility}))
points.landmark[0].ClearField("x")
print(json.dumps({"cleared": points.landmark[0].x, "text": str(side).split('"')[1], "kind": type(points).__name__}))
