from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scene import blank, draw_hand

import knuckle
from knuckle import BundleError
from knuckle.models import cache as cache_module
from knuckle.models import catalogue, visibility_head
from knuckle.models.bundle import TASK_MEMBERS
from knuckle.models.session import Session
from knuckle.pipeline.tracker import Networks


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test."""
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Google's address nor the package index can be reached."""
    monkeypatch.setattr(cache_module, "TASK_URL", "http://127.0.0.1:9/hand_landmarker.task")
    monkeypatch.setattr(cache_module, "WHEEL", "mediapipe==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def task_file(networks: Networks, tmp_path: Path) -> Path:
    """What Google publishes: a zip of two stored tflite files."""
    path = tmp_path / "hand_landmarker.task"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.write(networks.bundle.palm_path, TASK_MEMBERS["palm"])
        archive.write(networks.bundle.folder / catalogue.BUNDLES["mediapipe"].hand.file, TASK_MEMBERS["hand"])
    return path


def cache_as_published(cache: Path, found: catalogue.Bundle) -> Path:
    """A bundle as versions without the visibility head left it in the cache."""
    folder, published = cache / found.name, catalogue.BUNDLES[found.name]
    folder.mkdir(parents=True)
    for network in (published.palm, published.hand):
        shutil.copy(found.folder / network.file, folder)
    (folder / "bundle.json").write_text(published.to_json())
    return folder


def test_the_default_bundle_matches_its_description(networks: Networks) -> None:
    bundle = networks.bundle
    assert bundle.name == "mediapipe" and bundle.licence == "Apache-2.0"
    assert (networks.palm.side, networks.hand.side) == (bundle.palm_side, bundle.hand_side) == (192, 224)  # type: ignore[attr-defined]


def test_a_task_file_is_a_bundle(cache: Path, task_file: Path) -> None:
    image = draw_hand(blank(), 300, 220, 240)
    (hand,), (usual,) = knuckle.detect(image, task_file), knuckle.detect(image, "mediapipe")
    assert np.array_equal(hand.landmarks, usual.landmarks)
    assert hand.visibility is not None and usual.visibility is not None
    assert np.array_equal(hand.visibility, usual.visibility)


def test_a_folder_is_a_bundle_and_can_be_imported_by_name(cache: Path, networks: Networks) -> None:
    folder = networks.bundle.folder
    assert catalogue.find(folder) == networks.bundle
    assert catalogue.import_folder(folder, "mine").name == "mine"
    assert catalogue.find("mine").folder == cache / "mine"
    catalogue.remove("mine")
    assert not (cache / "mine").exists()
    with pytest.raises(BundleError, match="mine"):
        catalogue.remove("mine")


@pytest.fixture(params=["mediapipe", "mediapipe-lite"], scope="module")
def found(request: pytest.FixtureRequest) -> catalogue.Bundle:
    """Each known bundle in the user's own cache, where it has its head already."""
    return catalogue.find(request.param)


def test_the_visibility_head_adds_one_output_and_changes_no_other(found: catalogue.Bundle) -> None:
    published = found.folder / catalogue.BUNDLES[found.name].hand.file
    assert hashlib.sha256(published.read_bytes()).hexdigest() == catalogue.BUNDLES[found.name].hand.sha256
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    ours, theirs = Session(found.hand_path, 1)(pictures), Session(published, 1)(pictures)
    visibility = ours.pop(found.hand_outputs["visibility"])
    assert visibility.shape == (2, 21) and ((visibility > 0) & (visibility < 1)).all()
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values)


