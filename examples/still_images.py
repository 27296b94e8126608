"""Hands in photos with MediaPipe's API: python examples/still_images.py PHOTO... (writes PHOTO-hands.png)"""

import sys
from pathlib import Path

import cv2

import knuckle.solutions as mp_solutions

mp_hands, mp_drawing, mp_styles = mp_solutions.hands, mp_solutions.drawing_utils, mp_solutions.drawing_styles

with mp_hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.5) as hands:
    for photo in map(Path, sys.argv[1:]):
        image = cv2.imread(str(photo))
        if image is None:
            sys.exit(f"{photo} is not an image")
        image = cv2.flip(image, 1)  # the legacy API expects a mirror image
        results = hands.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        hands_found = list(zip(results.multi_hand_landmarks or [], results.multi_handedness or [], strict=True))
        print(f"{photo}: {len(hands_found)} hands")
        for landmarks, handedness in hands_found:
            tip, side = landmarks.landmark[mp_hands.HandLandmark.INDEX_FINGER_TIP], handedness.classification[0]
            print(f"  {side.label} {side.score:.2f}, index finger tip at {tip.x:.3f}, {tip.y:.3f} (mirrored image)")
            styles = mp_styles.get_default_hand_landmarks_style(), mp_styles.get_default_hand_connections_style()
            mp_drawing.draw_landmarks(image, landmarks, mp_hands.HAND_CONNECTIONS, *styles)
        cv2.imwrite(str(photo.with_name(f"{photo.stem}-hands.png")), cv2.flip(image, 1))
