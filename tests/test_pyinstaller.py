"""An app that PyInstaller makes: one folder, in which a clip is tracked without Python and packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knuckle.pyinstaller import hook_folders

pytest.importorskip("PyInstaller")

APP = """
import sys
import knuckle
from knuckle.cli import main

if __name__ == "__main__":
    print(len(knuckle.detect(sys.argv[1], "knuckle")))
    tracker = knuckle.HandTracker("knuckle")
    print(sum(len(tracker(frame.image, frame.time_s)) for frame in knuckle.read(sys.argv[2])))
    main(["track", sys.argv[2], "--models", "knuckle", "--out", sys.argv[3]])
"""
# What a developer's environment has and a user's app does not need; looking at it takes minutes.
HUGE = ("torch", "jax", "tensorflow", "transformers", "litert_torch", "anny", "matplotlib", "pyarrow", "scipy", "onnx")


def test_an_app_of_one_folder_tracks_a_clip(tmp_path: Path, clip: Path, photo: bytes) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "photo.jpg").write_bytes(photo)
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "app.py"]
    command += ["--additional-hooks-dir", hook_folders()[0], *(f"--exclude-module={name}" for name in HUGE)]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    app = [tmp_path / "dist" / "app" / "app", tmp_path / "photo.jpg", clip, tmp_path / "hands.mp4"]
    done = subprocess.run(app, cwd=tmp_path, capture_output=True, text=True, env=alone)
    assert done.stdout.splitlines()[:2] == ["2", "60"], done.stderr
    assert (tmp_path / "hands.mp4").stat().st_size > 10_000, done.stderr
