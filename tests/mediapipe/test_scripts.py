"""Unchanged scripts for MediaPipe run on Knuckle with the results of MediaPipe, with and without the protobuf package.

scripts/answers.json and packages/answers.json hold what they print with MediaPipe; make_scripts.py writes them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from knuckle.models import catalogue

FOLDER = Path(__file__).resolve().parent / "scripts"
PHOTOS = FOLDER.parent / "parity"
ROOT = FOLDER.parents[2]
CLIP = ROOT / "examples" / "hands.mp4"
PACKAGES = json.loads((FOLDER.parent / "packages" / "answers.json").read_text())
ANSWERS = json.loads((FOLDER / "answers.json").read_text())
# The largest difference of numbers by the last word of the key they stand under.
# Decoders of JPEG files differ by up to two levels of 255, which shows in scores that are close to 0.5.
TOLERANCES = {"px": 1.5, "mean": 0.15, "deg": 0.5, "m": 1e-3, "jpeg": 0.03, "": 2e-3}

# Runs the scripts one after the other as `python -m knuckle.compat` does, and prints what each printed.
DRIVER = """
import contextlib, importlib.machinery, io, json, pathlib, sys
kind, photos, clip, *scripts = sys.argv[1:]
if kind == "without protobuf":
    find = importlib.machinery.PathFinder.find_spec
    importlib.machinery.PathFinder.find_spec = lambda name, path=None, target=None: (
        None if name.startswith("google") else find(name, path, target)
    )
from knuckle.compat.__main__ import main
printed = {}
for script in scripts:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = main([script, photos, clip])
    printed[pathlib.Path(script).stem] = [status, out.getvalue()]
is_real = "google._upb._message" in sys.modules or "google.protobuf.pyext" in sys.modules
assert is_real == (kind == "with protobuf"), "the other kind of messages"
print(json.dumps(printed))
"""


@lru_cache  # one process for all scripts: loading the models takes longer than most of them
def printed(kind: str, folder: Path) -> dict[str, Any]:
    scripts = [str(FOLDER / f"{name}.py") for name in ANSWERS]
    command = [sys.executable, "-c", DRIVER, kind, str(PHOTOS), str(CLIP), *scripts]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model file that users of the Tasks API have."""
    folder = tmp_path_factory.mktemp("scripts")
    bundle = catalogue.find("mediapipe")
    with zipfile.ZipFile(folder / "hand_landmarker.task", "w") as task:
        task.write(bundle.palm_path, "hand_detector.tflite")
        task.write(bundle.hand_path, "hand_landmarks_detector.tflite")
    return folder


def check(found: Any, expected: Any, key: str, where: str) -> None:
    """Structure, words, truth values and counts agree exactly; measures agree within the tolerance of their key."""
    if isinstance(expected, dict):
        assert isinstance(found, dict) and list(found) == list(expected), where
        for name, value in expected.items():
            check(found[name], value, name, f"{where}.{name}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), where
        for number, value in enumerate(expected):
            check(found[number], value, key, f"{where}[{number}]")
    else:
        last = key.rpartition("_")[2] if "_" in key else ""
        if isinstance(expected, float) or (isinstance(expected, int) and last):
            assert abs(found - expected) <= TOLERANCES[last], f"{where}: {found}, not {expected}"
        else:
            assert found == expected, where


@pytest.mark.parametrize("kind", ["with protobuf", "without protobuf"])
@pytest.mark.parametrize("name", list(ANSWERS))
def test_scripts_print_what_they_print_with_mediapipe(name: str, kind: str, folder: Path) -> None:
    if kind == "with protobuf":
        pytest.importorskip("google.protobuf.internal.builder", reason="the protobuf package is not installed")
    status, text = printed(kind, folder)[name]
    assert status == 0
    check([json.loads(line) for line in text.splitlines()], ANSWERS[name], "", name)


@pytest.mark.parametrize("name", list(PACKAGES))
def test_packages_on_top_of_mediapipe_run_unchanged(name: str, folder: Path) -> None:
    script, package = name.split()
    if not (ROOT / package).is_dir():
        pytest.skip(f"no {package}: run make old-packages")
    path = os.pathsep.join([str(ROOT / package), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "knuckle.compat", str(FOLDER.parent / "packages" / f"{script}.py")]
    done = subprocess.run(
        [*command, str(PHOTOS), str(CLIP)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    check([json.loads(line) for line in done.stdout.splitlines()], PACKAGES[name], "", name)


def test_the_comparison_can_fail() -> None:
    for found, expected in (({"a": 1}, {"a": 2}), ([1.0], [1.1]), ({"a_px": 1}, {"a_px": 4}), ([1], [1, 2])):
        with pytest.raises(AssertionError):
            check(found, expected, "", "here")
    check({"a_px": 11, "b": [1.0001]}, {"a_px": 12, "b": [1.0]}, "", "here")


def test_every_script_has_its_answers() -> None:
    assert sorted(ANSWERS) == sorted(path.stem for path in FOLDER.glob("*.py")) and len(ANSWERS) >= 14
    stems = {path.stem for path in (FOLDER.parent / "packages").glob("*.py")}
    assert stems == {name.split()[0] for name in PACKAGES}
