"""Networks with other points than the 21 in the tracker: the 21 stay as they are, and the others follow them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
from networks_of_points import networks_for

import knuckle
from knuckle.errors import BundleError, InputError
from knuckle.images import Image
from knuckle.media import read_tables, write_tables
from knuckle.media.columns import HAND_COLUMNS
from knuckle.models.bundle import open_folder
from knuckle.pipeline.networks import check_outputs
from knuckle.pipeline.smooth import two_sided
from knuckle.pipeline.stride import hand_between
from knuckle.results import Frame, Hand
from knuckle.results.point_set import NAMED

NAILS, NO_RING = NAMED["nails"], NAMED["without_ring"]
GONE = [14, 15, 16]
Pairs = list[tuple[Frame, list[Hand]]]


@pytest.fixture(scope="module")
def tracked(clip_frames: list[Image]) -> Callable[[str], Pairs]:
    """The first frames of the clip, tracked by networks for a set of points."""
    found: dict[str, Pairs] = {}

    def track(name: str) -> Pairs:
        if name not in found:
            tracker = knuckle.HandTracker(networks_for(NAMED[name]))
            found[name] = [
                (frame := Frame(image, k, k / 15, "two hands.mp4"), tracker(image, frame.time_s))
                for k, image in enumerate(clip_frames[:6])
            ]
        return found[name]

    return track


def both(one: Pairs, other: Pairs) -> list[tuple[Hand, Hand]]:
    pairs = [pair for (_, a), (_, b) in zip(one, other, strict=True) for pair in zip(a, b, strict=True)]
    assert len(pairs) >= 10
    return pairs


def test_the_21_are_the_same_and_a_point_on_a_tip_moves_like_the_tip(tracked: Callable[[str], Pairs]) -> None:
    for usual, hand in both(tracked("hand"), tracked("nails")):
        assert usual.extra is None and hand.extra is not None and hand.extra.names == NAILS.extra_names
        for name in ("landmarks", "world", "visibility", "landmarks_raw", "world_raw"):
            assert np.array_equal(getattr(usual, name), getattr(hand, name)), name
            np.testing.assert_allclose(getattr(hand.extra, name), getattr(hand, name)[[4, 8, 12, 16, 20]], rtol=1e-6)
    last = tracked("nails")[-1][1][0]
    assert not np.array_equal(last.extra.landmarks, last.extra.landmarks_raw)


def test_smoothing_and_filling_in_move_the_extra_points_too(tracked: Callable[[str], Pairs]) -> None:
    pairs = tracked("nails")
    (_, before), (_, after) = pairs[1], pairs[3]
    middle = hand_between(before[0], after[0], 0.25)
    expected = 0.75 * before[0].extra.landmarks + 0.25 * after[0].extra.landmarks
    np.testing.assert_allclose(middle.extra.landmarks, expected, rtol=1e-5)
    for _, hands in two_sided(pairs):
        for hand in hands:
            np.testing.assert_allclose(hand.extra.landmarks, hand.landmarks[[4, 8, 12, 16, 20]], rtol=1e-5)


def test_points_that_a_network_does_not_give_are_unknown_and_tracking_goes_on(tracked: Callable[[str], Pairs]) -> None:
    for usual, hand in both(tracked("hand"), tracked("without_ring")):
        there = np.setdiff1d(np.arange(21), GONE)
        for values in (hand.landmarks, hand.world, hand.landmarks_raw, hand.world_raw):
            assert np.isnan(values[GONE]).all() and np.isfinite(values[there]).all()
        assert (hand.visibility[GONE] == 0).all() and usual.track_id == hand.track_id
        away = np.linalg.norm((hand.landmarks - usual.landmarks)[there, :2], axis=1)
        assert np.median(away) < 0.1 * usual.palm_size  # the region differs, since it has no ring finger
        assert np.isfinite(hand.box).all() and str(hand)
    for _, hands in two_sided(tracked("without_ring")):
        assert all(np.isfinite(hand.landmarks[:14]).all() and np.isnan(hand.landmarks[GONE]).all() for hand in hands)


def test_photos_lists_and_regions_give_the_same_points(clip_frames: list[Image]) -> None:
    networks = networks_for(NO_RING)
    hands = knuckle.detect(clip_frames[0], networks)
    for again in (
        *knuckle.detect([clip_frames[0]], networks),
        knuckle.landmarks_in(clip_frames[0], [hands[0].roi], networks),
    ):
        assert again[0] is not None and np.isnan(again[0].landmarks[GONE]).all()
    with pytest.raises(InputError, match=r"gestures need all 21 points.*ring_pip"):
        knuckle.detect(clip_frames[0], networks, gestures="canned")


def written(path: Path, pairs: Pairs) -> list[Hand]:
    """The hands of a table after they were written and read back."""
    sinks = {"jsonl": write_tables.JsonlSink, "csv": write_tables.CsvSink, "parquet": write_tables.ParquetSink}
    kind = path.suffix[1:]
    sink = sinks[kind](path)
    for frame, hands in pairs:
        sink.write(frame, hands)
    sink.close()
    read = getattr(read_tables, f"read_{kind}")
    return [hand for _, hands in read(path) for hand in hands]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_tables_have_columns_for_the_extra_points_and_read_them_back(
    suffix: str, tracked: Callable[[str], Pairs], tmp_path: Path
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"hands.{suffix}"
    pairs = tracked("nails")
    for one, other in zip(written(path, pairs), [hand for _, hands in pairs for hand in hands], strict=True):
        assert one.extra.names == other.extra.names
        np.testing.assert_allclose(one.extra.landmarks, other.extra.landmarks, atol=1e-3)
        np.testing.assert_allclose(one.extra.world, other.extra.world, atol=1e-5)
        np.testing.assert_allclose(one.extra.visibility, other.extra.visibility, atol=1e-3)
    if suffix == "csv":
        header = path.read_text().partition("\n")[0].split(",")
        assert header[: len(HAND_COLUMNS)] == list(HAND_COLUMNS)
        assert header[len(HAND_COLUMNS) : len(HAND_COLUMNS) + 3] == [f"thumb_nail_{axis}_px" for axis in "xyz"]


def test_tables_of_incomplete_hands_have_empty_fields(tracked: Callable[[str], Pairs], tmp_path: Path) -> None:
    for suffix in ("csv", "jsonl"):
        path = tmp_path / f"hands.{suffix}"
        hands = written(path, tracked("without_ring"))
        assert hands and "nan" not in path.read_text().lower()
        assert all(np.isnan(hand.landmarks[GONE]).all() for hand in hands)


def test_drawings_show_what_a_hand_has(tracked: Callable[[str], Pairs]) -> None:
    frame, (hand, *_) = tracked("nails")[2]
    blank = np.zeros_like(frame.image)
    lifted = hand.with_rows(
        {"landmarks": np.concatenate([hand.landmarks, hand.landmarks[[4, 8, 12, 16, 20]] + [30, 0, 0]])}
    )
    plain, drawn = (knuckle.draw_hands(blank, [one], labels=False) for one in (hand, lifted))
    x, y = np.rint(lifted.extra["index_nail"][:2]).astype(int)
    assert drawn[y, x].max() > 90 and not np.array_equal(plain, drawn)
    _, (hand, *_) = tracked("without_ring")[2]
    for style in ({}, {"colours": "depth"}, {"colours": "confidence"}, {"boxes": True, "labels": True}):
        assert knuckle.draw_hands(blank, [hand], **style).any()
    assert knuckle.HandDrawer(trails_s=1.0)(blank, [hand], 0.0).any()


def test_a_bundle_says_which_points_it_gives(tmp_path: Path) -> None:
    bundle = networks_for(NAILS).bundle
    for network in (bundle.palm, bundle.hand):
        (tmp_path / network.file).write_bytes((bundle.folder / network.file).read_bytes())
    plain = {"hand_int8": None, "palm_int8": None}
    described: dict[str, Any] = json.loads(bundle.to_json()) | plain
    (tmp_path / "bundle.json").write_text(json.dumps(described))
    assert open_folder(tmp_path).points == NAILS
    with pytest.raises(BundleError, match="landmarks, should have the shape 78"):  # its file gives 21 points
        knuckle.load(tmp_path)
    (tmp_path / "bundle.json").write_text(json.dumps(described | {"points": {"name": "x", "without": ["toe"]}}))
    with pytest.raises(BundleError, match="toe"):
        open_folder(tmp_path)
    networks = networks_for(NAILS)
    check_outputs(networks.palm, networks.hand, networks.bundle)
    assert "points" not in knuckle.load("knuckle").bundle.to_json()
