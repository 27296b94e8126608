"""Laws about the code itself: which module may know which, what importing costs, what the documents say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "knuckle"
# A module imports only from lines above its own. The last line's modules are faces: they may use everything.
LAYERS = (
    {"errors"},
    {"images"},
    {"results"},
    {"tflite_file"},
    {"visibility"},
    {"fetch"},
    {"geometry", "graph", "runtime", "zoo", "tables"},
    {"sources", "sinks", "window"},
    {"draw", "profile"},
    {"graph_view"},
    {"graph_page", "pbtxt"},
    {"views"},
    {"palm", "hand", "smooth"},
    {"options", "tracks"},
    {"tracker"},
    {"reference", "app"},
)
HEAVY = (
    "torch",
    "anny",
    "moderngl",
    "tflite",
    "litert_torch",
    "uvicorn",
    "ray",
    "starlette",
    "matplotlib",
    "pyarrow",
    "av",
    "PIL",
    "rich",
    "click",
    "onnxruntime",
    "urllib.request",
)


def imports_of(path: Path) -> set[str]:
    """Our own modules that a file imports at its top level."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "knuckle":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("knuckle."):
            found.add(node.module.split(".")[1])
    return found


@pytest.mark.parametrize("rank", range(len(LAYERS)))
def test_modules_import_only_from_layers_above(rank: int) -> None:
    above = set().union(*LAYERS[:rank])
    for module in LAYERS[rank]:
        path = SOURCE / f"{module}.py"
        if path.exists():
            assert imports_of(path) <= above, module


def test_every_module_has_a_layer_or_is_a_face() -> None:
    known = set().union(*LAYERS) | {"__init__", "__main__", "cli", "model_commands", "compat"}
    assert {path.stem for path in SOURCE.iterdir() if path.suffix == ".py"} <= known


def test_importing_knuckle_loads_nothing_heavy() -> None:
    code = f"import sys, knuckle; print([m for m in {HEAVY!r} if m in sys.modules])"
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
