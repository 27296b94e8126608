"""Each reader gives back the hand that the test wrote in that format's own order, units and files."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import make_hand, write_clip
from PIL import Image

from knuckle.datasets import KINDS, file_of, open_image, read_dataset, sample_datasets
from knuckle.datasets.labels import Dataset, LabelledHand, Visibility
from knuckle.errors import Error, InputError, SourceError
from knuckle.results import FINGERS, HandLandmark

UNKNOWN, OUTSIDE, HIDDEN, VISIBLE = Visibility

Array = npt.NDArray[np.floating[Any]]

SIZE = (320, 240)
PIXELS: Array = make_hand(150, 200, 150).landmarks[:, :2].astype(np.float64)
BOX = [*PIXELS.min(axis=0).tolist(), *PIXELS.max(axis=0).tolist()]
CORNER = [BOX[0], BOX[1], BOX[2] - BOX[0], BOX[3] - BOX[1]]
CAMERA = [[400.0, 0, 112], [0, 400, 112], [0, 0, 1]]
OURS = [point.name.lower() for point in HandLandmark]
NAMES = {"thumb": ("cmc", "mcp", "ip", "tip")} | dict.fromkeys(FINGERS.keys() - {"thumb"}, ("mcp", "pip", "dip", "tip"))
TIP_FIRST = [f"{finger}_{joint}" for finger in FINGERS for joint in reversed(NAMES[finger])]


def space(side: str = "Left", x_m: float = 0.0) -> Array:
    """A bent hand of that side, half a metre in front of the camera and so far to the right."""
    world = make_hand().world.astype(np.float64) * (1, 0.8, 1) + (0, 0.05, 0.5)
    world[:, 2] -= 2 * ((world[:, :2] - world[0, :2]) ** 2).sum(axis=1)  # the palm and so the tips face the camera
    return world * (1 if side == "Left" else -1, 1, 1) + np.array([x_m, 0, 0])


def in_order(values: Array, names: Sequence[str]) -> Array:
    """Our 21 rows in the order of other people's names."""
    return values[[OURS.index(name) for name in names]]


def picture(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 60, 30)).save(path)
    return path


