"""`Screen`: a window with a picture in it, and the keys that are pressed.

It is a window of Tk, which comes with Python. OpenCV has windows in only some of its packages, and they hang if PyAV
was imported before (`python benchmarks/opencv.py` compares the two).
"""

from __future__ import annotations

import gc
import importlib
from typing import Any

from knuckle.errors import EngineError
from knuckle.extras import cv2
from knuckle.images import Image

SHARE_OF_SCREEN = 0.9  # a new window is at most this large


class Screen:
    """Use it from the thread that created it.

    Args:
        title: the title of the window.

    Attributes:
        keys: Tk's names of the keys that were pressed and not looked at yet.
        closed: whether the user closed the window.

    Raises:
        EngineError: there is no screen, or this Python has no Tk.
    """

    def __init__(self, title: str) -> None:
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
        self.closed = False
        self.keys: list[str] = []
        self.root.title(title)
        self.root.configure(background="black")
        self.root.bind("<Key>", lambda event: self.keys.append(event.keysym))
        self.root.protocol("WM_DELETE_WINDOW", lambda: setattr(self, "closed", True))
        self.picture: Any = tkinter.PhotoImage(master=self.root)
        self.label: Any = tkinter.Label(self.root, image=self.picture, borderwidth=0, background="black")
        self.label.pack(fill="both", expand=True)
        self._sized = False

    def put(self, picture: Image) -> None:
        """Show an RGB uint8 (height, width, 3) picture as large as the window allows."""
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
        self.picture.configure(data=data, format="PPM")  # naming the size as well would take twice the time
        self.update()

    def update(self) -> None:
        """Let Tk handle what the user did."""
        self.root.update()

    def close(self) -> None:
        """Remove the window. Tk's objects are freed here, because Tk fails if another thread frees them later."""
        self.root.destroy()
        self.root = self.label = self.picture = None
        gc.collect()
