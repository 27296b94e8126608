"""Systems without LiteRT: ONNX Runtime runs our networks, chosen without a word from the user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import two_hands

import knuckle
from knuckle.geometry import letterbox
from knuckle.models.bundle import Bundle, open_description
from knuckle.models.catalogue import ONNX, OWN, PACKAGED
from knuckle.models.session import Session

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_onnx_files_are_the_same_networks(name: str) -> None:
    ours, other = (open_description(folder / f"{name}.json") for folder in (OWN, ONNX))
    for one, two in ((ours.palm_path, other.palm_path), (ours.hand_path, other.hand_path)):
        network, same = Session(one, 1), Session(two, 1)
        pictures = np.stack([letterbox(two_hands(t), network.side) for t in (0.1, 0.9)])
        expected, seen = network(pictures), same(pictures)
        assert set(expected) == set(seen)
        for output, values in expected.items():
            span = max(1.0, float(np.ptp(values)))
            message = f"{two.name} is not {one.name}; run: python recipes/onnx_networks.py"
            assert np.abs(values - seen[output]).max() < 5e-3 * span, f"{output} of {message}"
    assert described(ours) == described(other)


def described(bundle: Bundle) -> dict[str, object]:
    """What `bundle.json` says apart from the files."""
    files = ("palm", "hand", "palm_int8", "hand_int8")
    return {name: value for name, value in json.loads(bundle.to_json()).items() if name not in files}


def without_litert(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a new process that has no LiteRT."""
    hidden = "import sys; sys.modules['ai_edge_litert'] = None\n"
    command = [sys.executable, "-c", hidden + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_default_bundle_runs_and_finds_the_same_hands(tmp_path: Path, photo: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo)
    code = "import json, knuckle; print(json.dumps([hand.landmarks.tolist() for hand in knuckle.detect(sys.argv[1])]))"
    done = without_litert(code, path)
    assert done.returncode == 0, done.stderr
    floats = knuckle.load("knuckle", precision="float")
    expected = [hand.landmarks for hand in knuckle.detect(path, floats)]
    assert len(expected) == 2
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=0.5)


def test_the_command_line_says_what_is_the_default_and_runs_it(tmp_path: Path, clip: Path) -> None:
    listed = without_litert("from knuckle.cli import main; main(['models', 'list'])")
    (line,) = [line for line in listed.stdout.splitlines() if "default" in line]
    assert line.startswith("knuckle:"), listed.stderr
    done = without_litert(
        "from knuckle.cli import main; main(sys.argv[1:])", "track", clip, "--save", tmp_path / "h.csv"
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 1 + 60


@pytest.mark.parametrize("models", ["'mediapipe'", f"{str(OWN / 'hand.tflite')!r}"])
def test_tflite_networks_are_refused_in_one_line(models: str) -> None:
    code = f"import knuckle\ntry: knuckle.load({models})\nexcept knuckle.Error as error: print(type(error), error)"
    done = without_litert(code)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    if "mediapipe" in models:
        assert "models='knuckle'" in done.stdout and "EngineError" in done.stdout


def test_a_session_on_a_tflite_file_is_refused() -> None:
    code = "from pathlib import Path; from knuckle.models.session import Session; Session(Path(sys.argv[1]))"
    done = without_litert(code, OWN / "hand.tflite")
    assert done.stderr.strip().splitlines()[-1].startswith("knuckle.errors.EngineError: LiteRT"), done.stderr
