"""Labels of points beyond the 21 and of fingers that a hand does not have: files, the labelling page, figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import drawn_hand
from PIL import Image as pillow

from knuckle.datasets import read_dataset
from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.evaluate.matching import match_image
from knuckle.evaluate.predictions import read_predictions, write_predictions
from knuckle.evaluate.results import ImagePrediction, Predictions
from knuckle.evaluate.score import joint_samples
from knuckle.label.point_rows import from_page, to_page
from knuckle.results import HAND_POINTS, ExtraPoints, Hand, Roi
from knuckle.results.point_set import NAMED

NAILS = NAMED["nails"]
UNKNOWN = np.full((5, 3), np.nan, np.float32)


def labelled(gone: tuple[int, ...] = ()) -> LabelledHand:
    """A hand with nails 5 pixels to the right of the tips, without the landmarks `gone`."""
    _, label = drawn_hand(np.random.default_rng(1), 320, 240)
    landmarks = np.column_stack([label.landmarks[:, :2], np.zeros(21)]).round(2).astype(np.float32)
    nails = landmarks[[4, 8, 12, 16, 20]] + np.float32([5, 0, 0])
    visibility = np.full(21, Visibility.VISIBLE, np.uint8)
    landmarks[list(gone)], visibility[list(gone)] = np.nan, Visibility.ABSENT
    seen = np.array([Visibility.VISIBLE, Visibility.HIDDEN, Visibility.VISIBLE, Visibility.ABSENT, 0], np.uint8)
    extra = ExtraPoints(NAILS.extra_names, nails.round(2), UNKNOWN, seen, parents=NAILS.parents)
    return LabelledHand(landmarks=landmarks, handedness="Right", visibility=visibility, extra=extra)


def same(one: LabelledHand, other: LabelledHand) -> None:
    assert one.extra == other.extra
    for name in ("landmarks", "visibility"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


@pytest.mark.parametrize("gone", [(), (14, 15, 16)])
def test_json_keeps_extra_points_and_missing_fingers(gone: tuple[int, ...]) -> None:
    label = labelled(gone)
    found = json.loads(json.dumps(hand_to_json(label)))
    assert [found["visibility"][k] for k in gone] == [4] * len(gone) and found["extra"]["visibility"][3] == 4
    same(hand_from_json(found), label)


def test_damaged_extra_points_are_refused_with_file_and_row(tmp_path: Path) -> None:
    image, _ = drawn_hand(np.random.default_rng(1), 320, 240)
    pillow.fromarray(image).save(tmp_path / "a.png")
    good = hand_to_json(labelled())
    for change in ({"names": []}, {"landmarks": [[1, 2]]}, {"visibility": [9] * 5}, {"names": ["a"] * 5}):
        row = {"image": "a.png", "hands": [good | {"extra": good["extra"] | change}]}
        (tmp_path / "index.jsonl").write_text(json.dumps(row) + "\n")
        with pytest.raises(Exception, match=r"index\.jsonl, row 1: extra points"):
            read_dataset(tmp_path)
    flat = good | {"extra": good["extra"] | {"landmarks": [point[:2] for point in good["extra"]["landmarks"]]}}
    assert np.isfinite(hand_from_json(flat).extra.landmarks[:, :2]).all()


@pytest.mark.parametrize("points", [HAND_POINTS, NAILS, NAMED["carpals"]], ids=lambda points: points.name)
def test_the_page_gives_back_what_it_was_given(points: Any) -> None:
    """Points that the bundle does not give stay in the file, whichever bundle the page runs with."""
    hand = hand_to_json(labelled((14, 15, 16)))
    shown = json.loads(json.dumps(to_page(hand, points)))
    assert len(shown["landmarks"]) == len(shown["visibility"]) == 21 + len(points.extra)
    back = hand_from_json(from_page(shown, points))
    known = back.extra.chosen(NAILS.extra_names)
    assert np.array_equal(known.landmarks, labelled().extra.landmarks, equal_nan=True)
    assert np.array_equal(known.visibility, labelled().extra.visibility)
    same(replace(back, extra=None), replace(labelled((14, 15, 16)), extra=None))


def test_a_point_that_was_moved_on_the_page_arrives_and_a_short_list_is_refused() -> None:
    shown = to_page(hand_to_json(labelled()), NAILS)
    shown["landmarks"][22], shown["corrected"] = [7, 8, 0], [3, 22]
    hand = hand_from_json(from_page(shown, NAILS))
    assert hand.extra["index_nail"].tolist() == [7, 8, 0] and np.flatnonzero(hand.corrected).tolist() == [3]
    with pytest.raises(ValueError, match="expected 26 points, got 25"):
        from_page(shown | {"landmarks": shown["landmarks"][:25]}, NAILS)


def predicted(label: LabelledHand, off: float) -> Hand:
    """A prediction whose nails are `off` pixels too low."""
    extra = replace(label.extra, landmarks=label.extra.landmarks + np.float32([0, off, 0]), visibility=None)
    world = np.zeros((21, 3), np.float32)
    return Hand(label.landmarks, world, "Right", 0.9, 0.9, Roi(0, 0, 9), extra=extra)


def test_errors_of_extra_points_are_shares_of_the_palm_and_files_of_predictions_keep_them(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    label = labelled()
    shot, off = Shot("a.png", hands=(label,), size=(320, 240)), 6.0
    image = ImagePrediction("a.png", 0, 0.0, (320, 240), (predicted(label, off),), None, None, 1.0)
    file = tmp_path / "predictions.parquet"
    write_predictions(file, [image])
    (hand,) = read_image(file)
    assert hand.extra.names == NAILS.extra_names
    np.testing.assert_allclose(hand.extra.landmarks, image.hands[0].extra.landmarks, atol=1e-3)
    matched = match_image(shot, Predictions("mine", {("a.png", 0): image}))
    assert set(matched.extra_errors) == set(NAILS.extra_names) and (matched.errors == 0).all()
    for errors in matched.extra_errors.values():
        assert errors == [pytest.approx(off / label.palm_size, rel=1e-4)]
    names = [one.metric for one in joint_samples({"mine": [matched]}, ["a"])]
    assert len(names) == 26 and names[21:] == list(NAILS.extra_names)


def read_image(file: Path) -> tuple[Hand, ...]:
    """The hands of a file of predictions with one image."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(file)
    parquet.write_table(table.replace_schema_metadata({"key": "k", "model": "mine"}), file)
    (image,) = read_predictions(file).by_image.values()
    return image.hands
