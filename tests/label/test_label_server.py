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
from knuckle.label.journal import Journal


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
    one.save("a.jpg", {"hands": [], "by": 1}, accepted=True, doubtful=False)
    two.save("b.jpg", {"hands": [], "by": 2}, accepted=True, doubtful=False)
    two.save("a.jpg", {"hands": [], "by": 2}, accepted=True, doubtful=False)
    one.save("old.jpg", {"hands": [], "by": 1}, accepted=True, doubtful=False)
    rows = {row["image"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert {name: row["by"] for name, row in rows.items()} == {"a.jpg": 2, "b.jpg": 2, "old.jpg": 1}
    assert rows["old.jpg"]["licence"] == "CC0"  # fields that the page does not know stay


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    first = Journal(out)
    first.save("a.jpg", {"hands": []}, accepted=True, doubtful=False)
    with first.own.open("ab") as log:
        log.write(b'{"time": 9e9, "image": "a.jpg", "acc')
    again = Journal(out)
    assert again.entries["a.jpg"]["accepted"] is True
    again.save("b.jpg", {"hands": []}, accepted=True, doubtful=False)
    assert len(out.read_text().splitlines()) == 2


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    pillow.fromarray(two_hands(0)).save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("mine")
    assert "not a label file" in run("label", str(tmp_path), "--out", str(tmp_path / "notes.txt")).stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert "no photos" in run("label", str(tmp_path / "empty")).stderr
