"""A real `knuckle label` in a process of its own, and its clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")
PATIENCE_S = 60


@dataclass
class Labelling:
    """A session that listens."""

    process: subprocess.Popen[str]
    address: str
    out: Path

    def get(self, path: str, **headers: str) -> Any:
        return httpx.get(self.address + path, headers=headers, timeout=PATIENCE_S)

    def put(self, number: int | str, labels: Any, among: str = "/photos", **headers: str) -> Any:
        return httpx.put(f"{self.address}{among}/{number}", json=labels, headers=headers, timeout=PATIENCE_S)

    def post(self, path: str, content: Any) -> Any:
        return httpx.post(self.address + path, json=content, timeout=PATIENCE_S)


@contextmanager
def labelling(folder: Path, port: int = 0, *options: str) -> Iterator[Labelling]:
    """Label a folder, with MediaPipe's networks, which tell the sides of drawn hands right; killed at the end."""
    command = [sys.executable, "-u", "-m", "knuckle.cli", "label", str(folder), f"--port={port}", "--models=mediapipe"]
    command += options
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().split()[3].rstrip("/")
            yield Labelling(process, address, folder / "labels.jsonl")
        finally:
            process.kill()
