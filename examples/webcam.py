"""Hands in a camera with MediaPipe's API: python examples/webcam.py [FILE]. Needs OpenCV with windows; Escape quits."""

import sys

import cv2

import knuckle.solutions as mp_solutions

mp_hands, mp_drawing, mp_styles = mp_solutions.hands, mp_solutions.drawing_utils, mp_solutions.drawing_styles

camera = cv2.VideoCapture(sys.argv[1] if len(sys.argv) > 1 else 0)
frames = seen = 0
with mp_hands.Hands(model_complexity=0, min_detection_confidence=0.5, min_tracking_confidence=0.5) as hands:
    while True:
        success, image = camera.read()
        if not success:
            break
        image = cv2.flip(image, 1)  # a mirror image, as the legacy API expects it
        results = hands.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        frames, seen = frames + 1, seen + len(results.multi_hand_landmarks or [])
        for landmarks in results.multi_hand_landmarks or []:
            styles = mp_styles.get_default_hand_landmarks_style(), mp_styles.get_default_hand_connections_style()
            mp_drawing.draw_landmarks(image, landmarks, mp_hands.HAND_CONNECTIONS, *styles)
        cv2.imshow("Hands", image)
        if cv2.waitKey(1) & 0xFF == 27:
            break
camera.release()
print(f"{frames} frames, {seen} hands")
