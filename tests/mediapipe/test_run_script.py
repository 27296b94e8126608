"""`python -m knuckle.compat script.py` and the hook for a whole environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MIGRATE = Path(__file__).resolve().parents[2] / "docs" / "migrate.md"


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )


def test_a_script_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "helper.py").write_text("import mediapipe as mp\nHANDS = mp.solutions.hands.Hands.__name__\n")
    (tmp_path / "app" / "old.py").write_bytes(
        "# -*- coding: latin-1 -*-\nimport os, sys, pickle, helper\nimport mediapipe as mp\n"
        "class Mine: pass\n"
        "pickle.loads(pickle.dumps(Mine()))\n"
        "def quoted(x: int): pass\n"
        "print(__name__, sys.argv, helper.HANDS, 'é', quoted.__annotations__, os.path.basename(__file__))\n"
        "print('annotations' in globals(), mp.__version__[:7])\n"
        "sys.exit(3)\n".encode("latin-1")
    )
    done = run(tmp_path, "-m", "knuckle.compat", "app/old.py", "one", "--two", PYTHONIOENCODING="utf-8")
    assert done.returncode == 3, done.stderr
    assert done.stdout == (
        "__main__ ['app/old.py', 'one', '--two'] Hands é {'x': <class 'int'>} old.py\nFalse 0.10.21\n"
    )


@pytest.mark.parametrize("start", ["spawn", "fork", "forkserver"])
def test_processes_that_a_script_starts_find_knuckle_too(tmp_path: Path, start: str) -> None:
    import multiprocessing

    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {start} on this system")
    (tmp_path / "old.py").write_text(
        "import multiprocessing, sys\nimport mediapipe as mp\n"
        "class Job:\n    number = 7\n"
        "def work(job):\n    return job.number, mp.__version__[:7], sys.argv[1:]\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:\n"
        "        print(pool.map(work, [Job()]))\n"
    )
    done = run(tmp_path, "-m", "knuckle.compat", "old.py", start)
    assert done.stdout == f"[(7, '0.10.21', ['{start}'])]\n", done.stderr


def test_a_script_that_needs_more_than_hands_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        "import mediapipe as mp\n\ndef make():\n    return mp.solutions.holistic\n\nmake()\n"
    )
    done = run(tmp_path, "-m", "knuckle.compat", "old.py")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("old.py, line 4: mediapipe.solutions.holistic: Knuckle covers MediaPipe's hands only")


def test_errors_of_a_script_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("import mediapipe\n1 / 0\n")
    done = run(tmp_path, "-m", "knuckle.compat", "old.py")
    assert done.returncode == 1 and 'File "old.py", line 2' in done.stderr and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [([], 2, "usage"), (["--help"], 0, "usage"), (["nothing.py"], 1, "no script 'nothing.py'")],
)
def test_the_command_explains_itself(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    done = run(tmp_path, "-m", "knuckle.compat", *arguments)
    assert done.returncode == status and words in done.stdout + done.stderr


def test_it_says_when_mediapipe_itself_runs_the_script(tmp_path: Path) -> None:
    (tmp_path / "mediapipe" / "python" / "solutions").mkdir(parents=True)
    (tmp_path / "mediapipe" / "__init__.py").write_text("solutions = 'theirs'\n")
    (tmp_path / "old.py").write_text("import mediapipe as mp\nprint(mp.solutions)\n")
    done = run(tmp_path, "-m", "knuckle.compat", "old.py")
    assert done.stdout == "theirs\n" and "this script runs on MediaPipe" in done.stderr


def test_the_documented_hook_serves_all_scripts_and_costs_the_others_nothing(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python[^\n]*\n(# sitecustomize\.py.*?)```", MIGRATE.read_text(), re.S)
    (tmp_path / "sitecustomize.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    (tmp_path / "old.py").write_text("from mediapipe.python.solutions import hands\nprint(hands.Hands.__module__)\n")
    assert run(tmp_path, "old.py", PYTHONPATH=path).stdout == "knuckle.mediapipe.solutions.hands\n"
    other = run(tmp_path, "-c", "import sys, json; print('knuckle' in sys.modules)", PYTHONPATH=path)
    assert other.stdout == "False\n", other.stderr
    find = "import importlib.util as u; print(u.find_spec('mediapipe') is not None, u.find_spec('mediapipe_x'))"
    assert run(tmp_path, "-c", find, PYTHONPATH=path).stdout == "True None\n"
