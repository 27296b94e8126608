"""A window that shows images as they come: q or Esc quits, space pauses, m mirrors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType

import cv2

from knuckle.errors import EngineError
from knuckle.images import Image

KEYS = "q quit, space pause, m mirror"
ESCAPE = 27


class Window:
    """Use it as a context manager and call `show` for each frame.

    Args:
        title: the title of the window.
        mirrored: start with mirror images, as people expect of their own camera; the key m switches.

    Raises:
        EngineError: there is no screen, or this OpenCV was built without windows.
    """

    def __init__(self, title: str = "Knuckle", mirrored: bool = False) -> None:
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise EngineError("--show needs a screen, but DISPLAY is not set")
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

    def show(self, picture: Image, draw_mirrored: Callable[[], Image] | None = None) -> bool:
        """Show one frame, and wait while the user pauses.

        Args:
            picture: RGB uint8 (height, width, 3), with the results drawn on it.
            draw_mirrored: draws the results on the mirror image, so that text stays readable. Without it the picture
                itself is flipped.

        Returns:
            False if the user quits.
        """
        if not self._sized:
            cv2.resizeWindow(self.title, picture.shape[1], picture.shape[0])
            self._sized = True
        while True:
            shown = picture
            if self.mirrored:
                shown = draw_mirrored() if draw_mirrored else picture[:, ::-1]
            cv2.imshow(self.title, cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(50 if self.paused else 1) & 0xFF
            if key in (ord("q"), ESCAPE) or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return False
            self.mirrored ^= key == ord("m")
            self.paused ^= key == ord(" ")
            if not self.paused:
                return True
