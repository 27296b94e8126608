"""The examples that track by themselves, on examples/hands.mp4, with fakes of the mouse, the volume and ROS.

The clip shows open hands from second 1.1 to 2.3, victory signs from 2.6 to 3.5, and rings of thumb and index finger
from 3.7 to 5.7. The person faces the camera; both hands move.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLIP = EXAMPLES / "hands.mp4"


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run an example as a script."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_the_mouse_follows_the_hand_and_clicks_with_a_pinch(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    fake: Any = ModuleType("pyautogui")
    fake.size = lambda: (1920, 1080)
    fake.moveTo = lambda x, y: events.append((x, y))
    fake.mouseDown = lambda: events.append("down")
    fake.mouseUp = lambda: events.append("up")
    monkeypatch.setitem(sys.modules, "pyautogui", fake)
    run("mouse.py", monkeypatch, CLIP)
    spots = np.array([event for event in events if isinstance(event, tuple)])
    assert len(spots) > 150 and (spots >= 0).all() and (spots < (1920, 1080)).all()
    assert np.ptp(spots[:, 0]) > 300  # the hand moves to the side
    assert np.abs(np.diff(spots, axis=0)).max() < 400  # and the pointer does not jump
    presses = [event for event in events if isinstance(event, str)]
    assert presses[0] == "down" and 1 <= presses.count("down") <= 3
    first = events.index("down")
    assert 90 < sum(isinstance(event, tuple) for event in events[:first]) < 125  # not before the rings


@pytest.mark.skipif(sys.platform != "linux", reason="the command for the volume is that of Linux")
def test_the_volume_is_the_distance_of_thumb_and_index_finger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls.txt"
    program = tmp_path / "pactl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    run("volume.py", monkeypatch, CLIP)
    found = re.findall(r"set-sink-volume @DEFAULT_SINK@ (\d+)%\n", calls.read_text())
    volumes = list(map(int, found))
    assert len(volumes) == len(calls.read_text().splitlines()) and max(volumes) > 85
    assert min(volumes[volumes.index(max(volumes)) :]) < 15  # open hands first, then rings


def test_air_drawing_draws_where_the_tips_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("air_drawing.py", monkeypatch, CLIP, tmp_path / "drawing.png")
    picture = np.asarray(Image.open(tmp_path / "drawing.png")).astype(int)
    assert picture.shape == (480, 640, 3)
    for colour in ((64, 190, 246), (255, 138, 76)):
        rows, columns = np.nonzero(np.abs(picture - colour).sum(axis=2) < 40)
        assert len(rows) > 500 and np.ptp(columns) > 120  # a line, and not a dot
        assert rows.min() > 80 and rows.max() < 300  # where the fingers are in the clip


def test_fingers_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("finger_counting.py", monkeypatch, CLIP)
    lines = re.findall(r"^ *([\d.]+) s  (.*) = (\d+)$", capsys.readouterr().out, re.M)
    said = {int(number): (float(time_s), terms) for time_s, terms, number in lines}
    assert said[10][1] == "5 + 5" and 1.1 < said[10][0] < 2.4
    assert said[4][1] == "2 + 2" and 2.6 < said[4][0] < 3.6
    assert said[6][1] == "3 + 3" and said[6][0] > 3.7
    assert len(lines) <= 12


def test_rock_paper_scissors_counts_rounds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("rock_paper_scissors.py", monkeypatch, CLIP)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "paper against paper: nobody wins. 0 : 0",
        "scissors against scissors: nobody wins. 0 : 0",
    ]


@pytest.mark.parametrize(
    ("left", "right", "line"),
    [
        ("Closed_Fist", "Victory", "rock against scissors: left wins. 1 : 0"),
        ("Closed_Fist", "Open_Palm", "rock against paper: right wins. 0 : 1"),
    ],
)
def test_the_right_hand_wins(
    left: str, right: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from conftest import make_hand

    import knuckle
    from knuckle.results import Frame, Gesture

    hands = [replace(make_hand(x), gesture=Gesture(name, 0.9)) for x, name in ((500, right), (100, left))]
    blank = np.zeros((48, 64, 3), np.uint8)
    monkeypatch.setattr(knuckle, "read", lambda source: (Frame(blank, k, k / 30) for k in range(20)))
    monkeypatch.setattr(knuckle, "HandTracker", lambda **_: lambda image, time_s: hands)
    run("rock_paper_scissors.py", monkeypatch, CLIP)
    assert capsys.readouterr().out.splitlines() == [line]


class Message:
    """A ROS message: fields that are set by name or later."""

    def __init__(self, **fields: Any) -> None:
        self.header = SimpleNamespace()
        self.__dict__.update(fields)


def test_a_ros_node_publishes_poses_and_gestures(monkeypatch: pytest.MonkeyPatch) -> None:
    published: dict[str, list[Message]] = {}

    def create_publisher(kind: type, topic: str, depth: int) -> Any:
        return SimpleNamespace(publish=published.setdefault(topic, []).append)

    clock = SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: "now"))
    node = SimpleNamespace(create_publisher=create_publisher, get_clock=lambda: clock)
    fakes = {
        "rclpy": {"init": lambda: None, "create_node": lambda name: node},
        "geometry_msgs.msg": dict.fromkeys(("Point", "Pose", "PoseArray", "Quaternion"), Message),
        "std_msgs.msg": {"String": Message},
    }
    for name, content in fakes.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, name.partition(".")[0], module)
    run("ros2_hands.py", monkeypatch, CLIP)
    assert set(published) == {f"hands/{side}/{what}" for side in ("left", "right") for what in ("landmarks", "gesture")}
    for side in ("left", "right"):
        poses, gestures = published[f"hands/{side}/landmarks"], published[f"hands/{side}/gesture"]
        assert len(poses) == len(gestures) > 140
        assert {"Open_Palm", "Victory"} <= {message.data for message in gestures}
        for message in poses:
            assert len(message.poses) == 21 and message.header.stamp == "now"
            reach = [np.hypot(np.hypot(p.position.x, p.position.y), p.position.z) for p in message.poses]
            assert max(reach) < 0.2  # metres around the hand's centre
            turn = message.poses[0].orientation
            assert np.linalg.norm([turn.x, turn.y, turn.z, turn.w]) == pytest.approx(1)


def test_ros_itself_takes_the_messages() -> None:
    pytest.importorskip("rclpy")
    from geometry_msgs.msg import Point

    Point(x=0.1, y=0.2, z=0.3)


PROGRAMS = [path for path in sorted(EXAMPLES.iterdir()) if path.suffix in (".py", ".gd", ".cs", ".html")]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 30
