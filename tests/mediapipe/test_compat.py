"""`knuckle.compat.install()`: all import forms of old scripts."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import knuckle.solutions
import knuckle.tasks
from knuckle import compat


def ours() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "mediapipe"}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove all modules of MediaPipe before the test, and the installed ones after it."""
    before = ours()
    for name in before:
        del sys.modules[name]
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)  # type: ignore[arg-type]


@pytest.fixture
def absent(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("mediapipe")
    if spec and spec.origin:  # a folder without code, such as that of these tests, has no origin
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


@pytest.mark.parametrize(
    "statement",
    [
        "import mediapipe.solutions.hands as it; it.Hands",
        "from mediapipe.python.solutions import hands, drawing_utils, drawing_styles; hands.Hands",
        "from mediapipe.python.solutions.hands import Hands, HAND_CONNECTIONS",
        "from mediapipe.python.solutions.hands_connections import HAND_PALM_CONNECTIONS",
        "from mediapipe.solutions import hands",
        "from mediapipe import solutions; solutions.hands.Hands",
        "from mediapipe.framework.formats import landmark_pb2; landmark_pb2.NormalizedLandmarkList().landmark.add(x=1)",
        "from mediapipe.tasks import python; python.BaseOptions(); python.vision.RunningMode.VIDEO",
        "from mediapipe.tasks.python import vision; vision.HandLandmarkerOptions",
        "from mediapipe.tasks.python.components.containers import NormalizedLandmark, Category",
        "from mediapipe.tasks.python.components.containers.landmark import NormalizedLandmark",
        "from mediapipe.tasks.python.vision.hand_landmarker import HandLandmarkerResult",
    ],
)
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


def test_modules_that_knuckle_does_not_have_are_not_found(absent: None) -> None:
    compat.install()
    with pytest.raises(ModuleNotFoundError, match=r"mediapipe\.solutions\.pose"):
        importlib.import_module("mediapipe.solutions.pose")
    with pytest.raises(AttributeError):
        _ = importlib.import_module("mediapipe").solutions.face_mesh


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
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        compat.install()


def test_the_old_apis_import_no_heavy_libraries() -> None:
    code = (
        "import sys, knuckle.compat as c, knuckle.solutions, knuckle.tasks\n"
        "print([name for name in ('matplotlib', 'PIL', 'av', 'pyarrow', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
