"""What is special about each format of others."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_clip
from label_files import (
    HAGRID,
    HIDDEN,
    OUTSIDE,
    PIXELS,
    SIZE,
    UNKNOWN,
    VISIBLE,
    coco_person,
    curls_like,
    only_hand,
    picture,
    rhd_row,
    space,
    write,
    write_coco,
    write_freihand,
    write_interhand,
    write_rhd,
    write_yolo,
    yolo_row,
)

from knuckle.datasets import read_dataset
from knuckle.errors import InputError


def test_yolo_flags_two_numbers_a_point_and_images_without_hands(tmp_path: Path) -> None:
    write_yolo(tmp_path, yolo_row([0, 1] + [2] * 19))
    hand = only_hand(read_dataset(tmp_path))
    assert hand.landmarks is not None and np.isnan(hand.landmarks[0]).all() and np.isfinite(hand.landmarks[1:]).all()
    assert hand.visibility is not None and hand.visibility[:3].tolist() == [
        UNKNOWN,
        HIDDEN,
        VISIBLE,
    ]
    write_yolo(tmp_path, yolo_row([0] + [1] * 20))
    dataset = read_dataset(tmp_path, kind="yolo-pose")
    assert only_hand(dataset).visibility is None and "v = 1 is read as labelled" in dataset.note
    write_yolo(tmp_path, yolo_row(None), shape=2)
    assert only_hand(read_dataset(tmp_path)).visibility is None
    picture(tmp_path / "images/val/b.png")
    assert [shot.hands == () for shot in read_dataset(tmp_path).shots] == [False, True]
    write_yolo(tmp_path, " ".join(["0", *["120"] * 46]), shape=2)
    with pytest.raises(InputError, match=r"a\.txt, row 1: expected fractions"):
        read_dataset(tmp_path)


def test_coco_images_with_unlabelled_hands_are_not_complete(tmp_path: Path) -> None:
    def complete(*people: dict[str, Any]) -> bool:
        write_coco(tmp_path, *people)
        return read_dataset(tmp_path).shots[0].complete

    wrist_in_view = [0] * 30 + [100, 100, 2] + [0] * 18
    assert complete(coco_person())
    assert not complete(coco_person(keypoints=wrist_in_view))  # the right hand may show, but is not labelled
    no_hands = {"lefthand_valid": False, "righthand_valid": False}
    assert not complete(coco_person(), coco_person(iscrowd=1, **no_hands))
    assert not complete(coco_person(), coco_person(num_keypoints=0, **no_hands))
    whole = json.loads((tmp_path / "annotations/coco_wholebody_val_v1.0.json").read_text())
    write(tmp_path / "annotations/coco_wholebody_val_v1.0.json", whole | {"annotations": []})
    assert read_dataset(tmp_path).shots[0].hands == ()


def test_freihand_has_four_backgrounds_of_every_sample(tmp_path: Path) -> None:
    write_freihand(tmp_path)
    every = read_dataset(tmp_path, split="training").shots
    assert [Path(shot.source).stem for shot in every] == ["00000000", "00000001", "00000002", "00000003"]
    assert len({shot.group for shot in every}) == 1
    assert read_dataset(tmp_path, split="training-auto").shots[0].source == every[3].source
    with pytest.raises(InputError, match="say which split; there are training, training-auto"):
        read_dataset(tmp_path)


def test_interhand_has_two_hands_and_points_that_are_not_valid(tmp_path: Path) -> None:
    write_interhand(tmp_path, "interacting", [1] * 20 + [0] + [1] * 21)  # the right wrist is not valid
    (shot,) = read_dataset(tmp_path).shots
    assert shot.complete and shot.hands is not None
    right, left = shot.hands
    assert (right.handedness, left.handedness) == ("Right", "Left")
    assert right.landmarks is not None and np.isnan(right.landmarks[0]).all() and right.world is None
    assert left.world is not None and curls_like(left.world) == "Left"
    write_interhand(tmp_path, "interacting", [0] * 21 + [1] * 21)
    (shot,) = read_dataset(tmp_path).shots
    assert len(shot.hands or ()) == 1 and not shot.complete
    write_interhand(tmp_path, "right")
    assert only_hand(read_dataset(tmp_path)).handedness == "Right"


@pytest.mark.parametrize("protocol", [2, 4])
def test_rhd_leaves_out_hands_that_do_not_show(tmp_path: Path, protocol: int) -> None:
    write_rhd(tmp_path, protocol)
    hand = only_hand(read_dataset(tmp_path))
    assert hand.visibility is not None and set(hand.visibility.tolist()) == {VISIBLE}
    row = rhd_row(space("Left", -0.13), space("Right"), [1] * 21 + [1, 0] * 10 + [0])
    (tmp_path / "evaluation/anno_evaluation.pickle").write_bytes(pickle.dumps({3: row}))
    (shot,) = read_dataset(tmp_path).shots
    assert shot.hands is not None and {hand.handedness for hand in shot.hands} == {"Left", "Right"}
    left, right = shot.hands
    assert left.visibility is not None and OUTSIDE in left.visibility
    assert right.visibility is not None and set(right.visibility.tolist()) == {VISIBLE, HIDDEN}


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("harm",))


@pytest.mark.parametrize("harm", [{3: _Harm()}, {3: {"xyz": np.array([_Harm()], dtype=object)}}])
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path, capsys: Any, harm: object) -> None:
    write_rhd(tmp_path)
    (tmp_path / "evaluation/anno_evaluation.pickle").write_bytes(pickle.dumps(harm))
    with pytest.raises(InputError, match=r"builtins\.print, and only numpy arrays are allowed"):
        read_dataset(tmp_path)
    assert capsys.readouterr().out == ""


def test_onehand10k_points_of_minus_one_are_unlabelled(tmp_path: Path) -> None:
    picture(tmp_path / "Test/source/9.jpg")
    write(tmp_path / "Test/label_joint.txt", "9.jpg,320,240,1," + ",".join(["5", "6"] + ["-1"] * 40))
    hand = only_hand(read_dataset(tmp_path))
    assert hand.landmarks is not None and np.isfinite(hand.landmarks).all(axis=1).tolist() == [True] + [False] * 20


def test_hagrid_boxes_sides_and_mediapipes_landmarks(tmp_path: Path) -> None:
    picture(tmp_path / "test/call/k.jpg")
    write(tmp_path / "ann_test/call.json", {"k": HAGRID | {"leading_hand": "left"}})
    dataset = read_dataset(tmp_path)
    (shot,) = dataset.shots
    assert shot.hands is not None and (shot.group, dataset.labelled_by, dataset.name) == ("u", "people", "hagrid test")
    np.testing.assert_allclose([hand.box for hand in shot.hands], [[32, 48, 112, 168], [160, 120, 240, 180]], atol=1e-3)
    assert [hand.handedness for hand in shot.hands] == [None, "Left"]
    points = (PIXELS / SIZE).tolist()
    write(tmp_path / "ann_test/call.json", {"k": HAGRID | {"hand_landmarks": [[], points]}})
    assert all(hand.landmarks is None for hand in read_dataset(tmp_path).shots[0].hands or ())
    marked = read_dataset(tmp_path, kind="hagrid-landmarks")
    assert marked.labelled_by == "mediapipe"
    first, second = marked.shots[0].hands or ()
    assert first.landmarks is None and second.landmarks is not None
    np.testing.assert_allclose(second.landmarks, PIXELS, atol=1e-3)


def test_ti1k_photos_and_their_parts(tmp_path: Path) -> None:
    picture(tmp_path / "TI1K Train/TI1K_IMAGE_0900.jpg")
    picture(tmp_path / "TI1K Test/TI1K_IMAGE_0901.jpg")
    rows = [f"TI1K_IMAGE_{n:04}.jpg 0.25 0.25 0.75 0.75 0.5 0.6 0.4 0.3" for n in (900, 901)]
    write(tmp_path / "Annotation/label.txt", "\n".join(rows))
    assert len(read_dataset(tmp_path).shots) == 2
    hand = only_hand(read_dataset(tmp_path, split="test"))
    assert hand.box is not None and hand.landmarks is not None
    np.testing.assert_allclose(hand.box, [80, 60, 240, 180])
    np.testing.assert_allclose(hand.landmarks[[4, 8]], [[160, 144], [128, 72]], atol=1e-4)
    assert np.isnan(np.delete(hand.landmarks, [4, 8], axis=0)).all()


@pytest.mark.parametrize("first", [0, 1])
def test_ti1k_clips_begin_with_their_first_row(tmp_path: Path, first: int) -> None:
    write_clip(tmp_path / "a.mp4", [np.zeros((240, 320, 3), np.uint8)] * 5, 10)
    write(tmp_path / "a.txt", "\n".join(f"Frame_{first + k} 0.1 0.1 0.{k + 2} 0.5 0.2 0.2 0.1 0.1" for k in range(5)))
    (clip,) = read_dataset(tmp_path).clips
    assert [(shot.frame, round(shot.time_s, 3)) for shot in clip.shots] == [(k, k / 10) for k in range(5)]
    assert [round(float(shot.hands[0].box[2])) for shot in clip.shots if shot.hands] == [64, 96, 128, 160, 192]  # type: ignore[index]
    write(tmp_path / "a.txt", "Frame_1 0.1 0.1 0.2 0.5 0.2 0.2 0.1 0.1\nFrame_9 0.1 0.1 0.2 0.5 0.2 0.2 0.1 0.1")
    with pytest.raises(InputError, match=r"a\.txt, row 2: Frame_9 is not in a\.mp4, which has 5 frames"):
        read_dataset(tmp_path)
