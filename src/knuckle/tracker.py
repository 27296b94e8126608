"""The pipeline written out: `HandTracker` follows hands through a video, `detect` looks at one image."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from knuckle import zoo
from knuckle.errors import InputError
from knuckle.graph import Graph, Node, Observer
from knuckle.hand import HandLandmarker, HandModel
from knuckle.images import as_rgb
from knuckle.palm import UPRIGHT_RAD, PalmDetector, PalmModel, roi_from_palm
from knuckle.results import Hand, Palm, Roi
from knuckle.runtime import Outputs, Pictures, Session
from knuckle.tracks import Memory, expected_rois, follow, is_palm_of, visible_hands, without_duplicates

SEARCHES_PER_S = 5
FRAME_S = 1 / 30
EAGER_S = 0.2


@dataclass(frozen=True)
class TrackerOptions:
    """What can be chosen; every field is also a keyword of `HandTracker`, `detect` and `detect_palms`.

    Attributes:
        max_hands: never more hands than this come out.
        min_palm_score: weaker palms are not looked at, 0..1.
        min_presence: crops of which the network is less sure hold no hand, 0..1.
        mirrored: the image is a mirror image, as a selfie camera shows it; left and right follow.
        search_every: while some but not all of `max_hands` are held, look for more every so many frames;
            1 is what MediaPipe does; None is about 5 times a second, and every frame just after a change.
        smooth: One-Euro filter on landmarks and world landmarks in video.
        predict_motion: move each held hand's region on by its last motion.
        vote_handedness: left or right by the whole track and not by the frame alone.
        remove_duplicates: one hand that was found twice comes out once.
        remember_s: a lost hand that is found again within so many seconds keeps its id.
        upright_rad: angle of wrist to middle MCP that counts as upright when a palm is cut out; pi / 2 is
            straight, MediaPipe's Tasks API uses 90 (radians, by an oversight).
        second_look: a hand that was found by its palm is read again in the region of its own landmarks; None is
            what the bundle is made for.
    """

    max_hands: int = 2
    min_palm_score: float = 0.5
    min_presence: float = 0.5
    mirrored: bool = False
    search_every: int | None = None
    smooth: bool = True
    predict_motion: bool = True
    vote_handedness: bool = True
    remove_duplicates: bool = True
    remember_s: float = 1.0
    upright_rad: float = UPRIGHT_RAD
    second_look: bool | None = None

    def __post_init__(self) -> None:
        for name in ("max_hands", "search_every"):
            value = getattr(self, name)
            optional = name == "search_every" and value is None
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number from 1 up, got {value!r}")
        for name in ("min_palm_score", "min_presence"):
            _require_within(name, getattr(self, name), 0, 1)
        for name in ("mirrored", "smooth", "predict_motion", "vote_handedness", "remove_duplicates", "second_look"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "second_look" and value is None):
                raise InputError(f"{name} must be True or False, got {getattr(self, name)!r}")
        _require_within("remember_s", self.remember_s, 0, math.inf)
        _require_within("upright_rad", self.upright_rad, -math.inf, math.inf)

    @classmethod
    def of(cls, options: TrackerOptions | None, changes: dict[str, Any]) -> TrackerOptions:
        """The options with the keyword changes; an unknown keyword is an InputError that lists the known."""
        if unknown := set(changes) - set(cls.__dataclass_fields__):
            known = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"no option called {', '.join(sorted(unknown))}; there are: {known}")
        return replace(options or cls(), **changes)


def _require_within(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(f"{name} must be a number from {low} to {high}, got {value!r}")


@dataclass(frozen=True, eq=False)
class Networks:
    """A bundle's two networks, loaded; shared by all trackers that ask for the same. Pickles as its name."""

    palm: Callable[[Pictures], Outputs]
    hand: Callable[[Pictures], Outputs]
    bundle: zoo.Bundle
    key: tuple[str, int | None, str] = field(default=("", None, "cpu"))

    def __reduce__(self) -> tuple[Any, ...]:
        return load, self.key

    def palm_detector(self, options: TrackerOptions) -> PalmDetector:
        model = PalmModel(self.bundle.palm_strides, **self.bundle.palm_outputs)
        return PalmDetector(self.palm, self.bundle.palm_side, model, options.min_palm_score)

    def hand_landmarker(self, options: TrackerOptions) -> HandLandmarker:
        model = HandModel(**self.bundle.hand_outputs)
        return HandLandmarker(self.hand, self.bundle.hand_side, model, options.min_presence, options.mirrored)


Models = str | os.PathLike[str] | Networks
_load_lock = threading.Lock()


def load(models: Models = zoo.DEFAULT, threads: int | None = None, device: str = "cpu") -> Networks:
    """Load a bundle: its name, its folder or a `.task` file. The same arguments give the same networks.

    Args:
        models: see `knuckle.zoo.find`; loaded networks come back as they are.
        threads: of the inference engine, None for as many as there are cores, at most 4.
        device: "cpu", "gpu", or a device of ONNX Runtime for bundles of ONNX files.

    Raises:
        BundleError, EngineError, InputError.
    """
    if isinstance(models, Networks):
        return models
    if not isinstance(models, (str, os.PathLike)):
        raise InputError(f"models must be a bundle's name, a folder or a .task file, got {models!r}")
    with _load_lock:
        return _load(os.fspath(models), threads, device)


