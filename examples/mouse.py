"""Move the mouse with a hand, click with a pinch: python examples/mouse.py [SOURCE]. Needs pyautogui; Ctrl-C ends."""

import sys

import numpy as np
import pyautogui

import knuckle
from knuckle.pipeline.smooth import one_euro
from knuckle.stream.pose import pinch_strength

pyautogui.PAUSE, pyautogui.FAILSAFE = 0, False
tracker, screen = knuckle.HandTracker(max_hands=1), np.array(pyautogui.size())
pointer, pressed, pinch = None, False, 0.0
for frame in knuckle.read(sys.argv[1] if len(sys.argv) > 1 else 0):
    for hand in tracker(frame.image, frame.time_s):
        # The knuckle of the index finger points: unlike the fingertip it stays where it is during a pinch.
        pointer = one_euro(pointer, hand.landmarks_raw[5:6], frame.time_s, hand.palm_size)
        x, y = pointer.value[0, :2] / (frame.width, frame.height)
        spot = np.clip((np.array([1 - x, y]) - 0.2) / 0.6, 0, 1) * (screen - 1)  # a mirror; the middle is the screen
        pyautogui.moveTo(*spot.round().astype(int).tolist())
        pinch = (pinch + pinch_strength(hand.world)) / 2  # half is that of earlier frames: one odd frame clicks nothing
        if pressed != (pinch > (0.6 if pressed else 0.85)):  # what is pressed is released later, so it does not flicker
            pressed = not pressed
            (pyautogui.mouseDown if pressed else pyautogui.mouseUp)()
