"""Documents that are made say what the program does today."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "benchmarks")]


def test_the_command_line_page_is_current() -> None:
    from make_docs import command_line

    assert (ROOT / "docs" / "cli.md").read_text() == command_line()


def test_the_readme_s_table_is_the_last_measurement() -> None:
    from bench import RESULTS, table

    assert table(json.loads(RESULTS.read_text())) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_s_five_lines_run(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"## Five lines\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert code
    exec(code.group(1).replace("clip.mp4", str(clip)), {})
    assert len(capsys.readouterr().out.splitlines()) == 60


def test_every_column_of_the_tables_is_documented() -> None:
    from knuckle.media.columns import hand_schema

    text = (ROOT / "docs" / "formats.md").read_text()
    for name in hand_schema().names:
        point = re.match(r"(wrist|thumb|index|middle|ring|pinky)", name)
        assert point or f"`{name}`" in text, name
