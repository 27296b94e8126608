"""docs/web.md quotes the page: what it quotes is on the page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "web.md").read_text()
PAGE = "".join(
    path.read_text() for path in sorted((ROOT / "web" / "page").glob("*.*")) if path.suffix in (".ts", ".html")
)


def test_every_message_that_is_explained_can_appear() -> None:
    table = TEXT.split("## Problems")[1].split("\n## ")[0]
    messages = re.findall(r"^\| ([A-Z][^|]+?) (?:… )?\|", table, re.M)
    assert len(messages) >= 5
    assert [message for message in messages if message not in PAGE] == []


def test_every_control_that_is_named_is_there() -> None:
    labels = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", TEXT)
    assert len(labels) >= 8
    assert [label for label in labels if not re.search(rf'[>"]{re.escape(label)}[ <"]', PAGE)] == []
