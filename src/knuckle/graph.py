"""A dataflow graph that can be read on one screen.

A graph is an ordered list of nodes. A node calls a function on named values and names the result. Nodes run in the
order of the list, so a value must be produced above the line that uses it; this is checked when the graph is built.
`when` skips a node. `feedback` carries a value from one call to the next; it is the only state. A graph is callable, so
it can be the function of a node.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from knuckle.errors import InputError


@dataclass(frozen=True)
class Node:
    """One step of a graph.

    Attributes:
        run: a function, a bound method, a `partial` of one, or another Graph.
        inputs: names of its arguments, in order.
        output: name of its result.
        when: name of a value; the node is skipped if that is empty or false.
        otherwise: the result of a skipped node.
        batched: the function takes one batch, and treats each entry alone. Graphs that run side by side
            (`knuckle.pipeline.together`) make one call of theirs.
    """

    run: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    when: str | None = None
    otherwise: Any = ()
    batched: bool = False

    @property
    def name(self) -> str:
        """Name of the graph or function."""
        run = self.run.func if isinstance(self.run, partial) else self.run
        named = run.name if isinstance(run, Graph) else getattr(run, "__name__", type(run).__name__)
        return str(named).lstrip("_")


class Step(NamedTuple):
    """What an observer is told about one node in one call.

    Attributes:
        path: names of the graphs around the node, outermost first, then the output name of the node.
        node: the node.
        value: its result.
        seconds: its run time without the observer's own; 0 if it was skipped.
        skipped: whether it was skipped because of `when`.
    """

    path: tuple[str, ...]
    node: Node
    value: Any
    seconds: float
    skipped: bool


Observer = Callable[[Step], None]
T = TypeVar("T")


class Call(NamedTuple):
    """A call of a batched node that `Graph.steps` asks for: `run(batch)`."""

    run: Callable[[Any], Any]
    batch: Any


Steps: TypeAlias = Generator[Call, Any, T]
"""Work that stops at each call of a batched node, is sent the answer, and returns its result in the end."""


def finish(steps: Steps[T]) -> T:
    """Do the work to its end, and make each call at once."""
    answer = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        answer = call.run(call.batch)


class Graph:
    """Nodes connected by names; see the module's docstring.

    Args:
        name: name of the graph.
        inputs: names of its arguments.
        nodes: the nodes, in the order in which they run.
        output: name of its result.
        feedback: for each value that comes from the previous call, by name: the name of the value that it takes, and
            its value in the first call.

    Raises:
        InputError: a name is used before it is produced, or produced twice, or never.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        nodes: Sequence[Node],
        output: str,
        feedback: Mapping[str, tuple[str, Any]] | None = None,
    ) -> None:
        self.name, self.inputs, self.nodes, self.output = name, tuple(inputs), tuple(nodes), output
        self.feedback = dict(feedback or {})
        self._check()
        self.reset()

    def reset(self) -> None:
        """Forget all earlier calls, in nested graphs too."""
        self.state = {name: first for name, (_, first) in self.feedback.items()}
        for node in self.nodes:
            if isinstance(node.run, Graph):
                node.run.reset()

    def with_function(self, output: str, run: Callable[..., Any]) -> Graph:
        """A copy in which another function makes the value `output`, to try a variant of one step.

        Raises:
            InputError: no node makes this value.
        """
        if output not in {node.output for node in self.nodes}:
            raise InputError(f"{self.name} has no node that makes {output!r}")
        nodes = [replace(node, run=run) if node.output == output else node for node in self.nodes]
        return Graph(self.name, self.inputs, nodes, self.output, self.feedback)

    def __call__(self, *values: Any) -> Any:
        """Run on one value per input and return the output."""
        return self.run(values)

    def run(self, inputs: Sequence[Any], observe: Observer | None = None, path: tuple[str, ...] = ()) -> Any:
        """Run on one value per input; the observer is told about every node, those of nested graphs first.

        A call that raises does not change the feedback, so the next call continues from the last good one.
        """
        return finish(self.steps(inputs, observe, path))

    def steps(self, inputs: Sequence[Any], observe: Observer | None = None, path: tuple[str, ...] = ()) -> Steps[Any]:
        """What `run` does, as steps that leave the calls of batched nodes to the caller."""
        values = {**self.state, **dict(zip(self.inputs, inputs, strict=True))}
        path = (*path, self.name)
        for node in self.nodes:
            arguments = [values[name] for name in node.inputs]
            skipped = node.when is not None and not values[node.when]
            start = time.perf_counter()
            if skipped:
                values[node.output] = node.otherwise
            elif isinstance(node.run, Graph):
                values[node.output] = yield from node.run.steps(arguments, observe, path)
            elif node.batched:
                values[node.output] = yield Call(node.run, *arguments)
            else:
                values[node.output] = node.run(*arguments)
            if observe:
                seconds = 0.0 if skipped else time.perf_counter() - start
                observe(Step((*path, node.output), node, values[node.output], seconds, skipped))
        self.state = {name: values[source] for name, (source, _) in self.feedback.items()}
        return values[self.output]

    def _check(self) -> None:
        known = {*self.inputs, *self.feedback}
        for node in self.nodes:
            needed = {*node.inputs, *([node.when] if node.when else [])}
            if missing := needed - known:
                raise InputError(f"{self.name}.{node.name} needs {sorted(missing)}, which no node above it produces")
            if node.output in known:
                raise InputError(f"{self.name}: {node.output!r} is produced twice")
            known.add(node.output)
        if missing := {self.output, *(source for source, _ in self.feedback.values())} - known:
            raise InputError(f"{self.name}: nothing produces {sorted(missing)}")
