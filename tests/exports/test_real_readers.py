"""What we write is read by the libraries whose formats these are."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.exports.cvat import label_spec
from knuckle.exports.formats import FORMATS
from knuckle.exports.label_studio import LABEL_CONFIG
from knuckle.exports.objects import to_supervision
from knuckle.media.data_format import Tracked
from knuckle.media.reader import STILL
from knuckle.results import Frame, HandLandmark

SIZE = (320, 240)
NAMES = [point.name.lower() for point in HandLandmark]
# Libraries that need other versions than ours are in virtual environments here, named like them.
OTHERS = Path(os.environ.get("KNUCKLE_TEST_ENVIRONMENTS", Path.home() / "envs"))
Save = Callable[[str, list[Tracked]], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(name: str, frames: list[Tracked]) -> Path:
        about = next(one for one in FORMATS if one.name == name)
        with about.open(tmp_path / f"hands{about.suffix}") as sink:
            for frame, hands in frames:
                sink.write(frame, hands)
        return sink.path

    return write


@pytest.fixture
def photos(tmp_path: Path) -> list[Tracked]:
    frames: list[Tracked] = []
    (tmp_path / "photos").mkdir()
    for number, hands in enumerate(([make_hand(100, 120), make_hand(220, 130, side="Right")], [])):
        path = tmp_path / "photos" / f"photo ü{number}.png"
        image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        pillow.fromarray(image).save(path)
        frames.append((Frame(image, number, STILL, str(path)), hands))
    return frames


@pytest.fixture
def clip() -> list[Tracked]:
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    left, right = replace(make_hand(100, 120), track_id=1), replace(make_hand(220, 130, side="Right"), track_id=2)
    return [(Frame(image, k, k / 25, "clip.mp4"), [left, right] if k % 2 else [left]) for k in range(6)]


def in_other_environment(name: str, code: str, *arguments: object) -> str:
    """The output of code that runs with the libraries of another environment."""
    python = OTHERS / name / "bin/python"
    if not python.exists():
        pytest.skip(f"there is no environment with {name}")
    command = [str(python), "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={"HOME": "/tmp", "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_pycocotools_reads_coco_and_scores_it_as_perfect(save: Save, photos: list[Tracked]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    path = save("coco", photos)
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = coco.COCO(str(path))
        assert truth.loadCats(truth.getCatIds())[0]["keypoints"] == NAMES
        found = truth.loadRes([{**one} for one in truth.loadAnns(truth.getAnnIds())])
        judge = cocoeval.COCOeval(truth, found, "keypoints")
        judge.params.kpt_oks_sigmas = np.full(21, 0.05)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == pytest.approx(1)


def test_our_own_reader_takes_every_format_of_labels(save: Save, photos: list[Tracked]) -> None:
    for name in ("coco", "coco-wholebody", "yolo", "cvat", "label-studio"):
        path = save(name, photos)
        dataset = read_dataset(path, split="train" if name == "yolo" else None)
        assert [len(shot.hands or ()) for shot in dataset.shots] == [2, 0], name
        for label, hand in zip(dataset.shots[0].hands or (), photos[0][1], strict=True):
            assert label.handedness == hand.handedness and label.landmarks is not None
            np.testing.assert_allclose(label.landmarks[:, :2], hand.landmarks[:, :2], atol=0.01)


def test_datumaro_reads_coco_with_points_and_attributes(save: Save, photos: list[Tracked], tmp_path: Path) -> None:
    code = """
import sys, datumaro
for item in datumaro.Dataset.import_from(sys.argv[1], "coco_person_keypoints"):
    for one in item.annotations:
        if type(one).__name__ == "Points":
            print(item.id, len(one.points), one.attributes["handedness"])
