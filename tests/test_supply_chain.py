"""What the package consists of and where it comes from: hashes, licences, pinned actions, reproducible wheels."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from knuckle.models.visibility_head import HAND_LITE

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "knuckle"
ORIGINS = SOURCE / "models" / "networks" / "origins.json"
WEIGHTS = {".tflite", ".onnx", ".pt", ".npz"}
# Calls that can run what they read, and the places that may make them: each is explained in SECURITY.md.
DANGEROUS = re.compile(
    r"eval|exec|compile|__import__|(pickle|cPickle|dill|cloudpickle|marshal|shelve)\.\w+|yaml\.(load|unsafe_load|full_load)"
    r"|os\.(system|popen)|(np|numpy)\.load|torch\.load"
)
ALLOWED = {
    "batch/on_ray.py": {"pickle.dumps", "pickle.loads"},  # items of one run, between its own processes
    "batch/pool.py": {"pickle.dumps", "pickle.loads"},  # an error of its own, to see whether it can be sent
    "compat/script.py": {"exec", "compile"},  # `knuckle.compat`: runs the user's own script
    "datasets/formats/rhd.py": {"pickle.UnpicklingError"},  # its reader builds arrays and nothing else
    "models/visibility_head.py": {"np.load"},
    "synth/body/model.py": {"np.load"},
    "train/checkpoint.py": {"torch.load"},
    "train/gestures/photos.py": {"np.load"},
}


def test_every_network_in_the_package_has_its_hash_its_licence_and_its_origin() -> None:
    origins = json.loads(ORIGINS.read_text())
    files = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.suffix in WEIGHTS}
    assert files | {"gestures/network.json"} == set(origins)
    for name, about in origins.items():
        assert hashlib.sha256((SOURCE / name).read_bytes()).hexdigest() == about["sha256"], name
        assert about["licence"] == "Apache-2.0" and about["origin"]
        for page in re.findall(r"(?:docs|recipes)/\S+\.(?:md|py)", about["origin"]):
            assert (ROOT / page).is_file(), page


def test_bundles_name_the_networks_with_the_hashes_that_are_listed() -> None:
    origins = json.loads(ORIGINS.read_text())
    for description in ORIGINS.parent.rglob("knuckle*.json"):
        bundle = json.loads(description.read_text())
        for role in ("palm", "hand", "palm_int8", "hand_int8"):
            if bundle.get(role):
                name = (description.parent / bundle[role]["file"]).relative_to(SOURCE).as_posix()
                assert bundle[role]["sha256"] == origins[name]["sha256"]
    assert re.fullmatch("[0-9a-f]{64}", HAND_LITE)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func), node


def test_nothing_from_outside_is_unpickled_evaluated_or_executed() -> None:
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name, call in calls(path):
            if DANGEROUS.fullmatch(name):
                found.setdefault(path.relative_to(SOURCE).as_posix(), set()).add(name)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert options.get("allow_pickle", "False") == "False" and options.get("shell", "False") == "False", path
            if name == "torch.load":
                assert options["weights_only"] == "True", path
    assert found == ALLOWED


def test_the_search_for_dangerous_calls_finds_them(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import pickle\npickle.loads(b'')\nre.compile('x')\neval('1')\nself.network.eval()\n"
    )
    assert [name for name, _ in calls(tmp_path / "a.py") if DANGEROUS.fullmatch(name)] == ["pickle.loads", "eval"]


def audit(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / ".ci/audit.py"), "--offline", *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_licences_are_permitted_and_actions_are_pinned() -> None:
    pytest.importorskip("packaging")
    done = audit(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"licences: [1-9]\d* packages checked", done.stdout)
    assert re.search(r"actions: [1-9]\d* steps", done.stdout)


def test_every_part_is_listed_with_its_version(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py")
    done = audit(ROOT, "--sbom", str(tmp_path / "parts" / "knuckle.cdx.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    listed = json.loads((tmp_path / "parts" / "knuckle.cdx.json").read_text())
    versions = {part["name"].lower(): part["version"] for part in listed["components"]}
    assert listed["bomFormat"] == "CycloneDX" and {"numpy", "click", "starlette"} <= set(versions)
    assert "pytest" not in versions  # a tool of ours, and no part of what users install


def test_an_action_that_can_be_moved_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "a.yml").write_text("steps:\n  - uses: actions/checkout@v4\n")
    done = audit(tmp_path)
    assert done.returncode == 1 and "a.yml:2: actions/checkout@v4 is not pinned" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed")
def test_the_wheel_is_the_same_whoever_builds_it_and_when(tmp_path: Path) -> None:
    """Two copies of the source at different places, with different times of the files."""
    hashes = set()
    for number, name in enumerate(("here", "somewhere/else")):
        copy = tmp_path / name
        copy.mkdir(parents=True)
        for part in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", ".gitignore"):
            shutil.copy(ROOT / part, copy)
        leave_out = shutil.ignore_patterns("__pycache__", "page", "*.pt", "*.onnx", "hand_fast*")
        shutil.copytree(SOURCE, copy / "src" / "knuckle", ignore=leave_out)
        for path in copy.rglob("*"):
            os.utime(path, (1e9 + number * 1e8,) * 2)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / f"out{number}")]
        subprocess.run(command, cwd=copy, check=True, capture_output=True)
        (wheel,) = (tmp_path / f"out{number}").glob("*.whl")
        hashes.add((wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest()))
    assert len(hashes) == 1


def test_the_threat_model_names_what_it_relies_on() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"`(models/[\w/.]+)`", text):
        assert (SOURCE / path).exists(), path
