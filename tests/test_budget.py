"""Budgets of the code: small private functions with one caller, what `import knuckle` loads."""

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
# Modules that `import knuckle` loads, Python's own among them. Their number is the same on every machine;
# benchmarks/install.py measures the time.
IMPORTED_MODULES = 90


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


def loaded_by(code: str) -> list[str]:
    """The modules that a piece of code loads in a new process."""
    watched = f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))"
    return subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True).stdout.split()


def test_importing_knuckle_loads_little() -> None:
    modules = loaded_by("import knuckle")
    assert len(modules) < IMPORTED_MODULES, modules
    assert {name for name in modules if name.split(".")[0] not in sys.stdlib_module_names} == {
        "knuckle",
        "knuckle.errors",
        "knuckle.forks",
        "knuckle.moved",
    }


def test_a_public_name_loads_what_it_needs() -> None:
    assert "numpy" in loaded_by("import knuckle; knuckle.Hand")
    assert "knuckle.pipeline.tracker" not in loaded_by("import knuckle; knuckle.Hand")
