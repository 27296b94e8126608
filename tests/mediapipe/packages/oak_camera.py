"""Hands on the frames of an OAK camera through depthai; stand_in/depthai.py plays a clip where there is no camera."""

import json

import cv2
import depthai as dai
import mediapipe as mp

pipeline = dai.Pipeline()
camera = pipeline.createColorCamera()
camera.setPreviewSize(640, 480)
camera.setInterleaved(False)
camera.setBoardSocket(dai.CameraBoardSocket.RGB)
out = pipeline.createXLinkOut()
out.setStreamName("rgb")
camera.preview.link(out.input)
device = dai.Device(pipeline)
queue = device.getOutputQueue(name="rgb", maxSize=4, blocking=False)

mp_hands, mp_drawing = mp.solutions.hands, mp.solutions.drawing_utils
with mp_hands.Hands(max_num_hands=2, min_detection_confidence=0.5, min_tracking_confidence=0.5) as hands:
    while True:
        packet = queue.tryGet()
        if packet is None:
            break
        frame = packet.getCvFrame()
        results = hands.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        tips = []
        for hand_landmarks in results.multi_hand_landmarks or []:
            mp_drawing.draw_landmarks(frame, hand_landmarks, mp_hands.HAND_CONNECTIONS)
            tip = hand_landmarks.landmark[mp_hands.HandLandmark.THUMB_TIP]
            tips.append([tip.x * frame.shape[1], tip.y * frame.shape[0]])
        print(json.dumps({"tips_px": tips, "colour_mean": frame.mean()}))
