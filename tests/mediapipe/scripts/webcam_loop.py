"""The loop of every webcam tutorial: mirror, process, draw with one colour of our own, count hands."""

import json
import sys

import cv2
import mediapipe as mp

mpHands = mp.solutions.hands
hands = mpHands.Hands(False, 2, 1, 0.5, 0.5)
mpDraw = mp.solutions.drawing_utils
cap = cv2.VideoCapture(sys.argv[2])
seen = 0
while cap.isOpened():
    success, img = cap.read()
    if not success or seen == 72:
        break
    seen += 1
    if seen <= 56:
        continue
    img = cv2.flip(img, 1)
    imgRGB = cv2.cvtColor(img, cv2.COLOR_BGR2RGB)
    imgRGB.flags.writeable = False
    results = hands.process(imgRGB)
    line = {"frame": seen, "hands": 0}
    if results.multi_hand_landmarks:
        line["hands"] = len(results.multi_hand_landmarks)
        for handLms in results.multi_hand_landmarks:
            for id, lm in enumerate(handLms.landmark):
                h, w, c = img.shape
                cx, cy = int(lm.x * w), int(lm.y * h)
                if id == 0:
                    line.setdefault("wrists_px", []).append((cx, cy))
            mpDraw.draw_landmarks(
                img, handLms, mpHands.HAND_CONNECTIONS, mpDraw.DrawingSpec(color=(121, 22, 76), thickness=2)
            )
    print(json.dumps(line))
hands.close()
cap.release()
