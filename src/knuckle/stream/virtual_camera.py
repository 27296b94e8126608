"""A virtual camera, which other programs take for a real one: the frames with the hands drawn on them."""

from __future__ import annotations

from typing import Any

from knuckle.errors import EngineError
from knuckle.extras import cv2, required
from knuckle.media.draw_style import DrawStyle
from knuckle.media.drawer import HandDrawer
from knuckle.results import Frame
from knuckle.stream.values import FrameValues

ADVICE = "Linux: sudo modprobe v4l2loopback; Windows and macOS: install OBS, and start its virtual camera once"


class VirtualCamera:
    """Shows each frame on a virtual camera. Its size is that of the first frame.

    Args:
        rate: frames per second that the camera states.
        style: what is drawn.
    """

    waits = True

    def __init__(self, rate: float | None = None, style: DrawStyle | None = None) -> None:
        self.name, self.rate, self._draw = "virtual camera", rate or 30.0, HandDrawer(style)
        self._api = required("pyvirtualcam", "virtual-camera", "virtual cameras")
        self._camera: Any = None

    def open(self, frame: Frame) -> None:
        """Open the device.

        Raises:
            EngineError: there is none, or it is in use.
        """
        width, height = frame.width & ~1, frame.height & ~1  # the formats of cameras need even sides
        try:
            self._camera = self._api.Camera(width, height, self.rate)
        except RuntimeError as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise EngineError(f"no virtual camera can be opened ({reason}). {ADVICE}") from error
        self.name = f"virtual camera {self._camera.device}"

    def send(self, values: FrameValues) -> None:
        frame = values.frame
        picture: Any = self._draw(frame.image, [hand.hand for hand in values.hands], frame.time_s)
        size = (self._camera.width, self._camera.height)
        if picture.shape[1::-1] != size:
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        try:
            self._camera.send(picture)
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None
