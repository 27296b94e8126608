"""Agreement with the reference on photos, and tracking of real clips."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import knuckle
import knuckle.solutions
from knuckle import HandTracker
from knuckle.media.sources import load_image

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = Path(__file__).resolve().parent / "parity"  # made by make_parity.py
BUNDLES = pytest.mark.parametrize(("complexity", "models"), [(1, "mediapipe"), (0, "mediapipe-lite")])


@BUNDLES
def test_drawn_and_rendered_stills_agree_with_the_reference(complexity: int, models: str) -> None:
    answers = json.loads((COMMITTED / "photos.json").read_text())
    errors, labels = compare(answers, COMMITTED, complexity, models)
    assert len(errors) >= 8 and set(labels) == {"Left", "Right"}
    assert np.max(errors) < 0.5 and np.median(errors) < 0.05


@BUNDLES
def test_the_legacy_api_follows_a_rendered_clip_as_the_reference_does(complexity: int, models: str) -> None:
    answers = json.loads((COMMITTED / "clip.json").read_text())
    frames = {f"{complexity}|{f.index:03d}.png": f for f in knuckle.read(ROOT / "examples" / "hands.mp4")}
    errors = []
    with knuckle.solutions.hands.Hands(model_complexity=complexity) as hands:
        for key in sorted(frames.keys() & answers.keys()):
            expected, frame = answers[key], frames[key]
            result = hands.process(frame.image)
            labels = [side.classification[0].label for side in result.multi_handedness or []]
            assert labels == [label for ((_, _, label),) in expected["handedness"]], key
            for hand, landmarks in zip(result.multi_hand_landmarks or [], expected["landmarks"], strict=True):
                found = np.array([(point.x, point.y) for point in hand.landmark])
                errors.append((np.abs(found - np.array(landmarks)[:, :2]) * [frame.width, frame.height]).max())
    # Tracking amplifies rounding: each frame's regions come from the landmarks of the frame before.
    assert len(errors) >= 19 and errors[0] < 0.05
    assert np.max(errors) < 1.5 and np.median(errors) < 0.2


@BUNDLES
def test_stills_agree_with_the_reference(shared: Path, complexity: int, models: str) -> None:
    answers = json.loads((shared / "oracle" / "legacy_stills.json").read_text())
    photos = shared / "data" / "photos" / "gestures40"
    errors, _ = compare(answers, photos, complexity, models)
    assert len(errors) in (41, 42)
    assert np.max(errors) < 0.5 and np.median(errors) < 0.05


def compare(answers: dict[str, Any], photos: Path, complexity: int, models: str) -> tuple[list[np.ndarray], list[str]]:
    """Errors of each hand's landmarks in pixels, (21,), and the reference's labels. Hands and labels must agree.

    The reference's answers are named "complexity|name of the photo".
    """
    errors, all_labels = [], []
    for key, expected in answers.items():
        level, name = key.split("|")
        if int(level) != complexity:
            continue
        image = load_image(photos / name)
        hands = knuckle.detect(image, models, mirrored=True)
        labels = [label for ((_, _, label),) in expected["handedness"] or []]
        assert [hand.handedness for hand in hands] == labels, name
        all_labels += labels
        for hand, landmarks, metres in zip(
            hands, expected["landmarks"] or [], expected["world_landmarks"] or [], strict=True
        ):
            scale = np.array([image.shape[1], image.shape[0], image.shape[1]])
            errors.append(np.abs(hand.landmarks - np.array(landmarks) * scale).max(axis=1))
            assert np.abs(hand.world - np.array(metres)).max() < 1e-3, name
    return errors, all_labels


@lru_cache  # two tests look at the same clips
def follow(path: Path, **options: object) -> list[list[knuckle.Hand]]:
    """The hands of each frame of a clip."""
    tracker = HandTracker("mediapipe", **options)
    return [tracker(frame.image, frame.time_s) for frame in knuckle.read(path)]


def test_signing_hands_keep_their_ids(shared: Path) -> None:
    """Fast hands that cross, touch and occlude each other keep their ids, with few exceptions."""
    ids = hands = 0
    for path in sorted((shared / "data" / "video").glob("asl_*.mkv")):
        shown = follow(path)
        ids += len({hand.track_id for frame in shown for hand in frame})
        hands += sum(map(len, shown))
        assert all(len(frame) <= 2 for frame in shown)
    assert ids <= 24 and hands >= 1000  # 10 clips with two hands; the reference finds 916


def test_motion_prediction_holds_fast_hands_longer(shared: Path) -> None:
    clips = [shared / "data" / "video" / f"asl_{name}.mkv" for name in ("student", "walk", "help", "brother")]
    with_prediction = sum(len(hands) for clip in clips for hands in follow(clip))
    without = sum(len(hands) for clip in clips for hands in follow(clip, predict_motion=False))
    assert with_prediction > without


def test_a_clip_without_people_has_no_hands(shared: Path) -> None:
    assert not any(follow(shared / "data" / "video" / "car-detection.mp4"))


def test_the_reference_s_labels_of_thumb_and_index_tips_are_met(shared: Path) -> None:
    """Labels of TI1K, hands from above: the median error is far below a tenth of the box of the hand."""
    for name in ("rotation", "scale", "translation"):
        path = shared / "data" / "video" / f"ti1k_{name}_1.mp4"
        rows = [line.split()[1:] for line in path.with_suffix(".txt").read_text().splitlines() if line.strip()]
        distances = []
        for (hand,), row, frame in zip(follow(path, max_hands=1), rows, knuckle.read(path), strict=False):
            unit = np.array([frame.width, frame.height])
            x0, y0, x1, y1, *tips = (float(value) for value in row)
            box = max((x1 - x0) * unit[0], (y1 - y0) * unit[1])
            for tip, point in zip((tips[:2], tips[2:]), (hand.thumb_tip, hand.index_tip), strict=True):
                distances.append(np.linalg.norm(np.array(tip) * unit - point[:2]) / box)
        assert np.median(distances) < 0.1
