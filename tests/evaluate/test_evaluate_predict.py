"""Predictions: complete, the same from a file as from the tracker, resumable, from any callable in any Python."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import make_hand, two_hands
from PIL import Image as pillow
from scene import blank

import knuckle
from knuckle.datasets.labels import Clip, Dataset, Shot
from knuckle.errors import EngineError, InputError, SourceError
from knuckle.evaluate import external
from knuckle.evaluate.predict import PHOTOS_PER_PART, count_images, predict, prediction_of
from knuckle.evaluate.predictions import prediction_schema, read_predictions
from knuckle.evaluate.results import ImagePrediction
from knuckle.evaluate.trackers import TrackerUnderTest, own_tracker, reference_tracker, tracker_from
from knuckle.media import columns
from knuckle.pipeline.tracker import Networks
from knuckle.results import Frame, Hand

ELSEWHERE = """
def steady(video, max_hands, argument="7"):
    def ask(image, time_s):
        print("noise on standard output")
        if argument == "broken":
            raise RuntimeError("the network fell over")
        x = float(argument) + image[0, 0, 0] + (time_s or 0)
        hand = {"landmarks": [[x, k] for k in range(21)], "handedness": "Left", "handedness_score": 0.75}
        return {"hands": [hand] * min(max_hands, 1 + video), "searched": False}
    return ask
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Two photos with two hands each and one without."""
    folder = tmp_path_factory.mktemp("photos")
    images = [two_hands(0.0), blank(320, 240), two_hands(0.5)]
    for k, image in enumerate(images):
        pillow.fromarray(image).save(folder / f"{k}.png")
    return tuple(str(folder / f"{k}.png") for k in range(len(images)))


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.py"
    path.write_text(ELSEWHERE)
    return path


def dataset_of(photos: tuple[str, ...], *clips: str) -> Dataset:
    return Dataset("drawn", tuple(Shot(photo) for photo in photos), tuple(Clip(clip) for clip in clips))


def counting(made_by: TrackerUnderTest) -> tuple[TrackerUnderTest, list[Any]]:
    """The same candidate, and a list of all times for which it was asked."""
    asked: list[Any] = []

    def opened(video: bool, max_hands: int) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def inner() -> Any:
            with made_by.open(video, max_hands) as ask:
                yield lambda image, time_s: (asked.append(time_s), ask(image, time_s))[1]

        return inner()

    return replace(made_by, open=opened), asked


SILENT = TrackerUnderTest("silent", {}, lambda video, max_hands: nullcontext(lambda image, time_s: []))


def same_hand(one: Hand, other: Hand) -> None:
    for name in ("landmarks", "world", "landmarks_raw"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-4)
    assert (one.handedness, one.track_id) == (other.handedness, other.track_id)
    assert one.presence == pytest.approx(other.presence) and one.roi.size == pytest.approx(other.roi.size, rel=1e-5)


def test_predictions_are_what_the_tracker_says_and_empty_images_are_known(
    photos: tuple[str, ...], clip: Path, networks: Networks, tmp_path: Path
) -> None:
    dataset = dataset_of(photos, str(clip))
    made = predict(own_tracker("ours", networks), dataset, tmp_path / "p.parquet")
    assert len(made.by_image) == count_images(dataset) == 3 + 30
    for photo in photos:
        detected = knuckle.detect(knuckle.media.sources.load_image(photo), networks)
        assert len(detected) == len(made.by_image[photo, 0].hands)
        for one, other in zip(detected, made.by_image[photo, 0].hands, strict=True):
            same_hand(one, other)
    empty = made.by_image[photos[1], 0]
    assert (empty.hands, empty.searched, empty.size) == ((), True, (320, 240))
    tracker = knuckle.HandTracker(networks)
    for frame in knuckle.read(clip):
        predicted = made.by_image[str(clip), frame.index]
        for one, other in zip(tracker(frame.image, frame.time_s), predicted.hands, strict=True):
            same_hand(one, other)
        assert predicted.ms > 0 and predicted.time_s == frame.time_s
    searched = [made.by_image[str(clip), k].searched for k in range(30)]
    assert searched[0] and not all(searched)


def test_palms_of_stills_go_below_the_threshold_and_hold_those_above_it(
    photos: tuple[str, ...], networks: Networks, tmp_path: Path
) -> None:
    made = predict(own_tracker("ours", networks), dataset_of(photos), tmp_path / "p.parquet")
    for photo in photos:
        strong = knuckle.detect_palms(knuckle.media.sources.load_image(photo), networks)
        palms = made.by_image[photo, 0].palms
        assert palms is not None and len([p for p in palms if p.score >= 0.5]) == len(strong)


def test_the_palm_network_runs_once_per_photo(photos: tuple[str, ...], networks: Networks, tmp_path: Path) -> None:
    calls: list[int] = []

    class Counting:
        side = networks.palm.side

        def __call__(self, pictures: Any) -> Any:
            calls.append(len(pictures))
            return networks.palm(pictures)

    counted = replace(networks, palm=Counting())
    predict(own_tracker("ours", counted), dataset_of(photos), tmp_path / "p.parquet")
    assert calls == [1] * len(photos)


def test_a_clip_is_opened_once_and_closed(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def counting_read(source: Any) -> Any:
        opened.append(knuckle.read(source))
        return opened[-1]

    monkeypatch.setattr("knuckle.evaluate.predict.read", counting_read)
    dataset = dataset_of((), str(clip))
    made = predict(SILENT, dataset, tmp_path / "p.parquet")
    assert len(made.by_image) == 30 and len(opened) == 1 and not opened[0]._running
    ticks: list[int] = []
    predict(SILENT, dataset, tmp_path / "p.parquet", advance=ticks.append)
    assert len(opened) == 1 and sum(ticks) == 30, "a second run opens no clip"


def test_the_file_has_the_columns_of_tables_first(photos: tuple[str, ...], networks: Networks, tmp_path: Path) -> None:
    predict(own_tracker("ours", networks), dataset_of(photos), tmp_path / "p.parquet")
    names = pq.read_schema(tmp_path / "p.parquet").names
    assert names[: len(columns.hand_schema())] == columns.hand_schema().names and names == prediction_schema().names
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_a_second_run_asks_nothing_and_another_identity_asks_again(photos: tuple[str, ...], tmp_path: Path) -> None:
    made_by, asked = counting(SILENT)
    dataset, path = dataset_of(photos), tmp_path / "p.parquet"
    first = predict(made_by, dataset, path)
    assert len(asked) == 3
    ticks: list[int] = []
    again = predict(made_by, dataset, path, advance=ticks.append)
    assert len(asked) == 3 and sum(ticks) == 3 and again.by_image.keys() == first.by_image.keys()
    predict(replace(made_by, identity={"other": 1}), dataset, path)
    predict(made_by, dataset, path, max_hands=1)
    assert len(asked) == 9


def test_an_interrupted_run_continues_where_it_stopped(photos: tuple[str, ...], clip: Path, tmp_path: Path) -> None:
    made_by, asked = counting(SILENT)
    many = tuple(photos[k % 3] for k in range(3))
    dataset, path = dataset_of(many, str(clip)), tmp_path / "p.parquet"

    def stop(images: int) -> None:
        if len(asked) == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(made_by, dataset, path, advance=stop)
    assert not path.exists() and PHOTOS_PER_PART >= 3
    predict(made_by, dataset, path)
    assert len(asked) == 10 + 30, "the photos were done, the clip begins again"
    whole = predict(SILENT, dataset, tmp_path / "q.parquet")
    assert read_predictions(path).by_image.keys() == whole.by_image.keys()


def test_a_function_answers_the_same_here_and_in_another_python(
    photos: tuple[str, ...], clip: Path, module: Path, tmp_path: Path
) -> None:
    dataset = dataset_of(photos, str(clip))
    here = predict(tracker_from(f"{module}:steady:3"), dataset, tmp_path / "here.parquet", max_hands=3)
    there = TrackerUnderTest(
        "there", {}, lambda video, n: external.elsewhere(sys.executable, f"{module}:steady:3", video, n)
    )
    away = predict(there, dataset, tmp_path / "there.parquet", max_hands=3)
    assert here.by_image.keys() == away.by_image.keys()
    for key, one in here.by_image.items():
        other = away.by_image[key]
        assert len(one.hands) == len(other.hands) == 1 + (key[0] == str(clip))
        np.testing.assert_array_equal(one.hands[0].landmarks[:, :2], other.hands[0].landmarks[:, :2])
        assert np.isnan(other.hands[0].world).all() and np.isnan(other.hands[0].presence) and other.palms is None
        assert one.searched is False and other.ms >= 0


def test_a_function_may_give_networks(photos: tuple[str, ...], networks: Networks, tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("import knuckle\ndef load(video, max_hands):\n    return knuckle.load('mediapipe')\n")
    dataset = dataset_of(photos)
    mine = predict(tracker_from(f"{module}:load"), dataset, tmp_path / "mine.parquet")
    ours = predict(own_tracker("ours", networks), dataset, tmp_path / "ours.parquet")
    for key, one in ours.by_image.items():
        for a, b in zip(one.hands, mine.by_image[key].hands, strict=True):
            same_hand(a, b)


def test_what_goes_wrong_is_one_line_that_says_what(module: Path, photos: tuple[str, ...], tmp_path: Path) -> None:
    dataset = dataset_of(photos)
    with (
        pytest.raises(EngineError, match="the network fell over"),
        external.elsewhere(sys.executable, f"{module}:steady:broken", False, 2) as ask,
    ):
        ask(blank(8, 8), None)
    with pytest.raises(EngineError, match="cannot be started"), external.elsewhere("/no/python", "m:f", False, 2):
        pass
    with (
        pytest.raises(EngineError, match="no_such_module"),
        external.elsewhere(sys.executable, "no_such_module:f", False, 2),
    ):
        pass
    for spec, words in (("no_such_module:f", "no_such_module"), (f"{module}:missing", "missing")):
        with pytest.raises(InputError, match=words):
            tracker_from(spec)
    with pytest.raises(InputError, match=r"module:function:net\.pt"):
        tracker_from("net.pt")
    with pytest.raises(InputError, match="no reference 'blaze'"):
        reference_tracker("blaze")
    with pytest.raises(SourceError, match="gone"):
        predict(tracker_from(f"{module}:steady"), dataset_of(("gone.png",)), tmp_path / "p.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(SourceError, match="cannot be read as a predictions file"):
        read_predictions(tmp_path / "text.parquet")
    assert dataset.shots


@pytest.mark.parametrize(
    ("answer", "words"),
    [({"palms": []}, "'hands'"), ([{"landmarks": [[0, 0]]}], "21 rows"), ([{}], "21 rows")],
)
def test_an_answer_without_hands_is_refused(answer: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prediction_of(Frame(blank(8, 8), source="x"), answer)


def test_hands_and_mappings_are_the_same_answer() -> None:
    frame, hand = Frame(blank(8, 8), source="x"), make_hand()
    as_hand, as_row = prediction_of(frame, [hand]), prediction_of(frame, {"hands": [hand.to_dict()]})
    assert isinstance(as_hand, ImagePrediction)
    np.testing.assert_allclose(as_hand.hands[0].landmarks, as_row.hands[0].landmarks, atol=1e-3)


def test_the_reference_agrees_with_us_on_photos_and_says_the_persons_own_side(shared: Path, tmp_path: Path) -> None:
    """Runs where its scratch environment was made (`knuckle evaluate --reference mediapipe` makes it)."""
    home = external.reference_home()
    if not (home / "ready").exists():
        pytest.skip(f"the reference's environment is not there ({home})")
    photos = tuple(str(path) for path in sorted((shared / "data/photos/gestures40").glob("*.jpg"))[:4])
    dataset = dataset_of(photos)
    theirs = predict(reference_tracker("mediapipe"), dataset, tmp_path / "theirs.parquet")
    ours = predict(tracker_from("mediapipe"), dataset, tmp_path / "ours.parquet")
    assert sum(len(one.hands) for one in ours.by_image.values()) > 0
    for key, one in ours.by_image.items():
        other = theirs.by_image[key]
        assert len(one.palms or ()) == len(other.palms or ())
        for a, b in zip(one.hands, other.hands, strict=True):
            assert a.handedness == b.handedness
            np.testing.assert_allclose(a.landmarks[:, :2], b.landmarks[:, :2], atol=0.1)