def write(path: Path, text: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def only_hand(dataset: Dataset) -> LabelledHand:
    (shot,) = dataset.shots
    assert shot.hands is not None
    (hand,) = shot.hands
    return hand


def chains_are_shortest(points: Array) -> bool:
    """From the wrist through a finger, base to tip is shorter than in any other order of its four joints."""

    def length(chain: Sequence[int]) -> float:
        return float(np.linalg.norm(np.diff(points[[0, *chain]], axis=0), axis=1).sum())

    return all(
        min(itertools.permutations(finger), key=length) == finger and length(finger) > 0 for finger in FINGERS.values()
    )


def curls_like(points: Array) -> str:
    """The side of a bent hand in space (x right, y down, z away): its tips lie on the palm's side of the knuckles."""
    normal = np.cross(points[5] - points[0], points[17] - points[0])
    return "Right" if normal @ (points[[8, 12, 16, 20]] - points[[5, 9, 13, 17]]).mean(axis=0) > 0 else "Left"


def project(xyz: Array) -> Array:
    seen = xyz @ np.array(CAMERA).T
    return seen[:, :2] / seen[:, 2:]


# One writer per format, each in that format's own words; all of them write one left hand (freihand: a right one).


def write_jsonl(folder: Path) -> None:
    picture(folder / "a.jpg")
    hand = {"landmarks": PIXELS.tolist(), "box": BOX, "handedness": "Left", "visibility": [0] * 20 + [1]}
    write(folder / "index.jsonl", json.dumps({"image": "a.jpg", "width": 320, "height": 240, "hands": [hand]}))


def shard_hand(visibility: Sequence[int] = (0,) * 21) -> dict[str, Any]:
    landmarks = np.column_stack([PIXELS, np.zeros(21)]).tolist()
    palm = {"box": [10, 10, 60, 60], "keypoints": [[0, 0]] * 7}
    sides = {"world": space().tolist(), "handedness": "Left", "visibility": list(visibility)}
    return {"landmarks": landmarks, "palm": palm, **sides}


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def write_shard(path: Path, truths: Sequence[object]) -> Path:
    with tarfile.open(path, "w") as tar:
        for key, truth in enumerate(truths):
            jpeg = io.BytesIO()
            Image.new("RGB", SIZE, (10 * key, 200, 0)).save(jpeg, "PNG")
            add(tar, f"{key:05}.png", jpeg.getvalue())
            add(tar, f"{key:05}.mask.png", b"not looked at")
            add(tar, f"{key:05}.json", json.dumps(truth).encode())
    return path


def write_shards(folder: Path) -> None:
    truth = {"hands": [shard_hand()], "camera": {"width": 320, "height": 240}, "scene": {}}
    write_shard(folder / "hands-000000.tar", [truth])


def coco_person(**changes: object) -> dict[str, Any]:
    flat = np.column_stack([PIXELS, np.ones(21)]).ravel().tolist()
    left = {"lefthand_kpts": flat, "lefthand_box": CORNER, "lefthand_valid": True}
    right = {"righthand_kpts": [0.0] * 63, "righthand_box": [0.0] * 4, "righthand_valid": False}
    return {"image_id": 7, "iscrowd": 0, "num_keypoints": 9, "keypoints": [0] * 51, **left, **right, **changes}


def write_coco(folder: Path, *people: dict[str, Any]) -> None:
    picture(folder / "val2017/000007.jpg")
    images = [{"id": 7, "file_name": "000007.jpg", "width": 320, "height": 240}]
    whole = {"images": images, "annotations": list(people) or [coco_person()]}
    write(folder / "annotations/coco_wholebody_val_v1.0.json", whole)


def write_freihand(folder: Path) -> None:
    for version in range(4):
        picture(folder / f"training/rgb/{version:08}.jpg", (224, 224))
    write(folder / "training_xyz.json", [space("Right").tolist()])
    write(folder / "training_K.json", [CAMERA])


def write_interhand(folder: Path, hand_type: str = "left", valid: Sequence[int] = (1,) * 42) -> None:
    picture(folder / "images/test/Capture0/a.jpg")
    names = [*TIP_FIRST, "wrist"]
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # camera = turn (world - position), millimetres
    both = np.concatenate([in_order(space("Right"), names), in_order(space("Left"), names)]) * 1000
    world = both @ turn + (1, 2, 3)  # turn's transpose is its inverse
    image = {"id": 1, "file_name": "Capture0/a.jpg", "width": 320, "height": 240, "capture": 0, "camera": "400002"}
    image |= {"frame_idx": 5, "seq_name": "0001_fist"}
    box = CORNER
    found = {"image_id": 1, "bbox": box, "hand_type": hand_type, "joint_valid": [[v] for v in valid]}
    view = {"campos": {"400002": [1, 2, 3]}, "camrot": {"400002": turn.tolist()}}
    view |= {"focal": {"400002": [400, 400]}, "princpt": {"400002": [112, 112]}}
    start = folder / "annotations/test/InterHand2.6M_test"
    write(Path(f"{start}_data.json"), {"images": [image], "annotations": [found]})
    write(Path(f"{start}_camera.json"), {"0": view})
    write(Path(f"{start}_joint_3d.json"), {"0": {"5": {"world_coord": world.tolist()}}})


def rhd_row(left: Array, right: Array, seen: Sequence[int]) -> dict[str, Array]:
    names = ["wrist", *TIP_FIRST]
    xyz = np.concatenate([in_order(left, names), in_order(right, names)])
    return {"xyz": xyz, "uv_vis": np.column_stack([project(xyz), seen]), "K": np.array(CAMERA)}


def write_rhd(folder: Path, protocol: int = 2) -> None:
    picture(folder / "evaluation/color/00003.png", (320, 320))
    row = rhd_row(space("Left"), space("Right", 50), [1] * 21 + [0] * 21)
    path = folder / "evaluation/anno_evaluation.pickle"
    path.write_bytes(pickle.dumps({3: row}, protocol=protocol))


def write_onehand10k(folder: Path) -> None:
    picture(folder / "Test/source/9.jpg")
    numbers = ",".join(f"{value:.4f}" for value in PIXELS.ravel())
    write(folder / "Test/label_joint.txt", f"9.jpg,320,240,1,{numbers}\n")


def write_onehand10k_json(folder: Path) -> None:
    picture(folder / "Test/source/9.jpg")
    flat = np.column_stack([PIXELS, np.ones(21)]).ravel().tolist()
    images = [{"id": 9, "file_name": "Test/source/9.jpg", "width": 320, "height": 240}]
    found = [{"image_id": 9, "bbox": CORNER, "keypoints": flat}]
    write(folder / "annotations/onehand10k_test.json", {"images": images, "annotations": found})


def yolo_row(flags: Sequence[int] | None = (2,) * 21) -> str:
    centre = [(BOX[0] + BOX[2]) / 640, (BOX[1] + BOX[3]) / 480, CORNER[2] / 320, CORNER[3] / 240]
    named = PIXELS / SIZE if flags is None else np.column_stack([PIXELS / SIZE, flags])
    return " ".join(map(str, ["0", *centre, *named.ravel().tolist()]))


def write_yolo(folder: Path, row: str | None = None, shape: int = 3) -> None:
    picture(folder / "images/val/a.jpg")
    write(folder / "labels/val/a.txt", (row or yolo_row()) + "\n")
    write(folder / "data.yaml", f"path: ../datasets/hand-keypoints\nval: images/val\nkpt_shape: [21, {shape}]\n")


def coco_file(
    names: Sequence[str] | None = OURS, flags: Sequence[int] = (2,) * 21, **changes: object
) -> dict[str, Any]:
    """One hand in the words of CVAT and Roboflow, its points in the order of `names`."""
    order = names if names is not None and set(names) == set(OURS) else OURS
    flat = np.column_stack([in_order(PIXELS, order), in_order(np.array(flags), order)]).ravel().tolist()
    categories = [{"id": 0, "name": "stuff"}, {"id": 3, "name": "left_hand", "keypoints": names, "skeleton": []}]
    hand = {"id": 1, "image_id": 5, "category_id": 3, "bbox": CORNER, "keypoints": flat, "iscrowd": 0, **changes}
    images = [{"id": 5, "file_name": "a.jpg", "width": 320, "height": 240}]
    return {"images": images, "annotations": [hand], "categories": categories if names is not None else []}


def write_coco_keypoints(folder: Path) -> None:
    picture(folder / "images/a.jpg")
    write(folder / "annotations/person_keypoints_default.json", coco_file([*TIP_FIRST, "wrist"]))


WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "jsonl": ("jsonl", write_jsonl),
    "shards": ("shards", write_shards),
    "coco-wholebody": ("coco-wholebody", write_coco),
    "interhand2.6m": ("interhand2.6m", write_interhand),
    "rhd": ("rhd", write_rhd),
    "onehand10k": ("onehand10k", write_onehand10k),
    "onehand10k of mmpose": ("onehand10k", write_onehand10k_json),
    "yolo-pose": ("yolo-pose", write_yolo),
    "freihand": ("freihand", write_freihand),
    "coco": ("coco", write_coco_keypoints),
}
IN_SPACE = ("interhand2.6m", "rhd", "freihand")


