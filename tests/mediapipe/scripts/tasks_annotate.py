"""The Tasks guide of 2023: HandLandmarker on a photo, drawn by the old drawing functions through landmark_pb2."""

import json
import os
import sys

import cv2
import mediapipe as mp
import numpy as np
from mediapipe import solutions
from mediapipe.framework.formats import landmark_pb2
from mediapipe.tasks import python
from mediapipe.tasks.python import vision

MARGIN = 10


def draw_landmarks_on_image(rgb_image, detection_result):
    annotated_image = np.copy(rgb_image)
    corners = []
    for idx in range(len(detection_result.hand_landmarks)):
        hand_landmarks = detection_result.hand_landmarks[idx]
        proto = landmark_pb2.NormalizedLandmarkList()
        proto.landmark.extend([landmark_pb2.NormalizedLandmark(x=p.x, y=p.y, z=p.z) for p in hand_landmarks])
        solutions.drawing_utils.draw_landmarks(
            annotated_image,
            proto,
            solutions.hands.HAND_CONNECTIONS,
            solutions.drawing_styles.get_default_hand_landmarks_style(),
            solutions.drawing_styles.get_default_hand_connections_style(),
        )
        height, width, _ = annotated_image.shape
        corners.append([min(p.x for p in hand_landmarks) * width, min(p.y for p in hand_landmarks) * height - MARGIN])
        name = detection_result.handedness[idx][0].category_name
        at = (int(corners[-1][0]), int(corners[-1][1]))
        cv2.putText(annotated_image, name, at, cv2.FONT_HERSHEY_DUPLEX, 1, (88, 205, 54), 1, cv2.LINE_AA)
    return annotated_image, corners


base_options = python.BaseOptions(model_asset_path="hand_landmarker.task")
detector = vision.HandLandmarker.create_from_options(
    vision.HandLandmarkerOptions(base_options=base_options, num_hands=2)
)
for name in ("drawn_one", "scene_00", "scene_01"):
    image = mp.Image.create_from_file(os.path.join(sys.argv[1], name + ".jpg"))
    result = detector.detect(image)
    annotated, corners = draw_landmarks_on_image(image.numpy_view(), result)
    sides = [(h[0].index, h[0].category_name, h[0].display_name) for h in result.handedness]
    scores = [h[0].score for h in result.handedness]
    print(
        json.dumps(
            {
                "photo": name,
                "corners_px": corners,
                "sides": sides,
                "scores_jpeg": scores,
                "colour_mean": annotated.mean(),
            }
        )
    )
