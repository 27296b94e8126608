"""The device and the number format of training."""

from __future__ import annotations

import ctypes
import os
import platform

import torch

from knuckle.errors import InputError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h of glibc


def torch_device(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda"; under torchrun each process has a GPU of its own.

    Raises:
        InputError: another name, or PyTorch sees no GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise InputError("the device is cuda, but PyTorch sees no GPU here; use --device cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    if name != "cpu":
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    return torch.device("cpu")


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to multiply in bfloat16. "auto" does so on CPUs with AMX or AVX-512; on others it is slower.

    On one core with AVX-512 but no AMX, our palm network trains on 146 pictures a second in bfloat16 and on 91 in
    float32.

    Raises:
        InputError: precision is not "auto", "bfloat16" or "float32".
    """
    if precision not in {"auto", "bfloat16", "float32"}:
        raise InputError(f"precision must be auto, bfloat16 or float32, got {precision!r}")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supports = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in supports)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, where the C library is glibc.

    By default glibc returns each large tensor to the system, and the next step gets new pages, all of which the system
    clears. On one core a step of 128 crops took 1.2 times as long so (bfloat16; 1.6 times in float32;
    `benchmarks/train_step.py`).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
