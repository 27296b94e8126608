"""Writers of label files, one per format in its own words. Each writes one left hand (FreiHAND: a right one)."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from conftest import make_hand
from PIL import Image

from knuckle.datasets.labels import Dataset, LabelledHand, Visibility
from knuckle.results import FINGERS, HandLandmark

UNKNOWN, OUTSIDE, HIDDEN, VISIBLE, ABSENT = Visibility
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
    projected = xyz @ np.array(CAMERA).T
    return projected[:, :2] / projected[:, 2:]


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


def rhd_row(left: Array, right: Array, visible: Sequence[int]) -> dict[str, Array]:
    names = ["wrist", *TIP_FIRST]
    xyz = np.concatenate([in_order(left, names), in_order(right, names)])
    return {"xyz": xyz, "uv_vis": np.column_stack([project(xyz), visible]), "K": np.array(CAMERA)}


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


def write_cvat(folder: Path) -> None:
    picture(folder / "a.jpg")
    points = "".join(
        f'<points label="{name}" source="manual" outside="0" occluded="0" points="{x:.4f},{y:.4f}"></points>'
        for name, (x, y) in zip([*TIP_FIRST, "wrist"], in_order(PIXELS, [*TIP_FIRST, "wrist"]), strict=True)
    )
    hand = f'<skeleton label="Left hand" source="manual" z_order="0">{points}</skeleton>'
    image = f'<image id="0" name="a.jpg" width="{SIZE[0]}" height="{SIZE[1]}">{hand}</image>'
    head = '<?xml version="1.0" encoding="utf-8"?>'
    write(folder / "annotations.xml", f"{head}<annotations><version>1.1</version>{image}</annotations>")


def write_label_studio(folder: Path) -> None:
    picture(folder / "a.jpg")
    percent = 100 / np.array(SIZE)
    shared = {"original_width": SIZE[0], "original_height": SIZE[1], "image_rotation": 0, "to_name": "image"}
    box = dict(zip(("x", "y", "width", "height"), (CORNER * np.tile(percent, 2)).tolist(), strict=True))
    result = [{**shared, "id": "r", "type": "rectanglelabels", "value": {**box, "rectanglelabels": ["Left hand"]}}]
    for name, (x, y) in zip(OURS, (PIXELS * percent).tolist(), strict=True):
        value = {"x": x, "y": y, "width": 0.4, "keypointlabels": [name]}
        result.append({**shared, "id": name, "parentID": "r", "type": "keypointlabels", "value": value})
    task = {"id": 1, "data": {"image": "/data/local-files/?d=a.jpg"}, "annotations": [{"id": 1, "result": result}]}
    write(folder / "export.json", [task])


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
    "cvat": ("cvat", write_cvat),
    "label-studio": ("label-studio", write_label_studio),
    "coco": ("coco", write_coco_keypoints),
}
IN_SPACE = ("interhand2.6m", "rhd", "freihand")
HAGRID = {"bboxes": [[0.1, 0.2, 0.25, 0.5], [0.5, 0.5, 0.25, 0.25]], "labels": ["no_gesture", "call"], "user_id": "u"}