"""
    path = save("coco", photos)
    folder = tmp_path / "coco"
    (folder / "annotations").mkdir(parents=True)
    (folder / "images/default/photos").mkdir(parents=True)
    path.rename(folder / "annotations/person_keypoints_default.json")
    for frame, _ in photos:
        Path(frame.source).rename(folder / "images/default/photos" / Path(frame.source).name)
    lines = in_other_environment("datumaro", code, folder).splitlines()
    assert sorted(lines) == ["photos/photo ü0 42 left", "photos/photo ü0 42 right"]


def test_label_studio_converts_our_tasks_to_coco(save: Save, photos: list[Tracked], tmp_path: Path) -> None:
    converter = pytest.importorskip("label_studio_sdk.converter")
    tasks = json.loads(save("label-studio", photos[:1]).read_text())
    for task in tasks:  # what people accepted and exported
        task |= {"id": 1, "annotations": [{"id": 1, **task.pop("predictions")[0]}]}
    exported = tmp_path / "export.json"
    exported.write_text(json.dumps(tasks))
    out = tmp_path / "coco"
    found = converter.Converter(LABEL_CONFIG, str(tmp_path), download_resources=False)
    found.convert_to_coco(str(exported), str(out), is_dir=False, output_image_dir=str(out / "images"))
    whole = json.loads((out / "result.json").read_text())
    (named,) = [one for one in whole["categories"] if one.get("keypoints")]
    assert named["keypoints"] == NAMES
    points = [one for one in whole["annotations"] if one.get("keypoints")]
    assert points and all(len(one["keypoints"]) == 63 for one in points)


def test_cvat_gets_a_skeleton_as_its_documentation_describes_it(save: Save, photos: list[Tracked]) -> None:
    root = ElementTree.parse(save("cvat", photos)).getroot()
    assert root.findtext("version") == "1.1"
    assert [one.findtext("name") for one in root.iter("label")] == ["hand", *NAMES]
    image = next(root.iter("image"))
    assert image.get("name") == "photos/photo ü0.png" and (image.get("width"), image.get("height")) == ("320", "240")
    for skeleton in image.iter("skeleton"):
        assert skeleton.get("label") == "hand" and skeleton.findtext("attribute") in ("left", "right")
        assert [point.get("label") for point in skeleton.iter("points")] == NAMES
        assert {point.get("outside") for point in skeleton.iter("points")} == {"0"}
    (label,) = label_spec()
    drawn = ElementTree.fromstring(f"<svg>{label['svg']}</svg>")
    assert [one.get("data-label-name") for one in drawn.iter("circle")] == NAMES


def test_yolo_labels_are_as_ultralytics_documents_them(save: Save, photos: list[Tracked]) -> None:
    folder = save("yolo", photos)
    images = sorted(path.stem for path in (folder / "images/train").iterdir())
    assert images == sorted(path.stem for path in (folder / "labels/train").iterdir()) and len(images) == 2
    rows = [line.split() for path in (folder / "labels/train").iterdir() for line in path.read_text().splitlines()]
    assert sorted(row[0] for row in rows) == ["0", "1"] and {len(row) for row in rows} == {5 + 63}
    numbers = np.array([row[1:5] + [x for k, x in enumerate(row[5:]) if k % 3 < 2] for row in rows], float)
    assert (numbers >= 0).all() and (numbers <= 1).all()


def test_pose_format_reads_pose_files_and_openpose_folders(save: Save, clip: list[Tracked]) -> None:
    pose_format = pytest.importorskip("pose_format")
    openpose = pytest.importorskip("pose_format.utils.openpose")
    pose = pose_format.Pose.read(save("pose", clip).read_bytes())
    assert pose.body.fps == pytest.approx(25) and pose.body.data.shape == (6, 1, 42, 3)
    assert [one.name for one in pose.header.components] == ["LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS"]
    np.testing.assert_allclose(pose.body.data[1, 0, :21, :2].data, clip[1][1][0].landmarks[:, :2], atol=1e-3)
    assert (pose.body.confidence[0, 0, 21:] == 0).all() and (pose.body.confidence[1, 0, 21:] > 0).all()
    frames = openpose.load_frames_directory_dict(str(save("openpose", clip)), "(?:^|\\D)?(\\d+).*?.json")
    assert sorted(frames) == list(range(6))
    flat = frames[1]["people"][0]["hand_right_keypoints_2d"]
    np.testing.assert_allclose(np.reshape(flat, (21, 3))[:, :2], clip[1][1][1].landmarks[:, :2], atol=1e-3)


def test_mcap_and_foxglove_channels(save: Save, clip: list[Tracked]) -> None:
    reader = pytest.importorskip("mcap.reader")
    with save("mcap", clip).open("rb") as file:
        messages = [(schema.name, channel.topic, message) for schema, channel, message in
                    reader.make_reader(file).iter_messages()]  # fmt: skip
    names = {name for name, _, _ in messages}
    assert names == {"knuckle.Hands", "foxglove.ImageAnnotations", "foxglove.SceneUpdate"} and len(messages) == 18
    drawn = [json.loads(message.data) for name, _, message in messages if name == "foxglove.ImageAnnotations"]
    assert [len(one["texts"]) for one in drawn] == [1, 2] * 3
    assert len(drawn[0]["points"][0]["points"]) == 2 * len(drawn[0]["points"][0]["outline_colors"])
    scenes = [json.loads(message.data) for name, _, message in messages if name == "foxglove.SceneUpdate"]
    assert [len(one["entities"]) for one in scenes] == [1, 2] * 3
    assert messages[-1][2].log_time == 200_000_000


def test_rerun_reads_points_and_times(save: Save, clip: list[Tracked]) -> None:
    chunk = pytest.importorskip("rerun.chunk", reason="this version of Rerun has no reader")
    rows: dict[str, int] = {}
    points = {}
    for one in chunk.RrdReader(save("rerun", clip)).stream():
        if not one.is_static:
            batch = one.to_record_batch()
            rows[one.entity_path] = rows.get(one.entity_path, 0) + one.num_rows
            if "Points2D:positions" in batch.schema.names:
                points[one.entity_path] = batch.column("Points2D:positions")[0].as_py()
            assert {"frame", "video_time"} <= set(one.timeline_names)
    assert set(rows) == {f"/clip/{part}/hands/{number}" for part in ("image", "world") for number in (1, 2)}
    assert rows["/clip/image/hands/1"] == 6
    np.testing.assert_allclose(points["/clip/image/hands/1"], clip[0][1][0].landmarks[:, :2], atol=1e-3)


def test_lerobot_loads_the_dataset(save: Save, clip: list[Tracked]) -> None:
    code = """
