"""Which frames of a clip to label: spread over the clip, and denser where the tracker doubts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def choose_key_frames(doubts: Sequence[float], every: int) -> list[int]:
    """The frames to label by hand. The first and the last frame are always among them.

    Half of the frames are spread evenly, and half by the doubt: between two neighbours the sum of 1 + doubt / mean
    doubt is the same everywhere. Each is then moved to the most doubtful frame near it. So two neighbours are at most
    about twice `every` apart; none are closer than a quarter of it.

    Args:
        doubts: how much the tracker doubts each frame, 0 and above.
        every: frames from one key frame to the next, on average.
    """
    last = len(doubts) - 1
    if last < 1:
        return list(range(len(doubts)))
    doubt = np.maximum(np.asarray(doubts, float), 0)
    weight = 1 + (doubt / doubt.mean() if doubt.mean() > 0 else 0 * doubt)
    reached = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    count = max(1, round(last / every))
    even = np.searchsorted(reached, np.linspace(0, reached[-1], count + 1))
    near, chosen = every // 4, [0]
    for number in even[1:-1].tolist():
        low, high = max(1, number - near), min(last, number + near + 1)
        best = low + int(doubt[low:high].argmax()) if high > low else number
        found = best if doubt[best] > doubt[number] else number
        if chosen[-1] + near < found < last - near:
            chosen.append(found)
    return [*chosen, last]
