"""What a report must show, must never load, and must not hide."""

from __future__ import annotations

import base64
import functools
import io
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as Pillow
from scene import blank

from knuckle.datasets.labels import Clip, Dataset, LabelledBy, LabelledHand, Shot
from knuckle.errors import SinkError
from knuckle.evaluate import report, report_sheet
from knuckle.evaluate.report_plots import curve_svg, intervals_svg
from knuckle.evaluate.report_tables import cells, counted, heading, headline, number, tally, terminal
from knuckle.evaluate.results import Case, Curve, Figure, ImagePrediction, Predictions, Report, Row, Score, Table
from knuckle.images import Image
from knuckle.results import Hand

MODELS = ("ours", "theirs")
FOUND = Row(
    "hands found",
    "%",
    "higher",
    {"ours": Figure(92.46, 90.1, 94.0, 640), "theirs": Figure(88.0, 85.5, 90.2, 640)},
    {"theirs": "worse"},
)
ERROR = Row("error", "% of palm", "lower", {"ours": Figure(7.44, 7.0, 8.0, 600), "theirs": Figure(math.inf, count=590)})
SPEED = Row("time", "ms", None, {"ours": Figure(8.123, count=640), "theirs": Figure(19.0, count=640)})
STEP = np.array([[0.0, 0.0], [5, 60], [10, 95]])
PCK = Curve("PCK", "error, % of palm", "share, %", {"ours": STEP, "theirs": STEP * [1, 0.5]})
RELIABILITY = Curve("presence", "presence", "frequency", {"theirs": STEP / 100}, diagonal=True)


def predicted(shot: Shot, *hands: Hand) -> ImagePrediction:
    return ImagePrediction(shot.source, shot.frame, shot.time_s, (640, 480), hands)


def some_score(labelled_by: LabelledBy = "people", name: str = "photos") -> tuple[Score, list[Predictions]]:
    hand = make_hand(300, 300, 120)
    shot = Shot("a.jpg", size=(640, 480), hands=(LabelledHand(box=hand.box, landmarks=hand.landmarks[:, :2]),))
    dataset = Dataset(name, (shot,), labelled_by=labelled_by, licence="MIT", note="One hand.")
    ours, theirs = predicted(shot), predicted(shot, replace(hand, landmarks=hand.landmarks + 20))
    cases = (Case("ours", shot, ours, 1.0, "1 missed"),)
    tables = (Table("images", (FOUND, ERROR, SPEED)),)
    score = Score(dataset, MODELS, tables, (PCK, RELIABILITY), cases, ("knuckle evaluate photos",))
    return score, [Predictions("ours", {("a.jpg", 0): ours}), Predictions("theirs", {("a.jpg", 0): theirs})]


@functools.cache
def some_page(labelled_by: LabelledBy = "people") -> str:
    score, predictions = some_score(labelled_by)
    shown = Report([score], {"photos": predictions}, commands=["make it"])
    return report.html(shown, picture=lambda source, frame: blank())


class Reader(HTMLParser):
    """Which elements are open, what they name and what they point at."""

    VOID = ("meta", "img", "br", "circle", "rect", "path", "use", "line")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src", "xlink:href") and value:
                self.addresses.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# nothing to show


def test_a_report_of_nothing_says_so() -> None:
    assert "Nothing was scored" in Reader(report.html(Report([]))).text
    assert report.markdown(Report([])).startswith("# Accuracy\n")
    assert terminal([]).splitlines()[0].split() == ["dataset", "measure", "n"]


def test_a_dataset_without_tables_and_cases_is_still_named() -> None:
    score = Score(Dataset("empty"), MODELS, ())
    assert "empty" in Reader(report.html(Report([score]))).text and "## empty" in report.markdown(Report([score]))
    assert headline(score) == () and tally([score], MODELS) == []


# figures as text


