"""A window that shows images as they come: q or Esc quits, space pauses, m mirrors.

It is a window of Tk, which comes with Python, because OpenCV has windows in only some of its packages. One frame of
1280 × 720 takes as long as in OpenCV's (`python benchmarks/opencv.py`).
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from knuckle.errors import EngineError
from knuckle.extras import cv2
from knuckle.images import Image

KEYS = "q quit, space pause, m mirror"
SHARE_OF_SCREEN = 0.9  # a new window is at most this large
PAUSE_S = 0.05  # how often a paused window looks for keys


class Window:
    """Use it as a context manager and call `show` for each frame, from the thread that created it.

    Args:
        title: the title of the window.
        mirrored: start with mirror images, as people expect of their own camera; the key m switches.

    Raises:
        EngineError: there is no screen, or this Python has no Tk.
    """

    def __init__(self, title: str = "Knuckle", mirrored: bool = False) -> None:
        try:
            tkinter = importlib.import_module("tkinter")
        except ImportError as error:
            raise EngineError(
                f"--show needs Tk, which this Python lacks ({error}): apt install python3-tk, "
                "brew install python-tk, or dnf install python3-tkinter"
            ) from error
        try:
            self.root: Any = tkinter.Tk(className="knuckle")
        except tkinter.TclError as error:
            raise EngineError(f"--show needs a screen ({error})") from error
        self.mirrored, self.paused, self.closed = mirrored, False, False
        self.keys: list[str] = []
        self.root.title(f"{title} ({KEYS})")
        self.root.configure(background="black")
        self.root.bind("<Key>", lambda event: self.keys.append(event.keysym))
        self.root.protocol("WM_DELETE_WINDOW", lambda: setattr(self, "closed", True))
        self.picture = tkinter.PhotoImage(master=self.root)
        self.label = tkinter.Label(self.root, image=self.picture, borderwidth=0, background="black")
        self.label.pack(fill="both", expand=True)
        self._sized = False

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.root.destroy()

    def show(self, picture: Image, draw_mirrored: Callable[[], Image] | None = None) -> bool:
        """Show one frame, and wait while the user pauses.

        Args:
            picture: RGB uint8 (height, width, 3), with the results drawn on it.
            draw_mirrored: draws the results on the mirror image, so that text stays readable. Without it the picture
                itself is flipped.

        Returns:
            False if the user quits.
        """
        while True:
            shown = picture
            if self.mirrored:
                shown = draw_mirrored() if draw_mirrored else picture[:, ::-1]
            self._put(shown)
            if self.closed or not self._obey():
                return False
            if not self.paused:
                return True
            time.sleep(PAUSE_S)

    def _obey(self) -> bool:
        """Do what the pressed keys say; False if one of them quits."""
        while self.keys:
            key = self.keys.pop(0)
            if key in ("q", "Escape"):
                return False
            self.mirrored ^= key == "m"
            self.paused ^= key == "space"
        return True

    def _put(self, picture: Image) -> None:
        """Draw the picture as large as the window allows, and let Tk handle what the user did."""
        height, width = picture.shape[:2]
        if not self._sized:
            space = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
            fit = min(1, SHARE_OF_SCREEN * space[0] / width, SHARE_OF_SCREEN * space[1] / height)
            self.root.geometry(f"{round(fit * width)}x{round(fit * height)}")
            self.root.update()
            self.root.focus_force()  # without a window manager, nobody else gives it the keyboard
            self._sized = True
        fit = min(self.label.winfo_width() / width, self.label.winfo_height() / height)
        size = max(1, round(fit * width)), max(1, round(fit * height))
        if size != (width, height):
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if fit < 1 else cv2.INTER_LINEAR)  # type: ignore[assignment]
        data = b"P6 %d %d 255 " % size + picture.tobytes()
        self.picture.configure(data=data, format="PPM", width=size[0], height=size[1])
        self.root.update()
