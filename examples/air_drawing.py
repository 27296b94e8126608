"""Draw in the air while thumb and index finger touch: python examples/air_drawing.py SOURCE OUT.png"""

import sys

import cv2
import numpy as np
from PIL import Image

import knuckle
from knuckle.stream.pose import pinch_strength

COLOURS = ((255, 205, 60), (64, 190, 246), (255, 138, 76), (96, 214, 120))
tracker = knuckle.HandTracker()
picture, ends, drawing, pinches = None, {}, {}, {}
for frame in knuckle.read(sys.argv[1]):
    picture = np.zeros_like(frame.image) if picture is None else picture
    for hand in tracker(frame.image, frame.time_s):
        name = hand.track_id  # a third of the pinch is that of earlier frames, so one odd frame draws nothing
        pinches[name] = pinch = (pinches.get(name, 0) + 2 * pinch_strength(hand.world)) / 3
        drawing[name] = pinch > (0.65 if drawing.get(name) else 0.8)
        end = tuple(((hand.thumb_tip + hand.index_tip)[:2] / 2).round().astype(int).tolist())
        if drawing[name]:
            cv2.line(picture, ends.get(name, end), end, COLOURS[name % len(COLOURS)], 5, cv2.LINE_AA)
        ends[name] = end
shown = np.where(picture.any(axis=2, keepdims=True), picture, frame.image // 2)  # over the last frame
Image.fromarray(shown).save(sys.argv[2])
