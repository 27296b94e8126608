"""Accuracy on real photos and clips, and the check that it does not get worse: `make bench-accuracy`.

    python benchmarks/accuracy.py             # score bundle `mediapipe` and compare with the committed figures
    python benchmarks/accuracy.py --update    # all bundles and the reference: new figures
    python benchmarks/accuracy.py --bundle knuckle   # compare a bundle with `mediapipe`, also on renders

Predictions are kept in benchmarks/scratch/accuracy: an interrupted run continues, and trackers that did not change do
not run again. `--report FOLDER` writes the full report with curves and the worst cases, which shows the photos.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from made_clips import made_datasets

from knuckle.datasets import read_dataset, sample_datasets
from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.labels import Clip, Dataset, Shot
from knuckle.evaluate.predict import most_hands, predict
from knuckle.evaluate.report import write_report
from knuckle.evaluate.results import Figure, Predictions, Report, Score
from knuckle.evaluate.score import score
from knuckle.evaluate.trackers import TrackerUnderTest, reference_tracker, tracker_from

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"
SCRATCH = HERE / "scratch" / "accuracy"
RESULTS = HERE / "results" / "accuracy.json"
RENDERS = ("hands", "--count", "2000", "--side", "256", "--margin", "1.4", "--seed", "999", "--workers", "2")
SIGNERS = HERE / "labels" / "asl_hands.jsonl"
# Clips of the two held-out signers: recipes/clip_hands.py refuses to make training data of them.
UNSEEN_CLIPS = ("asl_bird", "asl_night", "asl_please", "asl_sister")
STILL_PHOTOS = 12
UNKNOWN_NOISE, ROUNDING = 0.05, 1e-5
# Times depend on what else the machine does, so `make bench` measures them.
TIMES = ("time per image, median", "time per frame, mean")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=DATA, help="folder with index.jsonl, photos/ and video/")
    options.add_argument("--update", action="store_true", help="write benchmarks/results/accuracy.json")
    options.add_argument("--bundle", help="compare it with `mediapipe`: benchmarks/results/accuracy_BUNDLE.json")
    options.add_argument("--reference-python", help="a Python with mediapipe 0.10.21; by default one is made")
    options.add_argument("--only", action="append", help="names of datasets")
    options.add_argument("--report", type=Path, help="folder for the full report")
    chosen = options.parse_args()
    if not chosen.data.is_dir():
        sys.exit(f"no photos and clips at {chosen.data}; name their folder with --data")
    compared, against = trackers(chosen.update or chosen.report is not None, chosen.reference_python)
    scored = datasets(chosen.data, chosen.only)
    if chosen.bundle:
        compared = [tracker_from(name) for name in (chosen.bundle, "mediapipe", "mediapipe-lite")]
        against = {compared[0].name: "mediapipe"}
        scored = [unseen(one) if one.name == "asl_clips" else one for one in scored]
        scored.append(held_out_renders())
    scores, made = [], {}
    for dataset in scored:
        made[dataset.name] = predictions_of(dataset, compared)
        scores.append(score(dataset, made[dataset.name], against))
    if chosen.report:
        print(write_report(Report(scores, made), chosen.report).html)
    if chosen.update or chosen.bundle:
        path = RESULTS.with_stem(f"accuracy_{compared[0].name}") if chosen.bundle else RESULTS
        path.write_text(json.dumps({"datasets": [entry(one) for one in scores]}, indent=1) + "\n")
        print(f"wrote {path}; `make docs` updates the documents")
    else:
        sys.exit(judge(scores, json.loads(RESULTS.read_text())["datasets"]))


def trackers(all_of_them: bool, python: str | None) -> tuple[list[TrackerUnderTest], dict[str, str]]:
    """The trackers, and the reference of the same complexity that each bundle is compared with."""
    if not all_of_them:
        return [tracker_from("mediapipe")], {}
    pairs = [(tracker_from(name), reference_tracker(name, python)) for name in ("mediapipe", "mediapipe-lite")]
    return [one for pair in pairs for one in pair], {ours.name: theirs.name for ours, theirs in pairs}


def datasets(data: Path, only: Sequence[str] | None) -> list[Dataset]:
    """All datasets that are scored. The clips of signing people get the labels of benchmarks/labels."""
    photos = sorted((data / "photos" / "gestures40").glob("*.jpg"))
    made = made_datasets(photos[:: len(photos) // STILL_PHOTOS or 1], SCRATCH / "clips")
    every = [signers(one) if one.name == "asl_clips" else one for one in (*sample_datasets(data), *made)]
    if only and (unknown := set(only) - {one.name for one in every}):
        sys.exit(f"no dataset called {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in every)}")
    return [one for one in every if not only or one.name in only]


def held_out_renders() -> Dataset:
    """Crops of rendered hands, from a seed that is never used for training, with slices by what they show."""
    folder = SCRATCH / "renders"
    subprocess.run([sys.executable, "-m", "knuckle", "synth", *RENDERS, str(folder)], check=True)
    note = "knuckle synth " + " ".join(RENDERS)
    return replace(read_dataset(folder), name="held-out renders", note=note)


def signers(dataset: Dataset) -> Dataset:
    """The clips with labels in every fifth frame: boxes, handedness and ids of the visible hands."""
    rows = [json.loads(line) for line in SIGNERS.read_text().splitlines()]
    clips = tuple(with_labels(clip, [r for r in rows if r["clip"] == Path(clip.source).name]) for clip in dataset.clips)
    note = (
        "five signing people, two fast hands; every fifth frame labelled by us: which hand is where, chosen by eye "
        "among detections at low thresholds, added where none was; frames with hands mostly out of view are left out"
    )
    return replace(dataset, clips=clips, labelled_by="people", note=note)


def unseen(dataset: Dataset) -> Dataset:
    """The clips of the held-out signers."""
    clips = tuple(clip for clip in dataset.clips if Path(clip.source).stem in UNSEEN_CLIPS)
    return replace(dataset, clips=clips, note=dataset.note.replace("five signing people", "two signing people"))


def with_labels(clip: Clip, rows: list[dict[str, Any]]) -> Clip:
    """A clip with the labels of its rows."""
    shots = []
    for row in rows:
        hands = tuple(hand_from_json(hand) for hand in row["hands"])
        group = Path(clip.source).stem
        shots.append(Shot(clip.source, row["frame"], hands=hands, complete=row["complete"], group=group))
    return replace(clip, shots=tuple(shots))


def predictions_of(dataset: Dataset, compared: Sequence[TrackerUnderTest]) -> list[Predictions]:
    """The predictions of all trackers; those that are not kept are computed."""
    made = []
    for one in compared:
        print(f"{dataset.name}: {one.name}", file=sys.stderr, flush=True)
        made.append(predict(one, dataset, SCRATCH / f"{dataset.name}.{one.name}.parquet", most_hands(dataset)))
    return made


def entry(one: Score) -> dict[str, Any]:
    """A score as JSON."""
    about = {"name": one.dataset.name, "labelled_by": one.dataset.labelled_by, "licence": one.dataset.licence}
    about |= {"note": one.dataset.note, "photos": len(one.dataset.shots), "clips": len(one.dataset.clips)}
    tables = [replace(t, rows=tuple(row for row in t.rows if row.metric not in TIMES)) for t in one.tables]
    tables = [table for table in tables if "per joint" not in table.title]  # the reports of --report have them
    return {**about, "models": list(one.models), "tables": [rounded(asdict(table)) for table in tables if table.rows]}


def rounded(value: Any) -> Any:
    """A JSON value with six significant digits; NaN becomes null."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return (float(f"{value:.6g}") if np.isfinite(value) else None) if isinstance(value, float) else value


