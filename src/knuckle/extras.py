"""Packages that not every installation has: imported where they are used, with an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from knuckle.errors import MissingExtraError
from knuckle.forks import FORKS_WAIT

if TYPE_CHECKING:
    import cv2
else:

    class _OpenCv:
        """OpenCV, loaded when the first of its functions is used.

        So `import knuckle` is fast, and works where the installed OpenCV does not load.
        """

        def __getattr__(self, name: str) -> Any:
            return getattr(_load_opencv(), name)

    cv2 = _OpenCv()

__all__ = ["cv2", "required"]


def required(module: str, extra: str, purpose: str, instead: str = "") -> Any:
    """Import a module of an optional package.

    Args:
        module: its dotted name.
        extra: the extra that installs it, as in `pip install 'knuckle[EXTRA]'`.
        purpose: what needs it, in the plural, such as "Parquet files".
        instead: what works without it, if anything does.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        with FORKS_WAIT:
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        advice = f"pip install 'knuckle[{extra}]'" + (f"; {instead}" if instead else "")
        raise MissingExtraError(f"{purpose} need {module.partition('.')[0]}: {advice}") from error


def _load_opencv() -> Any:
    reinstall = "pip install --force-reinstall opencv-python-headless"
    try:
        with FORKS_WAIT:
            import cv2 as opencv
    except ModuleNotFoundError as error:
        raise MissingExtraError("Knuckle needs OpenCV: pip install opencv-python-headless") from error
    except ImportError as error:
        raise MissingExtraError(
            f"the installed OpenCV cannot be loaded ({error}). An OpenCV with windows needs the libraries of a screen. "
            f"Without a screen: pip uninstall -y opencv-python opencv-contrib-python, then {reinstall}"
        ) from error
    if not hasattr(opencv, "remap"):  # a folder without the library is what uninstalling one of two OpenCVs leaves
        raise MissingExtraError(f"files of OpenCV are missing, as after uninstalling one of two OpenCVs: {reinstall}")
    return opencv
