"""A network for tests. It gives the answers that a test wrote, so that code around a network is tested without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from knuckle.models.session import Outputs, Pictures
from knuckle.results import FloatArray


class FakeNetwork:
    """Stands in for a loaded network (`knuckle.models.session.Network`).

    Args:
        side: side of the square input, pixels.
        answers: a function from pictures (n, side, side, 3) to outputs by name; or, for each output name, one array
            per picture in the order of the calls. The last array repeats.

    Attributes:
        calls: how many pictures each call took.

    Example:
        network = FakeNetwork(224, {"presence": [np.array([0.9]), np.array([0.1])]})
        network(pictures[:2])["presence"]  # [[0.9], [0.1]]
    """

    def __init__(
        self, side: int, answers: Callable[[Pictures], Outputs] | Mapping[str, Sequence[FloatArray]] | None = None
    ) -> None:
        self.side, self.answers, self.calls = side, answers or {}, list[int]()

    def __call__(self, pictures: Pictures) -> Outputs:
        """Give the next answers, one for each picture."""
        first = sum(self.calls)
        self.calls.append(len(pictures))
        if callable(self.answers):
            return self.answers(pictures)
        rows = range(first, first + len(pictures))
        return {
            name: np.stack([arrays[min(row, len(arrays) - 1)] for row in rows]) for name, arrays in self.answers.items()
        }
