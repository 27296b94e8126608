"""Clips: smooth motion, stable ids, labels for every frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("moderngl")
import knuckle
from knuckle.datasets.hand_json import hand_from_json
from knuckle.errors import InputError
from knuckle.synth.scene import hand_motion
from knuckle.synth.scene.studio import Studio
from knuckle.synth.write.clips import ClipRecipe, write_clips

SMALL = ClipRecipe(count=1, seconds=1.0, width=160, height=120, rate=12, seed=3)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(160)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = write_clips(tmp_path_factory.mktemp("clips"), SMALL)
    return path


def test_every_frame_has_a_line_of_labels(written: Path) -> None:
    frames = list(knuckle.read(str(written)))
    labels = [json.loads(line) for line in written.with_suffix(".jsonl").read_text().splitlines()]
    assert len(frames) == len(labels) == SMALL.frames
    assert [line["frame"] for line in labels] == list(range(SMALL.frames))
    assert all(abs(line["time_s"] - frame.time_s) < 0.01 for line, frame in zip(labels, frames, strict=True))
    assert all(line["camera"]["width"] == 160 for line in labels)
    assert sorted(path.name for path in written.parent.iterdir()) == [written.with_suffix(".jsonl").name, written.name]


def test_an_id_stays_with_its_hand(written: Path) -> None:
    sides: dict[int, set[str]] = {}
    for line in written.with_suffix(".jsonl").read_text().splitlines():
        for entry in json.loads(line)["hands"]:
            hand = hand_from_json(entry)
            sides.setdefault(entry["track"], set()).add(hand.handedness)
    assert sides and all(len(found) == 1 for found in sides.values())


def test_existing_clips_are_kept(written: Path) -> None:
    before = written.stat().st_mtime_ns
    assert write_clips(written.parent, SMALL) == [written]
    assert written.stat().st_mtime_ns == before


@pytest.mark.parametrize("seed", range(6))
def test_hands_move_smoothly(studio: Studio, seed: int) -> None:
    for path in hand_motion.random_paths(studio.body, 5.0, np.random.default_rng([9, seed])):
        times = np.arange(0, 5, 1 / 240)
        places = np.array([path.at(t)[0] for t in times])
        angles = np.array([path.at(t)[1].angles for t in times])
        assert np.isfinite(places).all()
        assert np.abs(np.diff(places, axis=0)).max() < 0.12  # a swipe of half a picture in a fifth of a second
        assert np.abs(np.diff(angles, axis=0)).max() < 0.25
        assert [key.time_s for key in path.keys] == sorted(key.time_s for key in path.keys)


def test_every_act_happens(studio: Studio) -> None:
    rng = np.random.default_rng(0)
    acts = {act.name for _ in range(30) for act in hand_motion.random_plan(6.0, True, rng)}
    assert acts == set(hand_motion.ACTS)


@pytest.mark.parametrize("change", [{"count": 0}, {"width": 161}, {"rate": 0}, {"seconds": 0}])
def test_impossible_recipes_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ClipRecipe(**change)  # type: ignore[arg-type]
