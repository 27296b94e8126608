from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_hand

import knuckle
from knuckle.media.columns import HAND_COLUMNS

pd = pytest.importorskip("pandas")


def test_the_hands_of_one_image_are_rows_with_the_columns_of_files() -> None:
    hands = [replace(make_hand(), track_id=4), make_hand(side="Right")]
    table = knuckle.to_pandas(hands)
    assert list(table.columns) == list(HAND_COLUMNS) and len(table) == 2
    assert table["hand"].tolist() == [0, 1] and table["handedness"].tolist() == ["Left", "Right"]
    assert table["track_id"][0] == 4 and table["track_id"].isna().tolist() == [False, True]
    assert table["index_tip_x_px"][0] == pytest.approx(hands[0].index_tip[0])
    assert table["wrist_visibility"].isna().all() and table["frame"].isna().all()


def test_lists_for_several_images_say_which_image() -> None:
    table = knuckle.to_pandas([[make_hand()], [], [make_hand(), make_hand(side="Right")]])
    assert table["frame"].tolist() == [0, 2, 2] and table["hand"].tolist() == [0, 0, 1]


def test_what_track_gives_becomes_a_table_with_times_and_the_same_types_as_a_file(clip: Path, tmp_path: Path) -> None:
    table = knuckle.to_pandas(knuckle.HandTracker("mediapipe").track(clip))
    assert len(table) == 60 and table["frame"].tolist()[::2] == list(range(30))
    assert np.allclose(table["time_s"][::2], np.arange(30) / 15, atol=1e-3)
    assert (table["source"] == str(clip)).all() and (table["width_px"] == 640).all()
    assert sorted(table.groupby("track_id")["handedness"].first()) == ["Left", "Right"]


def test_no_hands_give_an_empty_table_with_all_columns() -> None:
    for nothing in ([], [[], []]):
        table = knuckle.to_pandas(nothing)
        assert len(table) == 0 and list(table.columns) == list(HAND_COLUMNS)


def test_something_else_and_a_missing_pandas_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (["hand"], [[3]], [make_hand().landmarks]):
        with pytest.raises(knuckle.InputError, match="to_pandas takes hands"):
            knuckle.to_pandas(wrong)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(knuckle.MissingExtraError, match=r"pip install 'knuckle\[pandas\]'"):
        knuckle.to_pandas([make_hand()])


@pytest.mark.parametrize("hands", [None, make_hand()])
def test_what_is_no_list_of_hands_is_no_table(hands: Any) -> None:
    with pytest.raises(knuckle.InputError, match="to_pandas takes a list of hands"):
        knuckle.to_pandas(hands)
