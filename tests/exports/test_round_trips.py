"""What a format says that it holds can be read back, whatever the frames are."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from conftest import make_hand
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from knuckle.errors import InputError
from knuckle.exports.formats import FORMATS
from knuckle.media.data_format import DataFormat, Tracked
from knuckle.media.reader import STILL
from knuckle.results import Frame, Hand, Roi
from knuckle.results.gesture import Gesture

READABLE = [one for one in FORMATS if one.read]
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@st.composite
def hands(draw: st.DrawFn, size: tuple[int, int], track_id: int | None, full: bool) -> Hand:
    """A hand in or beside an image of this size."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    scale = np.array([*size, size[0]])
    landmarks = random.uniform(0.01, 0.99, (21, 3)) * scale - [0, 0, size[0] / 2]
    return Hand(
        landmarks.astype(np.float32),
        random.normal(0, 0.05, (21, 3)).astype(np.float32),
        draw(st.sampled_from(["Left", "Right"])),
        round(random.uniform(0.5, 1), 3),
        round(random.uniform(0.5, 1), 3),
        Roi(0, 0, 1),
        palm_score=draw(st.none() | st.just(0.75)),
        track_id=track_id,
        gesture=draw(st.none() | st.just(Gesture("point", 0.75))),
        visibility=random.uniform(0.1, 1, 21).astype(np.float32) if full else None,
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Tracked]:
    """The frames of photos and clips of many sizes, with and without hands."""
    frames: list[Tracked] = []
    full = draw(st.booleans())
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.casefold)):
        size = draw(st.tuples(st.integers(8, 300), st.integers(8, 300)))
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        if draw(st.booleans()):
            found = [draw(hands(size, None, full)) for _ in range(draw(st.integers(0, 3)))]
            frames.append((Frame(image, 0, STILL, f"{name}.png"), found))
        else:
            for index in range(draw(st.integers(1, 4))):
                ids = draw(st.lists(st.integers(1, 5), max_size=3, unique=True))
                found = [draw(hands(size, track_id, full)) for track_id in ids]
                frames.append((Frame(image, index, index / 25, f"{name}.mp4"), found))
    return frames


def suitable(frames: list[Tracked], about: DataFormat) -> list[Tracked]:
    """The frames that a format can hold at all."""
    kinds = [kind for kind in ("photos", "clips") if kind in about.holds]
    fitting = [one for one in frames if kind_of(one[0]) in kinds]
    if "sources" not in about.holds:
        fitting = [one for one in fitting if one[0].source == fitting[0][0].source]
    if "many" not in about.holds:
        fitting = [(frame, list({hand.handedness: hand for hand in found}.values())) for frame, found in fitting]
    return fitting


def kind_of(frame: Frame) -> str:
    return "photos" if isinstance(frame.time_s, type(STILL)) else "clips"


def held(frames: list[Tracked], about: DataFormat) -> list[dict[str, Any]]:
    """What a format should keep of frames, in an order that does not depend on the file."""
    kept = []
    for frame, found in frames:
        if not (found or "empty" in about.holds):
            continue
        kind = kind_of(frame)
        row: dict[str, Any] = {"source": Path(frame.source).name if "names" in about.holds else None, "kind": kind}
        row["frame"] = frame.index if kind == "clips" else 0
        row["time_s"] = round(frame.time_s, 4) if "times" in about.holds else None
        row["size"] = (frame.width, frame.height) if "size" in about.holds else None
        row["hands"] = sorted((held_of_hand(hand, about) for hand in found), key=lambda one: one["xy"])
        kept.append(row)
    return sorted(kept, key=lambda row: (row["source"], row["frame"]))


def held_of_hand(hand: Hand, about: DataFormat) -> dict[str, Any]:
    values: dict[str, Any] = {"xy": hand.landmarks[:, :2].tolist()}
    if "handedness" in about.holds:
        values["handedness"] = hand.handedness
    if "ids" in about.holds:
        values["track_id"] = hand.track_id
    if "z" in about.holds:
        values["z"] = hand.landmarks[:, 2].tolist()
    if "world" in about.holds:
        values["world"] = hand.world.tolist()
    if "visibility" in about.holds:
        values["visibility"] = None if hand.visibility is None else hand.visibility.tolist()
    if "gestures" in about.holds:
        values["gesture"] = None if hand.gesture is None else [hand.gesture.name, hand.gesture.score]
    if "scores" in about.holds:
        values["scores"] = [hand.handedness_score, hand.presence, hand.palm_score]
    return values


def near(got: Any, expected: Any) -> None:
    """Assert that nested values are equal; numbers to a thousandth of a pixel and what float32 keeps."""
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key, value in expected.items():
            near(got[key], value)
    elif isinstance(expected, list):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            near(one, other)
    elif isinstance(expected, float):
        assert math.isclose(got, expected, rel_tol=1e-4, abs_tol=2e-3)
    else:
        assert got == expected


@pytest.mark.parametrize("about", READABLE, ids=lambda one: one.name)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frames=runs())
def test_what_a_format_holds_is_read_back(about: DataFormat, frames: list[Tracked]) -> None:
    assert about.read
    frames = suitable(frames, about)
    assume(frames)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"hands{about.suffix}"
        with about.open(path) as sink:
            for frame, found in frames:
                sink.write(frame, found)
        assert sink.written and [one.name for one in Path(folder).iterdir()] == [path.name]
        near(held(list(about.read(path)), about), held(frames, about))


ODD_NAMES = ["a b'\"<&>#%;=\x01\u202e.mp4", "n" * 190 + ".mp4", "\udcff\udcfe.mp4", ".mp4", "日本/語\\x.mp4", "-.mp4"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
@pytest.mark.parametrize("about", FORMATS, ids=lambda one: one.name)
def test_no_name_of_a_source_breaks_a_file(about: DataFormat, name: str, tmp_path: Path) -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    path = tmp_path / f"hands{about.suffix}"
    with about.open(path) as sink:
        for index in range(2):
            sink.write(Frame(image, index, index / 25, name), [make_hand(30, 30, 10)])
    assert sink.written
    if about.read:
        assert [len(found) for _, found in about.read(path)] == [1, 1]


@pytest.mark.parametrize("about", FORMATS, ids=lambda one: one.name)
def test_a_failure_leaves_what_was_there(about: DataFormat, tmp_path: Path) -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    path = tmp_path / f"hands{about.suffix}"
    with about.open(path) as sink:
        sink.write(Frame(image, 0, 0.0, "clip.mp4"), [make_hand(30, 30, 10)])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(AttributeError), about.open(path) as sink:
        sink.write(Frame(image, 0, 0.0, "clip.mp4"), [make_hand(30, 30, 10)])
        sink.write(Frame(image, 1, 0.04, "clip.mp4"), [object()])
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    rescued = about.name in ("csv", "jsonl")  # these keep their complete lines
    assert rescued or after == before
    assert not [file for file in after if ".part" in str(file)]


@pytest.mark.parametrize("about", [one for one in FORMATS if one.is_folder], ids=lambda one: one.name)
def test_a_folder_with_other_files_is_not_replaced(about: DataFormat, tmp_path: Path) -> None:
    path = tmp_path / f"hands{about.suffix}"
    path.mkdir()
    (path / "diary.txt").write_text("dear")
    with pytest.raises(InputError, match="other files"):
        about.open(path)
    assert [one.name for one in tmp_path.rglob("*")] == [path.name, "diary.txt"]
