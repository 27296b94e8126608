"""The hand detector of dex-retargeting's examples on a clip; it draws what it finds."""

import json
import sys

import cv2
from single_hand_detector import SingleHandDetector

for side in ("Left", "Right"):
    detector = SingleHandDetector(hand_type=side, selfie=False)
    cap = cv2.VideoCapture(sys.argv[2])
    cap.set(cv2.CAP_PROP_POS_FRAMES, 60)
    for _ in range(5):
        frame = cap.read()[1]
        num_box, joint_pos, keypoint_2d, wrist = detector.detect(frame[..., ::-1])
        report = {"side": side, "boxes": num_box}
        if num_box:
            report["joints_m"] = joint_pos.tolist()
            report["points_px"] = detector.parse_keypoint_2d(keypoint_2d, frame.shape).tolist()
            for style in ("white", "default"):
                report[style + "_mean"] = detector.draw_skeleton_on_image(frame, keypoint_2d, style).mean()
        print(json.dumps(report))