def test_numbers_are_as_exact_as_the_row_needs() -> None:
    assert [cell.value for cell in cells(FOUND, MODELS)] == ["92.5", "88.0"]
    assert cells(FOUND, MODELS)[0].interval == "90.1–94.0"
    assert [cell.value for cell in cells(ERROR, MODELS)] == ["7.4", "∞"]
    whole = Row("switches", "", "lower", {"ours": Figure(3), "theirs": Figure(12)})
    assert [cell.value for cell in cells(whole, MODELS)] == ["3", "12"]
    small = Row("Brier", "", "lower", {"ours": Figure(0.1234, 0.1, 0.2)})
    assert [cell.value for cell in cells(small, MODELS)] == ["0.123", "–"]
    tiny = Row("Brier", "", "lower", {"ours": Figure(0.00034), "theirs": Figure(0.00012)})
    assert [cell.value for cell in cells(tiny, MODELS)] == ["0.00034", "0.00012"]
    zero = Row("false", "per 1000", "lower", {"ours": Figure(0.0, 0.0, 0.0), "theirs": Figure(0.0)})
    assert [cell.value for cell in cells(zero, MODELS)] == ["0", "0"]
    lag = Row("lag", "ms", "lower", {"ours": Figure(-3.21, -5.0, 2.0)})
    assert cells(lag, ["ours"])[0].value == "−3.21" and cells(lag, ["ours"])[0].interval == "−5.00 to 2.00"
    assert number(-0.0001, 2) == "0.00" and number(math.nan, 1) == "–" and number(-math.inf, 0) == "−∞"


def test_the_best_is_marked_where_there_is_one() -> None:
    assert [cell.best for cell in cells(FOUND, MODELS)] == [True, False]
    assert [cell.best for cell in cells(ERROR, MODELS)] == [True, False]
    assert not any(cell.best for cell in cells(SPEED, MODELS))  # for information only
    tie = replace(FOUND, figures={"ours": Figure(90.01), "theirs": Figure(90.02)})
    assert not any(cell.best for cell in cells(tie, MODELS))  # shown as equal
    two = replace(FOUND, figures={"a": Figure(90.0), "b": Figure(90.0), "c": Figure(80.0)})
    assert [cell.best for cell in cells(two, "abc")] == [True, True, False]
    assert not cells(replace(FOUND, figures={"ours": Figure(90)}), ["ours"])[0].best  # no rival


def test_counts_and_shared_units() -> None:
    assert counted(FOUND) == "n = 640" and counted(ERROR) == "n = 590–600"
    joints = Table("joints", tuple(replace(ERROR, metric=f"joint {k}") for k in range(8)))
    assert heading(joints) == "joints, % of palm ↓" and heading(Table("images", (FOUND, ERROR))) == "images"


def test_the_summary_shows_what_can_be_good_or_bad_and_counts_the_verdicts() -> None:
    score, _ = some_score()
    assert headline(score) == (FOUND, ERROR)
    video = replace(score, tables=(*score.tables, Table("small", (FOUND,)), Table("video", (ERROR,))))
    assert headline(video) == (FOUND, ERROR, ERROR)
    assert tally([score], MODELS) == ["theirs: ▲ better in 0, ▼ worse in 1, = same in 0 of 1 rows"]


# Markdown and terminal


