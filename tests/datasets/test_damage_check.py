"""`knuckle datasets check`: each kind of damage is found where it is, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run
from conftest import two_hands
from PIL import Image as pillow

import knuckle
from knuckle.datasets.damage import check_datasets
from knuckle.label.propose import as_label

Rows = list[dict[str, Any]]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"
WITH_HANDS = 75  # a frame
NAMES = ("0.jpg", "1.jpg", "2.jpg")


@pytest.fixture(scope="module")
def networks() -> Any:
    return knuckle.load("mediapipe")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, networks: Any) -> tuple[Path, Rows]:
    """Three photos of two hands each, and right labels."""
    folder = tmp_path_factory.mktemp("photos")
    rows: Rows = []
    for number, name in enumerate(NAMES):
        image = two_hands((0.0, 0.3, 0.7)[number])
        image[:40, number * 150 : number * 150 + 200] = (20, 200, 40)  # so that they do not look the same
        pillow.fromarray(image).save(folder / name, quality=92)
        hands = [as_label(hand) for hand in knuckle.detect(image, models=networks, max_hands=2)]
        assert len(hands) == 2
        rows.append({"image": name, "width": image.shape[1], "height": image.shape[0], "hands": hands})
    return folder, rows


@pytest.fixture
def labels(photos: tuple[Path, Rows]) -> tuple[Path, Rows]:
    return photos[0] / "labels.jsonl", json.loads(json.dumps(photos[1]))


def write(path: Path, rows: Rows) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def kinds(path: Path, *more: Path, networks: Any = None) -> list[tuple[str, str, int | None]]:
    findings, _ = check_datasets([path, *more], networks)
    return [(one.kind, Path(one.source).name, one.hand) for one in findings]


def test_right_labels_have_no_findings(labels: tuple[Path, Rows], networks: Any) -> None:
    path, rows = labels
    assert kinds(write(path, rows), networks=networks) == []


def far_box(row: dict[str, Any]) -> None:
    row["hands"][1]["box"] = [row["width"] - 50, 20, row["width"] + 90, 120]


def long_bone(row: dict[str, Any]) -> None:
    row["hands"][1]["landmarks"][12][1] -= 320


def filled(row: dict[str, Any]) -> None:
    for k in (3, 7, 11):
        row["hands"][1]["landmarks"][k][:2] = row["hands"][1]["landmarks"][0][:2]


def twice(row: dict[str, Any]) -> None:
    row["hands"][1] = json.loads(json.dumps(row["hands"][0]))


def out_of_sight(row: dict[str, Any]) -> None:
    row["hands"][1]["landmarks"][8][:2] = [row["width"] + 60, 100]
    row["hands"][1]["visibility"] = [0] * 21


def wrong_size(row: dict[str, Any]) -> None:
    row["width"], row["height"] = 2 * row["width"], 2 * row["height"]


def beside(row: dict[str, Any]) -> None:
    points = np.array(row["hands"][0]["landmarks"])[:, :2]
    row["hands"][1]["box"] = [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


@pytest.mark.parametrize(
    ("damage", "kind", "hand"),
    [
        (far_box, "box off the image", 1),
        (long_bone, "impossible bone", 1),
        (filled, "points on one spot", 1),
        (twice, "hand labelled twice", 1),
        (out_of_sight, "points off the image", 1),
        (beside, "points beside the box", 1),
        (wrong_size, "another image size", None),
    ],
)
def test_damage_is_found_where_it_is(
    labels: tuple[Path, Rows], damage: Callable[[dict[str, Any]], None], kind: str, hand: int | None
) -> None:
    path, rows = labels
    damage(rows[1])
    found = kinds(write(path, rows))
    assert (kind, "1.jpg", hand) in found
    assert {name for _, name, _ in found} == {"1.jpg"}


def test_a_swapped_side_and_points_of_another_hand_are_seen(tmp_path: Path) -> None:
    with knuckle.read(EXAMPLE) as frames:
        image = next(frame.image for frame in frames if frame.index == WITH_HANDS)
    pillow.fromarray(image).save(tmp_path / "a.png")
    networks = knuckle.load()
    hands = [as_label(hand) for hand in knuckle.detect(image, models=networks)]
    row = {"image": "a.png", "width": image.shape[1], "height": image.shape[0], "hands": hands}
    path = tmp_path / "labels.jsonl"
    assert hands and kinds(write(path, [row]), networks=networks) == []
    side = hands[-1]["handedness"]
    hands[-1]["handedness"] = "Left" if side == "Right" else "Right"
    assert kinds(write(path, [row]), networks=networks) == [("swapped side", "a.png", len(hands) - 1)]
    points = np.array(hands[0]["landmarks"])
    points[:, 0] = 2 * points[:, 0].mean() - points[:, 0]  # mirrored labels, a common mistake of augmentation
    hands[0]["landmarks"] = points.tolist()
    assert ("points elsewhere", "a.png", 0) in kinds(write(path, [row]), networks=networks)


def test_another_order_of_joints_shows_in_most_hands_and_a_fist_is_none(labels: tuple[Path, Rows]) -> None:
    path, rows = labels
    order = [0, *(k for finger in range(5) for k in range(4 * finger + 4, 4 * finger, -1))]
    for number, row in enumerate(rows):
        for hand in row["hands"]:
            hand["landmarks"] = [hand["landmarks"][k] for k in order]
        found = [kind for kind, _, _ in kinds(write(path, rows))]
        assert found.count("order of joints") == (0, 4, 6)[number]


def test_duplicates_within_and_between_datasets(labels: tuple[Path, Rows]) -> None:
    path, rows = labels
    with pillow.open(path.parent / "0.jpg") as opened:
        opened.resize((320, 240)).save(path.parent / "small.jpg", quality=80)
    copy = {"image": "small.jpg", "width": 320, "height": 240, "hands": []}
    other = write(path.parent / "other.jsonl", [copy])
    assert kinds(write(path, rows), other) == [("image twice", "small.jpg", None)]
    assert kinds(write(path, [*rows, rows[1]])) == [("image twice", "1.jpg", None)]


def test_lines_that_are_no_json_are_findings(labels: tuple[Path, Rows]) -> None:
    path, rows = labels
    long_bone(rows[2])
    write(path, rows)
    path.write_text("{bad\n" + path.read_text() + '{"image": "2.jpg", "han')
    found = kinds(path)
    assert [kind for kind, name, _ in found if name == "labels.jsonl"] == ["unreadable row", "unreadable row"]
    assert any(kind != "unreadable row" and name == "2.jpg" for kind, name, _ in found)


def test_damaged_rows_and_images_do_not_hide_the_others(labels: tuple[Path, Rows]) -> None:
    path, rows = labels
    long_bone(rows[2])
    rows[0]["hands"][0]["landmarks"] = [[1, 2]]
    (path.parent / "broken.jpg").write_bytes(b"no photo")
    rows.append({"image": "broken.jpg", "hands": []})
    rows.append({"image": "gone.jpg", "hands": []})
    found = kinds(write(path, rows))
    images = [name for kind, name, _ in found if kind == "unreadable image"]
    assert sorted(images) == ["broken.jpg", "gone.jpg"]
    assert {kind for kind, name, _ in found if name == "labels.jsonl"} == {"unreadable row"}
    assert ("impossible bone", "2.jpg", 1) in found


def test_the_command_prints_a_line_each_and_writes_the_sheet(labels: tuple[Path, Rows], tmp_path: Path) -> None:
    path, rows = labels
    far_box(rows[1])
    sheet = tmp_path / "sheet.jpg"
    done = run("datasets", "check", str(write(path, rows)), "--numbers-only", "--sheet", str(sheet))
    assert done.returncode == 1
    first, *_, last = done.stdout.splitlines()
    assert "1.jpg, hand 2: box off the image" in first and last.startswith("3 images with 6 hands: 1 ×")
    with pillow.open(sheet) as opened:
        picture = np.asarray(opened.convert("RGB")).astype(int)
    red = (picture[:, :, 0] > 200) & (picture[:, :, 1] < 160) & (picture[:, :, 2] < 140)
    assert red[:310, :20].any() and not red[:310, 320:330].any()  # the frame of the first tile only
    objects = run("datasets", "check", str(path), "--numbers-only", "--json").stdout.splitlines()
    assert json.loads(objects[0])["kind"] == "box off the image" and json.loads(objects[0])["hand"] == 1
    assert run("datasets", "check", "nowhere").returncode == 2


def test_right_labels_end_with_exit_code_0(labels: tuple[Path, Rows]) -> None:
    path, rows = labels
    clean = run("datasets", "check", str(write(path, rows)), "--numbers-only")
    assert clean.returncode == 0 and "nothing found" in clean.stdout