@pytest.mark.parametrize("name", WRITERS)
def test_a_hand_comes_back_in_our_order_pixels_and_side(name: str, tmp_path: Path) -> None:
    kind, writer = WRITERS[name]
    writer(tmp_path)
    split = "training-gs" if kind == "freihand" else None
    dataset = read_dataset(tmp_path, split=split)
    hand = only_hand(dataset)
    side = "Right" if kind == "freihand" else "Left"
    assert hand.landmarks is not None
    expected = project(space(side)) if kind in IN_SPACE else PIXELS
    np.testing.assert_allclose(hand.landmarks[:, :2], expected, atol=0.01)
    assert chains_are_shortest(hand.landmarks[:, :2])
    assert hand.handedness == (None if "onehand10k" in kind or kind == "yolo-pose" else side)
    if kind in IN_SPACE:
        assert hand.world is not None
        np.testing.assert_allclose(hand.world, space(side), atol=1e-5)
        assert chains_are_shortest(hand.world) and curls_like(hand.world) == hand.handedness
    size = dataset.shots[0].size
    with Image.open(dataset.shots[0].source) if kind != "shards" else Image.new("RGB", SIZE) as opened:
        assert size == opened.size


@pytest.mark.parametrize("name", WRITERS)
def test_the_named_kind_reads_the_same_and_other_kinds_find_nothing(name: str, tmp_path: Path) -> None:
    kind, writer = WRITERS[name]
    writer(tmp_path)
    split = "training" if kind == "freihand" else None
    by_name, by_files = read_dataset(tmp_path, kind=kind, split=split), read_dataset(tmp_path, split=split)
    assert [shot.source for shot in by_name.shots] == [shot.source for shot in by_files.shots]
    assert [other for other in KINDS if KINDS[other].find(tmp_path)] == [kind]


