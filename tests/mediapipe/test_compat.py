"""`knuckle.compat.install()`: all import forms of old scripts."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import knuckle
import knuckle.solutions
import knuckle.tasks
from knuckle import compat
from knuckle.compat.finder import installed_mediapipe


def ours() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "mediapipe"}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove all modules of MediaPipe before the test, and the installed ones and the import hook after it."""
    before, finders = ours(), sys.meta_path[:]
    sys.meta_path[:] = [finder for finder in finders if not type(finder).__module__.startswith("knuckle.compat")]
    for name in before:
        del sys.modules[name]
    yield
    sys.meta_path[:] = finders
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)  # type: ignore[arg-type]


@pytest.fixture
def absent(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if installed_mediapipe():
        pytest.skip("MediaPipe is installed here")


def test_attribute_chains_work(absent: None) -> None:
    compat.install()
    mp = importlib.import_module("mediapipe")
    assert mp.solutions.hands.Hands is knuckle.solutions.hands.Hands
    assert mp.solutions.hands.HandLandmark.INDEX_FINGER_TIP == 8
    assert mp.solutions.drawing_utils.DrawingSpec is knuckle.solutions.drawing_utils.DrawingSpec
    assert len(mp.solutions.drawing_styles.get_default_hand_landmarks_style()) == 21
    assert mp.solutions.drawing_utils._normalized_to_pixel_coordinates(0.5, 0.5, 10, 10) == (5, 5)
    assert mp.tasks.vision.HandLandmarker is mp.tasks.python.vision.HandLandmarker is knuckle.tasks.HandLandmarker
    assert mp.tasks.BaseOptions is knuckle.tasks.BaseOptions
    assert mp.Image is knuckle.tasks.Image and mp.ImageFormat.SRGB == 1
    assert mp.tasks.vision.drawing_utils.draw_landmarks is mp.solutions.drawing_utils.draw_landmarks
    assert mp.__version__.startswith("0.10.21+knuckle")


# Every way to import what concerns hands that mediapipe 0.10.21 or 1.2.3 has.
IMPORTS = """
import mediapipe.solutions.hands as it; it.Hands
import mediapipe.python.solutions.hands; mediapipe.python.solutions.hands.Hands
import mediapipe as mp; mp.python.solutions.hands.Hands; mp.framework.formats.landmark_pb2.LandmarkList
from mediapipe.python.solutions import hands, drawing_utils, drawing_styles; hands.Hands
from mediapipe.python.solutions import hands_connections; hands_connections.HAND_CONNECTIONS
from mediapipe.python.solutions.hands import Hands, HandLandmark, HAND_CONNECTIONS
from mediapipe.python.solutions.hands import *; Hands, HAND_CONNECTIONS
from mediapipe.python.solutions.hands_connections import HAND_PALM_CONNECTIONS
from mediapipe.python.solutions.drawing_utils import DrawingSpec, draw_landmarks, GREEN_COLOR
from mediapipe.python.solutions.drawing_utils import _normalized_to_pixel_coordinates
from mediapipe.python.solutions.drawing_styles import get_default_hand_landmarks_style
from mediapipe.solutions import hands
from mediapipe import solutions; solutions.hands.Hands
from mediapipe import Image, ImageFormat; ImageFormat.SRGB
from mediapipe.python import Image, ImageFormat
from mediapipe.python._framework_bindings import image; image.Image
from mediapipe.python._framework_bindings.image_frame import ImageFormat
from mediapipe.framework.formats import landmark_pb2; landmark_pb2.NormalizedLandmarkList().landmark.add(x=1)
from mediapipe.framework.formats.landmark_pb2 import Landmark, NormalizedLandmarkListCollection
from mediapipe.framework.formats import classification_pb2; classification_pb2.ClassificationListCollection
import mediapipe.framework as framework; framework.formats.landmark_pb2.LandmarkList
from mediapipe.tasks import python; python.BaseOptions(); python.vision.RunningMode.VIDEO
from mediapipe.tasks.python import vision, core, components; core.base_options.BaseOptions
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import HandLandmarker, HandLandmarkerOptions, HandLandmarkerResult, RunningMode
from mediapipe.tasks.python.vision import HandLandmarksConnections, ImageProcessingOptions
from mediapipe.tasks.python.core.base_options import BaseOptions
from mediapipe.tasks.python.core import base_options; base_options.BaseOptions.Delegate.GPU
from mediapipe.tasks.python.components import containers; containers.Category
from mediapipe.tasks.python.components.containers import NormalizedLandmark, Landmark, Category, NormalizedRect, Rect
from mediapipe.tasks.python.components.containers import landmark, category, rect; landmark.NormalizedLandmark
from mediapipe.tasks.python.components.containers.landmark import NormalizedLandmark
from mediapipe.tasks.python.components.containers.category import Category
from mediapipe.tasks.python.components.containers.rect import RectF
from mediapipe.tasks.python.components.containers.landmark_detection_result import LandmarksDetectionResult
from mediapipe.tasks.python.vision.core.image import Image, ImageFormat
from mediapipe.tasks.python.vision.core.image_processing_options import ImageProcessingOptions
from mediapipe.tasks.python.vision.core.vision_task_running_mode import VisionTaskRunningMode
from mediapipe.tasks.python.vision.hand_landmarker import HandLandmarkerResult, HandLandmark, HandLandmarksConnections
from mediapipe.tasks.python.vision import hand_landmarker, drawing_utils, drawing_styles; drawing_utils.draw_landmarks
import mediapipe as mp; mp.tasks.vision.drawing_styles.get_default_hand_connections_style()
import mediapipe as mp; mp.tasks.components.containers.NormalizedLandmark(x=1.0); mp.tasks.BaseOptions
import mediapipe as mp; mp.tasks.vision.HandLandmarksConnections.HAND_CONNECTIONS[0].start
__import__("mediapipe.framework.formats.landmark_pb2", fromlist=["x"]).NormalizedLandmark
__import__("mediapipe", fromlist=[""]).solutions
""".strip().splitlines()


@pytest.mark.parametrize("statement", IMPORTS)
def test_every_import_form_works(absent: None, statement: str) -> None:
    compat.install()
    exec(statement, {})


def test_a_folder_called_mediapipe_is_not_mediapipe(
    absent: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mediapipe" / "solutions").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    mp = importlib.import_module("mediapipe")
    assert mp.solutions.hands.Hands is knuckle.solutions.hands.Hands and mp.Image is knuckle.tasks.Image


def test_installing_twice_changes_nothing(absent: None) -> None:
    compat.install()
    first = ours()
    compat.install()
    assert ours() == first and importlib.util.find_spec("mediapipe") is not None


@pytest.mark.parametrize(
    ("statement", "instead"),
    [
        ("import mediapipe as mp; mp.solutions.holistic", "HolisticLandmarker of mediapipe"),
        ("import mediapipe as mp; mp.solutions.face_mesh.FaceMesh()", "FaceLandmarker of mediapipe"),
        ("import mediapipe.solutions.pose", "PoseLandmarker of mediapipe"),
        ("import mediapipe.python.solutions.face_detection as faces", "FaceDetector of mediapipe"),
        ("from mediapipe.solutions import pose", "PoseLandmarker of mediapipe"),
        ("from mediapipe.python.solutions import selfie_segmentation", "ImageSegmenter of mediapipe"),
        ("from mediapipe.python.solutions.holistic import Holistic", "HolisticLandmarker of mediapipe"),
        ("from mediapipe.python.solutions.drawing_styles import get_default_pose_landmarks_style", "PoseLandmarker"),
        ("from mediapipe.tasks.python.vision import PoseLandmarker", "PoseLandmarker of mediapipe"),
        ("from mediapipe.tasks.python import audio", "use mediapipe"),
        ("import mediapipe as mp; mp.CalculatorGraph", "use mediapipe"),
    ],
)
def test_what_is_not_hands_gives_one_line_that_says_what_is_covered(absent: None, statement: str, instead: str) -> None:
    compat.install()
    with pytest.raises((AttributeError, ImportError)) as caught:
        exec(statement, {})
    text = str(caught.value)
    assert "covers MediaPipe's hands only (solutions.hands" in text and instead in text and "\n" not in text
    assert "mediapipe==0.10.21" in text and isinstance(caught.value, knuckle.Error)


def test_asking_whether_something_is_there_works_as_usual(absent: None) -> None:
    compat.install()
    mp = importlib.import_module("mediapipe")
    assert not hasattr(mp.solutions, "pose") and getattr(mp, "Nothing", None) is None
    with pytest.raises(ImportError, match="cannot import name 'oops'"):
        exec("from mediapipe.solutions.hands import oops", {})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mediapipe.oops")
    assert importlib.util.find_spec("mediapipe.solutions.hands") and copy.copy(mp.solutions.hands.Hands)


def package(folder: Path, text: str) -> None:
    (folder / "mediapipe" / "tasks").mkdir(parents=True)
    (folder / "mediapipe" / "__init__.py").write_text(text)
    (folder / "mediapipe" / "tasks" / "__init__.py").write_text("mine = True\n")


def test_an_installed_mediapipe_without_solutions_gets_only_solutions(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "__version__ = '1.2.2'\nImage = 'theirs'\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    compat.install()
    mp = importlib.import_module("mediapipe")
    assert mp.solutions.hands.Hands is knuckle.solutions.hands.Hands
    assert mp.Image == "theirs" and mp.__version__ == "1.2.2"
    assert importlib.import_module("mediapipe.tasks").mine
    assert importlib.import_module("mediapipe.python.solutions.hands").Hands is knuckle.solutions.hands.Hands
    assert importlib.import_module("mediapipe.framework.formats.landmark_pb2").LandmarkList().ByteSize() == 0
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'mediapipe\.tasks\.vision'"):
        importlib.import_module("mediapipe.tasks.vision")  # the tasks are theirs; ours must not get in between


def test_a_mediapipe_that_is_imported_already_gets_solutions(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "__version__ = '1.2.3'\n")
    monkeypatch.syspath_prepend(tmp_path)
    mp = importlib.import_module("mediapipe")
    compat.install()
    assert mp.solutions.hands.Hands is knuckle.solutions.hands.Hands


def test_an_installed_mediapipe_with_solutions_is_not_changed(
    clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "solutions = 'theirs'\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    assert importlib.import_module("mediapipe").solutions == "theirs" and "mediapipe.solutions.hands" not in ours()


def test_a_broken_mediapipe_raises_its_own_error(clean: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install()
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        importlib.import_module("mediapipe")


def test_the_old_apis_import_no_heavy_libraries() -> None:
    code = (
        "import sys, knuckle.compat as c, knuckle.solutions, knuckle.tasks; c.install(); import mediapipe\n"
        "print([name for name in ('matplotlib', 'PIL', 'av', 'pyarrow', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_apps_made_by_pyinstaller_hold_what_stands_for_mediapipe() -> None:
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    hook = Path(knuckle.__file__).parent / "pyinstaller" / "hook-knuckle.py"
    hidden = runpy.run_path(str(hook))["hiddenimports"]
    compat = [name for name in hidden if name.startswith("knuckle.mediapipe.")]
    assert {"knuckle.mediapipe.solutions.hands", "knuckle.mediapipe.protobuf.json_format"} <= set(compat)
    assert all(importlib.util.find_spec(name) for name in compat)
