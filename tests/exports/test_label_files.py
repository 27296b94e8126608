"""Labels in the formats of annotation tools: what is written is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow

from knuckle.datasets import Dataset, read_dataset
from knuckle.datasets.labels import LabelledHand, Shot, Visibility
from knuckle.errors import InputError
from knuckle.exports.label_files import LABEL_FORMATS, write_labels

SUFFIXES = [".jsonl", *(one.suffix for one in LABEL_FORMATS.values())]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """A photo with two hands, one of whose points is hidden and one not labelled; one without; one that nobody saw."""
    for name in ("two.jpg", "none.jpg", "unseen.jpg"):
        pillow.new("RGB", (320, 240), (90, 60, 30)).save(tmp_path / name)
    hands = []
    for side, x in (("Left", 90), ("Right", 220)):
        points = make_hand(x, 170, 80).landmarks[:, :2].astype(np.float32)
        points[4] = np.nan
        visibility = np.full(21, Visibility.VISIBLE, np.uint8)
        visibility[[4, 9]] = Visibility.UNKNOWN, Visibility.HIDDEN
        hands.append(LabelledHand(landmarks=points, handedness=side, visibility=visibility))
    sources = [str(tmp_path / name) for name in ("two.jpg", "none.jpg", "unseen.jpg")]
    found = (tuple(hands), (), None)
    shots = tuple(Shot(source, size=(320, 240), hands=one) for source, one in zip(sources, found, strict=True))
    return Dataset("made", shots)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_are_read_back(dataset: Dataset, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    assert write_labels(dataset, path) == 2
    split = "train" if suffix == ".yolo" else None
    back = {Path(shot.source).stem: shot for shot in read_dataset(path, split=split).shots}
    assert set(back) == {"two", "none"} and back["none"].hands == ()
    true = (dataset.shots[0].hands or ())[0:2]
    found = {hand.handedness: hand for hand in back["two"].hands or ()}
    assert set(found) == {"Left", "Right"} and back["two"].size == (320, 240)
    for hand in true:
        seen = found[hand.handedness]
        assert seen.landmarks is not None and hand.landmarks is not None
        np.testing.assert_allclose(seen.landmarks[:, :2], hand.landmarks, atol=0.01, equal_nan=True)
        if suffix not in (".wholebody.json", ".labelstudio.json"):  # which have no place for it
            assert seen.visibility is not None
            assert seen.visibility[9] == Visibility.HIDDEN and seen.visibility[8] == Visibility.VISIBLE


def test_what_cannot_be_written_is_refused_in_one_line(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end with \.jsonl, "):
        write_labels(dataset, tmp_path / "labels.txt")
    nameless = Shot(dataset.shots[0].source, size=(320, 240), hands=(LabelledHand(box=np.array([1.0, 2, 30, 40])),))
    with pytest.raises(InputError, match=r"two\.jpg"):
        write_labels(Dataset("made", (nameless,)), tmp_path / "labels.coco.json")
    assert not (tmp_path / "labels.coco.json").exists()
