"""The server's log: one line per event as text or JSON, on standard error. Floods are summarised, so it stays small.

It holds no images, no tokens and no query strings.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

LEVELS = ("debug", "info", "warning", "error")
BURST, WINDOW_S = 5, 10.0  # warnings of one kind: so many are written in a window, the others are counted


class FloodFilter(logging.Filter):
    """Lets `BURST` warnings of one kind through every `WINDOW_S` seconds, then one line that counts the others.

    A kind is a message before its arguments are filled in. Access lines (below "warning") always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.counts: dict[tuple[str, str], int] = {}  # of the kinds that are in a window

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or getattr(record, "summary", False):
            return True
        kind = (record.name, str(record.msg))
        with self.lock:
            if kind not in self.counts:
                self.counts[kind] = 0
                timer = threading.Timer(WINDOW_S, self.end_window, (kind, record.levelno, record.getMessage()))
                timer.daemon = True
                timer.start()
            self.counts[kind] += 1
            return self.counts[kind] <= BURST

    def end_window(self, kind: tuple[str, str], level: int, example: str) -> None:
        """Write how many messages of a kind were left out."""
        with self.lock:
            left_out = self.counts.pop(kind) - BURST
        if left_out > 0:
            text = "%d more in %g s like: %s"
            logging.getLogger(kind[0]).log(level, text, left_out, WINDOW_S, example, extra={"summary": True})


class LineFormatter(logging.Formatter):
    """A record as one line of text, or as one JSON object; a traceback is part of it."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        fields: dict[str, Any] = getattr(record, "fields", {})
        row = {"time": moment, "level": record.levelname.lower(), "message": record.getMessage(), **fields}
        if record.exc_info:
            row["traceback"] = self.formatException(record.exc_info)
        if self.as_json:
            return json.dumps(row, default=str)
        traceback = f"\n{row['traceback']}" if record.exc_info else ""
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in row["message"])
        return f"{moment} {row['level']:7} {text}{traceback}"


def start_log(level: str, as_json: bool) -> None:
    """Write the log of this process's servers to standard error.

    Args:
        level: least level that is written, one of `LEVELS`. Requests are at "info"; missing and wrong tokens, and
            refused connections, at "warning"; errors of the server at "error".
        as_json: one JSON object a line.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(as_json))
    handler.addFilter(FloodFilter())
    least = getattr(logging, level.upper())
    # uvicorn's lines below "warning" contain query strings, in which careless clients put tokens.
    others = max(least, logging.WARNING)
    for name, smallest in (
        ("knuckle.serve", least),
        ("uvicorn", others),
        ("asyncio", others),
        ("python_multipart", others),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(smallest)