def judge(scores: Sequence[Score], committed: Sequence[dict[str, Any]]) -> int:
    """Print every figure outside of the committed figure's interval; the exit code is 1 if one of them got worse."""
    worse = checked = 0
    for name, title, metric, unit, better, now, before in figures(scores, committed):
        checked += 1
        low, high = limits(before)
        bad = now.value < low if better == "higher" else now.value > high
        good = now.value > high if better == "higher" else now.value < low
        worse += bad
        if bad or good:
            word, was = "WORSE" if bad else "better", f"{before.value:.4g} ({low:.4g} to {high:.4g})"
            print(f"{word}: {name}, {title}, {metric}: {was} -> {now.value:.4g} {unit}")
    print(f"{checked} figures compared with {RESULTS.name}, {worse} worse by more than their noise")
    return int(worse > 0 or not checked)


def limits(before: Figure) -> tuple[float, float]:
    """The range that a figure may have: the committed interval, or 5 % either way if it comes from a single clip."""
    slack = UNKNOWN_NOISE * abs(before.value) if np.isnan(before.low) else ROUNDING * abs(before.value)
    low, high = (before.value if np.isnan(end) else end for end in (before.low, before.high))
    return low - slack, high + slack


def figures(
    scores: Sequence[Score], committed: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, str, str, str, str, Figure, Figure]]:
    """Dataset, table, metric, unit, which direction is better, the figure now and the committed figure."""
    known = {
        (dataset["name"], table["title"], row["metric"], model): figure
        for dataset in committed
        for table in dataset["tables"]
        for row in table["rows"]
        for model, figure in row["figures"].items()
    }
    for one in scores:
        for table in one.tables:
            for row in table.rows:
                for model, now in row.figures.items():
                    before = known.get((one.dataset.name, table.title, row.metric, model))
                    if before and row.better:
                        numbers = {key: np.nan if value is None else value for key, value in before.items()}
                        yield one.dataset.name, table.title, row.metric, row.unit, row.better, now, Figure(**numbers)


if __name__ == "__main__":
    main()