def test_markdown_has_every_figure_side_by_side() -> None:
    score, _ = some_score()
    text = report.markdown(Report([score], {}, {"ours": "small nets"}, "Hands", ["A note."], ["make it"]))
    assert text.startswith("# Hands\n\nA note.\n\n- **ours**: small nets\n")
    assert "| [photos](#photos) | hands found, % ↑ | 640 | **92.5** ★ (90.1–94.0) | 88.0 (85.5–90.2) ▼ |" in text
    assert "1 photo · labelled by people · MIT." in text and "| time, ms | 640 | 8.1 | 19.0 |" in text
    assert text.endswith("## Made by\n\n```\nmake it\nknuckle evaluate photos\n```\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 5}  # the summary and the table


def test_markdown_survives_names_that_mean_something_to_it() -> None:
    score = replace(some_score()[0], models=("a|b",), tables=(Table("t", (replace(FOUND, metric="x*y<z"),)),))
    head = next(line for line in report.markdown(Report([score])).splitlines() if "a\\|b" in line)
    assert head == "| dataset | measure | n | a\\|b |" and "x\\*y&lt;z" in report.markdown(Report([score]))


def test_the_terminal_table_is_aligned() -> None:
    lines = terminal([some_score()[0], some_score("mediapipe", "agreeing")[0]]).splitlines()
    columns = [line.index("hands found") for line in lines if "hands found" in line]
    assert len(set(columns)) == 1 and lines[1].replace(" ", "").strip("─") == ""
    assert "agreement, not accuracy" in lines[-1]


# the page


@pytest.mark.parametrize("labelled_by", ["people", "mediapipe", "renderer", "nobody"])
def test_agreement_is_never_called_accuracy(labelled_by: LabelledBy) -> None:
    badge = "agreement, not accuracy"
    score = some_score(labelled_by)[0]
    texts = [Reader(some_page(labelled_by)).text, report.markdown(Report([score]))]
    assert [badge in text for text in texts] == [labelled_by == "mediapipe"] * 2
    assert ["were made by MediaPipe itself" in text for text in texts] == [labelled_by == "mediapipe"] * 2


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    page = some_page()
    reader = Reader(page)
    assert reader.open == []
    assert [name for name, count in Counter(reader.ids).items() if count > 1] == []
    wanted = {address[1:] for address in reader.addresses if address.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(reader.ids) and len(wanted) > 3
    assert all(address.startswith(("#", "data:image/webp;base64,")) for address in reader.addresses)
    assert "<script" not in page and "@import" not in page and not re.search(r"url\((?!#)", page)
    assert "<!--" not in page and "#0202" not in page and "#0102" not in page  # every placeholder was filled


def test_the_page_tells_models_apart_by_more_than_colour() -> None:
    reader = Reader(some_page())
    assert "make it\nknuckle evaluate photos" in reader.text and "92.5" in reader.text and "▼" in reader.text
    page = some_page()
    assert 'class="best"' in page and 'content: "★ "' in page and 'class="failed"' in page and "✗" in page
    assert 'data-model="theirs" class="worse"' in page and "stroke-dasharray" in page


def test_names_cannot_break_the_page() -> None:
    evil = '<b onload="x">&'
    score, predictions = some_score(name=evil)
    tables = (Table(evil, (replace(FOUND, metric=evil, figures={evil: Figure(1)}),)),)
    named = replace(score, models=(evil,), tables=tables, curves=(replace(PCK, title=evil, lines={evil: STEP}),))
    named = replace(named, cases=(replace(score.cases[0], model=evil, why=evil),))
    page = report.html(Report([named], {evil: predictions}, title=evil), picture=lambda source, frame: blank())
    assert "<b onload" not in page and Reader(page).open == []


def test_the_same_scores_give_the_same_page() -> None:
    assert some_page() == some_page.__wrapped__()


# plots


def test_curves_take_their_colours_from_the_page() -> None:
    drawn = curve_svg(PCK, MODELS, "one")
    assert all(f"var(--{name})" in drawn for name in ("m0", "m1", "soft", "edge"))
    assert not re.search(r"#[0-9a-f]{6}", drawn) and 'aria-label="PCK: ours, theirs"' in drawn
    head = drawn[: drawn.index(">")]
    assert "viewBox" in head and "width=" not in head and "height=" not in head
    alone = curve_svg(RELIABILITY, MODELS, "two")
    assert "var(--m1)" in alone and "var(--m0)" not in alone  # a model keeps its colour


def test_curves_bear_missing_values() -> None:
    broken = replace(PCK, lines={"ours": np.array([[0, 1], [np.nan, 2], [3, np.inf]]), "theirs": np.zeros((0, 2))})
    assert curve_svg(broken, MODELS, "x").startswith("<svg")


def test_intervals_are_drawn_on_one_scale() -> None:
    drawn = intervals_svg(FOUND, MODELS)
    ends = [(float(a), float(b)) for a, b in re.findall(r'd="M([\d.]+) \d+H([\d.]+)"', drawn)]
    (ours_low, ours_high), (theirs_low, theirs_high) = ends
    assert theirs_low == 6 and ours_high == 144 and theirs_low < ours_low and theirs_high > ours_low
    assert intervals_svg(replace(FOUND, figures={"ours": Figure(1, 0, 2)}), MODELS) == ""  # nothing to compare
    assert intervals_svg(replace(FOUND, figures=dict.fromkeys(MODELS, Figure(5))), MODELS) == ""


# the contact sheet


def case(model: str, source: str, badness: float, why: str) -> Case:
    shot = Shot(source)
    return Case(model, shot, predicted(shot), badness, why)


def test_the_worst_of_each_kind_is_shown_once_with_models_in_turn() -> None:
    cases = [case("a", f"{k}.jpg", 10 - k, f"{k + 1} missed") for k in range(5)]
    cases += [case("b", "0.jpg", 9.5, "1 missed"), case("b", "9.jpg", 1, "2 missed")]
    cases += [case("a", "0.jpg", 0.5, "error 50 %"), case("a", "e.jpg", 0.4, "error 40.5 %")]
    chosen = [(one.model, one.shot.source) for one in report_sheet.choose(cases, 3)]
    assert chosen == [("a", "0.jpg"), ("a", "1.jpg"), ("b", "9.jpg"), ("a", "e.jpg")]
    assert report_sheet.choose([], 3) == [] and report_sheet.choose(cases, 0) == []


def opened(address: str) -> Image:
    data = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


def test_a_case_shows_the_labels_and_every_model_beside_each_other() -> None:
    score, predictions = some_score()
    (shown,) = report_sheet.exhibits(score.dataset, score.cases, predictions, lambda source, frame: blank())
    assert [tile.title for tile in shown.tiles] == ["labels", "ours", "theirs"]
    assert [tile.alt for tile in shown.tiles] == ["labels: 1 hand", "ours: no hand", "theirs: 1 hand"]
    assert [tile.failed for tile in shown.tiles] == [False, True, False]
    assert shown.why == "ours: 1 missed" and shown.where == "a.jpg"
    pictures = [opened(tile.address).astype(int) for tile in shown.tiles]
    assert max(pictures[0].shape) == report_sheet.SIDE and len({picture.shape for picture in pictures}) == 1
    assert (pictures[0] > 245).all(axis=2).sum() > 200  # white labels on a grey wall
    colourful = [int((np.ptp(picture, axis=2) > 60).sum()) for picture in pictures]
    assert colourful[0] < 50 and colourful[1] < 50 and colourful[2] > 200  # a skeleton where a hand was found


def test_all_who_failed_on_a_picture_are_named() -> None:
    score, predictions = some_score()
    both = (*score.cases, Case("theirs", score.cases[0].shot, score.cases[0].predicted, 0.5, "error 90 %"))
    (shown,) = report_sheet.exhibits(score.dataset, both[:1], predictions, lambda source, frame: blank(), both)
    assert shown.why == "ours: 1 missed · theirs: error 90 %"
    assert [tile.failed for tile in shown.tiles] == [False, True, True]


def test_what_is_drawn_lands_on_what_it_belongs_to() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[203:206, 401:404] = 255
    hand = make_hand(402, 204, 60)
    shot = Shot("a.jpg", hands=(LabelledHand(box=hand.box),))
    region = report_sheet._region(shot, [predicted(shot, hand)], 640, 480)
    assert (region[:2] <= hand.box[:2]).all() and (region[2:] >= hand.box[2:]).all()
    tile, origin, scale = report_sheet._cut(image, region)
    moved = report_sheet._moved(hand, origin, scale)
    y, x = np.argwhere(tile[..., 0] > 128).mean(axis=0)
    assert moved.landmarks[0, :2] == pytest.approx((x, y), abs=0.75)
    assert moved.palm_size == pytest.approx(scale * hand.palm_size, rel=1e-4)


def test_a_box_is_drawn_around_the_landmarks_that_it_was_made_from() -> None:
    """A tile enlarges small regions, so half a pixel of the image is several pixels of the tile."""
    points = np.full((21, 2), np.nan)
    points[[0, 9]] = (30, 20), (38, 26)
    shot = Shot("a.jpg", hands=(LabelledHand(box=np.array([30.0, 20, 38, 26]), landmarks=points),))
    tile, origin, scale = report_sheet._cut(np.zeros((48, 64, 3), np.uint8), np.array([26.0, 16, 42, 32]))
    boxed = replace(shot.hands[0], landmarks=None)
    drawn = report_sheet._draw_labels(tile.copy(), replace(shot, hands=(boxed,)), origin, scale)
    y, x = np.nonzero((drawn > 250).all(axis=2))
    corners = (np.array([[30, 20], [38, 26]]) - origin + 0.5) * scale - 0.5  # where pixel centres lie in the tile
    assert [x.min(), x.max()] == pytest.approx(corners[:, 0].tolist(), abs=2)
    assert [y.min(), y.max()] == pytest.approx(corners[:, 1].tolist(), abs=2)


def test_hands_outside_of_the_picture_and_partial_labels_are_drawn() -> None:
    points = np.full((21, 2), np.nan)
    points[4] = (30, 30)
    shot = Shot("a.jpg", hands=(LabelledHand(box=np.array([-50.0, -50, 900, 90]), landmarks=points),))
    far = make_hand(5000, 5000, 60)
    bad = replace(far, landmarks=np.full((21, 3), np.nan, np.float32))
    one = predicted(shot, far, bad)
    (shown,) = report_sheet.exhibits(
        Dataset("d", (shot,)), [Case("m", shot, one, 1, "2 false")], [], lambda source, frame: blank()
    )
    assert [tile.alt for tile in shown.tiles] == ["labels: 1 hand", "m: 2 hands"]
    nowhere = Shot("b.jpg", hands=())
    shown_cases = report_sheet.exhibits(
        Dataset("d", (nowhere,)),
        [Case("m", nowhere, predicted(nowhere, bad), 1, "1 false")],
        [],
        lambda s, f: blank(),
    )
    assert opened(shown_cases[0].tiles[0].address).shape == (255, 340, 3)  # the whole picture


def test_frames_of_clips_are_read_from_the_clip(clip: Path, clip_frames: list[Image]) -> None:
    shots = tuple(Shot(str(clip), frame, hands=()) for frame in (7, 20, 99))
    dataset = Dataset("clips", clips=(Clip(str(clip), shots),))
    cases = [Case("m", shot, predicted(shot), 1, "1 false") for shot in shots]
    first, second, missing = report_sheet.exhibits(dataset, cases, [])
    assert first.where == f"{clip.parent.name}/{clip.name}, frame 7"
    for shown, frame in ((first, 7), (second, 20)):
        expected = np.asarray(Pillow.fromarray(clip_frames[frame]).resize((340, 255)))
        assert np.abs(opened(shown.tiles[0].address).astype(int) - expected).mean() < 6
    assert missing.tiles == () and "no frame 99" in missing.reason


def test_a_lost_picture_is_said_and_does_not_cost_the_report(tmp_path: Path) -> None:
    shot = Shot(str(tmp_path / "gone.jpg"), hands=())
    score = replace(
        some_score()[0], dataset=Dataset("d", (shot,)), cases=(Case("m", shot, predicted(shot), 1, "1 false"),)
    )
    text = Reader(report.html(Report([score]))).text
    assert "The image cannot be shown" in text and "gone.jpg" in text and "92.5" in text


# files


def test_both_files_are_written_and_a_blocked_folder_is_refused(tmp_path: Path) -> None:
    score, predictions = some_score()
    shown = Report([score], {"photos": predictions})
    pages = report.write_report(shown, tmp_path / "new" / "out", picture=lambda source, frame: blank())
    assert "92.5" in pages.markdown.read_text(encoding="utf-8") and "92.5" in pages.html.read_text(encoding="utf-8")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SinkError, match="cannot write the report"):
        report.write_report(Report([replace(score, cases=())]), blocked)
