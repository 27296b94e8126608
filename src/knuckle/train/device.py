"""Where training runs, and in which numbers."""

from __future__ import annotations

import os

import torch

from knuckle.errors import InputError


def torch_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise InputError("device cuda was asked for, but PyTorch sees no GPU here; use --device cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    if name != "cpu":
        raise InputError(f"device must be auto, cpu or cuda, got {name!r}")
    return torch.device("cpu")


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to multiply in bfloat16: on processors only where AMX or AVX-512 does it, else it is slower than float32.

    Measured on one core with AVX-512 and no AMX, forwards and backwards: 146 pictures a second of our palm network,
    91 in float32.
    """
    if precision not in {"auto", "bfloat16", "float32"}:
        raise InputError(f"precision must be auto, bfloat16 or float32, got {precision!r}")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    supports = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in supports)
