"""`check_datasets`: everything that is probably wrong in some datasets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from knuckle.datasets.damage.finding import Finding
from knuckle.datasets.damage.geometry import findings_of, wrong_order
from knuckle.datasets.damage.images import Fingerprint, duplicates, fingerprint, size_finding
from knuckle.datasets.damage.seen import findings_seen
from knuckle.datasets.formats import jsonl
from knuckle.datasets.image_source import open_image
from knuckle.datasets.labels import Dataset, Shot
from knuckle.datasets.parsing import json_object
from knuckle.datasets.read import choose_split, find_format
from knuckle.errors import Error, InputError, SourceError
from knuckle.pipeline.networks import Networks


def check_datasets(
    paths: Sequence[Path],
    networks: Networks | None = None,
    split: str | None = None,
    observe: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[list[Finding], list[Shot]]:
    """Look for damage in labels. Photos are opened; of clips only the labels are looked at.

    Args:
        paths: folders or label files. An image that is in two of them counts as a duplicate.
        networks: they look at every labelled hand; None: only numbers and images are checked.
        split: read this split of each dataset.
        observe: called after each image with the number of those that are done and of all.

    Returns:
        What was found, and all images whose labels could be read.

    Raises:
        SourceError: a path does not exist.
        InputError: a path has no labels in a known format, or no such split.
    """
    findings: list[Finding] = []
    datasets = [read_rows(path, split, findings) for path in paths]
    photos = [shot for dataset in datasets for shot in dataset.shots]
    frames = [shot for dataset in datasets for clip in dataset.clips for shot in clip.shots]
    for shot in photos + frames:
        findings += findings_of(shot)
    findings += wrong_order(photos + frames)
    prints: list[tuple[Shot, Fingerprint]] = []
    for done, shot in enumerate(photos, 1):
        try:
            image = open_image(shot.source)
        except SourceError as error:
            findings.append(Finding("unreadable image", str(error), shot.source, shot))
            continue
        wrong_size = size_finding(shot, image)
        if wrong_size is not None:
            findings.append(wrong_size)
        elif networks is not None:
            findings += findings_seen(shot, image, networks)
        prints.append((shot, fingerprint(image)))
        observe(done, len(photos))
    return findings + list(duplicates(prints)), photos + frames


def read_rows(path: Path, split: str | None, findings: list[Finding]) -> Dataset:
    """A dataset without its damaged rows, which become findings. Images may be missing.

    Our JSON lines are read row by row. In other formats the first damaged row hides the rest.

    Raises:
        SourceError, InputError: as `check_datasets`.
    """
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}")
    try:
        return choose_split(path, None, split)()
    except InputError as error:
        problem = error
    file = path if path.is_file() else path / "index.jsonl"
    rows, broken = own_rows(file) if file.suffix == ".jsonl" and file.is_file() else ([], [])
    if not rows and find_kind(path) is None:
        raise problem
    if "say which split" in str(problem) or "there is no split" in str(problem):
        raise problem
    findings += broken
    whole = Dataset(path.name)
    if not rows:
        findings.append(Finding("unreadable row", str(problem), str(path)))
    for row in rows:
        try:
            read = jsonl.read_rows(file, [row], split)
            whole = replace(whole, shots=whole.shots + read.shots, clips=whole.clips + read.clips)
        except Error as error:
            findings.append(Finding("unreadable row", str(error), str(file)))
    return whole


def own_rows(file: Path) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    """The rows of our JSON lines that can be read, by their numbers, and the lines that cannot.

    Of a file of another kind there are no rows.
    """
    rows, broken = [], []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rows.append((number, json_object(file, number, line)))
            except InputError as error:
                broken.append(Finding("unreadable row", str(error), str(file)))
    ours = any({"image", "clip"} & set(row) for _, row in rows)
    return (rows, broken) if ours else ([], [])


def find_kind(path: Path) -> str | None:
    """The format of a path; None for no known one."""
    try:
        return find_format(path, None)[0]
    except InputError:
        return None