import sys, json
from lerobot.datasets.lerobot_dataset import LeRobotDataset
data = LeRobotDataset("knuckle/hands", root=sys.argv[1])
row = data[1]
print(json.dumps({
    "episodes": data.num_episodes, "frames": data.num_frames, "fps": data.fps, "task": row["task"],
    "present": [data[k]["observation.right_hand.present"].item() for k in range(6)],
    "points": row["observation.right_hand.landmarks_px"].tolist(),
    "mean": data.meta.stats["observation.left_hand.landmarks_px"]["mean"].tolist(),
}))
"""
    other = [(replace(frame, source="second.mp4"), hands) for frame, hands in clip]
    found = json.loads(in_other_environment("lerobot", code, save("lerobot", clip + other)).splitlines()[-1])
    assert (found["episodes"], found["frames"], found["fps"], found["task"]) == (2, 12, 25, "track hands")
    assert found["present"] == [0, 1] * 3
    np.testing.assert_allclose(np.reshape(found["points"], (21, 3)), clip[1][1][1].landmarks, atol=1e-3)
    np.testing.assert_allclose(np.reshape(found["mean"], (21, 3)), clip[0][1][0].landmarks, atol=1e-3)


def test_supervision_draws_and_filters_hands(clip: list[Tracked]) -> None:
    sv = pytest.importorskip("supervision")
    found = to_supervision(clip[1][1])
    assert len(found) == 2 and found.xy.shape == (2, 21, 2) and found["tracker_id"].tolist() == [1, 2]
    assert found[found.class_id == 1]["class_name"].tolist() == ["Right"]
    scene = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    assert sv.VertexAnnotator().annotate(scene, found).any()
    assert len(to_supervision([])) == 0


def test_fiftyone_takes_keypoints_of_photos_and_clips(save: Save, clip: list[Tracked], photos: list[Tracked]) -> None:
    code = """
import sys
from pathlib import Path
from knuckle.exports.objects import to_fiftyone_samples
from knuckle.media.read_tables import read_jsonl
for sample in to_fiftyone_samples(read_jsonl(Path(sys.argv[1]))):
    if sample.media_type == "video":
        for number, frame in sample.frames.items():
            print(number, [(one.label, len(one.points), one.index) for one in frame["hands"].keypoints])
    else:
        found = [(one.label, len(one.points), one.index) for one in sample["hands"].keypoints]
        print(Path(sample.filepath).name, found)
"""
    source = str(Path(__file__).resolve().parents[2] / "src")
    path = save("jsonl", clip[:2] + photos)
    out = in_other_environment("fiftyone", f"import sys; sys.path.insert(0, {source!r})\n{code}", path)
    assert out.splitlines()[-4:] == [
        "1 [('Left', 21, 1)]",
        "2 [('Left', 21, 1), ('Right', 21, 2)]",
        "photo ü0.png [('Left', 21, None), ('Right', 21, None)]",
        "photo ü1.png []",
    ]
