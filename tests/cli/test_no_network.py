"""Commands reach other computers only where docs/privacy.md says so."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from no_network import NetworkUsed, is_here, this_computer_only
from PIL import Image
from tiny_networks import tiny_task

from knuckle.cli.app import STOPPED, LazyCommand, cli

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
    for name in ("clip", "left", "right"):
        shutil.copy(clip, tmp_path / f"{name}.mp4")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "index.jsonl").write_text(json.dumps({"image": "photos/a.jpg", "hands": []}))
    (tmp_path / "tiny.task").write_bytes(tiny_task())
    camera = {"size": [640, 480], "matrix": [[500, 0, 320], [0, 500, 240], [0, 0, 1]], "distortions": [0, 0, 0, 0]}
    camera |= {"rotation": [0, 0, 0], "translation": [0, 0, 0]}
    cameras = {name: {**camera, "name": name, "translation": [x, 0, 0]} for name, x in (("left", 0), ("right", 0.1))}
    (tmp_path / "cameras.json").write_text(json.dumps(cameras))
    return tmp_path


# Every command at least once. `test_every_command_is_tried` compares them with the command line itself.
COMMANDS = [
    ["--version"],
    ["--help"],
    ["track", "clip.mp4", "--save", "hands.jsonl", "--out", "drawn.mp4"],
    ["convert", "hands.jsonl", "hands.csv"],
    ["graph", "--models", "knuckle"],
    ["batch", "photos", "--out", "many", "--workers", "1"],
    ["stream", "clip.mp4", "--osc", "127.0.0.1:9", "--udp", "127.0.0.1:9"],
    ["evaluate", "index.jsonl", "--models", "knuckle", "--out", "report"],
    ["datasets", "check", "index.jsonl", "--numbers-only"],
    ["datasets", "convert", "index.jsonl", "index.coco.json"],
    ["gestures", "list"],
    ["gestures", "record", "Open", "--source", "clip.mp4", "--count", "2"],
    ["gestures", "record", "Fist", "--source", "clip.mp4", "--count", "2"],
    ["gestures", "train", "gestures"],
    ["gestures", "export", "gestures.json", "--out", "gestures.task"],
    ["models", "list"],
    ["models", "info", "knuckle"],
    ["models", "import", "tiny.task", "--name", "tiny"],
    ["models", "remove", "tiny"],
    ["triangulate", "left.mp4", "right.mp4", "--cameras", "cameras.json", "--out", "points.csv"],
    ["serve", "--port", "PORT"],
    ["label", "photos", "--port", "PORT"],
]
TRAINED = ["--steps", "1", "--batch", "1", "--workers", "0", "--precision", "float32", "--device", "cpu"]
TRAINING = [
    ["synth", "hands", "crops", "--count", "2", "--side", "64"],
    ["synth", "scenes", "scenes", "--count", "2", "--side", "128"],
    ["synth", "clips", "clips", "--count", "1", "--seconds", "0.2", "--width", "64", "--height", "48"],
    ["train", "hand", *TRAINED, "--data", "crops", "--check", "crops", "--out", "hand"],
    ["train", "palm", *TRAINED, "--data", "scenes", "--check", "scenes", "--out", "palm"],
    ["export", "knuckle", "--palm", "knuckle-fast", "--out", "mixed"],
]


def names_of(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """The names of all commands that do something, with the groups that they are in."""
    loaded = command.load() if isinstance(command, LazyCommand) else command
    if not isinstance(loaded, click.Group):
        yield path
        return
    for name in loaded.list_commands(click.Context(loaded)):
        part = loaded.get_command(click.Context(loaded), name)
        assert part is not None
        if not part.hidden:
            yield from names_of(part, *path, name)


def quiet_port() -> str:
    """A free port below those that systems give to other programs, so that none of them takes it meanwhile."""
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise AssertionError("100 ports are taken")


def check(commands: list[list[str]], place: Path) -> None:
    """All of the commands succeed, and ask for nobody."""
    filled = [[quiet_port() if word == "PORT" else word for word in command] for command in commands]
    ends = run(filled, place, KNUCKLE_CACHE=str(place / "cache"))
    expected = {command[0]: STOPPED if "PORT" in command else 0 for command in commands}
    assert [[command[0], expected[command[0]], []] for command in commands] == ends


def test_every_command_is_tried() -> None:
    pytest.importorskip("torch")
    pulled = [["models", "pull"]]  # it may ask, see below
    tried = {tuple(command[:words]) for command in [*COMMANDS, *TRAINING, *pulled] for words in (1, 2)}
    assert set(names_of(cli)) <= tried


def test_commands_ask_for_no_other_computer(place: Path) -> None:
    check(COMMANDS, place)


@pytest.mark.skipif("KNUCKLE_SLOW" not in os.environ, reason="renders and trains for minutes; set KNUCKLE_SLOW=1")
def test_training_asks_for_no_other_computer(place: Path) -> None:
    pytest.importorskip("torch")
    check(TRAINING, place)


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
