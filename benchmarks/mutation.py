"""Whether the tests notice a broken pipeline: `python benchmarks/mutation.py --seed 0 --each 4 [FILE …]`.

Each mutant is a file of `src/knuckle/pipeline` with one small change: another comparison, operator, constant, branch or
result. A mutant is killed if a test of the file fails. Mutants are drawn at random with a fixed seed, the same number
from each file; `--each 0` takes all. A process per mutant is forked from one that has the heavy imports already.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parents[1]
PIPELINE, TESTS = ROOT / "src" / "knuckle" / "pipeline", ROOT / "tests" / "pipeline"
LIMIT_S = 600  # a mutant that never ends is killed
GOAL = 80  # per cent
# The quick tests of each file, in the order in which they are tried; a mutant may be killed by tests of its users.
TESTS_OF = {
    "clock": ["test_clock.py"],
    "hand": ["test_hand.py", "test_new_presence.py"],
    "palm": ["test_palm.py", "test_detect.py"],
    "smooth": ["test_smooth.py"],
    "tracks": ["test_tracks.py", "test_tracker.py"],
    "tracked": ["test_tracked.py"],
    "stride": ["test_stride.py"],
    "options": ["test_tracker.py", "test_detect.py"],
}
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARISONS |= {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And}


def mutants_of(text: str) -> list[tuple[int, str, str]]:
    """The line, a description and the whole source of every mutant of a file."""
    count = sum(1 for _ in changes(ast.parse(text)))
    found = []
    for number in range(count):
        tree = ast.parse(text)
        for k, (line, what, change) in enumerate(changes(tree)):
            if k == number:
                change()
                found.append((line, what, ast.unparse(ast.fix_missing_locations(tree))))
                break
    return found


def changes(tree: ast.AST) -> Iterator[tuple[int, str, Any]]:
    """Every change that can be made, with a function that makes it. Texts, types and docstrings stay."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and (kind := COMPARISONS.get(type(node.ops[0]))):
            yield node.lineno, f"{type(node.ops[0]).__name__} -> {kind.__name__}", set_first(node.ops, kind())
        elif isinstance(node, ast.BinOp | ast.BoolOp) and (kind := OPERATORS.get(type(node.op))):
            yield node.lineno, f"{type(node.op).__name__} -> {kind.__name__}", set_field(node, "op", kind())
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node.lineno, f"{node.value} -> {not node.value}", set_field(node, "value", not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node.lineno, f"{node.value} -> {node.value + 1}", set_field(node, "value", node.value + 1)
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node.lineno, "not condition", set_field(node, "test", ast.UnaryOp(ast.Not(), node.test))
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield node.lineno, "return None", set_field(node, "value", ast.Constant(None))


def set_field(node: ast.AST, name: str, value: Any) -> Any:
    return lambda: setattr(node, name, value)


def set_first(items: list[Any], value: Any) -> Any:
    return lambda: items.__setitem__(0, value)


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from a changed source."""

    def __init__(self, module: str, path: Path, text: str) -> None:
        self.module, self.path, self.text = module, path, text

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.module else None

    def get_filename(self, name: str) -> str:
        return str(self.path)

    def get_data(self, path: str) -> bytes:
        return self.text.encode()


def run_tests(name: str, text: str, tests: list[str]) -> None:
    """Run tests on a mutant in this process, which ends with 0 if all pass."""
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.meta_path.insert(0, Mutated(f"knuckle.pipeline.{name}", PIPELINE / f"{name}.py", text))
    code = pytest.main(
        ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *(str(TESTS / one) for one in tests)]
    )
    os._exit(int(code))


def survives(name: str, text: str, tests: list[str]) -> bool:
    child = multiprocessing.get_context("fork").Process(target=run_tests, args=(name, text, tests))
    child.start()
    child.join(LIMIT_S)
    if child.is_alive():
        child.kill()
        child.join()
        return False
    return child.exitcode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help=f"of {', '.join(TESTS_OF)}; all without any")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=10, help="mutants per file; 0 for all")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/reliability/mutation.json")
    chosen = parser.parse_args()
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    import av  # noqa: F401  loaded once, for all mutants
    import cv2  # noqa: F401
    import pytest  # noqa: F401

    rows, killed, tried = [], 0, 0
    for name in chosen.files or list(TESTS_OF):
        text = (PIPELINE / f"{name}.py").read_text()
        if not survives(name, text, TESTS_OF[name]):
            print(f"{name}: its tests fail without any change", flush=True)
            continue
        every = mutants_of(text)
        drawn = random.Random(chosen.seed).sample(every, min(chosen.each or len(every), len(every)))
        alive = []
        for line, what, changed in drawn:
            if survives(name, changed, TESTS_OF[name]):
                alive.append(f"{name}.py:{line} {what}")
                print(f"survived: {alive[-1]}", flush=True)
        killed, tried = killed + len(drawn) - len(alive), tried + len(drawn)
        rows.append((name, len(every), len(drawn), len(drawn) - len(alive)))
        print(f"{name}: {len(drawn) - len(alive)} of {len(drawn)} killed, {len(every)} mutants in all", flush=True)
        if chosen.record:
            record(rows, killed, tried, chosen)


def record(rows: list[tuple[str, int, int, int]], killed: int, tried: int, chosen: argparse.Namespace) -> None:
    """Write the shares for docs/reliability.md."""
    from reliability import Row, save

    found = [
        Row(f"mutants of `pipeline/{name}.py` killed", f"{dead} of {drawn}, drawn from {count}")
        for name, count, drawn, dead in rows
    ]
    share = 100 * killed / max(tried, 1)
    found.append(Row("these files together", f"{killed} of {tried}, {share:.0f} %", f"≥ {GOAL} %", share >= GOAL))
    files = " ".join(name for name, *_ in rows)
    command = f"python benchmarks/mutation.py --seed {chosen.seed} --each {chosen.each} --record {files}"
    note = f"Drawn at random with the seed {chosen.seed}, the same number from each file."
    save("mutation", "tests", command, found, note)


if __name__ == "__main__":
    main()
