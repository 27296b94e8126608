"""The Tasks guide of 2026: video mode, then a live stream with a callback, drawn by tasks.vision.drawing_utils."""

import json
import sys
import threading

import cv2
import mediapipe as mp

BaseOptions = mp.tasks.BaseOptions
HandLandmarker = mp.tasks.vision.HandLandmarker
HandLandmarkerOptions = mp.tasks.vision.HandLandmarkerOptions
HandLandmarkerResult = mp.tasks.vision.HandLandmarkerResult
VisionRunningMode = mp.tasks.vision.RunningMode
Connections = mp.tasks.vision.HandLandmarksConnections

options = HandLandmarkerOptions(
    base_options=BaseOptions(model_asset_path="hand_landmarker.task"), running_mode=VisionRunningMode.VIDEO, num_hands=2
)
cap = cv2.VideoCapture(sys.argv[2])
cap.set(cv2.CAP_PROP_POS_FRAMES, 62)
with HandLandmarker.create_from_options(options) as landmarker:
    for k in range(6):
        ret, frame = cap.read()
        mp_image = mp.Image(image_format=mp.ImageFormat.SRGB, data=cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        result = landmarker.detect_for_video(mp_image, int(k * 1000 / 30))
        for hand in result.hand_landmarks:
            mp.tasks.vision.drawing_utils.draw_landmarks(frame, hand, Connections.HAND_CONNECTIONS)
        wrists = [(hand[0].x * frame.shape[1], hand[0].y * frame.shape[0]) for hand in result.hand_landmarks]
        sides = [hand[0].category_name for hand in result.handedness]
        unset = [hand[0].visibility for hand in result.hand_landmarks]
        print(json.dumps({"wrists_px": wrists, "sides": sides, "unset": unset, "colour_mean": frame.mean()}))

done, received = threading.Event(), []


def print_result(result: HandLandmarkerResult, output_image: mp.Image, timestamp_ms: int):
    received.append((timestamp_ms, output_image.width, [hand[0].category_name for hand in result.handedness]))
    done.set()


options = HandLandmarkerOptions(
    base_options=BaseOptions(model_asset_path="hand_landmarker.task"),
    running_mode=VisionRunningMode.LIVE_STREAM,
    result_callback=print_result,
)
with HandLandmarker.create_from_options(options) as landmarker:
    landmarker.detect_async(mp_image, 5)
    done.wait(20)
print(json.dumps(received))
