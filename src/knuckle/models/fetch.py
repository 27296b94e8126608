"""MediaPipe's networks from where Google publishes them: the official `.task` file, or the wheel on PyPI.

What fetches and unpacks is imported where it is used: it weighs 10 MB, and most runs find their bundle in the cache.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from knuckle.errors import BundleError

logger = logging.getLogger("knuckle")
Files = Mapping[str, tuple[Path, str]]  # by role ("palm", "hand"): where to write it, and its sha256

TASK_URL = "https://storage.googleapis.com/mediapipe-models/hand_landmarker/hand_landmarker/float16/latest/hand_landmarker.task"
TASK_MEMBERS = {"palm": "hand_detector.tflite", "hand": "hand_landmarks_detector.tflite"}
WHEEL = "mediapipe==0.10.21"
WHEEL_FOLDERS = {"palm": "mediapipe/modules/palm_detection", "hand": "mediapipe/modules/hand_landmark"}
URL_TIMEOUT_S = 4.0


def from_task(files: Files, folder: Path) -> None:
    """Both networks out of the official `.task` file, which holds the full ones; `folder` is for what is not kept."""
    import urllib.error
    import urllib.request

    part = folder / "hand_landmarker.task"
    try:
        with urllib.request.urlopen(TASK_URL, timeout=URL_TIMEOUT_S) as answer, part.open("wb") as out:
            _copy_with_progress(answer, out, int(answer.headers.get("Content-Length") or 0), part.name)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise BundleError(f"storage.googleapis.com: {reason}") from error
    for role, (target, sha256) in files.items():
        extract(part, TASK_MEMBERS[role], target, sha256)
    part.unlink()


def from_wheel(files: Files, folder: Path) -> None:
    """Both networks out of the wheel for Linux and Python 3.11, whatever this system is: only data files are taken."""
    import subprocess

    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    system = ["--python-version=3.11", "--abi=cp311", "--platform=manylinux_2_28_x86_64", f"--dest={folder}"]
    logger.info("fetching %s (36 MB), of which two network files are kept", WHEEL)
    quiet = [] if sys.stderr and sys.stderr.isatty() else ["--quiet"]
    run = subprocess.run(
        [*pip, *system, *quiet, WHEEL], stdout=sys.stderr if not quiet else None, stderr=subprocess.PIPE, text=True
    )
    wheels = list(folder.glob("mediapipe-*.whl"))
    if run.returncode or not wheels:
        lines = [line for line in run.stderr.splitlines() if line.startswith("ERROR")] or run.stderr.splitlines()
        raise BundleError(f"pip download {WHEEL}: {lines[-1].strip() if lines else 'failed'}")
    for role, (target, sha256) in files.items():
        extract(wheels[0], f"{WHEEL_FOLDERS[role]}/{target.name}", target, sha256)
    wheels[0].unlink()


def _copy_with_progress(source: BinaryIO, target: BinaryIO, total: int, label: str) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    console = Console(stderr=True)
    with wrap_file(source, total, description=label, console=console, disable=not console.is_terminal) as reader:
        shutil.copyfileobj(reader, target)
    if total and target.tell() != total:
        raise BundleError(f"{label}: the download broke off after {target.tell()} of {total} bytes")


def extract(archive: Path, member: str, target: Path, sha256: str | None = None) -> None:
    """One member of a zip file, verified where its sha256 is known.

    Raises:
        BundleError: it is no zip, has no such member, or the member is another file.
    """
    import zipfile

    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
    except (KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{archive} is no hand landmarker bundle ({error}); expected a zip with {member}") from error
    if sha256 and hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
        raise BundleError(f"{member} of {archive.name} is not the file that was expected (wrong sha256)")
