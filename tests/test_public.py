"""Import paths that users have: the public names, MediaPipe's forms, and the paths of version 0.1."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import knuckle
from knuckle.moved import MOVED

PATHS = {
    "knuckle.compat": ("install",),
    "knuckle.geometry": ("apply", "crop", "iou"),
    "knuckle.graph": ("Graph", "Node"),
    "knuckle.images": ("as_rgb",),
    "knuckle.results": ("FINGERS", "HAND_CONNECTIONS", "Hand", "HandLandmark", "Palm", "Roi"),
    "knuckle.solutions": ("drawing_styles", "drawing_utils", "hands"),
    "knuckle.solutions.hands": ("HAND_CONNECTIONS", "HandLandmark", "Hands"),
    "knuckle.solutions.drawing_utils": ("DrawingSpec", "draw_landmarks"),
    "knuckle.solutions.drawing_styles": ("get_default_hand_connections_style", "get_default_hand_landmarks_style"),
    "knuckle.tasks": ("BaseOptions", "HandLandmarker", "HandLandmarkerOptions", "Image", "ImageFormat", "vision"),
    "knuckle.tasks.vision": ("HandLandmarker", "HandLandmarkerOptions", "RunningMode"),
    # paths of version 0.1 that its documents named
    "knuckle.evaluate.labels": ("open_image", "read_dataset"),
    "knuckle.evaluate.truth": ("Figure", "Row", "Seen", "Shot", "TrueHand", "VISIBLE"),
    "knuckle.evaluate.metrics": ("average_precision", "brier", "match"),
    "knuckle.graph_view": ("as_mermaid", "diagram_of"),
    "knuckle.hand": ("HandLandmarker",),
    "knuckle.palm": ("UPRIGHT_RAD",),
    "knuckle.pbtxt": ("as_pbtxt",),
    "knuckle.profile": ("Profile",),
    "knuckle.tracker": ("HandTracker", "Networks"),
    "knuckle.zoo": ("find",),
}
PATHS |= {old: () for old in MOVED if old not in PATHS}


def test_every_public_name_is_there() -> None:
    assert all(hasattr(knuckle, name) for name in knuckle.__all__)


def test_type_checkers_and_python_find_public_names_in_the_same_modules() -> None:
    tree = ast.parse(Path(knuckle.__file__).read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == knuckle._MODULES
    assert set(knuckle.__all__) <= set(dir(knuckle))


def test_modules_are_there_without_an_import_of_their_own() -> None:
    code = "import knuckle; print(knuckle.results.Hand is knuckle.Hand, hasattr(knuckle, 'nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", sorted(PATHS))
def test_paths_that_users_have_can_be_imported(path: str) -> None:
    module = importlib.import_module(path)
    assert [name for name in PATHS[path] if not hasattr(module, name)] == []
    if path in MOVED:
        assert module is importlib.import_module(MOVED[path])


def test_a_moved_path_says_where_it_went() -> None:
    code = "import warnings; warnings.simplefilter('error'); from knuckle import zoo"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "knuckle.zoo is now knuckle.models.catalogue" in done.stderr