def test_the_law_of_shortest_chains_sees_a_wrong_order() -> None:
    assert chains_are_shortest(PIXELS) and chains_are_shortest(space())
    assert not chains_are_shortest(in_order(PIXELS, ["wrist", *TIP_FIRST]))
    assert not chains_are_shortest(in_order(PIXELS, [*TIP_FIRST, "wrist"]))
    assert {curls_like(space(side)) == side for side in ("Left", "Right")} == {True}


def test_who_labelled_is_told_and_can_be_corrected(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    assert read_dataset(tmp_path).labelled_by == "mediapipe"  # Ultralytics' hand-keypoints
    assert read_dataset(tmp_path, labelled_by="people").labelled_by == "people"
    with pytest.raises(InputError, match="labelled_by must be one of people, mediapipe"):
        read_dataset(tmp_path, labelled_by="me")  # type: ignore[arg-type]
    write(tmp_path / "data.yaml", "val: images/val\nkpt_shape: [21, 3]\n")
    assert read_dataset(tmp_path).labelled_by == "people"


def test_yolo_flags_two_numbers_a_point_and_images_without_hands(tmp_path: Path) -> None:
    write_yolo(tmp_path, yolo_row([0, 1] + [2] * 19))
    hand = only_hand(read_dataset(tmp_path))
    assert hand.landmarks is not None and np.isnan(hand.landmarks[0]).all() and np.isfinite(hand.landmarks[1:]).all()
    assert hand.visibility is not None and hand.visibility[:3].tolist() == [
        UNKNOWN,
        HIDDEN,
        VISIBLE,
    ]
    write_yolo(tmp_path, yolo_row(None), shape=2)
    assert only_hand(read_dataset(tmp_path)).visibility is None
    picture(tmp_path / "images/val/b.png")
    assert [shot.hands == () for shot in read_dataset(tmp_path).shots] == [False, True]
    write_yolo(tmp_path, " ".join(["0", *["120"] * 46]), shape=2)
    with pytest.raises(InputError, match=r"a\.txt, row 1: expected shares"):
        read_dataset(tmp_path)


def test_coco_images_with_unlabelled_hands_are_not_complete(tmp_path: Path) -> None:
    def complete(*people: dict[str, Any]) -> bool:
        write_coco(tmp_path, *people)
        return read_dataset(tmp_path).shots[0].complete

    wrist_in_view = [0] * 30 + [100, 100, 2] + [0] * 18
    assert complete(coco_person())
    assert not complete(coco_person(keypoints=wrist_in_view))  # the right hand may show, but is not labelled
    nobody = {"lefthand_valid": False, "righthand_valid": False}
    assert not complete(coco_person(), coco_person(iscrowd=1, **nobody))
    assert not complete(coco_person(), coco_person(num_keypoints=0, **nobody))
    whole = json.loads((tmp_path / "annotations/coco_wholebody_val_v1.0.json").read_text())
    write(tmp_path / "annotations/coco_wholebody_val_v1.0.json", whole | {"annotations": []})
    assert read_dataset(tmp_path).shots[0].hands == ()


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


HAGRID = {"bboxes": [[0.1, 0.2, 0.25, 0.5], [0.5, 0.5, 0.25, 0.25]], "labels": ["no_gesture", "call"], "user_id": "u"}


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


def test_synthetic_clips_carry_tracks_and_empty_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [np.zeros((240, 320, 3), np.uint8)] * 2, 10)
    rows = [
        {"frame": 0, "time_s": 0.0, "camera": {}, "hands": [shard_hand() | {"track_id": 4}]},
        {"frame": 1, "time_s": 0.1, "hands": []},
    ]
    write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    dataset = read_dataset(tmp_path)
    (clip,) = dataset.clips
    assert dataset.labelled_by == "renderer" and clip.source == str(tmp_path / "a.mp4")
    seen, empty = clip.shots
    write(tmp_path / "a.jsonl", json.dumps({"frame": 0, "time_s": 0, "hands": []}))
    assert read_dataset(tmp_path).labelled_by == "people"
    write(tmp_path / "a.jsonl", json.dumps({"frame": 0, "time_s": 0, "hands": [{"presence": 0.9}]}))
    with pytest.raises(InputError, match=r"row 1: this is a prediction"):
        read_dataset(tmp_path)
    assert seen.hands is not None and seen.hands[0].track_id == 4 and empty.hands == ()


