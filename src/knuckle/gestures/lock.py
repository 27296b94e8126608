"""`GestureLock`: lets a gesture trigger once, and only when it is meant: held, with a raised hand, after a pause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.gestures.calm import CALM_S, Lately, middle_of_palm
from knuckle.gestures.events import GestureEvent
from knuckle.results import Hand


@dataclass
class _Held:
    """A gesture that a hand holds.

    Attributes:
        name: the gesture.
        since_s: when it began.
        place: (2,) middle of the palm then, image pixels.
        fired: whether it has triggered.
    """

    name: str
    since_s: float
    place: npt.NDArray[np.float64]
    fired: bool = False


class GestureLock:
    """Turns the gestures of each frame into triggers that people mean.

    A gesture triggers once when a hand holds it for `hold_s`, with a score of at least `min_score` in every frame,
    while the hand stays within `still` palm lengths of where it was and is raised: the wrist is not above the knuckles,
    and the hand was not lowered a few seconds ago. It must be let go before it triggers again, and no hand triggers
    anything for `refractory_s` after one.

    People who talk or sign make one gesture after the other, often while one of their hands keeps still. So nothing
    triggers while the hands of the picture have begun more than two other gestures in the last `calm_s`, or while
    another hand has moved by more than 1.5 palm lengths in that time (`knuckle.gestures.calm`). `python
    benchmarks/signing.py signing` measures what these rules prevent.

    Args:
        hold_s: how long a gesture must be held.
        refractory_s: pause after a trigger.
        min_score: least score.
        still: how far the palm may move while the gesture is held, palm lengths.
        raised: whether hands must be raised.
        calm_s: how long the hands must have been calm, up to the trigger; 0: they need not.

    Raises:
        InputError: a value is out of range.
    """

    def __init__(
        self,
        hold_s: float = 1.0,
        refractory_s: float = 1.0,
        min_score: float = 0.8,
        still: float = 0.5,
        raised: bool = True,
        calm_s: float = CALM_S,
    ) -> None:
        for name, value, high in (
            ("hold_s", hold_s, 60),
            ("refractory_s", refractory_s, 60),
            ("min_score", min_score, 1),
            ("still", still, math.inf),
            ("calm_s", calm_s, 60),
        ):
            if not (isinstance(value, int | float) and 0 <= value <= high):
                raise InputError(f"{name} must be a number from 0 to {high}, got {value!r}")
        self.hold_s, self.refractory_s, self.min_score = hold_s, refractory_s, min_score
        self.still, self.raised, self.calm_s = still, raised, calm_s
        self.reset()

    def reset(self) -> None:
        """Forget everything, before another video."""
        self._held: dict[int, _Held] = {}
        self._quiet_until_s = -math.inf
        self._lately = Lately(self.calm_s)

    def __call__(self, hands: Sequence[Hand], time_s: float) -> list[GestureEvent]:
        """The gestures that trigger in this frame.

        Args:
            hands: hands of the frame with track ids and gestures.
            time_s: time of the frame in seconds.
        """
        events = []
        held: dict[int, _Held] = {}
        self._lately.notice(hands, time_s)
        for hand in hands:
            if hand.track_id is None or hand.gesture is None or hand.gesture.score < self.min_score:
                continue
            palm = middle_of_palm(hand)
            before = self._held.get(hand.track_id)
            same = before is not None and before.name == hand.gesture.name
            if before is None or not same or (not before.fired and not self.stays(hand, palm, before)):
                before = _Held(hand.gesture.name, time_s, palm)
            held[hand.track_id] = before
            ready = not before.fired and time_s - before.since_s >= self.hold_s and time_s >= self._quiet_until_s
            raised = not self.raised or (is_raised(hand) and not self._lately.was_lowered(hand.track_id, time_s))
            if ready and raised and self._lately.was_calm((hand.track_id,), before.since_s, time_s):
                before.fired = True
                self._quiet_until_s = time_s + self.refractory_s
                events.append(GestureEvent(before.name, "once", (hand.track_id,), before.since_s, time_s))
        self._held = held
        return events

    def stays(self, hand: Hand, palm: npt.NDArray[np.float64], before: _Held) -> bool:
        return math.dist(palm, before.place) <= self.still * max(hand.palm_size, 1e-3)


def is_raised(hand: Hand) -> bool:
    """Whether the wrist is not above the knuckles by more than a third of the palm, as in arms that hang down."""
    points = hand.landmarks[:, 1]
    return bool(points[0] - points[[5, 9, 13, 17]].mean() > -hand.palm_size / 3)
