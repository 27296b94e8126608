"""Names that are too long for the file system are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import knuckle
from knuckle.cli.app import main

CLIP = str(Path(__file__).parents[2] / "examples" / "hands.mp4")
NAME = 300 * "a"


@pytest.mark.parametrize("name", [NAME, f"{NAME}/{NAME}.jpg", 2000 * "é"])
@pytest.mark.parametrize("use", [knuckle.detect, knuckle.HandTracker, lambda name: list(knuckle.read(name))])
def test_the_api_raises_its_own_errors(name: str, use: Callable[[str], object]) -> None:
    with pytest.raises(knuckle.Error):
        use(name)


@pytest.mark.parametrize(
    "arguments",
    [
        ["track", NAME],
        ["track", CLIP, "--models", NAME],
        ["track", CLIP, "--save", f"{NAME}.csv"],
        ["track", CLIP, "--out", f"{NAME}.mp4"],
        ["evaluate", NAME],
        ["datasets", "check", NAME],
        ["export", f"{NAME}.pt"],
        ["graph", "--models", NAME],
        ["batch", NAME, "--out", "tables"],
    ],
    ids=" ".join,
)
def test_commands_print_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
