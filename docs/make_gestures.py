"""The tables of docs/model_gestures.md, from benchmarks/results/gestures.json, for make_tables.py."""

from __future__ import annotations

from typing import Any

WHAT = {
    "held, no lock": "held gestures of `canned`, no lock",
    "held, lock": "held gestures, `GestureLock()`",
    "motion, no lock": "gestures in motion, no lock",
    "motion, lock": "gestures in motion, `hold_s=0.5`",
}


def gesture_tables(found: dict[str, Any]) -> dict[str, str]:
    """All tables of the page by their marks."""
    return {
        "triggers": triggers(found["triggers"]),
        "motion": motion(found["motion"]),
        "few-shot": few_shot(found["few-shot"]),
        "sets": sets(found["sets"]),
        "confusion": confusion(found["sets"]["canned"]),
        "simulated signing": simulated_signing(found["simulated signing"]),
        "simulated motion": simulated_motion(found["simulated motion"]),
        "simulated errors": simulated_errors(found["simulated errors"]),
    }


def triggers(found: dict[str, Any]) -> str:
    """What triggered in clips in which nobody makes gestures for a computer."""
    lines = ["| clips | minutes | | triggered | an hour | at most an hour (95 %) |", "|---|---|---|---|---|---|"]
    for kind, part in found.items():
        for name, text in WHAT.items():
            cells = part["counts"][name], f"{part['an hour'][name]:.0f}", part["at most an hour"][name]
            head = f"{part['clips']} of {kind} | {part['seconds'] / 60:.1f}"
            lines.append(f"| {head} | {text} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def motion(found: dict[str, Any]) -> str:
    """Which gestures in motion were found of rendered people who made them."""
    lines = ["| gesture | made | found | with another one |", "|---|---|---|---|"]
    lines += [f"| {name} | {row['made']} | {row['found']} | {row['other']} |" for name, row in found.items()]
    return "\n".join(lines)


def few_shot(found: dict[str, Any]) -> str:
    """How many hands of another person were right after ten examples of each letter."""
    hands = ", ".join(f"{name} {count}" for name, count in sorted(found["hands"].items()))
    return (
        f"{found['mean']:.1%} of the hands on average over {found['draws']} draws of {found['examples']} examples a "
        f"letter, {found['worst']:.1%} in the worst draw.\nHands of the other person: {hands}."
    )


def sets(found: dict[str, Any]) -> str:
    """Each set on photos of people who never train; gestures without hands are named."""
    lines = [
        "| set | mean over its gestures | calibration error | gestures: right of hands | no hands to judge on |",
        "|---|---|---|---|---|",
    ]
    for name, part in found.items():
        rows = part["gestures"].items()
        judged = [f"{gesture} {row['right']:.0%} of {row['hands']}" for gesture, row in rows if row["hands"]]
        absent = [gesture for gesture, row in rows if not row["hands"]]
        judged_on = any(row["hands"] for gesture, row in rows if gesture != "None")
        macro = f"{part['macro']:.1%}" if judged_on else "not judged"
        cells = macro, f"{part['calibration error']:.3f}", ", ".join(judged), ", ".join(absent)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def confusion(found: dict[str, Any]) -> str:
    """What the hands of each gesture of `canned` were taken for."""
    lines = ["| gesture | hands | right | taken for |", "|---|---|---|---|"]
    for name, row in found["gestures"].items():
        wrong = ", ".join(f"{other} {count}" for other, count in row["taken for"].items())
        share = f"{row['right']:.0%}" if row["hands"] else ""
        lines.append(f"| {name} | {row['hands']} | {share} | {wrong} |")
    return "\n".join(lines)


def simulated_signing(found: dict[str, Any]) -> str:
    """What triggered while simulated people signed."""
    lines = ["| | hours | triggered | an hour | at most an hour (95 %) |", "|---|---|---|---|---|"]
    more = {
        "motion, 1.5 s": "gestures in motion, `hold_s=1.5`",
        "held, calm_s=0": "held gestures, `GestureLock(calm_s=0)`",
    }
    for name, text in {**WHAT, **more}.items():
        if name in found["counts"]:
            figures = (
                found["hours"][name],
                found["counts"][name],
                found["an hour"][name],
                found["at most an hour"][name],
            )
            lines.append(f"| {text} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def simulated_motion(found: dict[str, Any]) -> str:
    """Which gestures in motion were recognised of simulated people."""
    lines = ["| gesture | made | found | with a lock of 0.25 s | others said |", "|---|---|---|---|---|"]
    for name, row in found.items():
        others = ", ".join(f"{other} {count}" for other, count in row["others"].items())
        lines.append(f"| {name} | {row['made']} | {row['found']} | {row['with lock']} | {others} |")
    made, hit = (sum(row[what] for row in found.values()) for what in ("made", "found"))
    wrong, minutes = sum(row["other"] for row in found.values()), sum(row["minutes"] for row in found.values())
    lines.append(f"| **all** | {made} | {hit} ({hit / made:.0%}) | | {wrong} in {minutes:.1f} minutes |")
    return "\n".join(lines)


def simulated_errors(found: dict[str, Any]) -> str:
    """How large the errors of the tracker are, and those of simulated hands."""
    return (
        f"Root mean square errors: {found['across']} palm lengths across the picture and {found['depth']} in depth for "
        f"the tracker on {found['hands']} rendered hands, {found['simulated across']} and {found['simulated depth']} "
        "for simulated hands."
    )


def recogniser_table(found: dict[str, Any]) -> str:
    """MediaPipe's recogniser and ours with the same `.task` file."""
    columns = "run by", "gestures", "hands", "largest difference from its landmarks", "read alike", "same name"
    lines = [f"| {' | '.join((*columns, 'median difference'))} |", "|---|---|---|---|---|---|---|"]
    for row in found["rows"]:
        figures = row["hands"], row["largest difference from its landmarks"], row["hands that both read alike"]
        cells = row["with"], row["kind"], *figures, row["same name"], row["median difference"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
