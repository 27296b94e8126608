"""Shards: reproducible, complete or absent, resumable."""

from __future__ import annotations

import errno
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from knuckle.errors import InputError, SinkError
from knuckle.synth.scene.studio import Sample
from knuckle.synth.write import shards
from knuckle.synth.write.recipe import Recipe
from knuckle.synth.write.shards import read_shard, write_shards


class PlainStudio:
    """Makes images of one random colour: these tests are about the files."""

    def __init__(self, side: int, backgrounds: str | None, margin: float, mix: object) -> None:
        self.side = side
        self.renderer = SimpleNamespace(name="plain")

    def hand_crop(self, rng: np.random.Generator) -> Sample:
        image = np.full((self.side, self.side, 3), rng.integers(0, 255, 3), np.uint8)
        depth = np.full((self.side, self.side), 0.5, np.float32)
        depth[0, 0] = np.inf
        camera = {"width": self.side}
        return Sample(image, (), camera, {"light": "plain"}, np.ones((self.side, self.side), np.uint8), depth)

    scene = hand_crop


@pytest.fixture(autouse=True)
def plain_studio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "Studio", PlainStudio)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tar"))}


def test_shards_hold_every_sample_once_in_order(tmp_path: Path) -> None:
    manifest = write_shards(tmp_path, Recipe("hands", 7, 32, per_shard=3))
    keys = [key for path in sorted(tmp_path.glob("*.tar")) for key, _ in read_shard(path)]
    assert keys == [f"hands_0_{k:08d}" for k in range(7)]
    assert [shard["samples"] for shard in manifest["shards"]] == [3, 3, 1]
    assert not list(tmp_path.glob("*.part"))


def test_same_seed_same_bytes_for_every_shard_size(tmp_path: Path) -> None:
    write_shards(tmp_path / "a", Recipe("hands", 6, 32, seed=4, per_shard=6))
    write_shards(tmp_path / "b", Recipe("hands", 6, 32, seed=4, per_shard=2))
    write_shards(tmp_path / "c", Recipe("hands", 6, 32, seed=5, per_shard=6))
    found = [
        {key: files["jpg"] for path in sorted((tmp_path / name).glob("*.tar")) for key, files in read_shard(path)}
        for name in "abc"
    ]
    assert found[0] == found[1]
    assert set(found[0].values()).isdisjoint(found[2].values())


def test_writing_again_keeps_complete_shards_and_makes_the_missing(tmp_path: Path) -> None:
    recipe = Recipe("scenes", 5, 32, per_shard=2)
    write_shards(tmp_path, recipe)
    before = contents(tmp_path)
    (tmp_path / "scenes-000001.tar").unlink()
    kept = (tmp_path / "scenes-000000.tar").stat().st_mtime_ns
    write_shards(tmp_path, recipe)
    assert contents(tmp_path) == before
    assert (tmp_path / "scenes-000000.tar").stat().st_mtime_ns == kept


def test_a_larger_count_goes_on_where_the_smaller_ended(tmp_path: Path) -> None:
    write_shards(tmp_path / "a", Recipe("hands", 3, 32, per_shard=2))
    write_shards(tmp_path / "a", Recipe("hands", 5, 32, per_shard=2))
    write_shards(tmp_path / "b", Recipe("hands", 5, 32, per_shard=2))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_recipe_does_not_mix_in(tmp_path: Path) -> None:
    write_shards(tmp_path, Recipe("hands", 2, 32, seed=1))
    with pytest.raises(InputError, match="another recipe"):
        write_shards(tmp_path, Recipe("hands", 2, 32, seed=2))


def test_other_poses_are_another_recipe_and_older_folders_have_all(tmp_path: Path) -> None:
    manifest = write_shards(tmp_path, Recipe("hands", 2, 32))
    del manifest["recipe"]["poses"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    write_shards(tmp_path, Recipe("hands", 3, 32))
    with pytest.raises(InputError, match="another recipe"):
        write_shards(tmp_path, Recipe("hands", 3, 32, poses=("ok",)))
    write_shards(tmp_path / "ok", Recipe("hands", 2, 32, poses=("ok",)))
    write_shards(tmp_path / "ok", Recipe("hands", 3, 32, poses=("ok",)))
    with pytest.raises(InputError, match="no pose 'okay'; there are free, pinching, open"):
        Recipe("hands", 2, 32, poses=("okay",))


def test_masks_and_depth_are_what_was_rendered(tmp_path: Path) -> None:
    write_shards(tmp_path, Recipe("hands", 1, 32, masks=True, depth=True))
    ((_, files),) = read_shard(tmp_path / "hands-000000.tar")
    depth = cv2.imdecode(np.frombuffer(files["depth.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    assert depth[0, 0] == 0 and depth[5, 5] * shards.DEPTH_UNIT_M == pytest.approx(0.5, abs=2e-4)
    assert (cv2.imdecode(np.frombuffer(files["mask.png"], np.uint8), cv2.IMREAD_UNCHANGED) == 1).all()
    assert json.loads(files["json"]).keys() == {"hands", "camera", "scene"}


def test_a_full_disk_leaves_complete_shards_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = tarfile.TarFile.addfile
    room = [9]

    def addfile(tar: tarfile.TarFile, entry: tarfile.TarInfo, data: io.BytesIO) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        wrote(tar, entry, data)

    monkeypatch.setattr(tarfile.TarFile, "addfile", addfile)
    with pytest.raises(SinkError, match="No space left"):
        write_shards(tmp_path, Recipe("hands", 9, 32, per_shard=3))
    assert [path.name for path in sorted(tmp_path.glob("*.tar"))] == ["hands-000000.tar"]
    assert len(list(read_shard(tmp_path / "hands-000000.tar"))) == 3
    assert not list(tmp_path.glob("*.part"))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["samples"] == 3
    assert manifest["renderers"] == ["plain"]  # seeds give the same pixels on the same renderer only


def test_a_folder_that_holds_other_tar_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.tar").write_bytes(b"")
    with pytest.raises(InputError, match="manifest"):
        write_shards(tmp_path, Recipe("hands", 1, 32))


@pytest.mark.parametrize("change", [{"count": 0}, {"side": 8}, {"product": "feet"}, {"per_shard": 0}, {"margin": 0}])
def test_impossible_recipes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Recipe(**{"product": "hands", "count": 1, "side": 32, **change})  # type: ignore[arg-type]


def test_a_file_that_is_not_a_shard_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("no")
    with pytest.raises(InputError, match="not a shard"):
        list(read_shard(tmp_path / "x.tar"))


def test_label_fields_are_those_of_the_documents() -> None:
    text = (Path(__file__).parents[2] / "docs/synthetic.md").read_text()
    fields = {"landmarks", "world", "centre", "handedness", "visibility", "palm"}
    assert all(f"`{field}`" in text for field in fields)
