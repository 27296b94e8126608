"""Every format gives back the hand that was written in its own order, units and files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from label_files import (
    IN_SPACE,
    PIXELS,
    SIZE,
    TIP_FIRST,
    WRITERS,
    chains_are_shortest,
    curls_like,
    in_order,
    only_hand,
    project,
    space,
    write,
    write_yolo,
)
from PIL import Image

from knuckle.datasets import KINDS, read_dataset
from knuckle.errors import InputError


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


def test_folders_above_the_dataset_are_not_searched_for_images(tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "hands"
    folder.mkdir(parents=True)
    write_yolo(folder)
    for outside in ("/", str(tmp_path), "../.."):
        write(folder / "data.yaml", f"val: {outside}\nkpt_shape: [21, 3]\n")
        with pytest.raises(InputError, match="a folder above the dataset"):
            read_dataset(folder)
    write(folder / "data.yaml", "val: ../hands/images/val\nkpt_shape: [21, 3]\n")
    assert len(read_dataset(folder).shots) == 1


def test_images_are_never_decoded(tmp_path: Path) -> None:
    write_yolo(tmp_path)
    path = tmp_path / "images/val/a.jpg"
    path.write_bytes(path.read_bytes()[:-200])  # the header is whole, the picture is not
    assert read_dataset(tmp_path).shots[0].size == SIZE


def test_every_kind_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
    table = page.split("\n## ", 1)[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == list(KINDS)
