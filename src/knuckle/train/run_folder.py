"""The folder of a training run: config.json, checkpoint.pt, the logs, and TensorBoard's events."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from knuckle.errors import InputError, SinkError
from knuckle.train.checkpoint import read_checkpoint, resume_config


class RunFolder:
    """The files of one run. The configuration is JSON; `loop` in it holds the `LoopOptions`."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        self.checkpoint = path / "checkpoint.pt"
        self.board: Any = None

    def resumed(self) -> dict[str, Any] | None:
        """The checkpoint to resume from, or None if there is none.

        Raises:
            InputError: the checkpoint cannot be read, or belongs to a run with another configuration.
        """
        if not self.checkpoint.is_file():
            return None
        saved = read_checkpoint(self.checkpoint)
        before, now = (resume_config(config) for config in (json.loads(saved["config"]), self.config))
        if before != now:
            changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
            raise InputError(
                f"{self.path} holds a run with another configuration ({', '.join(changed)}); "
                "use the same flags to resume it, or another folder"
            )
        return saved

    def prepare(self, done: int) -> None:
        """Write the configuration, and remove log lines after step `done`: these steps will be repeated.

        Raises:
            SinkError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "config.json").write_text(json.dumps(self.config, indent=2) + "\n")
            for path in self.path.glob("*.csv"):
                head, *lines = path.read_text().splitlines(keepends=True)
                path.write_text("".join([head, *(line for line in lines if int(line.split(",")[0]) <= done)]))
        except OSError as error:
            raise SinkError(f"the folder of the run {self.path} cannot be written: {error.strerror}") from error
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return  # TensorBoard is optional; the same figures are in the CSV files
        self.board = SummaryWriter(str(self.path))

    def log(self, name: str, step: int, figures: Mapping[str, float]) -> None:
        """Append a line to NAME.csv, and send the same to TensorBoard."""
        path = self.path / f"{name}.csv"
        try:
            fresh = not path.exists()
            with path.open("a", newline="") as file:
                writer = csv.writer(file)
                if fresh:
                    writer.writerow(["step", *figures])
                writer.writerow([step, *(f"{value:.6g}" for value in figures.values())])
        except OSError as error:
            raise SinkError(f"the log {path} cannot be written: {error.strerror}") from error
        if self.board is not None:
            for key, value in figures.items():
                self.board.add_scalar(f"{name}/{key}", value, step)

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint; a crash leaves the previous one intact."""
        part = self.checkpoint.with_suffix(".part")
        try:
            torch.save({**state, "config": json.dumps(self.config)}, part)
            part.replace(self.checkpoint)
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            raise SinkError(f"the checkpoint {self.checkpoint} cannot be written: {error}") from error

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
