"""docs/label.md shows what was measured last."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_measured_tables_are_current() -> None:
    sys.path.insert(0, str(DOCS))
    import make_label

    text = make_label.PAGE.read_text()
    assert text == make_label.page(text), "run `python docs/make_label.py`"
