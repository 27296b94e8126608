"""The API against its own OpenAPI description: schemathesis makes requests of all kinds and checks every answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from servers import Limits, running

pytest.importorskip("schemathesis")


def test_answers_are_those_of_the_description(tmp_path: Path) -> None:
    """Statuses, types, headers and bodies; wrong requests are refused, and nothing is a 500.

    Left out: that every request is accepted which the description allows. It cannot say which bytes are an image.
    """
    with running(models="knuckle", limits=Limits(requests_per_s=100_000), workers=2) as server:
        options = ["--phases=coverage,fuzzing", "--max-examples=5", "--seed=25", "--generation-deterministic"]
        command = [sys.executable, "-m", "schemathesis.cli", "run", server.url("/v1/openapi.json"), *options]
        command += ["--exclude-checks=positive_data_acceptance", "--request-timeout=120", "--no-color"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    assert "4 selected / 4 total" in done.stdout and "Test cases:" in done.stdout