def test_a_bundle_that_an_older_version_cached_gets_the_head_once(
    cache: Path, offline: None, found: catalogue.Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache_as_published(cache, found)
    bundle = catalogue.find(found.name)
    assert bundle == found and bundle.folder == folder and "visibility" in bundle.hand_outputs
    assert bundle.hand_path.read_bytes() == found.hand_path.read_bytes()
    monkeypatch.setattr(visibility_head, "with_visibility", lambda network: pytest.fail("made again"))
    assert catalogue.open_folder(folder) == catalogue.find(found.name) == catalogue.available()[found.name] == bundle


def test_a_newer_head_takes_the_place_of_an_older_one(
    cache: Path, offline: None, found: catalogue.Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_as_published(cache, found)
    monkeypatch.setattr(visibility_head, "version", lambda: "0" * 12)
    monkeypatch.setattr(visibility_head, "with_visibility", lambda network: network + b"older")
    assert catalogue.find(found.name).hand_path.read_bytes().endswith(b"older")
    monkeypatch.undo()
    monkeypatch.setenv("KNUCKLE_CACHE", str(cache.parent))
    assert catalogue.find(found.name) == found


def test_processes_that_upgrade_at_once_all_get_the_head(cache: Path, found: catalogue.Bundle) -> None:
    folder = cache_as_published(cache, found)
    code = f"from knuckle.models import catalogue; print(catalogue.find({found.name!r}).hand.sha256)"
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {run.communicate()[0].strip() for run in runs} == {found.hand.sha256}
    assert catalogue.find(found.name) == found and not list(folder.glob(".unfinished-*"))


@pytest.mark.parametrize("name", ["mediapipe", "mine"])
def test_a_name_means_the_bundle_and_not_a_folder_called_like_it(
    name: str, networks: Networks, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_as_published(cache, networks.bundle)
    catalogue.import_folder(networks.bundle.folder, "mine")
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    assert catalogue.find(name).folder == cache / name
    for folder in (f"./{name}", Path(name), tmp_path / name):
        with pytest.raises(BundleError, match="not a bundle"):
            catalogue.find(folder)
    shutil.copytree(cache / name, Path("elsewhere"))
    assert catalogue.find("elsewhere").folder == tmp_path / "elsewhere"


def test_a_bundle_that_is_exported_again_is_loaded_again(tmp_path: Path) -> None:
    folder, ours = tmp_path / "own", catalogue.find("knuckle")
    folder.mkdir()
    for network in ours.files():
        shutil.copy(ours.folder / network.file, folder)
    (folder / "bundle.json").write_text(ours.to_json())
    first = knuckle.load(folder)
    assert knuckle.load(folder) is first and knuckle.load(str(folder)).bundle == first.bundle
    (folder / "bundle.json").write_text(replace(ours, min_presence=0.25).to_json())
    second = knuckle.load(folder)
    assert second is not first and second.bundle.min_presence == 0.25
    hand = replace(ours.hand, sha256=hashlib.sha256((folder / ours.hand.file).read_bytes() + b"tuned").hexdigest())
    (folder / ours.hand.file).write_bytes((folder / ours.hand.file).read_bytes() + b"tuned")
    (folder / "bundle.json").write_text(replace(ours, hand=hand).to_json())
    assert knuckle.load(folder).bundle.hand == hand


def test_a_task_file_may_hold_networks_of_any_size(cache: Path, tmp_path: Path) -> None:
    own = catalogue.find("knuckle-fast")
    with zipfile.ZipFile(tmp_path / "own.task", "w") as archive:
        archive.write(own.palm_path, "hand_detector.tflite")
        archive.write(own.hand_path, "hand_landmarks_detector.tflite")
    imported = catalogue.import_task(tmp_path / "own.task", "own")
    assert (imported.palm_side, imported.hand_side) == (own.palm_side, own.hand_side) == (192, 128)


def test_a_task_file_is_imported_once(cache: Path, task_file: Path) -> None:
    first = catalogue.find(task_file)
    written_ns = first.hand_path.stat().st_mtime_ns
    again = catalogue.find(task_file)
    assert again == first and again.hand_path.stat().st_mtime_ns == written_ns
    assert knuckle.load(task_file) is knuckle.load(task_file)


def test_a_task_file_that_another_version_imported_is_imported_again(cache: Path, task_file: Path) -> None:
    first = catalogue.find(task_file)
    description = first.folder / "bundle.json"
    description.write_text(description.read_text().replace('"min_presence"', '"a_name_of_another_version"'))
    assert catalogue.find(task_file) == first


def test_sides_that_are_not_those_of_the_networks_are_refused(tmp_path: Path) -> None:
    ours = catalogue.find("knuckle")
    for network in (ours.palm, ours.hand):
        shutil.copy(ours.folder / network.file, tmp_path)
    (tmp_path / "bundle.json").write_text(replace(ours, hand_side=128, palm_int8=None, hand_int8=None).to_json())
    with pytest.raises(BundleError, match=r"takes 224 pixels, bundle\.json says 128"):
        knuckle.load(tmp_path)


def test_importing_again_replaces_what_was_there(cache: Path, networks: Networks, task_file: Path) -> None:
    assert catalogue.import_task(task_file, "mine").hand_side == 224
    before = catalogue.find("mine").palm.sha256
    with zipfile.ZipFile(task_file, "w") as archive:
        archive.writestr(TASK_MEMBERS["palm"], networks.bundle.palm_path.read_bytes() + b"tuned")
        archive.write(networks.bundle.hand_path, TASK_MEMBERS["hand"])
    after = catalogue.import_task(task_file, "mine")
    assert after.palm.sha256 != before and catalogue.find("mine") == after
    assert catalogue.import_folder(networks.bundle.folder, "mine").palm == networks.bundle.palm
    assert sorted(entry.name for entry in cache.iterdir()) == ["mine"]


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-lite", "knuckle", "", "a/b", "..", ".hidden"])
def test_names_that_an_import_cannot_have_are_refused(name: str, cache: Path, task_file: Path) -> None:
    with pytest.raises(BundleError, match=r"choose another with --name|cannot be the name"):
        catalogue.import_task(task_file, name)
    with pytest.raises(BundleError, match=r"choose another with --name|cannot be the name"):
        catalogue.import_folder(task_file.parent, name)
    assert not cache.exists()


def test_importing_a_missing_or_broken_file_is_one_line(cache: Path, tmp_path: Path) -> None:
    for take in (catalogue.import_task, catalogue.import_folder):
        with pytest.raises(BundleError, match=r"nope\.task") as caught:
            take(tmp_path / "nope.task", "mine")
        assert "\n" not in str(caught.value)
    with pytest.raises(BundleError, match=tmp_path.name):
        catalogue.import_task(tmp_path, "mine")


def test_other_networks_get_no_visibility_head(cache: Path, networks: Networks, tmp_path: Path) -> None:
    hand = (networks.bundle.folder / catalogue.BUNDLES["mediapipe"].hand.file).read_bytes() + b"tuned"
    path = tmp_path / "tuned.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(networks.bundle.palm_path, TASK_MEMBERS["palm"])
        archive.writestr(TASK_MEMBERS["hand"], hand)
    bundle = catalogue.find(path)
    assert "visibility" not in bundle.hand_outputs and bundle.hand_path.read_bytes() == hand


def test_a_cache_that_cannot_be_written_serves_the_published_network_and_says_so(
    cache: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache_as_published(cache, networks.bundle)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache_module, "write_in_one_step", refuse)
    assert catalogue.find("mediapipe").hand == catalogue.BUNDLES["mediapipe"].hand
    assert "cannot be written (Permission denied)" in caplog.text


def test_offline_without_a_cache_one_message_says_what_to_run(cache: Path, offline: None) -> None:
    with pytest.raises(BundleError, match=r"knuckle models pull mediapipe.*hand_landmarker\.task") as caught:
        catalogue.find("mediapipe")
    assert "\n" not in str(caught.value)
    assert 'models="knuckle"' in str(caught.value) and "--models knuckle" in str(caught.value)
    assert not list(cache.glob("mediapipe*")) and not list(cache.glob(".unfinished-*"))


def test_a_damaged_cache_is_never_used(cache: Path, offline: None, networks: Networks) -> None:
    for kind in ("palm", "hand", "published hand"):
        cache_as_published(cache, networks.bundle)
        bundle = catalogue.BUNDLES["mediapipe"] if kind == "published hand" else catalogue.find("mediapipe")
        damaged = cache / "mediapipe" / (bundle.palm if kind == "palm" else bundle.hand).file
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
        with pytest.raises(BundleError, match="cannot be fetched"):
            catalogue.find("mediapipe")
        assert not (cache / "mediapipe").exists()


@pytest.mark.parametrize("value", ["false", 1, None])
def test_a_second_look_is_true_or_false(tmp_path: Path, networks: Networks, value: object) -> None:
    fields = json.loads(networks.bundle.to_json())
    (tmp_path / "bundle.json").write_text(json.dumps({**fields, "second_look": value}))
    with pytest.raises(BundleError, match="second_look must be true or false"):
        catalogue.open_folder(tmp_path)


@pytest.mark.parametrize("name", ["faint_palms", "min_palm_score", "min_presence"])
@pytest.mark.parametrize("value", [-0.1, 1.5, "0.6", None, True])
def test_thresholds_are_numbers_from_0_to_1(tmp_path: Path, networks: Networks, name: str, value: object) -> None:
    fields = json.loads(networks.bundle.to_json())
    (tmp_path / "bundle.json").write_text(json.dumps({**fields, name: value}))
    with pytest.raises(BundleError, match=rf"bundle\.json cannot be read: {name} must be a number from 0 to 1"):
        catalogue.open_folder(tmp_path)


def test_a_bundle_of_another_version_says_what_it_has_that_is_unknown(tmp_path: Path, networks: Networks) -> None:
    fields = json.loads(networks.bundle.to_json())
    (tmp_path / "bundle.json").write_text(json.dumps({**fields, "min_new_presence": 0.8}))
    with pytest.raises(BundleError, match="does not know min_new_presence; update it, or export the bundle again"):
        catalogue.open_folder(tmp_path)


def test_a_damaged_bundle_of_the_user_s_own_is_named(tmp_path: Path, networks: Networks) -> None:
    folder = tmp_path / "own"
    shutil.copytree(networks.bundle.folder, folder)
    hand = folder / networks.bundle.hand.file
    hand.write_bytes(b"")
    with pytest.raises(BundleError, match=networks.bundle.hand.file):
        catalogue.find(folder)
    hand.unlink()
    with pytest.raises(BundleError, match="missing"):
        catalogue.find(folder)
    (folder / "bundle.json").write_text(json.dumps({"name": "own"}))
    with pytest.raises(BundleError, match=r"bundle\.json"):
        catalogue.find(folder)


def test_the_official_task_file_is_tried_first_and_verified(
    cache: Path, task_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "TASK_URL", task_file.as_uri())
    monkeypatch.setattr(cache_module, "WHEEL", "mediapipe==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert catalogue.pull("mediapipe").folder == cache / "mediapipe"
    catalogue.remove("mediapipe")
    with zipfile.ZipFile(task_file, "w", zipfile.ZIP_STORED) as archive:
        for member in TASK_MEMBERS.values():
            archive.writestr(member, b"something else")
    with pytest.raises(BundleError, match="sha256"):
        catalogue.pull("mediapipe")
    assert not (cache / "mediapipe").exists()


def test_processes_that_pull_at_once_all_get_a_whole_bundle(cache: Path, task_file: Path) -> None:
    code = (
        "from knuckle.models import cache, catalogue; cache.WHEEL = 'mediapipe==0.0.0'; "
        f"cache.TASK_URL = {task_file.as_uri()!r}; print(catalogue.find('mediapipe').name)"
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


@pytest.mark.parametrize("name", catalogue.PACKAGED)
def test_our_bundles_need_neither_cache_nor_network(
    name: str, cache: Path, offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()  # a folder of this name is not what is meant
    bundle = catalogue.find(name)
    assert bundle.folder == catalogue.OWN and catalogue.available()[name] == bundle
    assert bundle.palm_path.stat().st_size <= 2_500_000 and bundle.hand_path.stat().st_size <= 6_000_000
    assert all(path.with_suffix(".pt").is_file() for path in (bundle.palm_path, bundle.hand_path))
    assert knuckle.detect(blank(), name) == []
    assert not cache.exists()


def test_our_bundles_keep_their_names(cache: Path, networks: Networks) -> None:
    with pytest.raises(BundleError, match="choose another"):
        catalogue.import_folder(networks.bundle.folder, "knuckle")


def test_our_landmark_network_agrees_with_mediapipe_s_on_a_clip(networks: Networks) -> None:
    ours, clip = knuckle.load("knuckle"), Path(__file__).parents[2] / "examples" / "hands.mp4"
    assert ours.bundle.hand_path.stat().st_size <= 6_000_000
    away, found = [], {"ours": 0, "theirs": 0}
    for frame in list(knuckle.read(clip))[::12]:
        mine, theirs = knuckle.detect(frame.image, models=ours), knuckle.detect(frame.image, models=networks)
        found["ours"] += len(mine)
        found["theirs"] += len(theirs)
        for hand in theirs:
            palm = np.hypot(*(hand.landmarks[9] - hand.landmarks[0])[:2])
            distances = [np.hypot(*(other.landmarks - hand.landmarks)[:, :2].T).mean() / palm for other in mine]
            away += [min(distances)] if distances else []
    assert found["ours"] >= 0.9 * found["theirs"] > 0
    assert np.median(away) < 0.12
