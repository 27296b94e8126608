"""The memory of a training process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

PAGES_AGAIN = """
import resource
import torch
from knuckle.train.device import keep_freed_memory

if {keeps}:
    keep_freed_memory()
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [torch.ones(20_000_000) for _ in range(4)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    def new_pages(keeps: bool) -> int:
        code = PAGES_AGAIN.format(keeps=keeps)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert new_pages(keeps=False) > 100  # so many at least, with the largest pages that systems use for 320 MB
    assert new_pages(keeps=True) < 20
