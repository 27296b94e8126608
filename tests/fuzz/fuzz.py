"""Fuzzing: `make fuzz SECONDS=600 TARGETS="tflite task"`, or `python tests/fuzz/fuzz.py --seconds 60 [TARGET …]`.

With Atheris the inputs that reach new code are kept (coverage-guided, libFuzzer); without it each input is a changed
copy of one that is known. Each target runs in a process of its own with limits for time and memory. What breaks the
law is written to `build/fuzz/TARGET/finds/`; with `--record` counts and hours add up in `tests/fuzz/results.json`.
It runs on Linux and macOS.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT / "src")]
WORK = ROOT / "build" / "fuzz"
RESULTS = HERE / "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="names of targets; all without any")
    parser.add_argument("--seconds", type=float, default=60, help="time for all targets together")
    parser.add_argument(
        "--inputs",
        type=int,
        default=1 << 60,
        help="changed inputs per target at most, after the saved ones",
    )
    parser.add_argument("--plain", action="store_true", help="do without Atheris")
    parser.add_argument("--seed", type=int, default=None, help="of the changes; the clock by default")
    parser.add_argument("--record", action="store_true", help="add the counts to results.json")
    chosen = parser.parse_args()
    atheris = None if chosen.plain else import_atheris()
    if atheris is None:
        from all_targets import TARGETS
    else:
        with atheris.instrument_imports(include=["knuckle"]):
            from all_targets import TARGETS
    names = chosen.targets or list(TARGETS)
    broken = 0
    for name in names:
        limits = Limits(chosen.seconds / len(names), chosen.inputs, chosen.seed)
        stats = supervise(TARGETS[name], limits, atheris)
        broken += len(stats["finds"])
        times = f"{stats['seconds']:>7.0f} s, {stats['processor_s']:.0f} s of the processor"
        told = f"{stats['inputs']:>9} inputs {times}  finds: {len(stats['finds'])}"
        print(f"{name:32} {told}", *(f"    {find}" for find in stats["finds"]), sep="\n", flush=True)
        if chosen.record:
            record(name, stats)
    sys.exit(1 if broken else 0)


def import_atheris() -> Any:
    """The package Atheris, or None where it is not installed."""
    try:
        import atheris
    except ImportError:
        print("Atheris is not installed; inputs are changed without looking at the code they reach")
        return None
    return atheris


class Limits:
    """How long to fuzz a target: seconds, inputs, and the seed of the changes."""

    def __init__(self, seconds: float, inputs: int, seed: int | None) -> None:
        self.seconds, self.inputs, self.seed = seconds, inputs, seed


def supervise(target: Any, limits: Limits, atheris: Any) -> dict[str, Any]:
    """Run a target in child processes until its time is over; a child that dies is a find."""
    end = time.monotonic() + limits.seconds
    stats = {"inputs": 0, "seconds": 0.0, "processor_s": 0.0, "finds": list[str]()}
    folder = WORK / target.name
    folder.mkdir(parents=True, exist_ok=True)
    fork = multiprocessing.get_context("fork")
    while (left := end - time.monotonic()) > 1 or not stats["inputs"]:
        told = folder / "stats.json"
        told.unlink(missing_ok=True)
        start, used_s = time.monotonic(), processor_s()
        now = Limits(max(left, 1), limits.inputs, limits.seed)
        child = fork.Process(target=run_target, args=(target, now, atheris))
        child.start()
        child.join()
        found = json.loads(told.read_text()) if told.exists() else {"inputs": 0, "finds": []}
        stats["inputs"] += found["inputs"]
        stats["seconds"] += time.monotonic() - start
        stats["processor_s"] += processor_s() - used_s
        stats["finds"] += [find for find in found["finds"] if find not in stats["finds"]]
        if child.exitcode:
            input_file = folder / f"died-{time.time_ns()}.input"
            if (folder / "input").exists():
                (folder / "input").replace(input_file)
            stats["finds"].append(f"the process ended with {child.exitcode}; see {folder / 'log.txt'}, {input_file}")
            if limits.seed is not None or not found["inputs"]:
                break  # it would only die again
        elif stats["inputs"] >= limits.inputs:
            break
    return stats


def processor_s() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def record(name: str, stats: dict[str, Any]) -> None:
    """Add the inputs and times of a run to `results.json`. benchmarks/proof.py reads that file.

    Several runs may do so at the same time.
    """
    with RESULTS.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        whole = json.load(file)
        row = {"inputs": 0, "seconds": 0, "processor_s": 0} | whole.get(name, {})
        row["inputs"] += stats["inputs"]
        for time_of in ("seconds", "processor_s"):
            row[time_of] = round(row[time_of] + stats[time_of])
        file.seek(0)
        file.write(json.dumps(dict(sorted({**whole, name: row}.items())), indent=1) + "\n")
        file.truncate()


def run_target(target: Any, limits: Limits, atheris: Any) -> None:
    """Fuzz one target in this process, which has its own log."""
    log = os.open(WORK / target.name / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    session = Session(target, limits)
    if atheris is None:
        session.plain(random.Random(time.time_ns() if limits.seed is None else limits.seed))
    else:
        session.guided(atheris)


class Session:
    """Inputs for one target until the time is over, with their counts and finds."""

    def __init__(self, target: Any, limits: Limits) -> None:
        from fuzzing import CORPUS, FINDS, MEMORY, Bench, saved_inputs

        self.bench, self.target, self.limits = Bench(target), target, limits
        self.finds: dict[str, str] = {}
        self.known: list[bytes] = []
        self.folder = WORK / target.name
        self.corpus = self.folder / "corpus"
        self.corpus.mkdir(parents=True, exist_ok=True)
        self.inputs, self.told_s, self.end_s = 0, 0.0, time.monotonic() + limits.seconds
        saved = [path.read_bytes() for folder in (CORPUS, FINDS) for path in saved_inputs(folder / target.name)]
        self.known = self.bench.seeds + saved
        for data in self.known:
            self.one(data)
        statm = Path("/proc/self/statm")
        if statm.exists():
            limit = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def one(self, data: bytes) -> None:
        """Read an input; keep it if it breaks the law in a new way."""
        from fuzzing import SLOWEST_S, name_of

        (self.folder / "input").write_bytes(data)  # what killed the process, if it dies
        start = time.process_time()
        found = self.bench.broken_law(data)
        took_s = time.process_time() - start
        if took_s > SLOWEST_S:
            found = f"it took {took_s:.0f} s"
        self.inputs += 1
        if found and found.split(":")[:2] not in [known.split(":")[:2] for known in self.finds]:
            place = self.folder / "finds" / name_of(data)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)
            self.finds[found] = str(place)
            self.told_s = 0
        if time.monotonic() - self.told_s > 2:
            self.tell()
        if self.inputs >= self.limits.inputs + len(self.known):
            self.tell()
            os._exit(0)  # libFuzzer has no other way to stop

    def tell(self) -> None:
        self.told_s = time.monotonic()
        finds = [f"{found} [{place}]" for found, place in self.finds.items()]
        part = self.folder / "stats.part"
        part.write_text(json.dumps({"inputs": self.inputs, "finds": finds}))
        part.replace(self.folder / "stats.json")

    def plain(self, rng: random.Random) -> None:
        """Changed copies of known inputs, and changed copies of those."""
        from fuzz_mutate import mutated

        pool = list(self.known)
        while time.monotonic() < self.end_s:
            data = mutated(rng.choice(pool), rng, self.target.keep)
            self.one(data)
            if rng.random() < 0.1:
                pool = [*self.known, *pool[-200:], data]
        self.tell()

    def guided(self, atheris: Any) -> None:
        """libFuzzer chooses inputs by the code that they reach; two thirds of the changes are ours."""
        from fuzz_mutate import mutated
        from fuzzing import SLOWEST_S, name_of

        for data in self.known:
            (self.corpus / name_of(data)).write_bytes(data)

        def change(data: bytes, most: int, seed: int) -> bytes:
            rng = random.Random(seed)
            if rng.random() < 0.3:
                return bytes(atheris.Mutate(data, most))
            return mutated(data, rng, self.target.keep, most)

        longest = max(map(len, self.known)) * 2 + 1000
        seconds = max(self.end_s - time.monotonic(), 1)
        arguments = [f"-max_total_time={seconds:.0f}", f"-timeout={60 * SLOWEST_S:.0f}", f"-max_len={longest}"]
        arguments += ["-rss_limit_mb=6000", f"-artifact_prefix={self.folder}/died-", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *arguments, str(self.corpus)], self.one, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
