"""Packages that are missing or do not load: Knuckle still imports, and says in one line what to install."""

from __future__ import annotations

import ast
import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import one_line, run

import knuckle
from knuckle.metrics import identity, match

SOURCE = Path(knuckle.__file__).parent
DETECT = "import numpy as np, knuckle; knuckle.detect(np.zeros((90, 120, 3), np.uint8), 'knuckle')"


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a new process in which the packages in `folder` take the place of the installed ones."""
    path = os.pathsep.join([str(folder), str(SOURCE.parent)])
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})


def package(folder: Path, name: str, code: str) -> None:
    """Write a package with this code."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("raise ImportError('libGL.so.1: cannot open shared object file')", "libGL.so.1"),
        ("raise ModuleNotFoundError('No module named cv2')", "pip install opencv-python-headless"),
        ("", "files of OpenCV are missing"),
    ],
    ids=["without libGL", "not installed", "half removed"],
)
def test_knuckle_imports_without_opencv_and_the_first_use_says_what_to_install(
    code: str, advice: str, tmp_path: Path
) -> None:
    package(tmp_path, "cv2", code)
    assert python("import knuckle, knuckle.cli; knuckle.cli.main(['--version'])", tmp_path).returncode == 0
    done = python(DETECT, tmp_path)
    message = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and message.startswith("knuckle.errors.MissingExtraError: "), done.stderr
    assert advice in message and "opencv-python-headless" in message


def test_without_pyarrow_parquet_is_one_line_and_csv_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "photo.jpg").write_bytes(photo)
    refused = run("track", tmp_path / "photo.jpg", "--save", tmp_path / "hands.parquet")
    assert "pip install 'knuckle[parquet]'" in one_line(refused)
    assert run("track", tmp_path / "photo.jpg", "--save", tmp_path / "hands.csv").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hands.csv", "photo.jpg"]
    with (tmp_path / "hands.csv").open(newline="") as file:
        assert {row["handedness"] for row in csv.DictReader(file)} == {"Left", "Right"}


@pytest.mark.parametrize("call", [lambda: match(np.eye(2), 0.5), lambda: identity([], 0.5)], ids=["match", "identity"])
def test_without_scipy_metrics_name_the_extra(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(knuckle.MissingExtraError, match=r"need scipy: pip install 'knuckle\[evaluate\]'"):
        call()


def test_opencv_is_imported_in_one_place() -> None:
    importing = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(alias.name == "cv2" for alias in node.names)
    }
    assert importing == {"extras.py"}, "write: from knuckle.extras import cv2"
