from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scene import blank, draw_hand

import knuckle
from knuckle import BundleError, zoo
from knuckle.tracker import Networks


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own."""
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the address nor pip's index can be reached."""
    monkeypatch.setattr(zoo, "TASK_URL", "http://127.0.0.1:9/hand_landmarker.task")
    monkeypatch.setattr(zoo, "WHEEL", "mediapipe==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def task_file(networks: Networks, tmp_path: Path) -> Path:
    """What Google publishes: a zip of two stored tflite files."""
    path = tmp_path / "hand_landmarker.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.write(networks.bundle.palm_path, zoo.TASK_MEMBERS["palm"])
        archive.write(networks.bundle.hand_path, zoo.TASK_MEMBERS["hand"])
    return path


def test_the_default_bundle_is_what_it_says(networks: Networks) -> None:
    bundle = networks.bundle
    assert bundle.name == "mediapipe" and bundle.licence == "Apache-2.0"
    assert (networks.palm.side, networks.hand.side) == (bundle.palm_side, bundle.hand_side) == (192, 224)  # type: ignore[attr-defined]


def test_a_task_file_is_a_bundle(cache: Path, task_file: Path) -> None:
    image = draw_hand(blank(), 300, 220, 240)
    (hand,), (usual,) = knuckle.detect(image, task_file), knuckle.detect(image)
    assert np.array_equal(hand.landmarks, usual.landmarks)


def test_a_folder_is_a_bundle_and_can_be_imported_by_name(cache: Path, networks: Networks) -> None:
    folder = networks.bundle.folder
    assert zoo.find(folder) == networks.bundle
    assert zoo.import_folder(folder, "mine").name == "mine"
    assert zoo.find("mine").folder == cache / "mine"
    zoo.remove("mine")
    assert not (cache / "mine").exists()
    with pytest.raises(BundleError, match="mine"):
        zoo.remove("mine")


def test_offline_without_a_cache_one_message_says_what_to_run(cache: Path, offline: None) -> None:
    with pytest.raises(BundleError, match=r"knuckle models pull mediapipe.*hand_landmarker\.task") as caught:
        zoo.find("mediapipe")
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("mediapipe*")) and not list(cache.glob(".unfinished-*"))


def test_a_damaged_cache_is_never_used(cache: Path, offline: None, networks: Networks) -> None:
    shutil.copytree(networks.bundle.folder, cache / "mediapipe")
    assert zoo.find("mediapipe").folder == cache / "mediapipe"
    palm = cache / "mediapipe" / networks.bundle.palm.file
    palm.write_bytes(palm.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError, match="cannot be fetched"):
        zoo.find("mediapipe")


def test_a_damaged_bundle_of_the_user_s_own_is_named(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "own"
    shutil.copytree(networks.bundle.folder, folder)
    hand = folder / networks.bundle.hand.file
    hand.write_bytes(b"")
    with pytest.raises(BundleError, match=networks.bundle.hand.file):
        zoo.find(folder)
    hand.unlink()
    with pytest.raises(BundleError, match="missing"):
        zoo.find(folder)
    (folder / "bundle.json").write_text(json.dumps({"name": "own"}))
    with pytest.raises(BundleError, match=r"bundle\.json"):
        zoo.find(folder)


def test_the_official_address_is_verified_and_used_first(
    cache: Path, task_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "TASK_URL", task_file.as_uri())
    monkeypatch.setattr(zoo, "WHEEL", "mediapipe==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert zoo.pull("mediapipe").folder == cache / "mediapipe"
    zoo.remove("mediapipe")
    with zipfile.ZipFile(task_file, "w", zipfile.ZIP_STORED) as archive:
        for member in zoo.TASK_MEMBERS.values():
            archive.writestr(member, b"something else")
    with pytest.raises(BundleError, match="sha256"):
        zoo.pull("mediapipe")
    assert not (cache / "mediapipe").exists()


def test_processes_that_pull_at_once_all_get_a_whole_bundle(cache: Path, task_file: Path) -> None:
    code = (
        "from knuckle import zoo; zoo.WHEEL = 'mediapipe==0.0.0'; "
        f"zoo.TASK_URL = {task_file.as_uri()!r}; print(zoo.find('mediapipe').name)"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [run.communicate()[0].strip() for run in runs] == ["mediapipe"] * 4
    assert [entry.name for entry in cache.iterdir()] == ["mediapipe"]


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_file_that_is_no_task_bundle_is_named(cache: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.task"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"wrong\.task"):
        knuckle.detect(blank(), path)


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(BundleError, match="mediapipe-lite"):
        knuckle.detect(blank(), "mediapype")
