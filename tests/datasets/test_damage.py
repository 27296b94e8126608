"""Damaged rows are named, missing images stop the reading, nothing else is raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from label_files import (
    HAGRID,
    WRITERS,
    picture,
    write,
    write_freihand,
    write_jsonl,
)

from knuckle.datasets import read_dataset
from knuckle.errors import Error, InputError, SourceError


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("{", "row 2: Expecting"),
        ("[1]", "row 2: expected a JSON object"),
        ('{"width": 1}', "row 2: there is no 'image'"),
        ('{"image": "a.jpg", "hand_boxes": [[1, 2, 3]]}', "row 2: expected 4 numbers, got 3"),
        ('{"image": "a.jpg", "hand_boxes": [[9, 2, 3, 4]]}', "row 2: a box must be left, top, right, bottom"),
        ('{"image": "a.jpg", "hand_boxes": [[1, 2, 3, NaN]]}', "row 2: expected finite numbers"),
        ('{"image": "a.jpg", "width": 9, "height": 9, "hand_boxes": [[10, 2, 30, 4]]}', "row 2: the box .* outside"),
        ('{"image": "a.jpg", "hands": [{"handedness": "both"}]}', "row 2: handedness must be left or right"),
        ('{"image": "a.jpg", "hands": [{"landmarks": [[1, 2]]}]}', "row 2: expected 21 points"),
        ('{"image": "a.jpg", "hands": [{"landmarks": 5}]}', "row 2: .*not iterable"),
    ],
)
def test_a_damaged_row_is_named_with_its_file(tmp_path: Path, row: str, wrong: str) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "index.jsonl", '{"image": "a.jpg"}\n' + row)
    with pytest.raises(InputError, match=rf"index\.jsonl, {wrong}") as raised:
        read_dataset(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "wrong"),
    [
        (
            "coco-wholebody",
            "annotations/coco_wholebody_val_v1.0.json",
            "lefthand_kpts",
            "kpts",
            r"row annotations\[0\]",
        ),
        ("freihand", "training_xyz.json", "[[[", "[[[1, ", "row 0: expected 21 × 3 numbers"),
        ("interhand2.6m", "annotations/test/InterHand2.6M_test_camera.json", '"focal"', '"f"', "no 'focal'"),
        ("onehand10k", "Test/label_joint.txt", "320,240,1,", "320,240,", "row 1: expected 42 numbers, got 41"),
        ("yolo-pose", "labels/val/a.txt", "0 ", "0 0 ", "row 1: expected 68 numbers, got 69"),
        (
            "coco",
            "annotations/person_keypoints_default.json",
            '"image_id": 5',
            '"image_id": 4',
            "the image 4, which is not in 'images'",
        ),
        ("coco", "annotations/person_keypoints_default.json", ", 2.0]", ", 3.0]", r"annotations\[0\]: .*0, 1 or 2"),
        ("yolo-pose", "data.yaml", "[21, 3]", "[17, 3]", "expected kpt_shape"),
    ],
)
def test_damage_in_other_formats_is_named_too(
    name: str, file: str, old: str, new: str, wrong: str, tmp_path: Path
) -> None:
    WRITERS[name][1](tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    write(tmp_path / file, text.replace(old, new, 1))
    with pytest.raises(InputError, match=wrong) as raised:
        read_dataset(tmp_path, split="training-gs" if name == "freihand" else None)
    assert "\n" not in str(raised.value)


def broken(value: Any) -> list[Any]:
    """Copies of a JSON value, each with one part replaced by something that does not belong there."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = [value | {key: part} for key in value for part in broken(value[key])]
        inner += [{other: value[other] for other in value if other != key} for key in value]
    elif isinstance(value, list) and value:
        inner = [[part, *value[1:]] for part in broken(value[0])] + [value[1:]]
    return [*inner, None, "x", {}, [], -1, 1e300]


@pytest.mark.parametrize("name", [*WRITERS, "hagrid"])
def test_no_damage_makes_anything_but_our_errors(name: str, tmp_path: Path) -> None:
    if name == "hagrid":
        picture(tmp_path / "call/k.jpg")
        write(tmp_path / "ann_test/call.json", {"k": HAGRID | {"hand_landmarks": [], "leading_hand": "left"}})
    else:
        WRITERS[name][1](tmp_path)
    split = "training-gs" if name == "freihand" else None
    read_dataset(tmp_path, split=split)
    raised = 0
    for path in (path for path in tmp_path.rglob("*.*") if path.suffix in (".json", ".jsonl", ".txt", ".yaml", ".xml")):
        text = path.read_text()
        cut = [text[: len(text) // part] for part in (2, 3)] + ["", "\0", "\udcff{"]
        for damaged in cut + [
            json.dumps(value) for value in (broken(json.loads(text)) if "json" in path.suffix else ())
        ]:
            path.write_bytes(damaged.encode("utf-8", "surrogateescape"))
            try:
                read_dataset(tmp_path, split=split)
            except Error as error:
                assert "\n" not in str(error)
                raised += 1
        path.write_text(text)
    assert raised > 2 or name in ("shards", "rhd")  # these keep nothing in text files


def test_missing_images_stop_or_are_left_out_on_request(tmp_path: Path) -> None:
    write_freihand(tmp_path)
    (tmp_path / "training/rgb/00000002.jpg").unlink()
    with pytest.raises(SourceError, match=r"1 of 4 images that .* are missing, the first is .*00000002\.jpg"):
        read_dataset(tmp_path, split="training")
    partly = read_dataset(tmp_path, split="training", allow_missing=True)
    assert len(partly.shots) == 3 and "1 of 4 images were missing" in partly.note
    for path in (tmp_path / "training/rgb").iterdir():
        path.unlink()
    with pytest.raises(SourceError, match="all 4 images"):
        read_dataset(tmp_path, split="training", allow_missing=True)


def test_a_missing_image_of_a_format_without_sizes_is_named(tmp_path: Path) -> None:
    write(tmp_path / "ann_test/call.json", {"k": HAGRID})
    with pytest.raises(SourceError, match=r"1 of 1 images .*call/k\.jpg"):
        read_dataset(tmp_path)


def test_what_cannot_be_read_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file or folder"):
        read_dataset(tmp_path / "no")
    with pytest.raises(InputError, match=r"Looked for jsonl: index\.jsonl .*; rhd: .*hagrid: "):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="no kind of labels 'voc'; there are jsonl, "):
        read_dataset(tmp_path, kind="voc")
    write_jsonl(tmp_path)
    with pytest.raises(InputError, match="Looked for rhd"):
        read_dataset(tmp_path, kind="rhd")
    with pytest.raises(InputError, match="there is no split 'val'"):
        read_dataset(tmp_path, split="val")
