"""The server of the labelling page: what it saves, what it refuses, what survives a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run
from conftest import two_hands
from labelling import Labelling, labelling
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.datasets.labels import Visibility
from knuckle.errors import InputError
from knuckle.label.compare import Comparison, held_out_in
from knuckle.label.folder import Folder, rows_to_begin_with
from knuckle.label.journal import Change, Journal
from knuckle.pipeline.networks import load


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labelling]:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(3):
        pillow.fromarray(two_hands(k / 2)).save(folder / f"{k}.jpg", quality=92)
    (folder / "3.jpg").write_bytes(b"no photo")
    with labelling(folder) as running:
        yield running


def accepted(hands: list[Any], **changes: Any) -> dict[str, Any]:
    return {"hands": hands, "accepted": True, "doubtful": False} | changes


def test_the_tracker_labels_first_and_the_label_file_has_what_was_accepted(session: Labelling) -> None:
    shown = session.get("/photos/2").json()
    assert (shown["width"], shown["height"], shown["accepted"]) == (640, 480, False)
    hand = shown["hands"][0]
    hand["landmarks"][8][:2] = [-5, 100.5]
    hand["visibility"][4] = 2
    assert session.put(2, accepted([hand])).status_code == 200
    (shot,) = read_dataset(session.out).shots
    label = shot.hands[0]
    assert Path(shot.source).name == "2.jpg" and shot.complete and shot.size == (640, 480)
    np.testing.assert_allclose(label.landmarks[8, :2], [-5, 100.5], atol=1e-3)
    assert label.visibility[8] == Visibility.OUTSIDE and label.visibility[4] == Visibility.HIDDEN
    session.put(2, accepted([hand], accepted=False, doubtful=True))
    assert session.out.read_text() == ""
    assert session.get("/photos/2").json()["doubtful"] is True


def test_no_hand_is_a_label(session: Labelling) -> None:
    session.put(1, accepted([]))
    (shot,) = read_dataset(session.out).shots
    assert shot.hands == () and shot.complete


def test_hands_are_added_by_a_click_and_by_a_box_and_where_the_network_sees_none(session: Labelling) -> None:
    for place, seen in (([180, 216], True), ([90, 110, 270, 330], True), ([300, 20, 330, 50], False)):
        answer = session.post("/photos/0/hand", {"place": place}).json()
        points = np.array(answer["hand"]["landmarks"])[:, :2]
        low, high = np.array(place[:2]) - 130, np.array(place[-2:]) + 130
        assert answer["seen"] is seen and points.shape == (21, 2)
        assert ((low < points) & (points < high)).all()


def test_what_is_wrong_is_refused_in_one_line(session: Labelling) -> None:
    before = session.out.read_text()
    for answer, status, says in (
        (session.put(0, {"hands": [{"landmarks": [[1, 2]]}], "accepted": True, "doubtful": False}), 400, "not saved"),
        (session.put(0, {"hands": "none"}), 400, "not saved"),
        (session.post("/photos/0/hand", {"place": [1, 2, 3]}), 400, "a point x, y or a box"),
        (session.post("/photos/0/hand", {"place": [5, 5, 5, 5]}), 400, "empty"),
        (session.get("/photos/3"), 422, "3.jpg"),
        (session.get("/photos/99"), 404, "there are 4"),
        (session.put(0, accepted([]), Origin="https://example.org"), 403, "example.org"),
        (session.get("/photos", Host="example.org"), 403, "localhost"),
    ):
        error = answer.json()["error"]
        assert answer.status_code == status and says in error and "\n" not in error
    assert session.out.read_text() == before


def test_several_sessions_share_a_folder_and_the_later_change_counts(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    out.write_text('{"image": "old.jpg", "hands": [], "licence": "CC0"}\n')
    one, two = Journal(out), Journal(out)
    one.save({"a.jpg": Change({"hands": [], "by": 1}, accepted=True)})
    two.save({name: Change({"hands": [], "by": 2}, accepted=True) for name in ("b.jpg", "a.jpg")})
    one.save({"old.jpg": Change({"hands": [], "by": 1}, accepted=True)})
    rows = {row["image"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert {name: row["by"] for name, row in rows.items()} == {"a.jpg": 2, "b.jpg": 2, "old.jpg": 1}
    assert rows["old.jpg"]["licence"] == "CC0"  # fields that the page does not know stay


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    first = Journal(out)
    first.save({"a.jpg": Change({"hands": []}, accepted=True)})
    with first.own.open("ab") as log:
        log.write(b'{"time": 9e9, "image": "a.jpg", "acc')
    again = Journal(out)
    assert again.entries["a.jpg"]["accepted"] is True
    again.save({"b.jpg": Change({"hands": []}, accepted=True)})
    assert len(out.read_text().splitlines()) == 2


def test_a_label_file_that_is_gone_or_behind_is_written_again_from_the_logs(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    Journal(out).save({name: Change({"hands": []}, accepted=True) for name in ("a.jpg", "b.jpg")})
    whole = out.read_text()
    out.unlink()
    Journal(out)
    assert out.read_text() == whole
    out.write_text(whole.splitlines()[0] + "\n")
    Journal(out)
    assert out.read_text() == whole


def test_a_damaged_label_file_is_named_with_its_line_and_its_log(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    Journal(out).save({name: Change({"hands": []}, accepted=True) for name in ("a.jpg", "b.jpg")})
    whole = out.read_text()
    out.write_text(whole[:-9])
    with pytest.raises(InputError, match=r"line 2 is not a row .*; move the file away .* labels.jsonl.log has what"):
        Journal(out)
    out.rename(tmp_path / "damaged.jsonl")
    Journal(out)
    assert out.read_text() == whole


def test_all_splits_of_a_dataset_are_opened(tmp_path: Path) -> None:
    for k, split in enumerate(("train", "val")):
        (tmp_path / "yolo" / "images" / split).mkdir(parents=True)
        pillow.fromarray(two_hands(k / 2)).save(tmp_path / "yolo" / "images" / split / f"{k}.jpg")
    text = "train: images/train\nval: images/val\nkpt_shape: [21, 3]\nnames:\n  0: left hand\n  1: right hand\n"
    (tmp_path / "yolo" / "data.yaml").write_text(text)
    rows = rows_to_begin_with(tmp_path / "yolo", tmp_path, tmp_path / "labels.jsonl")
    assert sorted(rows or {}) == ["yolo/images/train/0.jpg", "yolo/images/val/1.jpg"]


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    pillow.fromarray(two_hands(0)).save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not a row of labels" in run("label", str(tmp_path), "--out", str(tmp_path / "notes.txt")).stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert "no photos" in run("label", str(tmp_path / "empty")).stderr


def test_labels_of_other_tools_are_opened_and_downloaded(tmp_path: Path) -> None:
    for k in range(3):
        pillow.fromarray(two_hands(k / 2)).save(tmp_path / f"{k}.jpg", quality=92)
    hand = {"landmarks": [[100 + 7 * k, 200 + 5 * k] for k in range(21)], "handedness": "Left"}
    hand["visibility"] = [0] * 20 + [2]
    rows = [{"image": "0.jpg", "width": 640, "height": 480, "hands": [hand]}, {"image": "1.jpg", "hands": []}]
    rows[1] |= {"width": 640, "height": 480}
    ours = tmp_path / "elsewhere.jsonl"
    ours.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert run("datasets", "convert", str(ours), str(tmp_path / "theirs.coco.json")).returncode == 0
    with labelling(tmp_path) as session:  # which finds theirs.coco.json
        shown = session.get("/photos").json()["photos"]
        assert [photo["accepted"] for photo in shown] == [True, True, False]
        opened = session.get("/photos/0").json()["hands"][0]
        np.testing.assert_allclose(np.array(opened["landmarks"])[:, :2], hand["landmarks"], atol=0.01)
        assert opened["handedness"] == "Left" and opened["visibility"][20] == 2
        assert session.get("/labels/coco").status_code == 400  # nothing is saved yet
        session.put(1, accepted([]))
        for name, suffix in (("coco", ".coco.json"), ("cvat", ".cvat.xml"), ("yolo", ".yolo.zip"), ("jsonl", ".jsonl")):
            answer = session.get(f"/labels/{name}")
            assert answer.status_code == 200 and f"labels{suffix}" in answer.headers["content-disposition"]
            assert len(answer.content) > 200
        assert session.get("/labels/exe").status_code == 404
    assert len(read_dataset(tmp_path / "labels.jsonl").shots) == 2


def test_two_bundles_are_compared_on_photos_that_were_held_out(tmp_path: Path) -> None:
    for k in range(2):
        pillow.fromarray(two_hands(0.3 * k)).save(tmp_path / f"{k}.jpg", quality=92)
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "config.json").write_text(json.dumps({"held_out": ["1.jpg"]}))
    opened = Folder(str(tmp_path), load("mediapipe"))
    photos, held_out = opened.photos, held_out_in(run_folder)
    opened.session.comparison = Comparison(opened.session.networks, load("mediapipe-lite"), held_out)
    with pytest.raises(InputError, match="accepted photos are compared"):
        photos.compare(1)
    for number in (0, 1):
        hands = photos.labels(number)["hands"]
        photos.save(number, accepted(hands))
    assert list(opened.comparable()) == ["/photos/0", "/photos/1"]
    seen = [photos.compare(number) for number in (0, 1)]
    assert [one["counts"] for one in seen] == [False, True]
    assert seen[1]["before"]["missed"] == 0 and max(seen[1]["before"]["errors"]) < 1  # they are its own
    assert len(seen[1]["before"]["errors"]) == len(hands) and seen[1]["before"] != seen[1]["after"]
    (run_folder / "config.json").write_text("{}")
    refused = run("label", str(tmp_path), "--compare=mediapipe-lite", f"--run={run_folder}")
    assert refused.returncode == 2 and "held no photos out" in refused.stderr
