"""What projects with cvzone do: find hands in a clip, count fingers, measure a distance."""

import json
import sys

import cv2
from cvzone.HandTrackingModule import HandDetector

detector = HandDetector(staticMode=False, maxHands=2, modelComplexity=1, detectionCon=0.5, minTrackCon=0.5)
cap = cv2.VideoCapture(sys.argv[2])
cap.set(cv2.CAP_PROP_POS_FRAMES, 60)
for _ in range(6):
    success, img = cap.read()
    hands, img = detector.findHands(img, draw=True, flipType=True)
    report = {"types": [hand["type"] for hand in hands], "colour_mean": img.mean()}
    report["boxes_px"] = [[hand["bbox"], hand["center"], hand["lmList"][8][:2]] for hand in hands]
    report["up"] = [detector.fingersUp(hand) for hand in hands]
    if len(hands) == 2:
        length, info, img = detector.findDistance(hands[0]["lmList"][8][0:2], hands[1]["lmList"][8][0:2], img)
        report["length_px"] = length
    print(json.dumps(report))
