"""Gestures of tracks: probabilities averaged over a moment, and names that do not flicker.

Landmarks of one frame can be wrong, and then so is its gesture. In video a hand therefore keeps its gesture until the
average over the last frames says clearly that it makes another. `web/src/steady.ts` does the same;
`tests/gestures/vectors.json` holds both to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from knuckle.results import FloatArray, Gesture, Hand

AVERAGE_S = 0.1
"""Time constant of the average: after a change it takes about 0.1 s until the new gesture is named."""
MARGIN = 0.3
"""A gesture gives way to one whose average is larger by this."""
FORGET_S = 0.3
"""A hand that was not seen for so long begins anew."""


@dataclass(frozen=True, eq=False)
class SteadyGesture:
    """What is known of the gesture of one track.

    Attributes:
        average: (names + 1,) average probabilities; the last is that of no gesture.
        column: which of them the hand is said to make.
        seen_s: time of the last frame with the hand.
    """

    average: FloatArray
    column: int
    seen_s: float


GestureMemory: TypeAlias = Mapping[int, SteadyGesture]
"""By track id."""


def steadied(
    memory: GestureMemory, hands: Sequence[Hand], probabilities: Sequence[FloatArray], time_s: float
) -> GestureMemory:
    """The memory after this frame.

    Args:
        memory: the memory of the previous frame.
        hands: hands of this frame, with track ids.
        probabilities: of each hand, as `GestureRecogniser.probabilities` has them.
        time_s: time of this frame, seconds.
    """
    kept = {track_id: before for track_id, before in memory.items() if time_s - before.seen_s <= FORGET_S}
    for hand, row in zip(hands, probabilities, strict=True):
        track_id = hand.track_id or 0
        before = kept.get(track_id)
        if before is None:
            kept[track_id] = SteadyGesture(row, int(row.argmax()), time_s)
            continue
        share = 1 - math.exp(-max(time_s - before.seen_s, 0) / AVERAGE_S)
        average = before.average + share * (row - before.average)
        best = int(average.argmax())
        column = best if average[best] >= average[before.column] + MARGIN else before.column
        kept[track_id] = SteadyGesture(average, column, time_s)
    return kept


def with_steady_gestures(hands: Sequence[Hand], memory: GestureMemory, names: Sequence[str]) -> list[Hand]:
    """The hands with their `gesture`, whose score is the average probability; None where it is no gesture.

    Args:
        hands: hands of a frame.
        memory: the memory after this frame.
        names: the gestures, in the order of the probabilities.
    """
    named = []
    for hand in hands:
        found = memory[hand.track_id or 0]
        makes = Gesture(names[found.column], float(found.average[found.column])) if found.column < len(names) else None
        named.append(replace(hand, gesture=makes))
    return named
