"""Whether the tests notice a broken pipeline: `python benchmarks/mutation.py --seed 0 --each 15 [FILE …]`.

Each mutant is a file of `src/knuckle/pipeline` with one small change: another comparison, operator, constant, branch or
result. A mutant is killed if a test fails. First all tests of `POOL` run once, to see which lines each of them runs;
a mutant is then tried by the tests that run its line, the quickest first. Mutants are drawn at random with a fixed
seed, the same number from each file; `--each 0` takes all. Every mutant has a process of its own, forked from one that
has collected the tests already.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import av  # noqa: F401  loaded once, for all mutants
import coverage
import cv2  # noqa: F401
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
ROOT = Path(__file__).resolve().parents[1]
PIPELINE, MAP = ROOT / "src" / "knuckle" / "pipeline", ROOT / "build" / "mutation" / "survey.json"
FILES = [path.stem for path in sorted(PIPELINE.glob("*.py")) if path.stem != "__init__"]
POOL = [
    "tests/pipeline",
    "tests/laws/test_finite.py",
    "tests/laws/test_trackers.py",
    "tests/points/test_points_pipeline.py",
]
LIMIT_S = 120  # of the processor; a mutant that never ends is killed
TESTS_S = 8.0  # of the processor, for the tests of one mutant
GOAL = 80  # per cent
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARISONS |= {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And}


@dataclass(frozen=True)
class Mutant:
    """A file with one small change.

    Attributes:
        file: name of the file in `src/knuckle/pipeline`, without its suffix.
        line: where the change is.
        what: the change, in words.
        tree: the changed syntax tree, with the lines of the file.
    """

    file: str
    line: int
    what: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.file}.py:{self.line} {self.what}"


def mutants_of(file: str) -> list[Mutant]:
    """Every mutant of a file of the pipeline."""
    text = (PIPELINE / f"{file}.py").read_text()
    found = []
    for number in range(sum(1 for _ in changes(ast.parse(text)))):
        tree = ast.parse(text)
        line, what, change = next(islice(changes(tree), number, None))
        change()
        found.append(Mutant(file, line, what, ast.fix_missing_locations(tree)))
    return found


def changes(tree: ast.AST) -> Iterator[tuple[int, str, Any]]:
    """Every change that can be made, with a function that makes it. Texts, types and docstrings stay.

    `strict=True` of `zip` stays too: it is an assertion, and does nothing in a program that is right.
    """
    asserted = {id(word.value) for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg == "strict"}
    for node in ast.walk(tree):
        if id(node) in asserted:
            continue
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


def functions_in(value: Any) -> Iterator[FunctionType]:
    """The functions behind a function, method, property, or a wrapper of one."""
    inner = (getattr(value, name, None) for name in ("__wrapped__", "__func__", "fget", "func"))
    if isinstance(value, FunctionType):
        yield value
    for one in inner:
        if one is not None:
            yield from functions_in(one)


def transplant(old: Any, new: Any) -> None:
    """Give functions that exist already, or those of a class, the code and the defaults of new ones."""
    if isinstance(old, type):
        for name, value in vars(new).items():
            if name in vars(old) and not name.startswith(("__dict__", "__weakref__", "__dataclass_")):
                transplant(vars(old)[name], value)
                if isinstance(value, int | float | tuple) and not isinstance(vars(old)[name], MemberDescriptorType):
                    setattr(old, name, value)
    for before, after in zip(functions_in(old), functions_in(new), strict=True):
        before.__code__, before.__defaults__ = after.__code__, after.__defaults__
        before.__kwdefaults__ = after.__kwdefaults__
    if hasattr(old, "cache_clear"):
        old.cache_clear()


def become(mutant: Mutant) -> None:
    """Change a module that is imported already, with everything that was imported from it, into a mutant."""
    name, path = f"knuckle.pipeline.{mutant.file}", PIPELINE / f"{mutant.file}.py"
    module, fresh = sys.modules[name], ModuleType(name)
    fresh.__dict__.update(__file__=str(path), __package__="knuckle.pipeline")
    exec(compile(mutant.tree, str(path), "exec"), fresh.__dict__)
    for key, new in vars(fresh).items():
        old = vars(module).get(key)
        if key.startswith("__") or isinstance(new, ModuleType) or getattr(new, "__module__", name) != name:
            continue
        if isinstance(old, type) or any(functions_in(old)):
            transplant(old, new)
        else:  # a constant: also where it was imported
            for other in list(sys.modules.values()):
                if vars(other).get(key) is old:
                    setattr(other, key, new)


def forked(function: Callable[[], int]) -> int:
    """What a function returns in a process of its own, which is silent and has a limit of time."""
    child = os.fork()
    if not child:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
        code = 70
        try:
            code = function()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


class Survey:
    """A plugin of pytest: which lines of the pipeline each test runs, and how long it takes. It writes `MAP`."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(include=[f"{PIPELINE}/*"], data_file=None, config_file=False)
        self.took_s: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        self.coverage.start()
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        yield
        self.took_s[item.nodeid] = time.process_time() - start
        self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self.failed.add(report.nodeid)  # or skipped: it says nothing about mutants

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data, lines = self.coverage.get_data(), dict[str, dict[int, list[str]]]()
        for path in data.measured_files():
            lines[Path(path).stem] = data.contexts_by_lineno(path)
        MAP.parent.mkdir(parents=True, exist_ok=True)
        found = {"took_s": self.took_s, "failed": sorted(self.failed), "lines": lines}
        MAP.write_text(json.dumps(found))


class Trial:
    """A plugin of pytest: it collects the tests once, and tries every mutant in a process that is forked then."""

    def __init__(self, jobs: dict[Mutant, list[str]], told: Callable[[Mutant, bool], None]) -> None:
        self.jobs, self.told = jobs, told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for mutant, tests in self.jobs.items():

            def run() -> int:
                become(mutant)  # noqa: B023  it is called at once
                session.config.pluginmanager.unregister(name="terminalreporter")
                chosen = [items[name] for name in tests]  # noqa: B023
                for item, after in zip(chosen, [*chosen[1:], None], strict=True):
                    session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                return 0

            self.told(mutant, not tests or forked(run) == 0)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)  # a test noticed the mutant


def tests_for(mutant: Mutant, known: dict[str, Any]) -> list[str]:
    """The tests that run the line of a mutant, the quickest first, as far as `TESTS_S` goes.

    A line that only the import of its module runs, such as a default, is tried by all tests that use the module.
    """
    lines = known["lines"].get(mutant.file, {})
    names = set(lines.get(str(mutant.line), ())) - {""}
    if not names:
        names = {name for of_line in lines.values() for name in of_line} - {""}
    quickest = sorted(names - set(known["failed"]), key=lambda name: known["took_s"][name])
    until_s = accumulate(known["took_s"][name] for name in quickest)
    return [name for name, end_s in zip(quickest, until_s, strict=True) if end_s <= TESTS_S]


def run_pytest(arguments: Sequence[str], *plugins: object) -> int:
    """Run pytest in this process, without plugins that start others or write into the checkout."""
    warned = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of modules that are imported already
    quiet = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:rerunfailures",
        f"--rootdir={ROOT}",
        *warned,
    ]
    return int(pytest.main([*quiet, *arguments], plugins=plugins))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help=f"of {', '.join(FILES)}; all without any")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=15, help="mutants per file; 0 for all")
    parser.add_argument("--known", action="store_true", help="use the survey of the tests that the last run made")
    parser.add_argument("--only", default="", help="mutants whose description contains this text")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/reliability/mutation.json")
    chosen = parser.parse_args()
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(MAP.parent / "hypothesis")  # what mutants fail on is no example
    if not chosen.known:
        forked(lambda: run_pytest(["--maxfail=1000", *POOL], Survey()))
    known = json.loads(MAP.read_text())
    print(f"{len(known['took_s'])} tests, of which {len(known['failed'])} fail or are skipped without a change")
    every = {file: mutants_of(file) for file in chosen.files or FILES}
    drawn = {
        file: random.Random(chosen.seed).sample(mutants, min(chosen.each or len(mutants), len(mutants)))
        for file, mutants in every.items()
    }
    alive: list[Mutant] = []

    def told(mutant: Mutant, survived: bool) -> None:
        print("survived:" if survived else "killed:  ", mutant, flush=True)
        if survived:
            alive.append(mutant)

    jobs = {one: tests_for(one, known) for mutants in drawn.values() for one in mutants if chosen.only in str(one)}
    run_pytest(POOL, Trial(jobs, told))
    found = {}
    for file, mutants in drawn.items():
        tried = [one for one in mutants if one in jobs]
        found[file] = (len(every[file]), len(tried), len(tried) - len([one for one in alive if one.file == file]))
        print(f"{file}: {found[file][2]} of {len(tried)} killed, {len(every[file])} mutants in all", flush=True)
    if chosen.record:
        record(found, chosen)


def record(found: dict[str, tuple[int, int, int]], chosen: argparse.Namespace) -> None:
    """Write the shares for docs/reliability.md."""
    from reliability import Row, save

    rows = [
        Row(f"mutants of `pipeline/{file}.py` killed", f"{killed} of {tried}, drawn from {count}")
        for file, (count, tried, killed) in found.items()
    ]
    killed, tried = (sum(row[k] for row in found.values()) for k in (2, 1))
    share = 100 * killed / max(tried, 1)
    rows.append(Row("all of `pipeline/` together", f"{killed} of {tried}, {share:.0f} %", f"≥ {GOAL} %", share >= GOAL))
    command = f"python benchmarks/mutation.py --seed {chosen.seed} --each {chosen.each} --record"
    note = f"Drawn at random with the seed {chosen.seed}, the same number from each file, or all that a file has."
    save("mutation", "tests", command, rows, note)


if __name__ == "__main__":
    main()
