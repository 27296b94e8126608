"""The tables of docs/serve.md and docs/mobile.md, from benchmarks/results; make_tables.py puts them into the pages."""

from __future__ import annotations

from typing import Any

MEANINGS = {
    "200": "an image that could be read, or a batch with an answer for each file",
    "400": "damaged images, malformed forms, wrong options",
    "413": "headers that promise too many pixels",
    "415": "other formats, wrong content types",
}
FILES = {
    "mediapipe": "MediaPipe's own networks",
    "knuckle": "`knuckle.task`",
    "mixed": "MediaPipe's palms, our landmarks",
}
NOT_MEASURED = (
    "Not measured yet. `python benchmarks/serve_load.py --write` measures it on a machine without other work."
)


def serve_tables(uploads: dict[str, Any] | None, load: dict[str, Any] | None) -> dict[str, str]:
    """The tables of docs/serve.md by their marks."""
    return {
        "uploads": uploads_table(uploads) if uploads else "Not counted yet.",
        "load": load_table(load) if load else NOT_MEASURED,
    }


def uploads_table(found: dict[str, Any]) -> str:
    """How mutated uploads were answered."""
    memory, lines = found["memory_mb"], ["| status | requests | for |", "|---|---|---|"]
    lines += [f"| {status} | {count:,} | {MEANINGS.get(status, '')} |" for status, count in found["statuses"].items()]
    about = (
        f"{found['uploads']:,} files in {found['requests']:,} requests, seed {found['seed']}. None got a 500 or an "
        f"answer that is not JSON. The server's memory was {memory['before']} MB before, and {memory['most']} MB at "
        f"most; after each tenth it was {', '.join(map(str, memory['tenths']))} MB."
    )
    assert not found["wrong"], "wrong answers are to be mended, not published"
    return "\n".join([*lines, "", about])


def load_table(found: dict[str, Any]) -> str:
    """Requests per second and their latency for some numbers of clients."""
    head = "| clients | requests/s | per core | median, ms | 99th percentile, ms | CPU per request, ms |"
    lines = [head, "|" + 6 * "---|"]
    for row in found["rows"]:
        cells = f"{row['per_s']:.1f} | {row['per_s'] / found['cores']:.1f} | {row['p50_ms']:.0f} | {row['p99_ms']:.0f}"
        lines.append(f"| {row['clients']} | {cells} | {row['cpu_ms']:.1f} |")
    about = (
        f"`POST /v1/detect` with 640 × 480 JPEGs of two hands, `{found['models']}`, server and clients on "
        f"{found['cores']} cores, {found['processor']}; load average {found['load']} at the start."
    )
    return "\n".join([*lines, "", about])


def mobile_tables(found: dict[str, Any] | None) -> dict[str, str]:
    """The table of docs/mobile.md by its mark."""
    if found is None:
        return {"task": "Not measured yet."}
    photos = f"{found['photos']} photos with a hand: found in | {found['empty']} photos without: hands"
    head = f"| file | run by | confidence | {photos} |"
    lines = [head, "|---|---|---|---|---|"]
    gaps = []
    for row in found["rows"]:
        confidence = row.get("confidence", "")
        file = "bundle `knuckle`" if row["with"] == "Knuckle" else FILES[row["file"]]
        lines.append(f"| {file} | {row['with']} | {confidence} | {row['photos']} | {row['false']} |")
        if row["file"] == "knuckle" and "gap" in row:
            gaps.append((row["gap"], row["same_side"], row["shared"]))
    gap, same, shared = gaps[-1]
    about = (
        f"Of the {shared} hands that `knuckle.task` and our pipeline both find, the landmarks are {100 * gap:.1f} % of "
        f"the palm apart in the median, and {same} have the same side. With MediaPipe's rules our pipeline gives its "
        "landmarks to less than 2 % (a test compares them). `python benchmarks/mobile_task.py` measures the table."
    )
    return {"task": "\n".join([*lines, "", about])}
