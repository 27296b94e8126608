"""What pyproject.toml, the lock file of the browser's packages, the container and the workflows promise."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
# sys_platform and platform_machine -> the engine that has packages there.
ENGINES = {
    ("linux", "x86_64"): "ai-edge-litert",
    ("linux", "aarch64"): "ai-edge-litert",
    ("darwin", "arm64"): "ai-edge-litert",
    ("win32", "AMD64"): "ai-edge-litert",
    ("darwin", "x86_64"): "onnxruntime",
    ("win32", "ARM64"): "onnxruntime",
    ("linux", "armv7l"): "onnxruntime",
}


def listed(name: str) -> list[str]:
    """The strings of a list in pyproject.toml, such as `dependencies`. (Python 3.10 has no reader of TOML.)"""
    text = (ROOT / "pyproject.toml").read_text()
    (block,) = re.findall(rf"^{name} = \[(.*?)^\]", text, re.S | re.M)
    return re.findall(r'"([^"]+)"', re.sub(r"#[^\"\n]*$", "", block, flags=re.M))


def requirements() -> list[Requirement]:
    return [Requirement(line) for line in listed("dependencies")]


@pytest.mark.parametrize(("system", "engine"), ENGINES.items(), ids=" ".join)
def test_every_system_gets_one_engine(system: tuple[str, str], engine: str) -> None:
    here = {"sys_platform": system[0], "platform_machine": system[1]}
    chosen = [one.name for one in requirements() if one.name in ENGINES.values() and one.marker.evaluate(here)]  # type: ignore[union-attr]
    assert chosen == [engine]


@pytest.mark.parametrize(("version", "accepted"), [("14.4.0", False), ("15.1.0", False), ("17.1.0", True)])
def test_versions_of_pyav_that_cannot_read_clips_are_refused(version: str, accepted: bool) -> None:
    (pyav,) = (one for one in requirements() if one.name == "av")
    assert pyav.specifier.contains(version) == accepted


def test_a_plain_installation_has_no_pyarrow_scipy_or_opencv_with_windows() -> None:
    plain = {one.name for one in requirements()}
    assert not plain & {"pyarrow", "scipy", "opencv-python", "opencv-contrib-python", "matplotlib", "torch"}
    assert "opencv-python-headless" in plain


def test_ci_runs_every_python_that_the_classifiers_name() -> None:
    named = set(re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text()))
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert set(jobs["everything"]["strategy"]["matrix"]["python"]) == named
    (oldest,) = re.findall(r'^requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert all(SpecifierSet(oldest).contains(version) for version in named)


def missing_packages(lock: dict[str, Any]) -> Iterator[str]:
    """Packages that others in a package-lock.json need, optional ones of all systems included, and that it lacks.

    Optional peers may be missing; `npm ci` of npm 11 refuses a file that lacks anything else.
    """
    packages = lock["packages"]
    for path, package in packages.items():
        for name in (*package.get("dependencies", ()), *package.get("optionalDependencies", ())):
            folders = path.split("/node_modules/") if path else []
            places = ["/node_modules/".join(folders[: k + 1]) + "/node_modules/" for k in range(len(folders))]
            if not any(place + name in packages for place in ("node_modules/", *places)):
                yield f"{name}, which {path or 'the package itself'} needs"


def test_the_lock_file_has_the_packages_of_all_systems() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    assert list(missing_packages(lock)) == []
    binding = next(name for name in lock["packages"] if "darwin-arm64" in name)
    del lock["packages"][binding]
    assert list(missing_packages(lock)), "a missing package is noticed"


def test_the_container_does_not_run_as_root_and_copies_what_exists() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000"]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert all((ROOT / source).exists() for source in line.split()[1:-1]), line


@pytest.mark.skipif(not (ROOT / "web" / "node_modules").is_dir(), reason="needs web/node_modules: make web")
def test_the_container_has_the_files_that_the_page_is_built_from(tmp_path: Path) -> None:
    """The first stage of the Dockerfile, without its download of packages."""
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM")[1]
    web = tmp_path / "build" / "web"
    skipped = shutil.ignore_patterns("node_modules", "dist")
    for line in re.findall(r"^COPY (.+)$", stage, re.M):
        *sources, target = line.split()
        place = tmp_path / target[1:] if target.startswith("/") else web / target
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True, ignore=skipped)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    (web / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    (tmp_path / "build" / "src" / "knuckle" / "serve").mkdir(parents=True)
    done = subprocess.run(["npm", "run", "--silent", "build"], cwd=web, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "build" / "src" / "knuckle" / "serve" / "page" / "index.html").is_file()


def test_no_workflow_holds_a_password() -> None:
    """Publishing is trusted by the workflow's identity; the only token is the one that GitHub lends to a run."""
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert "secrets." not in text and "password" not in text.replace("there are no passwords", "")
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_the_recipe_for_conda_has_the_same_requirements() -> None:
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
    run = dict(
        line.replace("py-opencv", "opencv-python-headless").split(" >=") for line in recipe["requirements"]["run"]
    )
    plain = {one.name: str(one.specifier)[2:] for one in requirements() if one.name != "ai-edge-litert"}
    assert {name: version for name, version in run.items() if name != "python"} == plain