@lru_cache(maxsize=8)
def _load(models: str, threads: int | None, device: str) -> Networks:
    bundle = zoo.find(models)
    palm, hand = (Session(path, threads, device) for path in (bundle.palm_path, bundle.hand_path))
    return Networks(palm, hand, bundle, (models, threads, device))


class HandTracker:
    """Follows hands through one video or camera stream; call it with one frame after the other.

    One tracker per stream: it remembers. Trackers share networks, do not disturb each other, can be pickled
    with their memory, and each may be used by one thread at a time.

    Args:
        models: a bundle's name, folder or `.task` file, or loaded `Networks`.
        options: a TrackerOptions; its fields can also be given as keywords.
        threads, device: see `load`.

    Raises:
        InputError: an option that does not exist or is out of range.
        BundleError: the models cannot be had.
    """

    def __init__(
        self,
        models: Models = zoo.DEFAULT,
        options: TrackerOptions | None = None,
        *,
        threads: int | None = None,
        device: str = "cpu",
        **changes: Any,
    ) -> None:
        self.options = TrackerOptions.of(options, changes)
        self.networks = load(models, threads, device)
        self.graph = hand_tracking(self.networks, self.options)
        self.observe: Observer | None = None
        self._time_s = -math.inf

    def __call__(self, image: Any, time_s: float | None = None) -> list[Hand]:
        """Hands of this frame, by track id, each with landmarks in pixels of this image.

        Args:
            image: RGB uint8 (height, width, 3); gray, RGBA, 16 bits and PIL images are converted.
            time_s: when it was taken; must rise from call to call. Without it 30 frames a second are taken.

        Raises:
            InputError: the image is none, or time did not move on; the tracker stays usable.
        """
        now = self._next_time(time_s)
        hands: list[Hand] = self.graph.run([as_rgb(image), now], self.observe)
        self._time_s = now
        return hands

    def reset(self) -> None:
        """Forget all hands and the time; ids begin at 1 again."""
        self.graph.reset()
        self._time_s = -math.inf

    def _next_time(self, time_s: float | None) -> float:
        if time_s is None:
            return 0.0 if math.isinf(self._time_s) else self._time_s + FRAME_S
        if isinstance(time_s, str) or not (math.isfinite(time_s) and time_s > self._time_s):
            raise InputError(
                f"time_s must be finite and later than the previous frame's {self._time_s:g}, got {time_s!r}; "
                "call reset() before another video"
            )
        return float(time_s)

    def __getstate__(self) -> dict[str, Any]:
        """Options and memory; the networks go as their name, and the observer stays here."""
        return {"options": self.options, "networks": self.networks, "memory": self.graph.state, "time_s": self._time_s}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.options, self.networks, self._time_s = state["options"], state["networks"], state["time_s"]
        self.graph, self.observe = hand_tracking(self.networks, self.options), None
        self.graph.state = state["memory"]


def hand_tracking(networks: Networks, options: TrackerOptions) -> Graph:
    """The tracking graph: image, time_s -> hands.

    Held hands are read first, in the regions that the previous frame foretells; the palm detector runs only
    where too few are left, and finds a hand that was lost in the very frame that lost it.
    """
    hand_landmarks = networks.hand_landmarker(options).graph()
    return Graph(
        "hand_tracking",
        inputs=["image", "time_s"],
        nodes=[
            Node(partial(expected_rois, predict_motion=options.predict_motion), ("memory", "time_s"), "held_rois"),
            Node(hand_landmarks, ("image", "held_rois"), "held_hands", when="held_rois"),
            Node(partial(unique, options=options), ("held_hands",), "kept_hands", when="held_hands"),
            Node(partial(too_few, options=options), ("memory", "kept_hands", "time_s"), "search"),
            Node(networks.palm_detector(options).graph(), ("image",), "palms", when="search"),
            Node(partial(rois_from_palms, options=options), ("palms", "kept_hands"), "found_rois", when="palms"),
            Node(hand_landmarks, ("image", "found_rois"), "found_hands", when="found_rois"),
            *confirmed_hands(networks, options),
            Node(partial(unique, options=options), ("kept_hands", "confirmed_hands"), "unique_hands"),
            Node(
                partial(follow, remember_s=options.remember_s),
                ("memory", "unique_hands", "search", "time_s"),
                "next_memory",
            ),
            Node(
                partial(visible_hands, smooth=options.smooth, vote=options.vote_handedness), ("next_memory",), "hands"
            ),
        ],
        output="hands",
        feedback={"memory": ("next_memory", Memory())},
    )


