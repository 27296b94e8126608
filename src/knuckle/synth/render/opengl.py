"""Opening OpenGL without a window, and the source text of shaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from knuckle.errors import EngineError, MissingExtraError

FOLDER = Path(__file__).parent


def open_context() -> Any:
    """An OpenGL context, version 4.0 or later, without a window.

    Raises:
        MissingExtraError: moderngl is not installed.
        EngineError: OpenGL cannot be opened.
    """
    try:
        import moderngl
    except ModuleNotFoundError as error:
        raise MissingExtraError("rendering synthetic hands needs moderngl: pip install 'knuckle[train]'") from error
    try:
        options: Any = {"backend": "egl"}  # the library's type hints ask for a dictionary, but its code takes the name
        return moderngl.create_context(standalone=True, require=400, **options)
    except Exception as error:  # the library raises bare Exceptions
        raise EngineError(
            f"cannot open OpenGL without a window ({str(error).strip()}): install EGL, on Debian or Ubuntu with "
            "apt-get install libegl1 libgl1-mesa-dri, or with the driver of a GPU"
        ) from error


def shader_source(*names: str, define: str = "NOTHING") -> str:
    """The source of a shader: the named .glsl files joined, after a version line and one definition."""
    return f"#version 400 core\n#define {define}\n" + "\n".join((FOLDER / f"{name}.glsl").read_text() for name in names)
