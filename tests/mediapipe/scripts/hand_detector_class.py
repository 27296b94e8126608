"""The class that virtual mice and painters share: positions, fingers that are up, distance of two tips, box."""

import json
import math
import os
import sys

import cv2
import mediapipe as mp


class HandDetector:
    def __init__(self, mode=False, maxHands=2, modelComplexity=1, detectionCon=0.5, trackCon=0.5):
        self.mpHands = mp.solutions.hands
        self.hands = self.mpHands.Hands(mode, maxHands, modelComplexity, detectionCon, trackCon)
        self.mpDraw = mp.solutions.drawing_utils
        self.tipIds = [4, 8, 12, 16, 20]

    def findHands(self, img, draw=True):
        self.results = self.hands.process(cv2.cvtColor(img, cv2.COLOR_BGR2RGB))
        if self.results.multi_hand_landmarks and draw:
            for handLms in self.results.multi_hand_landmarks:
                self.mpDraw.draw_landmarks(img, handLms, self.mpHands.HAND_CONNECTIONS)
        return img

    def findPosition(self, img, handNo=0):
        self.lmList = []
        if self.results.multi_hand_landmarks:
            h, w, _ = img.shape
            for id, lm in enumerate(self.results.multi_hand_landmarks[handNo].landmark):
                self.lmList.append([id, int(lm.x * w), int(lm.y * h)])
        xs, ys = [row[1] for row in self.lmList], [row[2] for row in self.lmList]
        return self.lmList, (min(xs), min(ys), max(xs), max(ys)) if xs else ()

    def fingersUp(self):
        thumb = self.lmList[4][1] > self.lmList[3][1]
        return [int(thumb)] + [int(self.lmList[tip][2] < self.lmList[tip - 2][2]) for tip in self.tipIds[1:]]


detector = HandDetector(mode=True, detectionCon=0.7)
for name in ("drawn_one", "drawn_two", "drawn_turned", "scene_00", "scene_01"):
    img = detector.findHands(cv2.imread(os.path.join(sys.argv[1], name + ".jpg")))
    lmList, bbox = detector.findPosition(img)
    report = {"photo": name, "box_px": bbox, "colour_mean": img.mean()}
    if lmList:
        report["up"] = detector.fingersUp()
        report["length_px"] = math.hypot(lmList[8][1] - lmList[4][1], lmList[8][2] - lmList[4][2])
    print(json.dumps(report))
