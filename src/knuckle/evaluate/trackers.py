"""Whatever can be scored: Knuckle with any networks, anybody's function, the reference in its own environment."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import knuckle
from knuckle.errors import InputError
from knuckle.evaluate import external, worker
from knuckle.graph import Step
from knuckle.images import Image
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import HandTracker, Networks, hand_detection, load

# Palms of stills are kept down to this score, for precision-recall curves; hands come from those above 0.5.
MIN_PALM_SCORE = 0.1
PIPELINE = ("*.py", "pipeline/*.py", "models/*.py", "media/sources.py")  # the modules that find hands

Answer = Mapping[str, Any]
Ask = Callable[[Image, float | None], Answer | Sequence[Any]]


@dataclass(frozen=True)
class Candidate:
    """A tracker that is scored.

    Attributes:
        name: how tables call it.
        identity: whatever its answers depend on; predictions of another identity are made anew.
        open: (video, max_hands) -> a context with a function (image, time_s) -> its answer: hands, or a mapping
            with "hands" and perhaps "palms", "searched", "ms". Opened once for all stills and once per clip.
    """

    name: str
    identity: Mapping[str, Any]
    open: Callable[[bool, int], AbstractContextManager[Ask]]


def candidate(spec: str, options: TrackerOptions | None = None) -> Candidate:
    """A candidate by what a user types: a bundle's name, folder or `.task` file, or `module:function[:argument]`.

    The function is called as `function(video, max_hands[, argument])` and gives `Networks`, or a
    function (image, time_s) -> list of hands; hands are `knuckle.Hand` or mappings with "landmarks" (21 rows of
    pixels) and any other key of `Hand.to_dict`. A checkpoint is the argument of the function that loads it.

    Raises:
        BundleError, InputError: there is no such bundle, module or function.
    """
    if Path(spec.split(":")[0]).suffix in (".pt", ".pth", ".ckpt"):
        raise InputError(f"{spec} is a checkpoint; name the function that loads it: module:function:{spec}")
    if ":" not in spec or Path(spec).exists():
        return of_networks(spec if "/" not in spec else Path(spec).name, load(spec), options)
    try:
        target = worker.opener(spec)
    except (ImportError, AttributeError, FileNotFoundError) as error:
        raise InputError(f"{spec} cannot be opened as module:function[:argument]: {error}") from error

    @contextmanager
    def opened(video: bool, max_hands: int) -> Iterator[Ask]:
        made = target(video, max_hands)
        if isinstance(made, Networks):
            with of_networks(spec, made, options).open(video, max_hands) as ask:
                yield ask
        elif callable(made):
            yield made
        else:
            raise InputError(f"{spec} must give Networks or a function (image, time_s) -> hands, got {made!r}")

    return Candidate(spec, {"target": spec, "files": _files_of(spec)}, opened)


def of_networks(name: str, networks: Networks, options: TrackerOptions | None = None) -> Candidate:
    """Knuckle itself with these networks: `HandTracker` on clips, `detect` and all palms on stills."""
    base = options or TrackerOptions()

    @contextmanager
    def opened(video: bool, max_hands: int) -> Iterator[Ask]:
        chosen = TrackerOptions.of(base, {"max_hands": max_hands})
        yield _follow(networks, chosen) if video else _detect(networks, chosen)

    bundle = networks.bundle
    asked = asdict(networks.completed(base))
    shown: dict[str, Any] = {"palm": bundle.palm.sha256, "hand": bundle.hand.sha256, "options": asked}
    shown["code"] = _code()
    return Candidate(name, shown, opened)


def reference(name: str, python: str | Path | None = None) -> Candidate:
    """The real package in an environment of its own: "mediapipe" or "mediapipe-lite" (model complexity 1 or 0).

    Raises:
        InputError: no reference has that name. EngineError: it cannot be installed or started.
    """
    if name not in external.COMPLEXITY:
        raise InputError(f"no reference is called {name}; there are {', '.join(external.COMPLEXITY)}")
    target = external.reference_target(name, MIN_PALM_SCORE)
    home = python or external.reference_python()
    code = _sha256(external.HERE / "mediapipe_hands.py", external.HERE / "worker.py")
    identity = {"package": external.PACKAGE, "complexity": external.COMPLEXITY[name], "code": code}
    shown = f"reference {external.PACKAGE.partition('==')[2]}{name.removeprefix('mediapipe').replace('-', ' ')}"
    return Candidate(shown, identity, functools.partial(external.elsewhere, home, target))


def _detect(networks: Networks, options: TrackerOptions) -> Ask:
    graph = hand_detection(networks, options)
    palms = networks.palm_detector(options, min(MIN_PALM_SCORE, networks.completed(options).min_palm_score)).graph()

    def ask(image: Image, time_s: float | None) -> Answer:
        answer = worker.timed(lambda image, _: graph(image), image, None)
        return {**answer, "palms": palms(image), "searched": True}

    return ask


def _follow(networks: Networks, options: TrackerOptions) -> Ask:
    tracker = HandTracker(networks, options)
    seen: dict[str, Any] = {}

    def note(step: Step) -> None:
        if step.path == ("hand_tracking", "palms"):
            seen.update(searched=not step.skipped, palms=step.value)

    tracker.observe = note

    def ask(image: Image, time_s: float | None) -> Answer:
        return {**worker.timed(tracker, image, time_s), **seen}

    return ask


@functools.lru_cache
def _code() -> str:
    """Knuckle's version and a hash of the modules that find hands, so that a change of them shows."""
    folder = Path(knuckle.__file__).parent
    modules = [path for pattern in PIPELINE for path in sorted(folder.glob(pattern))]
    return f"{knuckle.__version__} {_sha256(*modules)}"


def _sha256(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _files_of(spec: str) -> dict[str, str]:
    """Hashes of the files that a target names: its code and its argument, where they are files."""
    place, _, argument = spec.rpartition(":")
    named = [place.rpartition(":")[0] + ".py" if ".py:" not in spec else spec.partition(".py:")[0] + ".py", argument]
    return {name: _sha256(Path(name)) for name in named if name and Path(name).is_file()}
