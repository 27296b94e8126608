"""Budgets of the code: small private functions with one caller, the time of `import knuckle`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "knuckle"
# A private function of up to four lines that one place calls is usually easier to read where it is called. Those whose
# names say more than their bodies may stay.
ONE_CALLER = 60
IMPORT_S = 0.25  # processor time on a busy machine; benchmarks/install.py --check allows 0.2


def small_private_functions(tree: ast.AST) -> list[str]:
    """Names of functions that begin with an underscore and whose bodies have up to four lines, docstring excluded."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("_")
        and not node.name.startswith("__")
        and lines_of(node) <= 4
    ]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return 1 + (body[-1].end_lineno or 0) - body[0].lineno if body else 0


def with_one_caller(text: str) -> list[str]:
    """Names of the small private functions of a module that are used in one place of it."""
    uses = Counter(re.findall(r"\b_\w+", text))
    return [name for name in small_private_functions(ast.parse(text)) if uses[name] == 2]  # the definition and the use


def test_few_small_private_functions_have_one_caller() -> None:
    found = {path: with_one_caller(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}
    listed = [f"{path.relative_to(SOURCE)}: {' '.join(names)}" for path, names in found.items() if names]
    assert sum(map(len, found.values())) <= ONE_CALLER, "\n".join(listed)


def test_the_counter_counts() -> None:
    code = (
        'def _a(x):\n    """Text."""\n    return x\n\ndef b(x):\n    return _a(x)\n\ndef _c():\n' + "    print()\n" * 5
    )
    assert small_private_functions(ast.parse(code)) == with_one_caller(code) == ["_a"]
    assert with_one_caller(code + "_a(1)\n") == []


def test_importing_knuckle_is_fast() -> None:
    code = "import time; start = time.process_time(); import knuckle; print(time.process_time() - start)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    assert min(float(run.stdout) for run in runs) < IMPORT_S