def test_shards_are_read_where_they_lie(tmp_path: Path) -> None:
    hidden, outside, some = [1] * 21, [3] * 21, [0, 1, 2, 3] + [0] * 17
    hands = [[shard_hand(some)], [], [shard_hand(hidden)], [shard_hand(outside)]]
    shard = write_shard(tmp_path / "s.tar", [{"hands": found, "camera": {}} for found in hands])
    dataset = read_dataset(shard)
    first, empty, unseen, gone = dataset.shots
    assert first.hands is not None and first.hands[0].visibility is not None and first.hands[0].palm is not None
    assert first.hands[0].visibility[:4].tolist() == [
        VISIBLE,
        HIDDEN,
        HIDDEN,
        OUTSIDE,
    ]
    assert (empty.hands, empty.complete) == ((), True)
    assert (unseen.hands, unseen.complete) == ((), False)  # somewhere in there, so finding it is no false alarm
    assert (gone.hands, gone.complete) == ((), True)
    assert file_of(first.source) == str(shard) and file_of("photo.jpg") == "photo.jpg"
    for key, shot in enumerate(dataset.shots):
        image = open_image(shot.source)
        assert image.shape == (240, 320, 3) and image[0, 0].tolist() == [10 * key, 200, 0]
    assert list(tmp_path.iterdir()) == [shard]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: whole.index(b"00001.json") + 520])
    with pytest.raises(SourceError, match=r"s\.tar is"):
        read_dataset(shard)


def test_renders_are_in_slices_by_what_their_json_tells(tmp_path: Path) -> None:
    def hand(size: float = 1, hidden: int = 0, **about: object) -> dict[str, Any]:
        found = shard_hand([2] * hidden + [0] * (21 - hidden))
        found["landmarks"] = (np.array(found["landmarks"]) * size).tolist()
        return found | {"about": {"glove": None, **about}}

    camera = {"width": 320, "height": 240}
    sharp, blurred = {"light": "room", "film": {"motion_px": 1.0}}, {"light": "dark", "film": {"motion_px": 30.0}}
    rows: list[dict[str, Any]] = [
        {"hands": [hand(tone=3), hand(0.1, tone=9)], "scene": sharp},
        {"hands": [hand(tone=5, glove="none", hidden=8, holds="cup")], "scene": blurred},
        {"hands": [hand(tone=7)], "scene": {**sharp, "crop": {"kind": "palm"}}},
        {"hands": [hand(tone=1, hidden=21)], "scene": {}},
        {"hands": [shard_hand()]},
    ]
    path = write_shard(tmp_path / "hands.tar", [{**row, "camera": camera} for row in rows])
    assert [set(shot.slices) for shot in read_dataset(path).shots] == [
        {"tone 1-3", "tone 8-10", "bare", "small hand", "large hand", "light: room"},
        {"glove", "holds something", "hidden in part", "large hand", "motion blur", "light: dark"},
        {"tone 4-7", "bare", "light: room"},
        set(),
        {"large hand"},
    ]


