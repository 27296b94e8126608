"""The guide of the old API: photos, handedness, fingertips, world landmarks, an annotated copy."""

import glob
import json
import os
import sys

import cv2
import mediapipe as mp

mp_drawing = mp.solutions.drawing_utils
mp_drawing_styles = mp.solutions.drawing_styles
mp_hands = mp.solutions.hands

with mp_hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.5) as hands:
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.jpg"))):
        image = cv2.flip(cv2.imread(path), 1)
        results = hands.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        report = {"photo": os.path.basename(path), "sides": str(results.multi_handedness)[:20], "tips": []}
        if results.multi_hand_landmarks:
            height, width, _ = image.shape
            annotated = image.copy()
            for hand_landmarks in results.multi_hand_landmarks:
                tip = hand_landmarks.landmark[mp_hands.HandLandmark.INDEX_FINGER_TIP]
                report["tips"].append({"x_px": tip.x * width, "y_px": tip.y * height})
                mp_drawing.draw_landmarks(
                    annotated,
                    hand_landmarks,
                    mp_hands.HAND_CONNECTIONS,
                    mp_drawing_styles.get_default_hand_landmarks_style(),
                    mp_drawing_styles.get_default_hand_connections_style(),
                )
            report["colour_mean"] = annotated.mean(axis=(0, 1)).tolist()
            report["wrists_m"] = [hand.landmark[0].y for hand in results.multi_hand_world_landmarks]
        print(json.dumps(report))
