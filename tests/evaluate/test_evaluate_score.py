"""Scores: the truth itself is perfect, each mistake shows in its own figure, verdicts need proof."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_hand

from knuckle import metrics
from knuckle.datasets.labels import Clip, Dataset, LabelledHand, Shot
from knuckle.errors import InputError
from knuckle.evaluate import clip_metrics, image_metrics
from knuckle.evaluate.clip_metrics import link
from knuckle.evaluate.results import ImagePrediction, Predictions, Row, Score
from knuckle.evaluate.score import score
from knuckle.results import Hand, Palm

SIZE = (640, 480)
COUNT = 40


def truth_of(hand: Hand, **changes: Any) -> LabelledHand:
    box = hand.box.astype(np.float64)
    world = hand.world.astype(np.float64)
    return LabelledHand(box, hand.landmarks[:, :2].astype(np.float64), world, hand.handedness, **changes)


def moved(hand: Hand, dx: float, dy: float = 0.0) -> Hand:
    points = hand.landmarks + np.array([dx, dy, 0], np.float32)
    return replace(hand, landmarks=points, landmarks_raw=points)


def palm_at(hand: Hand, score: float = 0.9) -> Palm:
    centre = (hand.box[:2] + hand.box[2:]) / 2
    return Palm(np.concatenate([centre - 20, centre + 20]), np.zeros((7, 2)), score)


def stills() -> tuple[Dataset, list[Hand]]:
    """One hand per photo, each somewhere else, and as many photos without."""
    hands = [make_hand(100 + 5 * k, 200 + 3 * k, 80, ("Left", "Right")[k % 2]) for k in range(COUNT)]
    shots = [Shot(f"{k}.jpg", hands=(truth_of(hand),), size=SIZE) for k, hand in enumerate(hands)]
    shots += [Shot(f"empty{k}.jpg", hands=(), size=SIZE) for k in range(COUNT)]
    return Dataset("stills", tuple(shots)), hands


def predicted(dataset: Dataset, name: str, hands: list[tuple[Hand, ...]], palms: bool = True) -> Predictions:
    """Predictions of a tracker: these hands in the photos that show one, no hands in the others."""
    every = [*hands, *[()] * (len(dataset.shots) - len(hands))]
    by_image = {}
    for shot, found in zip(dataset.shots, every, strict=True):
        detected = tuple(palm_at(hand) for hand in found) if palms else None
        by_image[shot.source, 0] = ImagePrediction(shot.source, 0, 0.0, SIZE, found, detected, True, 5.0)
    return Predictions(name, by_image)


def row(found: Score, metric: str, title: str = "images") -> Row:
    rows = [
        row for table in found.tables if table.title == title for row in table.rows if row.metric.startswith(metric)
    ]
    assert rows, f"no row {metric} among {[(t.title, [r.metric for r in t.rows]) for t in found.tables]}"
    return rows[0]


def value(found: Score, metric: str, model: str = "it", title: str = "images") -> float:
    return row(found, metric, title).figures[model].value


def test_the_truth_itself_is_perfect_in_every_figure() -> None:
    dataset, hands = stills()
    found = score(dataset, [predicted(dataset, "it", [(hand,) for hand in hands])])
    best = {"%": 100.0, "% IoU": 100.0}
    checked = 0
    for table in found.tables:
        for one in table.rows:
            if one.better and one.metric not in ("Brier score of presence",):
                wanted = best.get(one.unit, 0.0) if one.better == "higher" else 0.0
                assert one.figures["it"].value == pytest.approx(wanted, abs=1e-4), one.metric
                checked += 1
    assert checked > 30 and not found.cases


def test_each_mistake_shows_in_its_own_figures() -> None:
    dataset, hands = stills()
    shift = 0.1 * hands[0].palm_size
    off = score(dataset, [predicted(dataset, "it", [(moved(hand, shift),) for hand in hands])])
    assert value(off, "mean error, found") == pytest.approx(10, rel=1e-3)
    assert value(off, "mean error of fingertips") == pytest.approx(10, rel=1e-3)
    assert value(off, "wrist", title="mean error per joint, hands that were found") == pytest.approx(10, rel=1e-3)
    assert value(off, "AUC") == pytest.approx(80, rel=1e-3) and value(off, "hands found") == 100

    missed = score(dataset, [predicted(dataset, "it", [(hand,) if k % 4 else () for k, hand in enumerate(hands)])])
    assert value(missed, "hands found") == 75 and value(missed, "palms found") == 75
    assert value(missed, "mean error, found") == pytest.approx(0, abs=1e-4) and value(missed, "PCK") == 75
    assert {case.why for case in missed.cases} == {"1 missed"}

    far = make_hand(400, 100)
    twice = score(
        dataset, [predicted(dataset, "it", [(hand, far) if k < 10 else (hand,) for k, hand in enumerate(hands)])]
    )
    assert value(twice, "false positives per 1000 images with") == pytest.approx(1000 * 10 / COUNT)
    assert value(twice, "false positives per 1000 hand-free") == 0

    wrong = [(replace(hand, handedness="Left"),) for hand in hands]
    half_wrong = score(dataset, [predicted(dataset, "it", wrong)])
    assert value(half_wrong, "left or right") == 50

    larger = [(replace(hand, world=1.1 * hand.world),) for hand in hands]
    grown = score(dataset, [predicted(dataset, "it", larger)])
    assert value(grown, "MPJPE") > 1 and value(grown, "PA-MPJPE") == pytest.approx(0, abs=1e-3)


def test_errors_and_matches_are_computed_once_per_image(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, hands = stills()
    sliced = replace(dataset, shots=tuple(replace(shot, slices=("all",)) for shot in dataset.shots))
    calls: Counter[str] = Counter()
    for name in ("normalised_error", "match", "match_by_score"):
        real = getattr(metrics, name)

        def counted(*arguments: Any, real: Any = real, name: str = name) -> Any:
            calls[name] += 1
            return real(*arguments)

        monkeypatch.setattr(metrics, name, counted)
    score(sliced, [predicted(sliced, "it", [(hand,) for hand in hands])])
    assert calls == dict.fromkeys(("normalised_error", "match", "match_by_score"), len(dataset.shots))


def test_hands_in_empty_rooms_are_false_positives_with_an_interval() -> None:
    dataset, hands = stills()
    with_false_positives = predicted(dataset, "it", [*((hand,) for hand in hands), *[(hands[0],)] * 4])
    found = score(dataset, [with_false_positives])
    figure = row(found, "false positives per 1000 hand-free").figures["it"]
    assert figure.value == 100 and figure.low < 100 < figure.high and figure.count == COUNT
    assert value(found, "hand-free images") == 10
    without = row(
        score(dataset, [predicted(dataset, "it", [(hand,) for hand in hands])]),
        "false positives per 1000 hand-free",
    ).figures["it"]
    assert without.value == 0 and without.high > 20, "none in 40 images does not prove none in 1000"


def test_a_verdict_needs_a_difference_beyond_chance() -> None:
    dataset, hands = stills()
    good = predicted(dataset, "good", [(hand,) for hand in hands])
    worse = predicted(dataset, "worse", [(moved(hand, 4),) if k % 3 else () for k, hand in enumerate(hands)])
    one_missed = predicted(dataset, "unlucky", [(hand,) if k else () for k, hand in enumerate(hands)])
    hair = predicted(dataset, "hair", [(moved(hand, 1e-5),) for hand in hands])
    found = score(dataset, [worse, good, one_missed, hair], {"good": "worse", "unlucky": "good", "hair": "good"})
    assert row(found, "hands found").verdicts == {"good": "better", "unlucky": "same", "hair": "same"}
    assert row(found, "mean error, found").verdicts["good"] == "better"
    assert score(dataset, [good, worse]).tables[0].rows[0].verdicts == {"worse": "worse"}


def test_five_groups_prove_nothing() -> None:
    dataset, hands = stills()
    for groups, verdict in ((5, "same"), (6, "worse")):
        few = replace(dataset, shots=tuple(replace(s, group=str(k % groups)) for k, s in enumerate(dataset.shots)))
        good, bad = ([(moved(hand, dx),) for hand in hands] for dx in (0, 8))
        found = score(few, [predicted(few, "good", good), predicted(few, "bad", bad)])
        assert row(found, "mean error, found").verdicts == {"bad": verdict}


def test_a_tracker_without_palms_has_no_figure_for_them() -> None:
    dataset, hands = stills()
    palms = predicted(dataset, "palms", [(hand,) for hand in hands])
    without = predicted(dataset, "none", [(hand,) for hand in hands], palms=False)
    found = score(dataset, [palms, without])
    assert set(row(found, "palm AP").figures) == {"palms"}
    assert row(found, "palm AP").figures["palms"].value == pytest.approx(100)


def test_labels_of_mediapipe_are_called_agreement() -> None:
    dataset, hands = stills()
    agreed = score(replace(dataset, labelled_by="mediapipe"), [predicted(dataset, "it", [(hand,) for hand in hands])])
    assert all("agreement" in table.note for table in agreed.tables)


def test_unlabelled_points_and_unlabelled_hands_count_for_nothing() -> None:
    hand, other = make_hand(), make_hand(400, 300)
    points = np.full((21, 2), np.nan)
    points[8] = hand.landmarks[8, :2] + [3, 4]
    tips = Shot("a.jpg", hands=(LabelledHand(box=hand.box, landmarks=points),), complete=False)
    dataset = Dataset("tips", (tips, Shot("b.jpg")))
    found = score(dataset, [predicted(dataset, "it", [(hand, other)])])
    longest = float((hand.box[2:] - hand.box[:2]).max())
    error = row(found, "mean error, found")
    assert error.figures["it"].value == pytest.approx(100 * 5 / longest, rel=1e-4) and error.figures["it"].count == 1
    assert error.unit == "% of the hand's box"
    assert not [r for t in found.tables for r in t.rows if r.metric.startswith("false")]


def film(hands: list[list[Hand]], name: str = "it", searched: bool = True) -> Predictions:
    frames = [ImagePrediction("c.mp4", k, k / 30, SIZE, tuple(of), None, searched, 5.0) for k, of in enumerate(hands)]
    return Predictions(name, {("c.mp4", frame.frame): frame for frame in frames})


def two_tracks(swap: bool = False, ids: bool = True) -> list[list[Hand]]:
    """Two hands for 20 frames; `swap`: their ids change places in the middle."""
    frames = []
    for k in range(20):
        numbers: list[int | None] = [2, 1] if swap and k >= 10 else [1, 2]
        numbers = numbers if ids else [None, None]
        pair = (moved(make_hand(150, 300), k), moved(make_hand(450, 300, side="Right"), -k))
        frames.append([replace(hand, track_id=number) for hand, number in zip(pair, numbers, strict=True)])
    return frames


def labelled_clip() -> Clip:
    shots = []
    for k, (one, other) in enumerate(two_tracks()):
        hands = (truth_of(one, track_id=1), truth_of(other, track_id=2))
        shots.append(Shot("c.mp4", k, k / 30, SIZE, hands, group="c"))
    return Clip("c.mp4", tuple(shots))


def test_ids_that_change_places_cost_identity_and_nothing_else() -> None:
    dataset = Dataset("film", clips=(labelled_clip(),))
    kept, swapped = film(two_tracks(), "kept"), film(two_tracks(swap=True), "swapped")
    found = score(dataset, [kept, swapped, film(two_tracks(ids=False), "without")])
    figures = {metric: row(found, metric, "video").figures for metric in ("IDF1", "identity switches", "ids per hand")}
    assert [figures["IDF1"][name].value for name in ("kept", "swapped", "without")] == [100, 50, 100]
    assert [figures["identity switches"][name].value for name in ("kept", "swapped")] == [0, 2]
    assert [figures["ids per hand"][name].value for name in ("kept", "swapped")] == [1, 2]
    assert row(found, "hands found").figures["swapped"].value == 100


def test_hands_without_ids_are_linked_by_overlap() -> None:
    frames = [ImagePrediction("c.mp4", k, k / 30, SIZE, tuple(of)) for k, of in enumerate(two_tracks(ids=False))]
    assert link(frames) == [[0, 1]] * 20
    gap = [*frames[:5], replace(frames[5], hands=()), *frames[6:8]]
    assert link(gap)[-1] == [2, 3], "after a gap they are new"


def test_still_and_slow_hands_tell_jitter_and_the_detector_its_rest() -> None:
    hand, step = make_hand(300, 300), 0.02
    size = hand.palm_size
    trembling = [[moved(hand, step * size * (k % 2))] for k in range(20)]
    smooth = [[replace(hand, landmarks_raw=of[0].landmarks)] for of in trembling]
    still = Dataset("still", clips=(Clip("c.mp4", still=True),), labelled_by="nobody")
    found = score(still, [film(trembling, "raw"), film(smooth, "smooth", searched=False)])
    assert value(found, "jitter of a still hand", "raw", "video") == pytest.approx(100 * step, rel=1e-3)
    assert value(found, "jitter of a still hand", "smooth", "video") == pytest.approx(0, abs=1e-6)
    assert value(found, "jitter of a still hand, raw", "smooth", "video") == pytest.approx(100 * step, rel=1e-3)
    assert value(found, "palm detector calls", "raw", "video") == 1
    assert value(found, "palm detector calls", "smooth", "video") == 0
    slow = score(replace(still, clips=(Clip("c.mp4"),)), [film(trembling, "raw")])
    assert value(slow, "jitter of slow hands", "raw", "video") == pytest.approx(200 * step / math.sqrt(3), rel=1e-3)


def test_a_hand_seen_late_lags_and_a_hand_found_late_costs_time() -> None:
    path = [60 * math.sin(k / 3) for k in range(60)]
    hand = make_hand(300, 300)
    shots = tuple(Shot("c.mp4", k, k / 30, SIZE, (truth_of(moved(hand, dx)),)) for k, dx in enumerate(path))
    late = film([[moved(hand, path[max(k - 2, 0)])] for k in range(60)])
    found = score(Dataset("late", clips=(Clip("c.mp4", shots),)), [late])
    assert value(found, "lag", title="video") == pytest.approx(2000 / 30, abs=3)

    there = [not 20 <= k < 30 for k in range(60)]
    shots = tuple(Shot("c.mp4", k, k / 30, SIZE, (truth_of(hand),) if see else ()) for k, see in enumerate(there))
    slow = film([[hand] if see and not 30 <= k < 36 else [] for k, see in enumerate(there)])
    found = score(Dataset("lost", clips=(Clip("c.mp4", shots),)), [slow])
    assert value(found, "time lost", title="video") == pytest.approx(200, abs=1)


def test_what_cannot_be_scored_is_refused_in_one_line() -> None:
    dataset, hands = stills()
    whole = predicted(dataset, "it", [(hand,) for hand in hands])
    with pytest.raises(InputError, match="its own name"):
        score(dataset, [whole, whole])
    with pytest.raises(InputError, match=r"have no frame 0 of 0\.jpg"):
        score(dataset, [Predictions("it", {})])
    with pytest.raises(InputError, match=r"have no clip c\.mp4"):
        score(Dataset("film", clips=(Clip("c.mp4"),)), [whole])


def test_every_row_of_the_report_is_documented_with_its_function() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluate.md").read_text()
    rows = re.findall(r"^\| ([^|`]+) \| (higher|lower|) *\| ([^|]+) \|$", page, re.MULTILINE)
    palm_ap = (image_metrics.PALM_AP, image_metrics.PALM_AP_IN_BOX)
    measures = [*image_metrics.MEASURES, *palm_ap, *image_metrics.POOLED, *clip_metrics.MEASURES]
    assert [(name, better) for name, better, _ in rows] == [(one.name, one.better or "") for one in measures]
    for path in re.findall(r"`((?:metrics|evaluate)\.[\w.]+)`", " ".join(text for _, _, text in rows)):
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(f"knuckle.{module}"), name)), path


def test_the_document_says_what_was_measured_and_explains_what_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    monkeypatch.syspath_prepend(root / "docs")
    make_accuracy = importlib.import_module("make_accuracy")
    datasets = json.loads((root / "benchmarks" / "results" / "accuracy.json").read_text())["datasets"]
    assert make_accuracy.page(datasets) == (root / "docs" / "accuracy.md").read_text(), "run docs/make_accuracy.py"
    row = next(row for table in datasets[0]["tables"] for row in table["rows"] if row["better"])
    unexplained = {**row, "metric": "something else", "verdicts": {"mediapipe": "worse"}}
    with pytest.raises(SystemExit, match="something else"):
        make_accuracy.summary([{**datasets[0], "tables": [{"title": "images", "rows": [unexplained]}]}])
