"""Gestures from a few examples: learned, written, read back, reported; recordings; damage."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from commands import run as knuckle_command
from posed import posed_hand

from knuckle.cli.app import cli
from knuckle.errors import InputError, SourceError
from knuckle.gestures.examples import examples_of, new_take, read_examples
from knuckle.gestures.network import shape_network
from knuckle.gestures.recogniser import load_gestures
from knuckle.gestures.taught import confusion, directed_or_not, fit_gestures, held_out, read_taught
from knuckle.results import Hand

POSES = ("two", "shaka", "ok", "fist", "horns", "asl_K", "asl_C", "pinky")
RNG = np.random.default_rng(5)


def seen(pose: str, turn_deg: float = 0) -> Hand:
    """A pose from a random side."""
    tilt = RNG.normal(0, 12, 3)
    side = str(RNG.choice(["Left", "Right"]))
    return posed_hand(pose, side, (float(tilt[0]), float(tilt[1]), float(tilt[2] + turn_deg)))


def examples(count: int, people: int = 2, poses: tuple[str, ...] = POSES) -> list[tuple[str, str, Hand]]:
    return [(pose, f"person {k % people}", seen(pose)) for pose in poses for k in range(count)]


def test_ten_examples_of_eight_gestures_are_enough() -> None:
    taught = fit_gestures(examples_of(examples(10)), directed=False)
    recognise = load_gestures()
    fresh = examples(20)
    said = type(recognise)(recognise.network, taught)([hand for _, _, hand in fresh])
    right = [
        hand.gesture is not None and hand.gesture.name == name for hand, (name, _, _) in zip(said, fresh, strict=True)
    ]
    assert np.mean(right) > 0.97


def test_a_hand_unlike_all_examples_is_none_of_them() -> None:
    taught = fit_gestures(examples_of(examples(10, poses=("two", "fist", "ok"))), directed=False)
    recognise = load_gestures()
    others = type(recognise)(recognise.network, taught)(
        [seen(pose) for pose in ("open", "shaka", "horns") for _ in range(10)]
    )
    assert np.mean([hand.gesture is None for hand in others]) > 0.9


def test_where_a_hand_points_counts_only_if_it_tells_gestures_apart() -> None:
    def thumbs(name: str, turn_deg: float) -> list[tuple[str, str, Hand]]:
        return [(name, f"take {k}", seen("thumb_up", turn_deg)) for k in range(8)]

    up = thumbs("up", 0)
    assert directed_or_not(examples_of(up + thumbs("down", 180)))
    assert not directed_or_not(examples_of(examples(6, poses=("two", "fist"))))
    taught = fit_gestures(examples_of(up + thumbs("down", 180)), directed=True)
    recognise = load_gestures()
    (hand,) = type(recognise)(recognise.network, taught)([posed_hand("thumb_up", turned_deg=(0, 0, 180))])
    assert hand.gesture and hand.gesture.name == "down"


def test_the_report_never_asks_a_group_that_was_learned() -> None:
    rows = examples(12, people=3, poses=("two", "fist"))
    swapped = {"two": "fist", "fist": "two"}  # a person who has them the other way round is understood by nobody
    rows += [(swapped[name], "stubborn", hand) for name, _, hand in examples(1, poses=("two", "fist"))]
    said = held_out(examples_of(rows), directed=False)
    right = {group: [] for _, group, _ in rows}  # type: dict[str, list[bool]]
    for one, (name, group, _) in zip(said, rows, strict=True):
        right[group].append(one == name)
    assert not any(right.pop("stubborn"))
    assert all(np.mean(values) > 0.8 for values in right.values())
    table = confusion([name for name, _, _ in rows], said)
    assert sum(sum(row.values()) for row in table.values()) == len(rows)


def test_hands_that_are_no_gesture_are_asked_and_never_learned() -> None:
    rows = examples(8, poses=("two", "fist", "ok")) + [("None", "person 0", seen("open")) for _ in range(8)]
    rows += [("None", "person 1", seen("two")) for _ in range(8)]  # hands that do make a gesture
    said = held_out(examples_of(rows), directed=False)
    table = confusion([name for name, _, _ in rows], said)
    assert table["None"]["two"] == 8 and table["None"]["None"] == 8
    assert all(table[name][name] >= 7 for name in ("two", "fist", "ok"))


def write_takes(folder: Path, poses: tuple[str, ...], takes: int = 2) -> None:
    for pose in poses:
        for _ in range(takes):
            lines = [{"frame": k, "time_s": k / 3, "hands": [seen(pose).to_dict()]} for k in range(6)]
            path = new_take(folder, pose)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_folder_becomes_a_file_of_a_few_kb_that_recognises(tmp_path: Path) -> None:
    write_takes(tmp_path / "mine", POSES)
    done = knuckle_command("gestures", "train", "mine", "--out", "mine.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 96 hands right, each by gestures learned without its person or take (16 of them)" in done.stdout
    path = tmp_path / "mine.json"
    assert path.stat().st_size < 8_000
    recognise = load_gestures(path)
    hands = recognise([posed_hand(pose) for pose in POSES])
    assert [hand.gesture.name if hand.gesture else None for hand in hands] == list(POSES)
    again = read_taught(path)
    assert again.to_json() == json.loads(path.read_text())
    assert (tmp_path / "mine" / "two" / "take-2.jsonl").is_file()


def test_photos_without_a_hand_are_named_and_clips_give_several_examples(tmp_path: Path) -> None:
    for name in ("two", "fist"):
        (tmp_path / name / "anna").mkdir(parents=True)
        (tmp_path / name / "anna" / "clip.mp4").touch()
        (tmp_path / name / "empty.jpg").touch()

    def find(path: Path) -> list[list[Hand]]:
        return [[]] if path.suffix == ".jpg" else [[seen(path.parts[-3])] for _ in range(40)]

    found, notes = read_examples(tmp_path, find)
    assert [Path(note).name for note in notes] == ["empty.jpg", "empty.jpg"]
    assert len(found.names) == 24 and set(found.groups.tolist()) == {"anna"}


def test_strange_and_damaged_files_are_passed_over_and_gestures_without_a_hand_are_named(tmp_path: Path) -> None:
    for name in ("two", "fist"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    folder = tmp_path / "two"
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "notes.txt", "damaged.png", "take-1.jsonl"):
        (folder / name).write_text("no hand")

    def find(path: Path) -> list[list[Hand]]:
        if path.name == "damaged.png":
            raise SourceError("it is damaged")
        return [[seen("two")] if path.parent.name == "two" else []]

    found, notes = read_examples(tmp_path, find)
    assert found.names.tolist() == ["two"]
    assert [note.split(":")[0] for note in notes] == [
        f"no hand was found in {tmp_path / 'fist' / '1.jpg'}",
        "fist has no example with a hand, so it is not learned",
        f"passed over {folder / 'damaged.png'}",
        f"passed over {folder / 'notes.txt'}",
        f"passed over {folder / 'take-1.jsonl'}",
    ]
    with pytest.raises(InputError, match="two holds photos or clips itself"):
        read_examples(folder, find)


def test_a_recording_that_is_stopped_keeps_what_it_has(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(text: str) -> None:
        if text.startswith("3 of"):
            raise KeyboardInterrupt

    monkeypatch.setattr("knuckle.cli.gestures.remark", stop)
    given = ["gestures", "record", "Open", "--source", str(clip), "--every", "0", "--folder", str(tmp_path)]
    assert isinstance(CliRunner().invoke(cli, given, standalone_mode=False).exception, click.Abort | KeyboardInterrupt)
    assert len((tmp_path / "Open" / "take-1.jsonl").read_text().splitlines()) == 3


def test_folders_of_model_maker_are_read_as_they_are(tmp_path: Path) -> None:
    for name in ("rock", "none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    found, _ = read_examples(tmp_path, lambda path: [[seen("horns" if path.parent.name == "rock" else "open")]])
    assert sorted(found.names.tolist()) == ["None", "rock"]


def test_a_gesture_is_recorded_from_a_clip(tmp_path: Path, clip: Path) -> None:
    given = ("gestures", "record", "Open", "--source", str(clip), "--count", "4", "--every", "0.2")
    for take in (1, 2):
        done = knuckle_command(*given, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"gestures/Open/take-{take}.jsonl: 4 hands of Open"
    refused = knuckle_command("gestures", "record", "../up", "--source", str(clip), "--count", "1", cwd=tmp_path)
    assert refused.returncode == 2 and "a gesture cannot be called '../up'" in refused.stderr
    assert not (tmp_path / "up").exists()


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    for text, says in (
        ("{", "cannot be read as JSON"),
        ("[]", "holds no taught gestures"),
        ('{"format": "knuckle-taught-gestures-1", "network": "old", "names": []}', "was taught to network old"),
        (json.dumps({"format": "knuckle-taught-gestures-1", "network": shape_network().version}), "is damaged"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            load_gestures(path)
    with pytest.raises(InputError, match="no file"):
        load_gestures(tmp_path / "absent.json")
    with pytest.raises(InputError, match="is no folder"):
        read_examples(tmp_path / "absent", lambda path: [])
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "take-1.jsonl").write_text('{"hands": 3}\n')
    with pytest.raises(InputError, match=r"take-1.jsonl, line 1: not a line of hands"):
        read_examples(tmp_path, lambda path: [])
