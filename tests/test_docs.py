"""The documents say what the program does today: links lead somewhere, examples run, tables are current."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from conftest import two_hands
from PIL import Image as pillow

import knuckle

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# A page's blocks of Python run from top to bottom in one namespace. A block that needs a camera, a server or a dataset
# begins with "```python {.no-run}"; it is not run, but its names are checked.
BLOCK = re.compile(r"^```python( \{\.no-run\})?\n(.*?)^```$", re.S | re.M)
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "benchmarks")]


def by_name(page: Path) -> str:
    return page.name


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """A folder with the files that examples name: clip.mp4, hand.jpg, photos/."""
    folder = tmp_path_factory.mktemp("media")
    shutil.copy(clip, folder / "clip.mp4")
    (folder / "photos").mkdir()
    for k in range(3):
        pillow.fromarray(two_hands(k / 2)).save(folder / "photos" / f"{k}.jpg", quality=95)
    shutil.copy(folder / "photos" / "0.jpg", folder / "hand.jpg")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=by_name)
def test_the_examples_of_a_page_run(page: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(media)
    text = page.read_text()
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == len(re.findall("^```python", text, re.M))  # the pattern sees all of them
    namespace = {"__name__": "__main__"}
    for block in blocks:
        if not block.group(1):
            line = text.count("\n", 0, block.start(2))
            exec(compile("\n" * line + block.group(2), str(page), "exec"), namespace)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if re.search(r"^```python {\.no-run}", page.read_text(), re.M)], ids=by_name
)
def test_the_examples_that_do_not_run_use_no_unknown_name(page: Path) -> None:
    assert unknown_names("\n".join(block.group(2) for block in BLOCK.finditer(page.read_text()))) == ""


def unknown_names(code: str) -> str:
    """What ruff says of names that are used and never defined."""
    check = ["ruff", "check", "--isolated", "--select", "F821", "--output-format", "concise", "--quiet", "-"]
    return subprocess.run([sys.executable, "-m", *check], input=code, capture_output=True, text=True).stdout


def test_broken_examples_are_noticed(tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nto_jpeg(1)\n```\n")
    with pytest.raises(NameError, match="to_jpeg"):
        test_the_examples_of_a_page_run(page, media, monkeypatch)
    assert "to_jpeg" in unknown_names("to_jpeg(1)\n")


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_api_page_names_every_public_name_once() -> None:
    shown = re.findall(r"^::: knuckle\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert sorted(shown) == sorted(knuckle.__all__)


@pytest.mark.parametrize("name", knuckle.__all__)
def test_every_public_name_has_a_docstring_and_an_example(name: str) -> None:
    public = getattr(knuckle, name)
    assert public.__doc__ if callable(public) else docstring_of_constant(name), f"knuckle.{name} has no docstring"
    section = (ROOT / "docs" / "api.md").read_text().split(f"::: knuckle.{name}\n", 1)[1].split(":::", 1)[0]
    assert "```python" in section


def docstring_of_constant(name: str) -> str | None:
    """The string that follows the definition of a constant in `knuckle.results.skeleton`, which the site shows."""
    source = (ROOT / "src" / "knuckle" / "results" / "skeleton.py").read_text()
    found = re.search(rf'^{name}\b[^\n]*= [({{].*?^[)}}]\n"""(.*?)"""', source, re.S | re.M)
    return found.group(1) if found else None


def test_the_command_line_page_is_current() -> None:
    from make_docs import command_line

    assert (ROOT / "docs" / "cli.md").read_text() == command_line()


def test_tables_show_the_last_measurements() -> None:
    from make_tables import pages

    for path, tables in pages().items():
        text = path.read_text()
        for name, table in tables.items():
            assert f"<!-- {name} -->\n{table}\n<!-- /{name} -->" in text, f"run `make docs`: {path.name}, {name}"


def test_the_accuracy_page_is_current() -> None:
    import make_accuracy

    datasets = json.loads((make_accuracy.RESULTS / "accuracy.json").read_text())["datasets"]
    assert (ROOT / "docs" / "accuracy.md").read_text() == make_accuracy.page(datasets)


def test_the_latency_page_is_current() -> None:
    import make_latency

    page = make_latency.page(json.loads(make_latency.RESULT.read_text()))
    assert (ROOT / "docs" / "latency.md").read_text() == page, "run `python docs/make_latency.py`"


def test_the_reliability_page_is_current() -> None:
    import make_reliability
    from reliability import SECTIONS

    assert tuple(make_reliability.SECTIONS) == SECTIONS
    page = make_reliability.page(make_reliability.measured())
    assert (ROOT / "docs" / "reliability.md").read_text() == page, "run `python docs/make_reliability.py`"
    row = {"what": "frames", "measured": "2", "goal": "3", "reached": False}
    result = {"section": "load", "command": "run", "system": "", "note": "", "rows": [row]}
    assert "| frames | 2 | 3 | **no** |" in make_reliability.page([result])


def test_the_picture_of_the_graph_is_current() -> None:
    from knuckle.inspect.diagram import diagram_of
    from knuckle.inspect.page import as_svg

    diagram = diagram_of(knuckle.HandTracker().graph)
    assert as_svg(diagram) == (ROOT / "docs" / "images" / "graph.svg").read_text(), "run `make docs`"


def test_the_readme_is_short() -> None:
    text = (ROOT / "README.md").read_text()
    words = re.sub(r"<!--.*?-->|\(https?[^)]*\)|\([\w/.#-]+\.(?:md|webp|jpg)\)", " ", text, flags=re.S)
    assert len(re.findall(r"[A-Za-z0-9`'’.-]*[A-Za-z0-9][A-Za-z0-9`'’.-]*", words)) <= 700
    assert len(re.findall(r"^\|[-|: ]+\|$", text, re.M)) <= 4


@pytest.mark.parametrize(
    ("named", "source", "lines"), [("hand.jpg", "hand.jpg", 1), ("hand.jpg", "photos", 3), ("clip.mp4", "clip.mp4", 60)]
)
def test_the_readme_s_examples_run(
    named: str, source: str, lines: int, media: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = [block.group(2) for block in BLOCK.finditer((ROOT / "README.md").read_text())]
    (code,) = [block for block in blocks if named in block]
    exec(code.replace(named, str(media / source)), {"knuckle": knuckle})
    printed = capsys.readouterr().out
    assert printed.count("[Hand(" if named == "hand.jpg" else "\n") == lines


def test_the_architecture_page_shows_the_layers_and_real_places() -> None:
    from test_layers import ROWS

    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, len(ROWS) + 1))
    shown = [set(re.findall(r"`(\w+)`", names)) for _, names in rows]
    assert shown == [{name or "knuckle" for name in row} for row in ROWS]
    places = re.findall(r"`([\w/]+(?:\.py|/))`(?:: `(\w+)`)?", page.split("## Where is")[1].split("## Choices")[0])
    assert len(places) > 20
    for path, name in places:
        file = next(folder / path for folder in (ROOT / "src" / "knuckle", ROOT) if (folder / path).exists())
        assert not name or re.search(rf"^(def |class )?{name}\b", file.read_text(), re.M), f"{path}: {name}"


def test_every_image_has_a_source_and_is_small() -> None:
    folder = ROOT / "docs" / "images"
    listed = re.findall(r"`([\w*.]+\.\w+)`", (folder / "CREDITS.md").read_text())
    for path in folder.iterdir():
        assert path.suffix == ".md" or any(fnmatch(path.name, pattern) for pattern in listed), path.name
        assert path.stat().st_size < 1_500_000, path.name


def documented_columns(page: str, columns: list[str]) -> list[str]:
    """The columns that the table of a page lists; "first, … last" stands for all from the first to the last."""
    listed = []
    for cell in re.findall(r"^\| (`[^|]*) \|", page, re.M):
        names = re.findall(r"`(\w+)`", cell)
        if "…" in cell:
            names = columns[columns.index(names[0]) : columns.index(names[-1]) + 1]
        listed += names
    return listed


def test_the_table_of_columns_lists_every_column_and_no_other() -> None:
    from knuckle.media.columns import CAMERA_COLUMNS, RAW_COLUMNS, hand_schema

    columns = hand_schema(CAMERA_COLUMNS | RAW_COLUMNS).names
    page = (ROOT / "docs" / "formats.md").read_text().split("## Tables", 1)[1].split("\n## ", 1)[0]
    assert documented_columns(page, columns) == columns
    assert documented_columns(page.replace("`palm_score`", "`mood`"), columns) != columns
