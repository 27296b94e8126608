"""Laws about the code itself: which package may import which, what importing costs, how long files may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "knuckle"
# What stands in one row may import what stands in earlier rows (docs/architecture.md draws this).
ROWS = (
    {"errors", "forks", "moved", "yaml_files"},
    {"extras"},
    {"images"},
    {"results"},
    {"geometry", "graph"},
    {"models", "media", "metrics"},
    {"gestures"},
    {"pipeline", "testing"},
    {"inspect", "datasets", "space"},
    {"mediapipe", "exports"},
    {"solutions", "tasks"},
    {""},  # knuckle/__init__.py: the public names
    {"evaluate", "serve", "compat", "batch", "stream"},
    {"label"},
    {"synth"},
    {"train"},
    {"cli", "pyinstaller"},
    {"__main__"},
)
ABOVE = {name: set().union(*ROWS[:rank]) for rank, row in enumerate(ROWS) for name in row}
# Within one row nothing is imported, and `synth` and `train` stand beside the packages that run: they may use
# what reads and finds hands, not the faces of the product.
FACES = {"mediapipe", "solutions", "tasks", "evaluate", "serve", "compat", "batch", "stream", "label"}
BESIDE = {"synth": FACES, "train": FACES}
HEAVY = (
    "torch",
    "anny",
    "moderngl",
    "litert_torch",
    "uvicorn",
    "ray",
    "pyspark",
    "daft",
    "fsspec",
    "starlette",
    "matplotlib",
    "pyarrow",
    "av",
    "PIL",
    "pillow_heif",
    "rich",
    "click",
    "onnxruntime",
    "scipy",
    "pandas",
    "asyncio",
    "jinja2",
    "urllib.request",
    "cv2",
    "tkinter",
    "asyncio",
    "ssl",
)


def package_of(module: str) -> str:
    """The row entry that a dotted module below `knuckle` belongs to; "" is the public module itself."""
    return module.split(".")[1] if "." in module else ""


def modules() -> list[str]:
    """Every module of the package by its dotted name."""
    return [
        ".".join(["knuckle", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
        for path in sorted(SOURCE.rglob("*.py"))
    ]


def path_of(module: str) -> Path:
    place = SOURCE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Our own modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "knuckle")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "knuckle":
            assert node.level == 0 and node.module
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if path_of(whole).is_file() else node.module


@pytest.mark.parametrize("module", modules())
def test_modules_import_only_what_stands_above_them(module: str) -> None:
    own = package_of(module)
    allowed = (ABOVE[own] | {own}) - BESIDE.get(own, set())
    wrong = {name for name in imports_of(path_of(module)) if package_of(name) not in allowed}
    assert not wrong, f"{module} may not import {sorted(wrong)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: set(imports_of(path_of(module))) - {module} for module in modules()}
    while graph:
        free = {module for module, needs in graph.items() if not needs & set(graph)}
        assert free, f"these import each other in a circle: {sorted(graph)}"
        graph = {module: needs for module, needs in graph.items() if module not in free}


def test_the_public_names_load_nothing_heavy() -> None:
    names = "[getattr(knuckle, name) for name in knuckle.__all__]"
    code = f"import sys, knuckle; {names}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_tracking_makes_no_connection(tmp_path: Path) -> None:
    code = (
        "import socket, numpy as np, knuckle\n"
        "knuckle.load()\n"
        "def refuse(*a, **k): raise AssertionError('a connection was tried')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "tracker = knuckle.HandTracker()\n"
        "for _ in range(3): tracker(np.zeros((90, 120, 3), np.uint8))\n"
        "knuckle.detect(np.zeros((90, 120, 3), np.uint8)); print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "done", done.stderr


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 70, node.name
