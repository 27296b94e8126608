"""The pipeline written out: `HandTracker` follows hands through a video; the graphs of videos and of single images."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any

from knuckle.errors import InputError
from knuckle.geometry import is_usable
from knuckle.gestures.recogniser import load_gestures
from knuckle.gestures.steady import steadied, with_steady_gestures
from knuckle.graph import Graph, Node, Observer, Steps, finish
from knuckle.images import Image, Order, as_rgb
from knuckle.media.inputs import shown_in
from knuckle.media.reader import Still
from knuckle.models import catalogue
from knuckle.pipeline.clock import FRAME_S, Clock, tick, tracker_time
from knuckle.pipeline.hand import Candidate, blanking, roi_from_landmarks
from knuckle.pipeline.networks import Models, Networks, load
from knuckle.pipeline.options import CompleteOptions, TrackerOptions
from knuckle.pipeline.palm import roi_from_palm
from knuckle.pipeline.tracked import Tracked
from knuckle.pipeline.tracks import (
    Memory,
    at_size,
    current_hands,
    is_palm_of,
    tracked_candidates,
    update_tracks,
    without_duplicates,
)
from knuckle.results import Frame, Hand, Palm

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from knuckle.pipeline.options import OptionKeywords

__all__ = [
    "HandTracker",
    "Models",
    "Networks",
    "hand_detection",
    "hand_tracking",
    "load",
]

SEARCHES_PER_S = 5  # while fewer than `max_hands` hands are tracked
CLOCK_ADVICE = "For photos use knuckle.detect(image), for another video call reset() first"
EAGER_S = 0.2  # every frame is searched for this long after a hand came or went
TRIED_PALMS_PER_SLOT = 2  # with faint palms: palms tried per free slot, that is per hand below `max_hands`


class HandTracker:
    """Tracks hands through one video or camera stream; call it with one frame after the other.

    Use one tracker per stream, because it remembers hands, and use it from one thread at a time. Trackers share their
    networks and do not affect each other. A tracker can be pickled with its memory. `close`, or leaving a `with` block,
    ends its work; the networks stay loaded for other trackers.

    Args:
        models: a bundle's name, folder or `.task` file, or loaded `Networks`.
        options: a TrackerOptions; its fields can also be given as keywords.
        threads: see `load`.
        device: see `load`.
        order: order of the channels of arrays: "rgb", or "bgr" as OpenCV delivers them.

    Raises:
        InputError: an option does not exist or is out of range.
        BundleError: the models are unknown or damaged, or cannot be fetched.
    """

    def __init__(
        self,
        models: Models = catalogue.DEFAULT,
        options: TrackerOptions | None = None,
        *,
        threads: int | None = None,
        device: str = "cpu",
        order: Order = "rgb",
        **changes: Unpack[OptionKeywords],
    ) -> None:
        if order not in ("rgb", "bgr"):
            raise InputError(f"order must be 'rgb' or 'bgr', got {order!r}")
        self.options, self.order = TrackerOptions.of(options, changes), order
        self.networks = load(models, threads, device)
        self.graph = hand_tracking(self.networks, self.options)
        self.observe: Observer | None = None
        self._closed = False
        self._running: Callable[[], Tracked | None] = lambda: None

    def __call__(self, image: Any, time_s: float | None = None) -> list[Hand]:
        """The hands of this frame, by track id, with landmarks in pixels of this image.

        Args:
            image: RGB uint8 (height, width, 3), or BGR if the tracker was made with `order="bgr"`; gray, RGBA, 16-bit
                and PIL images are converted.
            time_s: time of the frame in seconds, by a clock that runs forwards. Equal times, bursts and single steps
                back are put right (`knuckle.pipeline.clock`). None: one usual step after the previous frame; the usual
                step is 1/30 s until the times show another. `STILL`, the time of photos from `knuckle.read`: this image
                alone, like `detect`.

        Raises:
            InputError: the image cannot be used, or the time is not a finite number. The tracker stays usable.

        Warns:
            UserWarning: once, when the times go back for good or stand still.
        """
        return shown_in(self._next_hands(as_rgb(image, self.order), time_s), image, self.order)

    def track(self, source: Any, *, live: bool | None = None) -> Tracked:
        """Go through a video or camera from its start: `for frame, hands in tracker.track("clip.mp4")`.

        The tracker forgets earlier hands, and an earlier `track` that is not finished ends.

        Args:
            source: anything that `knuckle.read` opens, or a `Reader`. Photos are looked at one by one, without ids.
            live: see `knuckle.read`.

        Returns:
            An iterator of (Frame, list of Hand) that also works in `async for`. The source is opened at its first step.

        Raises:
            SourceError: from the first step, if the source cannot be opened; later, if it breaks off.
        """
        self._end_running()
        self.reset()
        tracked = Tracked(source, live, self._hands_of)
        self._running = weakref.ref(tracked)
        return tracked

    def _hands_of(self, frame: Frame) -> list[Hand]:
        """The hands of a frame that `track` read, which is RGB whatever `order` says."""
        return shown_in(self._next_hands(frame.image, frame.time_s), frame.image)

    def _next_hands(self, image: Image, time_s: float | None) -> list[Hand]:
        return finish(self.steps(image, time_s))

    def steps(self, image: Image, time_s: float | None) -> Steps[list[Hand]]:
        """What a call does, as steps that trackers can do side by side (`knuckle.pipeline.together`).

        Arguments and errors are those of a call; the image must be RGB uint8 (height, width, 3).
        """
        if self._closed:
            raise InputError("this tracker is closed; make a new HandTracker, which shares the loaded networks")
        if isinstance(time_s, Still):
            photo_hands: list[Hand] = yield from self._detection.steps([image], self.observe)
            return photo_hands
        clock: Clock = self.graph.state["clock"]
        if time_s is None:
            time_s = 0.0 if math.isinf(clock.stamp_s) else clock.stamp_s + clock.usual_s
        if isinstance(time_s, str) or not math.isfinite(time_s):
            raise InputError(f"time_s must be a finite number of seconds or None, got {time_s!r}")
        hands: list[Hand] = yield from self.graph.steps([image, float(time_s)], self.observe)
        trouble = self.graph.state["clock"].trouble
        if trouble and not clock.trouble:
            warnings.warn(f"{trouble}; tracking goes on as if its steps were even. {CLOCK_ADVICE}", stacklevel=5)
        return hands

    @cached_property
    def _detection(self) -> Graph:
        return hand_detection(self.networks, self.options)

    def skip(self, time_s: float) -> None:
        """Let a frame pass without looking at it: only the tracker's clock moves on."""
        state = self.graph.state
        self.graph.state = {**state, "clock": tick(state["clock"], time_s)}

    def close(self) -> None:
        """Forget all hands and end a `track` that is not finished. The tracker cannot be used afterwards."""
        self._end_running()
        self.reset()
        self._closed = True

    def _end_running(self) -> None:
        if running := self._running():
            running.close()

    def __enter__(self) -> HandTracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> None:
        """Forget all hands and the time; ids start at 1 again."""
        self.graph.reset()

    def __getstate__(self) -> dict[str, Any]:
        """Options, networks and memory; the observer and a `track` under way are not pickled."""
        return {
            "options": self.options,
            "networks": self.networks,
            "order": self.order,
            "memory": self.graph.state,
            "closed": self._closed,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.options, self.networks, self.order = state["options"], state["networks"], state["order"]
        self._closed, self._running = state["closed"], lambda: None
        self.graph, self.observe = hand_tracking(self.networks, self.options), None
        self.graph.state = state["memory"]


def hand_tracking(networks: Networks, options: TrackerOptions) -> Graph:
    """The tracking graph: image, time_s -> hands.

    The landmark network first reads the tracked hands, in the regions that the previous frame predicts. The palm
    detector runs when hands are missing (`should_search`), so a lost hand is searched for in the same frame.
    """
    options = networks.completed(options)
    steady = bool(options.gestures) and options.smooth
    last = steady_naming(options) if steady else naming(networks, options)
    found = "unnamed_hands" if last else "hands"
    hand_landmarks = networks.hand_landmarker(options).graph()
    new_landmarks = networks.hand_landmarker(options).graph()
    return Graph(
        "hand_tracking",
        inputs=["image", "time_s"],
        nodes=[
            Node(tick, ("clock", "time_s"), "next_clock"),
            Node(tracker_time, ("next_clock",), "now_s"),
            Node(at_size, ("previous", "image"), "memory"),
            Node(
                partial(tracked_candidates, predict_motion=options.predict_motion),
                ("memory", "now_s"),
                "tracked_candidates",
            ),
            Node(hand_landmarks, ("image", "tracked_candidates"), "tracked_hands", when="tracked_candidates"),
            Node(partial(unique, options=options), ("tracked_hands",), "kept_hands", when="tracked_hands"),
            Node(partial(should_search, options=options), ("memory", "kept_hands", "now_s"), "search"),
            Node(palms_to_try(networks, options), ("image",), "palms", when="search"),
            Node(partial(new_candidates, options=options), ("palms", "kept_hands"), "candidates", when="palms"),
            Node(new_landmarks, ("image", "candidates"), "found_hands", when="candidates"),
            Node(verify(networks, options), ("image", "found_hands"), "verified_hands", when="found_hands"),
            Node(partial(unique, options=options), ("kept_hands", "verified_hands"), "unique_hands"),
            Node(
                partial(update_tracks, remember_s=options.remember_s),
                ("memory", "unique_hands", "search", "now_s"),
                "next_memory",
            ),
            Node(partial(current_hands, smooth=options.smooth, vote=options.vote_handedness), ("next_memory",), found),
            *last,
        ],
        output="hands",
        feedback={
            "previous": ("next_memory", Memory()),
            "clock": ("next_clock", Clock()),
            **({"gestures_before": ("next_gestures", {})} if steady else {}),
        },
    )


def hand_detection(networks: Networks, options: TrackerOptions) -> Graph:
    """The graph for single images: image -> hands, the best palm's first. It remembers nothing."""
    options = networks.completed(options)
    last = naming(networks, options)
    found = "unnamed_hands" if last else "hands"
    new_landmarks = networks.hand_landmarker(options).graph()
    return Graph(
        "hand_detection",
        inputs=["image"],
        nodes=[
            Node(palms_to_try(networks, options), ("image",), "palms"),
            Node(partial(new_candidates, kept_hands=(), options=options), ("palms",), "candidates", when="palms"),
            Node(new_landmarks, ("image", "candidates"), "found_hands", when="candidates"),
            Node(verify(networks, options), ("image", "found_hands"), "verified_hands", when="found_hands"),
            Node(partial(unique, options=options), ("verified_hands",), found),
            *last,
        ],
        output="hands",
    )


def naming(networks: Networks, options: TrackerOptions) -> list[Node]:
    """The last step, if there is one: unnamed_hands -> hands. It recognises gestures, or blanks unknown points."""
    if not options.gestures:
        return blanking(networks.bundle.points)
    return [Node(load_gestures(options.gestures), ("unnamed_hands",), "hands", when="unnamed_hands")]


def steady_naming(options: TrackerOptions) -> list[Node]:
    """The last steps of videos, where a hand keeps its gesture until another is clearly more probable."""
    recogniser = load_gestures(options.gestures or "")
    return [
        Node(recogniser.probabilities, ("unnamed_hands",), "probabilities", when="unnamed_hands"),
        Node(steadied, ("gestures_before", "unnamed_hands", "probabilities", "now_s"), "next_gestures"),
        Node(partial(with_steady_gestures, names=recogniser.names), ("unnamed_hands", "next_gestures"), "hands"),
    ]


def palms_to_try(networks: Networks, options: CompleteOptions) -> Graph:
    """The subgraph: image -> palms that may lead to hands, down to `faint_palms * min_palm_score`.

    The landmark network has fewer false positives than the palm network, so faint palms are worth a try: see
    "Faint palms" in docs/pipeline.md for what that gains and costs.
    """
    return networks.palm_detector(options, options.min_tried_score).graph()


def verify(networks: Networks, options: CompleteOptions) -> Graph:
    """The subgraph that decides which newly found hands to keep: image, found_hands -> hands.

    With `second_look` the landmark network runs again on each hand, in the region of the hand's own landmarks, which
    fits better than the region of its palm. A hand needs a presence above `min_presence` each time, and the score of
    its palm and both presences must add up: to `min_new_confidence`, or `min_faint_confidence` if the palm is faint.
    """
    every_hand = networks.hand_landmarker(options, min_presence=-1.0).graph()
    return Graph(
        "verify",
        inputs=["image", "found_hands"],
        nodes=[
            Node(partial(second_look, enabled=options.second_look), ("found_hands",), "candidates"),
            Node(every_hand, ("image", "candidates"), "read_again", when="candidates"),
            Node(partial(accept, options=options), ("found_hands", "read_again"), "hands"),
        ],
        output="hands",
    )


def second_look(found_hands: Sequence[Hand], enabled: bool) -> list[Candidate]:
    """Each hand as a candidate in the region of its own landmarks; none if the second look is not `enabled`."""
    if not enabled:
        return []
    again = [Candidate(roi_from_landmarks(hand.landmarks_raw), hand.palm_score) for hand in found_hands]
    return [candidate for candidate in again if is_usable(candidate.roi)]


def accept(found_hands: Sequence[Hand], read_again: Sequence[Hand], options: CompleteOptions) -> list[Hand]:
    """The hands as they were read last, without those that are not certain enough.

    Args:
        read_again: the same hands in the second look, less those with unusable numbers; () without `second_look`.
    """
    if not options.second_look:
        return [hand for hand in found_hands if is_certain(hand, hand, options)]
    first_looks = {roi_from_landmarks(hand.landmarks_raw): hand for hand in found_hands}
    return [hand for hand in read_again if is_certain(first_looks[hand.roi], hand, options)]


def is_certain(first: Hand, last: Hand, options: CompleteOptions) -> bool:
    """Whether what is known of a new hand adds up, given what both looks saw. A faint palm asks for more."""
    score = 1.0 if last.palm_score is None else last.palm_score
    least = options.min_new_confidence if score >= options.min_palm_score else options.min_faint_confidence
    return last.presence > options.min_presence and confidence(score, first.presence, last.presence) > least


def confidence(*probabilities: float) -> float:
    """The probability that all of these stand for together, as if they were independent (naive Bayes, prior 1/2).

    Their odds p / (1 - p) are multiplied: 0.3, 0.9 and 0.98 give 0.995. One number alone stays as it is.
    """
    odds = math.prod(p / max(1 - p, 1e-6) for p in probabilities)
    return odds / (1 + odds)


def should_search(memory: Memory, kept_hands: Sequence[Hand], time_s: float, options: TrackerOptions) -> bool:
    """Whether to run the palm detector: no hand is left, one was just lost, or it is time to look for more.

    Hands come and go together, and a hand that was just lost is usually still there. So by default every frame is
    searched for `EAGER_S` after a hand came or went (`python benchmarks/tracking.py` compares the choices).
    """
    if len(kept_hands) >= options.max_hands:
        return False
    if len(kept_hands) < max(1, len(memory.held)):
        return True
    if options.search_every is not None:
        return memory.since_search >= options.search_every
    eager = time_s - memory.changed_s < EAGER_S
    # A quarter of a frame earlier, so that rounded time stamps do not put the search off by a whole frame.
    return eager or time_s - memory.searched_s > 1 / SEARCHES_PER_S - FRAME_S / 4


def new_candidates(palms: Sequence[Palm], kept_hands: Sequence[Hand], options: CompleteOptions) -> list[Candidate]:
    """Regions of the best palms that do not belong to a tracked hand.

    One palm per free slot. With faint palms, most of which are false positives, `TRIED_PALMS_PER_SLOT`.
    """
    new = [palm for palm in palms if not any(is_palm_of(palm, hand) for hand in kept_hands)]
    room = options.max_hands - len(kept_hands)
    tried = room if options.faint_palms == 1 else TRIED_PALMS_PER_SLOT * room
    regions = [Candidate(roi_from_palm(palm, options.upright_rad), palm.score) for palm in new[:tried]]
    return [candidate for candidate in regions if is_usable(candidate.roi)]


def unique(*hands: Sequence[Hand], options: CompleteOptions) -> list[Hand]:
    """The first `max_hands` hands; with `remove_duplicates`, only the first of each set of duplicates."""
    together = list(chain.from_iterable(hands))
    if options.remove_duplicates:
        together = without_duplicates(together, options.min_palm_score)
    return together[: options.max_hands]
