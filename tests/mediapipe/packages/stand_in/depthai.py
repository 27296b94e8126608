"""The part of depthai that oak_camera.py uses, without a camera: five frames of the clip in `sys.argv[2]`."""

import sys
from types import SimpleNamespace

import cv2


class _Anything:
    """Takes every call and has every attribute, like the nodes of a pipeline."""

    def __getattr__(self, name):
        return _Anything()

    def __call__(self, *arguments, **options):
        return _Anything()


Pipeline = _Anything
CameraBoardSocket = _Anything()


class Device:
    def __init__(self, pipeline):
        self.clip = cv2.VideoCapture(sys.argv[2])
        self.clip.set(cv2.CAP_PROP_POS_FRAMES, 60)
        self.left = 5

    def getOutputQueue(self, name, maxSize, blocking):
        return self

    def tryGet(self):
        self.left -= 1
        frame = self.clip.read()[1]
        return SimpleNamespace(getCvFrame=lambda: frame) if self.left >= 0 else None
