"""docs/stream.md shows the messages that the code sends."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_messages_is_current() -> None:
    sys.path.insert(0, str(DOCS))
    import make_stream

    text = make_stream.PAGE.read_text()
    assert text == make_stream.page(text), "run `python docs/make_stream.py`"
