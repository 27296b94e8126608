"""Runs a hand tracker in its own Python, which does not need Knuckle: images come in, answers go out.

    PYTHON worker.py TARGET video|stills MAX_HANDS

TARGET is `module:function` or `file.py:function`, with `:argument` if the function takes one. It is called as
`function(video, max_hands[, argument])` and returns `ask(image, time_s)`, whose answer docs/evaluate.md describes.
Each image arrives on standard input as one JSON line (height, width, time_s) and its RGB bytes. Each answer leaves on
standard output as one JSON line.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def opener(target: str) -> Callable[[bool, int], Any]:
    """The function that a target names, with its argument bound: `open(video, max_hands)`.

    Raises:
        ImportError, AttributeError, FileNotFoundError: there is no such module, function or file.
    """
    place, _, rest = target.partition(".py:") if ".py:" in target else target.partition(":")
    name, _, argument = rest.partition(":")
    if ".py:" in target:
        spec = importlib.util.spec_from_file_location(Path(place).name, place + ".py")
        assert spec and spec.loader  # a name that ends with .py has them
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(place)
    function = getattr(module, name)
    return lambda video, max_hands: function(video, max_hands, *([argument] if argument else []))


def timed(ask: Callable[..., Any], image: Any, time_s: float | None) -> dict[str, Any]:
    """One answer as a dict with its time in "ms", which a tracker may also measure itself."""
    start = time.perf_counter()
    answer = ask(image, time_s)
    elapsed = 1000 * (time.perf_counter() - start)
    return {"ms": elapsed, **(answer if isinstance(answer, dict) else {"hands": answer})}


def main() -> None:
    """Answer images until standard input ends."""
    import numpy as np

    answers, images = os.fdopen(os.dup(1), "w"), sys.stdin.buffer
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    ask = opener(sys.argv[1])(sys.argv[2] == "video", int(sys.argv[3]))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in images:
        head = json.loads(line)
        shape = head["height"], head["width"], 3
        image = np.frombuffer(images.read(shape[0] * shape[1] * 3), np.uint8).reshape(shape)
        print(json.dumps(timed(ask, image, head["time_s"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
