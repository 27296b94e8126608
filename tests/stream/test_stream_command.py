"""`knuckle stream` on a real clip, with a real OSC server, and what it says when it cannot run."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import one_line, run
from receivers import free_port, osc_server

import knuckle
from knuckle.cli.stream import played
from knuckle.stream.choose import StreamOptions, destinations

CLIP = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 45 frames of examples/hands.mp4 from second 1.3 on, both hands open."""
    from conftest import write_clip

    path = tmp_path_factory.mktemp("stream") / "open hands.mp4"
    write_clip(path, [frame.image for frame in knuckle.read(CLIP)][40:70], 30)
    return path


def test_a_clip_is_sent_at_its_own_speed_to_all_receivers(short_clip: Path) -> None:
    with osc_server() as (osc, seen), osc_server() as (vmc, bones):
        start = time.monotonic()
        gone = free_port()
        done = run("stream", short_clip, "--osc", osc, "--vmc", f"localhost:{vmc}", "--udp", f"127.0.0.1:{gone}")
        took_s = time.monotonic() - start
        time.sleep(0.2)
    assert done.returncode == 0 and took_s > 0.9
    assert f"osc 127.0.0.1:{osc}: 30 frames" in done.stdout
    assert done.stderr.count("nobody listens there") == 1  # said once, and the others got everything
    curls = {address: values[0] for address, values in seen if "/curl/" in address}
    assert len(curls) == 10 and max(value for name, value in curls.items() if "thumb" not in name) < 0.4
    for side in ("left", "right"):  # at the end no hand is left
        assert [values[0] for address, values in seen if address == f"/knuckle/{side}/visible"][-1] == 0
    assert {values for address, values in seen if address.endswith("/gesture")} >= {("Open_Palm",)}
    left, right = (dict(seen)[f"/knuckle/{side}/point/wrist"] for side in ("left", "right"))
    assert right[0] < left[0]  # the person faces the camera
    expected = knuckle.HandTracker()
    for frame in knuckle.read(short_clip):
        hands = {hand.handedness: hand for hand in expected(frame.image, frame.time_s)}
    np.testing.assert_allclose(left, hands["Left"].normalized(640, 480)[0], atol=0.01)
    assert {"LeftIndexProximal", "RightLittleDistal"} <= {
        values[0] for name, values in bones if name.endswith("Bone/Pos")
    }


def test_rate_and_hands_are_limited(short_clip: Path) -> None:
    start = time.monotonic()
    with osc_server() as (port, seen):
        done = run(
            "stream", short_clip, "--osc", port, "--rate", 10, "--hands", "right", "--space", "pixels", "--prefix", "a"
        )
        took_s = time.monotonic() - start
        time.sleep(0.2)
    assert done.returncode == 0
    addresses = [address for address, _ in seen]
    assert 8 <= addresses.count("/a/frame") <= 10 * took_s + 3
    assert not any(address.startswith("/a/left") for address in addresses)
    assert dict(seen)["/a/right/point/wrist"][0] > 50  # pixels


def test_a_clip_begins_again_and_its_hands_are_forgotten(short_clip: Path) -> None:
    restarts = list[int]()
    again = SimpleNamespace(reader=knuckle.read(short_clip), start_again=lambda: restarts.append(1))
    frames = played(again, loop=True, paces=False)  # type: ignore[arg-type]
    assert [frame.index for frame in islice(frames, 40)] == [*range(30), *range(10)]
    assert restarts == [1]
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name a receiver"),
        (("--osc", "nowhere.invalid:9000"), "unknown"),
        (("--osc", "localhost:99999"), "--osc needs HOST:PORT"),
        (("--udp", "localhost"), "--udp needs HOST:PORT"),
        (("--mqtt", "http://localhost"), "mqtts://HOST:PORT"),
        (("--ws", "x:y"), "--ws needs"),
        (("--osc", "9000", "--rate", "0"), "rate must be"),
        (("--osc", "9000", "--prefix", "a b"), "prefix may hold"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in one_line(run("stream", CLIP, *arguments))


def test_a_source_that_is_not_there_is_said_in_one_line() -> None:
    assert "nothing.mp4" in one_line(run("stream", "nothing.mp4", "--osc", "9000"))


@pytest.mark.parametrize(
    ("option", "module", "extra"),
    [
        ("osc", "pythonosc.osc_message_builder", "osc"),
        ("vmc", "pythonosc.osc_message_builder", "osc"),
        ("ws", "websockets", "ws"),
        ("mqtt", "paho.mqtt.client", "mqtt"),
        ("midi", "mido", "midi"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    option: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knuckle.stream import osc

    osc._head.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(knuckle.MissingExtraError, match=rf"pip install 'knuckle\[{extra}\]'"):
        destinations({option: ["127.0.0.1:9000"]}, StreamOptions())
