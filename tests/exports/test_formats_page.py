"""The table of formats in the documents is that of the program."""

from __future__ import annotations

import sys
from pathlib import Path

from knuckle.exports.formats import FORMATS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))


def test_the_table_of_formats_is_current() -> None:
    import make_exports

    assert make_exports.PAGE.read_text() == make_exports.page(), "run: python docs/make_exports.py"


def test_names_and_suffixes_are_unique() -> None:
    assert len({one.name for one in FORMATS}) == len({one.suffix for one in FORMATS}) == len(FORMATS)