def hand_detection(networks: Networks, options: TrackerOptions) -> Graph:
    """The graph for single images: image -> hands, the best palm's first. It remembers nothing."""
    return Graph(
        "hand_detection",
        inputs=["image"],
        nodes=[
            Node(networks.palm_detector(options).graph(), ("image",), "palms"),
            Node(partial(rois_from_palms, kept_hands=(), options=options), ("palms",), "rois", when="palms"),
            Node(networks.hand_landmarker(options).graph(), ("image", "rois"), "found_hands", when="rois"),
            *confirmed_hands(networks, options),
            Node(partial(unique, options=options), ("confirmed_hands",), "hands"),
        ],
        output="hands",
    )


def confirmed_hands(networks: Networks, options: TrackerOptions) -> list[Node]:
    """What both graphs do with hands that palms led to: image, found_hands, palms -> confirmed_hands.

    With bundle `knuckle` the second look took fingertips on photos from 3.9 to 3.1 % of the hand's box; with
    `mediapipe`, whose network is larger, it does nothing (`python benchmarks/variants.py looks --models …`).
    """
    scored = partial(with_palm_scores, options=options)
    looks_again = networks.bundle.second_look if options.second_look is None else options.second_look
    if not looks_again:
        return [Node(scored, ("found_hands", "palms"), "confirmed_hands", when="found_hands")]
    again = networks.hand_landmarker(options).second_look()
    return [
        Node(scored, ("found_hands", "palms"), "scored_hands", when="found_hands"),
        Node(again, ("image", "scored_hands"), "confirmed_hands", when="scored_hands"),
    ]


def too_few(memory: Memory, kept_hands: Sequence[Hand], time_s: float, options: TrackerOptions) -> bool:
    """Whether to look for palms: no hand is left, one was just lost, or it is time to look for more.

    Hands come and go together, and one that was lost is mostly still there: so by default every frame is searched
    for `EAGER_S` after a hand was found or lost. On ten clips of signing people (681 frames, 5 searches a second
    else) that found 1009 hands with 287 searches; strictly every 6 frames 916 with 193; always, 1027
    with 307 (`python benchmarks/tracking.py`).
    """
    if len(kept_hands) >= options.max_hands:
        return False
    if len(kept_hands) < max(1, len(memory.held)):
        return True
    if options.search_every is not None:
        return memory.since_search >= options.search_every
    eager = time_s - memory.changed_s < EAGER_S
    return eager or time_s - memory.searched_s > 1 / SEARCHES_PER_S - FRAME_S / 4


def rois_from_palms(palms: Sequence[Palm], kept_hands: Sequence[Hand], options: TrackerOptions) -> list[Roi]:
    """Regions of the best palms that are no palm of a hand already held, as many as there is room for."""
    new = [palm for palm in palms if not any(is_palm_of(palm, hand) for hand in kept_hands)]
    return [roi_from_palm(palm, options.upright_rad) for palm in new[: options.max_hands - len(kept_hands)]]


def with_palm_scores(found_hands: Sequence[Hand], palms: Sequence[Palm], options: TrackerOptions) -> list[Hand]:
    """The hands with the score of the palm that their region came from."""
    scores = {roi_from_palm(palm, options.upright_rad): palm.score for palm in palms}
    return [replace(hand, palm_score=scores[hand.roi]) for hand in found_hands]


def unique(*hands: Sequence[Hand], options: TrackerOptions) -> list[Hand]:
    """All the hands, without duplicates where that is wanted; of two that are the same the first stays."""
    together = [hand for some in hands for hand in some]
    return without_duplicates(together) if options.remove_duplicates else together


def detect(
    image: Any,
    models: Models = zoo.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    **changes: Any,
) -> list[Hand]:
    """Hands of one image, the best palm's first; nothing is remembered, nothing smoothed.

    Args, Raises: as for `HandTracker`; options about video have no effect.
    """
    options = TrackerOptions.of(options, changes)
    hands: list[Hand] = hand_detection(load(models, threads, device), options)(as_rgb(image))
    return hands


def detect_palms(
    image: Any,
    models: Models = zoo.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    **changes: Any,
) -> list[Palm]:
    """All palms of one image, best first, without landmarks; `max_hands` does not limit them."""
    options = TrackerOptions.of(options, changes)
    palms: list[Palm] = load(models, threads, device).palm_detector(options).graph()(as_rgb(image))
    return palms


def landmarks_in(
    image: Any,
    rois: Sequence[Roi],
    models: Models = zoo.DEFAULT,
    options: TrackerOptions | None = None,
    *,
    threads: int | None = None,
    device: str = "cpu",
    **changes: Any,
) -> list[Hand | None]:
    """Landmarks in the caller's own regions: for each its hand, or None where the network sees none.

    A region should be about twice as large as the palm and knuckles and turned so that the fingers point up in
    it; `Roi.around(box)` makes one from an upright hand's box.
    """
    options = TrackerOptions.of(options, changes)
    picture = as_rgb(image)
    if isinstance(rois, Roi) or not all(isinstance(roi, Roi) for roi in rois):
        raise InputError(f"rois must be a list of Roi; Roi.around(box) makes one of a box; got {rois!r}")
    if not rois:
        return []
    landmarker = load(models, threads, device).hand_landmarker(options)
    hands = landmarker.decode(landmarker.session(landmarker.prepare(picture, rois)), rois)
    return [hand if landmarker.gate([hand]) else None for hand in hands]
