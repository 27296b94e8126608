"""The reference, the real MediaPipe, in its own environment in the cache folder."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import platformdirs

from knuckle.errors import EngineError
from knuckle.evaluate.external.process import last_line

logger = logging.getLogger("knuckle")

PACKAGE = "mediapipe==0.10.21"  # the last version whose wheel has the networks and the Hands solution
COMPLEXITY = {"mediapipe": 1, "mediapipe-lite": 0}
SCRIPT = Path(__file__).resolve().with_name("mediapipe_hands.py")


def reference_target(name: str, min_palm_score: float) -> str:
    """The target of `worker.py` for a reference of that name."""
    return f"{SCRIPT}:legacy:{COMPLEXITY[name]} {min_palm_score}"


def reference_home() -> Path:
    """The folder of the environment."""
    return Path(platformdirs.user_cache_dir("knuckle")) / PACKAGE.replace("==", "-")


def reference_python() -> Path:
    """The Python of an environment in the cache folder that has the package. The first use makes it, through pip.

    Raises:
        EngineError: pip could not install it.
    """
    home = reference_home()
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if (home / "ready").exists():
        return python
    logger.info("installing %s in %s, once", PACKAGE, home)
    venv.create(home, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise EngineError(
            f"{PACKAGE} could not be installed for Python {sys.version_info.major}.{sys.version_info.minor}: "
            f"{last_line(done.stderr)}; name a Python that has it with --reference-python"
        )
    (home / "ready").touch()
    return python
