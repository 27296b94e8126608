"""What robot hands need: the hand of one side by ListFields, world landmarks in the frame of the wrist."""

import json
import os
import sys

import cv2
import mediapipe as mp
import mediapipe.framework as framework
import numpy as np
from mediapipe.framework.formats import landmark_pb2
from mediapipe.python.solutions import hands_connections
from mediapipe.python.solutions.drawing_utils import DrawingSpec
from mediapipe.python.solutions.hands import HandLandmark


class OneHand:
    def __init__(self, side="Right"):
        self.side = {"Right": "Left", "Left": "Right"}[side]
        self.hands = mp.solutions.hands.Hands(static_image_mode=True, max_num_hands=1, min_detection_confidence=0.8)

    def detect(self, rgb):
        results = self.hands.process(rgb)
        for k, _ in enumerate(results.multi_hand_landmarks or []):
            if results.multi_handedness[k].ListFields()[0][1][0].label == self.side:
                return results.multi_hand_landmarks[k], self.array(results.multi_hand_world_landmarks[k])
        return None, None

    @staticmethod
    def array(points: framework.formats.landmark_pb2.LandmarkList) -> np.ndarray:
        keypoint = np.empty([21, 3])
        for i in range(21):
            keypoint[i] = points.landmark[i].x, points.landmark[i].y, points.landmark[i].z
        return keypoint - keypoint[:1]

    @staticmethod
    def draw(image, points: landmark_pb2.NormalizedLandmarkList):
        dots = {landmark: DrawingSpec((255, 48, 48), -1, 4) for landmark in HandLandmark}
        lines = {pair: DrawingSpec(thickness=2) for pair in hands_connections.HAND_CONNECTIONS}
        mp.solutions.drawing_utils.draw_landmarks(image, points, mp.solutions.hands.HAND_CONNECTIONS, dots, lines)
        return image


for side in ("Left", "Right"):
    detector = OneHand(side)
    for name in ("drawn_one", "drawn_turned", "scene_00", "scene_01", "scene_06"):
        rgb = cv2.imread(os.path.join(sys.argv[1], name + ".jpg"))[..., ::-1]
        points, joints = detector.detect(rgb)
        if points is None:
            print(json.dumps({"photo": name, "side": side, "found": False}))
            continue
        x = joints[0] - joints[9]
        normal = np.cross(joints[5] - joints[0], joints[17] - joints[0])
        frame = np.stack([x / np.linalg.norm(x), normal / np.linalg.norm(normal)])
        drawn = detector.draw(np.ascontiguousarray(rgb), points)
        print(
            json.dumps(
                {"photo": name, "side": side, "joints_m": (joints @ frame.T).tolist(), "colour_mean": drawn.mean()}
            )
        )