def test_a_shard_without_a_picture_or_with_a_bad_row_names_both(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        add(tar, "00000.json", b'{"hands": []}')
    with pytest.raises(InputError, match=r"s\.tar, row 00000\.json: there is no image"):
        read_dataset(tmp_path)
    write_shard(tmp_path / "s.tar", [{"camera": {}}])
    with pytest.raises(InputError, match=r"s\.tar, row 00000\.json: there is no 'hands'"):
        read_dataset(tmp_path)
    with pytest.raises(SourceError, match=r"holds no x\.jpg"):
        open_image(f"{tmp_path / 's.tar'}#x.jpg")


def test_jsonl_tells_looked_and_none_from_nobody_looked(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": "a.jpg", "source": "one", "licence": "MIT", "hand_boxes": []},
        {"image": "a.jpg", "source": "two", "licence": "CC0"},
        {"image": "a.jpg", "source": "two", "both_hands_box": [[1, 2, 30, 40]]},
        {"image": "a.jpg", "hand_boxes": [BOX], "tips": {"thumb_tip": [1, 2], "index_tip": [3, 4]}, "group": "g"},
    ]
    picture(tmp_path / "a.jpg")
    write(tmp_path / "index.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    dataset = read_dataset(tmp_path)
    empty, unknown, together, tipped = dataset.shots
    assert empty.hands == () and unknown.hands is None and together.hands is None
    assert together.both_hands_box is not None and tipped.group == "g" and dataset.licence == "MIT, CC0"
    assert tipped.hands is not None and tipped.hands[0].landmarks is not None
    assert tipped.hands[0].landmarks[8].tolist() == [3, 4]
    assert len(read_dataset(tmp_path, split="two").shots) == 2
    assert read_dataset(tmp_path / "index.jsonl", split="ONE").name == "one"


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
    for path in (path for path in tmp_path.rglob("*.*") if path.suffix in (".json", ".jsonl", ".txt", ".yaml")):
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
    with pytest.raises(SourceError, match=r"1 of 4 images that .* not there, the first is .*00000002\.jpg"):
        read_dataset(tmp_path, split="training")
    partly = read_dataset(tmp_path, split="training", allow_missing=True)
    assert len(partly.shots) == 3 and "1 of 4 images were missing" in partly.note
    for path in (tmp_path / "training/rgb").iterdir():
        path.unlink()
    with pytest.raises(SourceError, match="none of the 4 images"):
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


def test_images_are_never_decoded(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    path = tmp_path / "images/val/a.jpg"
    path.write_bytes(path.read_bytes()[:-200])  # the header is whole, the picture is not
    assert read_dataset(tmp_path).shots[0].size == SIZE


def test_the_sample_sets_are_whole(shared: Path) -> None:
    sets = {dataset.name: dataset for dataset in sample_datasets(shared / "data")}
    assert len(sets["subhih"].shots) == 640 and len({shot.group for shot in sets["subhih"].shots}) > 20
    assert all(shot.hands == () for name in ("indoor_no_hands", "office_no_hands") for shot in sets[name].shots)
    assert [len(clip.shots) for clip in sets["ti1k_clips"].clips] == [50, 50, 50]
    assert len(sets["asl_clips"].clips) == 10 and sets["asl_clips"].labelled_by == "nobody"
    (car,) = sets["car_clip"].clips
    assert len(car.shots) > 300 and all(shot.hands == () for shot in car.shots)
    for dataset in sets.values():
        for shot in dataset.shots[::20]:
            assert shot.size == open_image(shot.source).shape[1::-1]


def test_every_kind_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
    table = page.split("\n## ", 1)[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(KINDS)
