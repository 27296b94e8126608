"""A window that shows pictures as they come: q or Esc quits, space pauses, m mirrors."""

from __future__ import annotations

import os
import sys
from types import TracebackType

import cv2

from knuckle.errors import EngineError
from knuckle.images import Image

KEYS = "q quit, space pause, m mirror"


class Window:
    """Use as a context manager and call `show` for each picture.

    Raises:
        EngineError: there is no screen, or this OpenCV was built without windows.
    """

    def __init__(self, title: str = "Knuckle", mirrored: bool = False) -> None:
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise EngineError("--show needs a screen; there is none here (DISPLAY is not set)")
        self.title, self.mirrored, self.paused = f"{title} ({KEYS})", mirrored, False
        try:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise EngineError(
                "this OpenCV cannot open windows; pip uninstall opencv-python-headless, "
                "then pip install --force-reinstall opencv-contrib-python"
            ) from error
        self._sized = False

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cv2.destroyWindow(self.title)

    def show(self, picture: Image) -> bool:
        """Show an RGB picture; wait while paused; False when the user quits."""
        if not self._sized:
            cv2.resizeWindow(self.title, picture.shape[1], picture.shape[0])
            self._sized = True
        while True:
            seen = picture[:, ::-1] if self.mirrored else picture
            cv2.imshow(self.title, cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(50 if self.paused else 1) & 0xFF
            if key in (ord("q"), 27) or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return False
            self.mirrored ^= key == ord("m")
            self.paused ^= key == ord(" ")
            if not self.paused:
                return True
