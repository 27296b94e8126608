"""The trackers that can be scored: Knuckle with any networks, your own function, the real MediaPipe."""

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
from knuckle.evaluate.external import process, reference, worker
from knuckle.graph import Step
from knuckle.images import Image
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.palm import image_size, suppress
from knuckle.pipeline.tracker import HandTracker, Networks, hand_detection, load

# Palms of photos are kept down to this score, for precision-recall curves. Hands come from higher scores only.
MIN_PALM_SCORE = 0.1
# The modules that predictions depend on.
PIPELINE = ("*.py", "pipeline/*.py", "models/*.py", *(f"media/{name}.py" for name in ("reader", "photos", "clips")))

Answer = Mapping[str, Any]
Ask = Callable[[Image, float | None], Answer | Sequence[Any]]


@dataclass(frozen=True)
class TrackerUnderTest:
    """A tracker that is scored.

    Attributes:
        name: its name in tables.
        identity: everything its answers depend on. If it changes, the predictions are computed again.
        open: opens the tracker, `open(video, max_hands)`: once for all photos and once for each clip. The context
            gives a function (image, time_s) -> answer. An answer is a list of hands, or a mapping with "hands" and
            optionally "palms", "searched" and "ms".
    """

    name: str
    identity: Mapping[str, Any]
    open: Callable[[bool, int], AbstractContextManager[Ask]]


def tracker_from(spec: str, options: TrackerOptions | None = None) -> TrackerUnderTest:
    """The tracker that a user names.

    Args:
        spec: a bundle's name, folder or `.task` file; or `module:function[:argument]`. The function is called as
            `function(video, max_hands[, argument])` and returns `Networks`, or a function (image, time_s) -> list of
            hands. A hand is a `knuckle.Hand` or a mapping with "landmarks" (21 rows of pixels) and any other key of
            `Hand.to_dict`. A checkpoint is given as the argument of the function that loads it.
        options: for Knuckle's own pipeline.

    Raises:
        BundleError: there is no such bundle.
        InputError: there is no such module or function.
    """
    if Path(spec.split(":")[0]).suffix in (".pt", ".pth", ".ckpt"):
        raise InputError(f"{spec} is a checkpoint; name the function that loads it: module:function:{spec}")
    if ":" not in spec or Path(spec).exists():
        return own_tracker(spec if "/" not in spec else Path(spec).name, load(spec), options)
    try:
        target = worker.opener(spec)
    except (ImportError, AttributeError, FileNotFoundError) as error:
        raise InputError(f"{spec} cannot be opened as module:function[:argument]: {error}") from error

    @contextmanager
    def opened(video: bool, max_hands: int) -> Iterator[Ask]:
        made = target(video, max_hands)
        if isinstance(made, Networks):
            with own_tracker(spec, made, options).open(video, max_hands) as ask:
                yield ask
        elif callable(made):
            yield made
        else:
            raise InputError(f"{spec} must give Networks or a function (image, time_s) -> hands, got {made!r}")

    return TrackerUnderTest(spec, {"target": spec, "files": _files_of(spec)}, opened)


def own_tracker(
    name: str,
    networks: Networks,
    options: TrackerOptions | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> TrackerUnderTest:
    """Knuckle itself with these networks: `HandTracker` on clips; `detect`, and all palms, on photos.

    Args:
        name: in the report.
        networks: of a bundle.
        options: of the tracker.
        functions: other functions for nodes of the tracking graph, by the value that they make: see
            `Graph.with_function`. Give each set of functions its own `name`.
    """
    base = options or TrackerOptions()

    @contextmanager
    def opened(video: bool, max_hands: int) -> Iterator[Ask]:
        chosen = TrackerOptions.of(base, {"max_hands": max_hands})
        yield _follow(networks, chosen, functions or {}) if video else _detect(networks, chosen)

    bundle = networks.bundle
    identity = {
        "palm": bundle.palm.sha256,
        "hand": bundle.hand.sha256,
        "options": asdict(networks.completed(base)),
        "code": _code(),
        **({"variant": name} if functions else {}),
    }
    return TrackerUnderTest(name, identity, opened)


def reference_tracker(name: str, python: str | Path | None = None) -> TrackerUnderTest:
    """The real package in its own environment.

    Args:
        name: "mediapipe" or "mediapipe-lite" (model complexity 1 or 0).
        python: a Python that has the package; by default an environment is made in the cache folder.

    Raises:
        InputError: there is no reference of that name.
        EngineError: the package cannot be installed or started.
    """
    if name not in reference.COMPLEXITY:
        raise InputError(f"there is no reference {name!r}; there are {', '.join(reference.COMPLEXITY)}")
    target = reference.reference_target(name, MIN_PALM_SCORE)
    home = python or reference.reference_python()
    code = _sha256(reference.SCRIPT, process.WORKER)
    identity = {"package": reference.PACKAGE, "complexity": reference.COMPLEXITY[name], "code": code}
    shown = f"reference {reference.PACKAGE.partition('==')[2]}{name.removeprefix('mediapipe').replace('-', ' ')}"
    return TrackerUnderTest(shown, identity, functools.partial(process.elsewhere, home, target))


def _detect(networks: Networks, options: TrackerOptions) -> Ask:
    """Hands of photos and all palms down to `MIN_PALM_SCORE`, from one run of the palm network."""
    graph = hand_detection(networks, options)
    usual = networks.palm_detector(options).min_score
    detector = networks.palm_detector(options, min_score=min(MIN_PALM_SCORE, usual))
    recorded: dict[str, Any] = {}

    def record(step: Step) -> None:
        if step.path == ("hand_detection", "palm_detection", "raw"):
            recorded["raw"] = step.value

    def ask(image: Image, time_s: float | None) -> Answer:
        answer = worker.timed(lambda image, _: graph.run([image], record), image, None)
        palms = suppress(detector.decode(recorded.pop("raw"), image_size(image)))
        return {**answer, "palms": palms, "searched": True}

    return ask


def _follow(networks: Networks, options: TrackerOptions, functions: Mapping[str, Callable[..., Any]]) -> Ask:
    """Hands of frames, and the palms of the frames that were searched."""
    tracker = HandTracker(networks, options)
    for output, function in functions.items():
        tracker.graph = tracker.graph.with_function(output, function)
    recorded: dict[str, Any] = {}

    def record(step: Step) -> None:
        if step.path == ("hand_tracking", "palms"):
            recorded.update(searched=not step.skipped, palms=step.value)

    tracker.observe = record

    def ask(image: Image, time_s: float | None) -> Answer:
        return {**worker.timed(tracker, image, time_s), **recorded}

    return ask


@functools.lru_cache
def _code() -> str:
    """Knuckle's version and a hash of the modules that predictions depend on."""
    folder = Path(knuckle.__file__).parent
    modules = [path for pattern in PIPELINE for path in sorted(folder.glob(pattern))]
    return f"{knuckle.__version__} {_sha256(*modules)}"


def _sha256(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _files_of(spec: str) -> dict[str, str]:
    """Hashes of the files that a target names: its code and its argument, if they are files."""
    before_argument, _, argument = spec.rpartition(":")
    module = spec.partition(".py:")[0] if ".py:" in spec else before_argument.rpartition(":")[0]
    return {name: _sha256(Path(name)) for name in (f"{module}.py", argument) if name and Path(name).is_file()}
