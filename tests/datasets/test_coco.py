"""COCO keypoint files of annotation tools: names of points, several hands, paths of images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from label_files import (
    CORNER,
    HIDDEN,
    NAMES,
    OURS,
    PIXELS,
    TIP_FIRST,
    UNKNOWN,
    VISIBLE,
    coco_file,
    only_hand,
    picture,
    write,
)

from knuckle.datasets import read_dataset
from knuckle.errors import InputError

SPELLINGS: dict[str, Callable[[str], str]] = {
    "ours": str,
    "mediapipe": lambda name: re.sub("^(index|middle|ring|pinky)", r"\1_finger", name).upper(),
    "camel": lambda name: "left" + name.title().replace("_", ""),
    "numbers": lambda name: str(OURS.index(name)),
    "numbers from 1": lambda name: f"{OURS.index(name) + 1}",
    "coco-wholebody": lambda name: "wrist" if name == "wrist" else _numbered(name),
}


def _numbered(name: str) -> str:
    finger, joint = name.split("_")
    words = {"index": "forefinger", "middle": "middle_finger", "ring": "ring_finger", "pinky": "pinky_finger"}
    return f"{words.get(finger, finger)}{NAMES[finger].index(joint) + 1}"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("order", [OURS, ["wrist", *TIP_FIRST], [*TIP_FIRST, "wrist"]], ids=["ours", "tips", "last"])
def test_coco_keypoints_are_put_in_our_order_by_their_names(spelling: str, order: list[str], tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    whole = coco_file(order, flags=[1] + [2] * 19 + [0])
    whole["categories"][1]["keypoints"] = [SPELLINGS[spelling](name) for name in order]
    hand = only_hand(read_dataset(write(tmp_path / "my.json", whole)))
    assert hand.landmarks is not None and hand.visibility is not None
    np.testing.assert_allclose(hand.landmarks[:20], PIXELS[:20], atol=1e-3)
    assert np.isnan(hand.landmarks[20]).all()
    assert hand.visibility.tolist() == [HIDDEN] + [VISIBLE] * 19 + [UNKNOWN]


@pytest.mark.parametrize("names", [[f"keypoint_{c}" for c in "abcdefghijklmnopqrstu"], None, ["wrist", *"b" * 20]])
def test_coco_names_that_do_not_contradict_stand_for_our_order(names: list[str] | None, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    hand = only_hand(read_dataset(write(tmp_path / "my.json", coco_file(names))))
    assert hand.landmarks is not None
    np.testing.assert_allclose(hand.landmarks, PIXELS, atol=1e-3)


@pytest.mark.parametrize("names", [[*"b" * 20, "wrist"], ["wrist", "thumb_tip", *"b" * 19], ["wrist"] * 21])
def test_coco_names_that_contradict_are_refused(names: list[str], tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    with pytest.raises(
        InputError, match=r"my\.json, row categories\[1\]: keypoint \d+ is called '\w+' where"
    ) as raised:
        read_dataset(write(tmp_path / "my.json", coco_file(names)))
    assert "\n" not in str(raised.value)


def test_coco_images_have_several_hands_or_none_and_sides_by_name(tmp_path: Path) -> None:
    for name in ("train/a.jpg", "train/none_jpg.rf.12ab.jpg", "train/none_jpg.rf.34cd.jpg", "valid/a.jpg"):
        picture(tmp_path / name)
    whole = coco_file()
    second = whole["annotations"][0] | {"attributes": {"Side": "RIGHT", "occluded": False}}
    other = {"id": 9, "image_id": 5, "category_id": 0, "bbox": [1, 1, 5, 5]}
    only_box = {"id": 8, "image_id": 5, "category_id": 3, "bbox": CORNER, "keypoints": [0] * 63}
    whole["annotations"] += [second, other, only_box]
    whole["images"] += [
        {"id": k, "file_name": f"none_jpg.rf.{part}.jpg", "width": 320, "height": 240}
        for k, part in ((6, "12ab"), (7, "34cd"))
    ]
    whole["licenses"] = [{"id": 1, "name": "CC BY 4.0"}, {"id": 2, "name": ""}]
    write(tmp_path / "train/_annotations.coco.json", whole)
    write(tmp_path / "valid/_annotations.coco.json", coco_file(iscrowd=1))
    dataset = read_dataset(tmp_path, split="train")
    hands, *empty = [shot.hands for shot in dataset.shots]
    assert hands is not None and [hand.handedness for hand in hands] == ["Left", "Right", "Left"]
    assert hands[2].landmarks is None and hands[2].box is not None
    assert empty == [(), ()] and all(shot.complete for shot in dataset.shots)
    assert dataset.shots[1].group == dataset.shots[2].group != dataset.shots[0].group
    assert (dataset.name, dataset.licence, dataset.labelled_by) == ("train", "CC BY 4.0", "people")
    (crowd,) = read_dataset(tmp_path / "valid/_annotations.coco.json").shots
    assert crowd.hands == () and not crowd.complete
    with pytest.raises(InputError, match="say which split; there are train, valid"):
        read_dataset(tmp_path)


def test_coco_finds_pictures_by_windows_paths_and_label_studio_s(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    for name in ("images\\a.jpg", "../../label-studio/data/media/upload/1/a.jpg"):
        whole = coco_file()
        whole["images"][0]["file_name"] = name
        (shot,) = read_dataset(write(tmp_path / "result.json", whole)).shots
        assert Path(shot.source).samefile(tmp_path / "images/a.jpg")


def test_files_that_mark_no_point_visible_say_labelled_by_1(tmp_path: Path) -> None:
    """MMPose's FreiHAND and Panoptic files have v = 1 for every labelled point, CrowdPose likewise."""
    picture(tmp_path / "a.jpg")
    dataset = read_dataset(write(tmp_path / "my.json", coco_file(flags=[0] + [1] * 20)))
    hand = only_hand(dataset)
    assert hand.landmarks is not None and hand.visibility is None and "v = 1 is read as labelled" in dataset.note
    assert np.isnan(hand.landmarks[0]).all()
    np.testing.assert_allclose(hand.landmarks[1:], PIXELS[1:], atol=1e-3)


def test_one_visible_point_in_the_file_makes_1_mean_hidden(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    whole = coco_file(flags=[1] * 21)
    whole["annotations"].append(coco_file(flags=[2] + [1] * 20)["annotations"][0] | {"id": 2})
    dataset = read_dataset(write(tmp_path / "my.json", whole))
    hand = only_hand(dataset)  # the other is hidden
    assert hand.visibility is not None and hand.visibility.tolist() == [VISIBLE] + [HIDDEN] * 20
    assert not dataset.shots[0].complete and "labelled, and not" not in dataset.note


def test_files_that_mark_no_point_at_all_keep_their_points(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    whole = coco_file(flags=[0] * 21)
    whole["annotations"][0]["keypoints"][:3] = [0, 0, 0]
    dataset = read_dataset(write(tmp_path / "my.json", whole))
    hand = only_hand(dataset)
    assert hand.landmarks is not None and hand.visibility is None and "no point has v above 0" in dataset.note
    assert np.isfinite(hand.landmarks).all(axis=1).tolist() == [False] + [True] * 20
