"""Hostile input gives a result or a `knuckle.Error` of one line. `make fuzz` runs longer; see docs/reliability.md.

All inputs that once broke this law lie in `finds/`, inputs that reach much code in `corpus/`.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys

import pytest
from all_targets import TARGETS
from fuzz_mutate import mutated
from fuzzing import CORPUS, FINDS, HERE, Bench, name_of, saved_inputs
from hypothesis import given, settings
from hypothesis import strategies as st

INPUTS = 12  # changed ones per target, after all that are saved
QUICK = ("bundle", "tflite", "labels-coco", "results-jsonl", "cameras-json", "manifest", "track-message")
ATTEMPTS = 150


@pytest.mark.skipif(sys.platform == "win32", reason="fuzzing forks a process per target")
def test_every_reader_survives_what_broke_it_before_and_some_more() -> None:
    command = [sys.executable, str(HERE / "fuzz.py"), "--plain", "--seed", "7", "--inputs", str(INPUTS)]
    done = subprocess.run([*command, "--seconds", "6000"], capture_output=True, text=True)
    told = re.findall(r"^(\S+) +(\d+) inputs", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name for name, count in told if int(count) >= INPUTS} == set(TARGETS)


@pytest.fixture(scope="module")
def benches() -> dict[str, Bench]:
    return {name: Bench(TARGETS[name]) for name in QUICK}


@settings(max_examples=ATTEMPTS, derandomize=True)
@given(name=st.sampled_from(QUICK), which=st.integers(0, 99), seed=st.integers(0, 2**32))
def test_changed_files_raise_only_our_errors(benches: dict[str, Bench], name: str, which: int, seed: int) -> None:
    bench = benches[name]
    data = mutated(bench.seeds[which % len(bench.seeds)], random.Random(seed), bench.target.keep)
    assert bench.broken_law(data) == ""


def test_the_law_can_be_broken() -> None:
    def careless(data: bytes, folder: object) -> object:
        return 1 / len(data)

    bench = Bench(type(TARGETS["osc"])("careless", lambda folder: [b"x"], careless))
    assert bench.broken_law(b"x") == "" and bench.broken_law(b"").startswith("ZeroDivisionError")


@pytest.mark.parametrize("folder", [CORPUS, FINDS], ids=lambda path: path.name)
def test_saved_inputs_are_small_named_by_their_content_and_have_a_target(folder: object) -> None:
    assert isinstance(folder, type(CORPUS))
    places = [path for path in folder.iterdir() if path.is_dir()]
    assert {path.name for path in places} <= set(TARGETS) and places
    for path in (path for place in places for path in saved_inputs(place)):
        data = path.read_bytes()
        assert path.name == name_of(data) and len(data) < 50_000, path
