"""Commands reach other computers only where docs/privacy.md says so."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from no_network import NetworkUsed, is_here, this_computer_only
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "no_network.py"
TABLE = re.findall(r"^\| .*", (ROOT / "docs" / "privacy.md").read_text(), re.MULTILINE)
HOSTS = set(re.findall(r"`([a-z0-9-]+(?:\.[a-z0-9-]+)+)`", "\n".join(line.split("|")[2] for line in TABLE)))


def run(commands: list[list[str]], cwd: Path, *prefix: str, **environment: str) -> list[Any]:
    """How each command ended, and whom it asked for."""
    command = [*prefix, sys.executable, str(PROGRAM), json.dumps(commands), *(["--namespace"] if prefix else [])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env=clean | {"PYTHONPATH": paths} | environment
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    ends: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return ends


@pytest.fixture
def place(tmp_path: Path, clip: Path) -> Path:
    shutil.copy(clip, tmp_path / "clip.mp4")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "index.jsonl").write_text(json.dumps({"image": "photos/a.jpg", "hands": []}))
    return tmp_path


COMMANDS = [
    ["--version"],
    ["--help"],
    ["track", "clip.mp4", "--save", "hands.jsonl", "--out", "drawn.mp4"],
    ["convert", "hands.jsonl", "hands.csv"],
    ["graph", "--models", "knuckle"],
    ["batch", "photos", "--out", "many", "--workers", "1"],
    ["stream", "clip.mp4", "--osc", "127.0.0.1:9", "--udp", "127.0.0.1:9"],
    ["evaluate", "index.jsonl", "--models", "knuckle", "--out", "report"],
]


def test_commands_ask_for_no_other_computer(place: Path) -> None:
    ends = run(COMMANDS, place)
    assert [name for name, _, _ in ends] == [arguments[0] for arguments in COMMANDS]
    assert [asked for _, _, asked in ends] == [[]] * len(COMMANDS)
    assert {name: code for name, code, _ in ends if code} == {}


def test_tracking_works_where_there_is_no_network_at_all(place: Path) -> None:
    """In a network namespace of its own, where C libraries reach nothing either."""
    allowed = (
        shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    )
    if not allowed:
        pytest.skip("this system gives no network namespaces to its users")
    assert run(COMMANDS[2:4], place, "unshare", "-rn") == [["track", 0, []], ["convert", 0, []]]


def test_fetching_a_bundle_asks_for_the_hosts_that_are_listed_and_no_others(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    empty = {"KNUCKLE_CACHE": str(tmp_path), "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    empty["PIP_INDEX_URL"] = "https://index.example/simple"  # "the package index that pip is configured for"
    ((_, code, asked),) = run([["models", "pull", "mediapipe"]], tmp_path, **empty)
    assert code == 2 and "storage.googleapis.com" in asked and set(asked) <= HOSTS | {"index.example"}


def test_a_stream_to_another_computer_is_refused_by_the_guard(place: Path) -> None:
    ((_, code, asked),) = run([["stream", "clip.mp4", "--udp", "198.51.100.7:9000"]], place)
    assert code == 2 and asked == ["198.51.100.7"]


def test_the_guard_refuses_others_and_lets_this_computer_through() -> None:
    with this_computer_only() as asked:
        with pytest.raises(NetworkUsed):
            socket.create_connection(("example.org", 80))
        with pytest.raises(NetworkUsed), socket.socket() as one:
            one.connect(("198.51.100.7", 80))
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            pass
    assert asked == ["example.org", "198.51.100.7"]
    assert is_here("::1") and is_here("127.0.0.53") and is_here(b"localhost") and not is_here("10.0.0.1")
