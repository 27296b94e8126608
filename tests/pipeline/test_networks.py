"""`load` keeps networks, and compares their outputs with the description of their bundle."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import knuckle
from knuckle.errors import BundleError, InputError
from knuckle.models import catalogue
from knuckle.models.bundle import Bundle
from knuckle.pipeline import networks as module
from knuckle.pipeline.networks import check_outputs, load
from knuckle.pipeline.options import TrackerOptions
from knuckle.testing import FakeNetwork

OWN = catalogue.find("knuckle")


def fake_palm(**shapes: tuple[int, ...]) -> FakeNetwork:
    rows = {"boxes": (720, 18), "scores": (720, 1), **shapes}
    return FakeNetwork(192, {name: [np.zeros(shape, np.float32)] for name, shape in rows.items()})


def fake_hand(**shapes: tuple[int, ...]) -> FakeNetwork:
    rows = {"landmarks": (63,), "world": (63,), "visibility": (21,), "presence": (1,), "handedness": (1,), **shapes}
    return FakeNetwork(224, {name: [np.zeros(shape, np.float32)] for name, shape in rows.items()})


def test_outputs_as_described_pass() -> None:
    check_outputs(fake_palm(), fake_hand(), OWN)
    check_outputs(fake_palm(), fake_hand(landmarks=(21, 3), world=(21, 3)), OWN)  # the same numbers in rows
    check_outputs(fake_palm(more=(5,)), fake_hand(more=(7,)), OWN)  # outputs that nobody reads


@pytest.mark.parametrize(
    ("palm", "hand", "named"),
    [
        ({"boxes": (720, 16)}, {}, "boxes"),
        ({"boxes": (719, 18)}, {}, "boxes"),
        ({"scores": (720, 2)}, {}, "scores"),
        ({}, {"landmarks": (42,)}, "landmarks"),
        ({}, {"world": (62,)}, "world"),
        ({}, {"visibility": (22,)}, "visibility"),
        ({}, {"presence": (2,)}, "presence"),
        ({}, {"handedness": (2,)}, "handedness"),
    ],
)
def test_an_output_of_another_shape_is_named(palm: Any, hand: Any, named: str) -> None:
    with pytest.raises(BundleError, match=f"{named}, should have the shape"):
        check_outputs(fake_palm(**palm), fake_hand(**hand), OWN)


def test_a_missing_or_unknown_output_is_named() -> None:
    lacking = replace(OWN, palm_outputs={"boxes": "boxes", "scores": "points"})
    with pytest.raises(BundleError, match=r"'points'.*no such output"):
        check_outputs(fake_palm(), fake_hand(), lacking)
    with pytest.raises(BundleError, match="its colour"):
        check_outputs(fake_palm(colour=(720, 1)), fake_hand(), replace(OWN, palm_outputs={"colour": "colour"}))


def test_the_same_arguments_give_the_same_networks() -> None:
    one = load("knuckle", threads=1)
    assert load("knuckle", threads=1) is one and load("knuckle", threads=2) is not one
    assert load(one) is one
    assert pickle.loads(pickle.dumps(one)) is one
    changed = replace(one, bundle=replace(one.bundle, name="other"))
    assert pickle.loads(pickle.dumps(replace(changed, palm=None, hand=None))).bundle.name == "other"  # type: ignore[arg-type]


def test_a_bundle_that_changes_is_loaded_again(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    knuckle_files = [OWN.folder / network.file for network in OWN.files()]
    folder.mkdir()
    for path in knuckle_files:
        (folder / path.name).write_bytes(path.read_bytes())

    def described(bundle: Bundle) -> None:
        (folder / "bundle.json").write_text(bundle.to_json())

    described(replace(OWN, name="own"))
    first = load(folder, threads=1)
    assert load(folder, threads=1) is first
    described(replace(OWN, name="own", min_palm_score=0.25))
    again = load(folder, threads=1)
    assert again is not first and again.bundle.min_palm_score == 0.25


def test_the_oldest_networks_are_let_go() -> None:
    module._kept.clear()
    for threads in range(1, module.MAX_CACHED_BUNDLES + 2):
        load("knuckle-fast", threads=threads, precision="float")
    assert len(module._kept) == module.MAX_CACHED_BUNDLES
    assert [key[2] for key in module._kept] == list(range(2, module.MAX_CACHED_BUNDLES + 2))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(InputError, match="models must be"):
        load(5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="precision must be one of"):
        load("knuckle", precision="int4")  # type: ignore[arg-type]


def test_int8_and_float_networks_are_those_of_their_files() -> None:
    floats, ints = (load("knuckle", threads=1, precision=form) for form in ("float", "int8"))
    assert floats.bundle == ints.bundle
    assert [network.model.name for network in (floats.palm, floats.hand)] == ["palm.tflite", "hand.tflite"]  # type: ignore[attr-defined]
    assert [network.model.name for network in (ints.palm, ints.hand)] == ["palm_int8.tflite", "hand_int8.tflite"]  # type: ignore[attr-defined]


def test_the_bundle_fills_in_what_the_user_left_open() -> None:
    networks = load("knuckle", threads=1)
    bundle = networks.bundle
    plain = networks.completed(TrackerOptions())
    assert (plain.min_palm_score, plain.min_presence) == (bundle.min_palm_score, bundle.min_presence)
    assert (plain.second_look, plain.faint_palms) == (bundle.second_look, bundle.faint_palms)
    assert (plain.min_new_confidence, plain.min_faint_confidence) == (0.832, 0.943)
    assert networks.completed(plain) is plain
    chosen = networks.completed(TrackerOptions(min_presence=0.998, min_palm_score=0.7))
    assert (chosen.min_new_confidence, chosen.min_faint_confidence, chosen.min_palm_score) == (0.998, 0.998, 0.7)
    low = networks.completed(TrackerOptions(min_presence=0.2))
    assert (low.min_new_confidence, low.min_faint_confidence) == (0.2, 0.943)
    assert networks.palm_detector(TrackerOptions()).min_score == bundle.min_palm_score
    assert networks.palm_detector(TrackerOptions(), 0.11).min_score == 0.11
    assert networks.hand_landmarker(TrackerOptions()).min_presence == bundle.min_presence
    assert networks.hand_landmarker(TrackerOptions(), -1.0).min_presence == -1.0
    assert networks.hand_landmarker(TrackerOptions(mirrored=True)).mirrored
    knuckle.HandTracker(networks)
