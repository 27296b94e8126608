"""How long a forward and backward pass of the landmark network takes on one core: `python benchmarks/train_step.py`.

With PyTorch's own gradients of depthwise convolutions and with ours (`knuckle.train.nets.depthwise`), in both number
formats; and for large batches with and without `keep_freed_memory`. Each case runs in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from knuckle.train.device import keep_freed_memory
from knuckle.train.hand.network import start_hand_network
from knuckle.train.nets.hand_net import HandNetShape
from knuckle.train.nets.layers import Conv, Depthwise

CASES = (
    ("PyTorch's gradients", "", "32"),
    ("our gradients", "ours", "32"),
    ("our gradients, 128 pictures", "ours", "128"),
)
KEPT = ("the same, freed memory kept", "ours,keep", "128")


def pass_ms(how: str, batch: int, bfloat16: bool, repeats: int) -> float:
    """Median processor time of a forward and backward pass, milliseconds per picture."""
    torch.set_num_threads(1)
    if "keep" in how:
        keep_freed_memory()
    if "ours" not in how:
        Depthwise.forward = Conv.forward  # type: ignore[method-assign]
    network: nn.Module = start_hand_network("knuckle", HandNetShape())[0].train()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    picture = torch.rand(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            out = network(picture, train_outputs=True)
        network.zero_grad()
        (out["landmarks"].sum() + out["world"].sum() + out["presence_logit"].sum()).backward()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times[1:])) / batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # the process of one case
    options = parser.parse_args()
    if options.one:
        how, batch, form = options.one
        print(pass_ms(how, int(batch), form == "bfloat16", options.repeats))
        return
    table = Table("ms per picture", "float32", "bfloat16", box=None)
    for name, how, batch in (*CASES, KEPT):
        command = [sys.executable, __file__, "--repeats", str(options.repeats), "--one", how, batch]
        found = [
            subprocess.run([*command, form], stdout=subprocess.PIPE, check=True) for form in ("float32", "bfloat16")
        ]
        table.add_row(name, *(f"{float(done.stdout):.1f}" for done in found))
    Console().print(table)


if __name__ == "__main__":
    main()
