"""The tables of docs/scale.md, from benchmarks/results/scale.json; make_tables.py puts them into the page."""

from __future__ import annotations

from typing import Any

RATE = 30  # frames per second of the video that prices are for
PRICES = {"on demand": 0.045, "spare capacity": 0.015}  # US dollars per hour of one core, stated in the page
NOT_MEASURED = "Not measured yet, as it needs a machine without other work. `python benchmarks/scale.py` measures it."
NAMES = {
    "mediapipe mediapipe": "mediapipe 0.10.21",
    "plain mediapipe": "`mediapipe`, a loop in each process",
    "batch-1-1 mediapipe": "`mediapipe`, `knuckle batch`",
    "batch-1-4 mediapipe": "`mediapipe`, `--stride 4`",
    "plain knuckle": "`knuckle`, a loop in each process",
    "plain-1 knuckle": "the same with `threads=1`",
    "batch-1-1 knuckle": "`knuckle`, `knuckle batch`",
    "batch-4-1 knuckle": "`knuckle`, `--streams 4`",
    "batch-1-4 knuckle": "`knuckle`, `--stride 4`",
    "batch-1-8 knuckle": "`knuckle`, `--stride 8`",
}


def scale_tables(found: dict[str, Any]) -> dict[str, str]:
    """All tables of the page by their marks."""
    cases, machine = found["cases"], found["machine"]
    rest = {"workers": NOT_MEASURED, "memory": NOT_MEASURED}
    if "workers" in found:
        rest["workers"] = workers(found["workers"], machine["cores"])
    if "memory" in found:
        rest["memory"] = memory(found["memory"])
    return rest | {
        "cost": cost(cases, machine),
        "ratios": ratios(cases),
        "prices": prices(cases),
    }


def cost(cases: dict[str, Any], machine: dict[str, Any]) -> str:
    """CPU time per frame of each way that was measured."""
    lines = [head("ms of one core per frame", cases)]
    for name, text in NAMES.items():
        if any(f"{name}" not in rows for rows in cases.values()):
            continue
        cells = (f"{rows[f'{name}']['cpu_ms']:.1f}" for rows in cases.values())
        lines.append(f"| {text} | {' | '.join(cells)} |")
    about = f"{machine['cores']} cores, {machine['processor']}; load average {machine['load']} at the start."
    return "\n".join([*lines, "", about])


def ratios(cases: dict[str, Any]) -> str:
    """How many times as fast as the loop and as mediapipe; the targets are those of the project."""
    wanted = (
        ("`knuckle batch` to the loop, same results", "plain knuckle", "batch-1-1 knuckle", "1.5"),
        ("`--stride 4` to the loop", "plain knuckle", "batch-1-4 knuckle", "1.5"),
        ("bundle `mediapipe`, same results, to mediapipe", "mediapipe mediapipe", "batch-1-1 mediapipe", "3"),
        ("bundle `mediapipe`, `--stride 4`, to mediapipe", "mediapipe mediapipe", "batch-1-4 mediapipe", "3"),
        ("bundle `knuckle`, to mediapipe", "mediapipe mediapipe", "batch-1-1 knuckle", "10"),
        ("bundle `knuckle`, `--stride 4`, to mediapipe", "mediapipe mediapipe", "batch-1-4 knuckle", "10"),
        ("bundle `knuckle`, `--stride 8`, to mediapipe", "mediapipe mediapipe", "batch-1-8 knuckle", "10"),
    )
    lines = [head("times as fast, by CPU time", cases, "target")]
    for text, slow, fast, target in wanted:
        cells = [f"{ratio(rows, f'{slow}', f'{fast}'):.2f}" for rows in cases.values()]
        lines.append(f"| {text} | {' | '.join(cells)} | {target} |")
    return "\n".join(lines)


def ratio(rows: dict[str, Any], slow: str, fast: str) -> float:
    """The median ratio within a round."""
    pairs = zip(rows[slow]["all_cpu_ms"], rows[fast]["all_cpu_ms"], strict=True)
    values = sorted(one / other for one, other in pairs)
    return float(values[len(values) // 2])


def workers(found: dict[str, Any], cores: int) -> str:
    """Frames per second with one worker and with one per core."""
    one, all_ = ([rows[str(count)] for rows in found.values()] for count in (1, cores))
    lines = [head("frames per second", found)]
    lines.append(f"| 1 worker | {' | '.join(f'{rate:.0f}' for rate in one)} |")
    lines.append(f"| {cores} workers | {' | '.join(f'{rate:.0f}' for rate in all_)} |")
    shares = (f"{100 * many / single / cores:.0f} %" for single, many in zip(one, all_, strict=True))
    lines.append(f"| efficiency | {' | '.join(shares)} |")
    return "\n".join(lines)


def prices(cases: dict[str, Any]) -> str:
    """What 1000 hours of video cost."""
    lines = [head(f"1000 hours of video at {RATE} frames per second", cases)]
    for name in ("batch-1-1 knuckle", "batch-1-4 knuckle"):
        hours = [1000 * RATE * rows[f"{name}"]["cpu_ms"] / 1000 for rows in cases.values()]
        lines.append(f"| {NAMES[name]}: core hours | {' | '.join(f'{value:.0f}' for value in hours)} |")
        for kind, price in PRICES.items():
            cells = (f"{price * value:.2f} $" for value in hours)
            lines.append(f"| {kind}, {price} $ per core hour | {' | '.join(cells)} |")
    return "\n".join(lines)


def memory(found: dict[str, Any]) -> str:
    """Memory of a worker over a long video."""
    lines = [
        "| video | frames | hands | MB at the begin | MB at the end | growth, MB per hour of video | bytes per hand |",
        "|---|---|---|---|---|---|---|",
        f"| {found['video_s'] / 3600:.0f} h | {found['frames']} | {found['hands']} | {found['begin_mb']:.0f} | "
        f"{found['end_mb']:.0f} | {found['mb_per_hour']:.1f} | {found['bytes_per_hand']:.0f} |",
    ]
    return "\n".join(lines)


def head(title: str, cases: dict[str, Any], *more: str) -> str:
    """The first two lines of a table with a column for each case."""
    columns = [title, *cases, *more]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
