"""`knuckle serve` on the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import one_line, run
from servers import PATIENCE_S, Running, requests


def test_the_command_refuses_unsafe_and_impossible_settings(server: Running, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for arguments, says in (
        (["--host", "0.0.0.0"], "needs a token"),
        (["--token", "short"], "16 or more"),
        (["--key", str(wrong)], "--certificate"),
        (["--certificate", str(wrong)], "cannot be used"),
        (["--port", str(server.port)], "is the port taken"),
    ):
        assert says in run("serve", *arguments).stderr


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in ("knuckle.cli.serve", "knuckle.serve.server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert "knuckle serve needs uvicorn: pip install 'knuckle[serve]'" in one_line(run("serve"))


def test_the_command_serves_until_ctrl_c() -> None:
    command = [sys.executable, "-u", "-m", "knuckle.cli", "serve", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        address = line.split()[3]
        assert requests.get(f"{address}v1").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) in (0, 1, 130, -signal.SIGINT)
