"""Examples of gestures: `folder/NAME/…` holds photos, clips or recorded hands that show the gesture NAME."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from knuckle.errors import DAMAGE, Error, InputError, SinkError, reason_of
from knuckle.gestures.taught import NONE, ExampleHands
from knuckle.media.kinds import is_hidden, kind_of
from knuckle.results import Hand

PER_CLIP = 12  # hands of a clip or a recording that count, evenly spread
RECORDING = ".jsonl"
FindHands = Callable[[Path], Iterable[Sequence[Hand]]]


def read_examples(folder: Path, find_hands: FindHands) -> tuple[ExampleHands, list[str]]:
    """The hands of a folder of examples, and a line about each file and each gesture that gave none.

    A gesture's folder holds photos, clips and recordings; of each photo or frame the largest hand counts, of each clip
    or recording up to `PER_CLIP` hands. Folders below it name people: `Victory/anna/1.jpg`. Where there are none, each
    clip or recording is a take of its own, and so is each photo. Examples in a folder "None" or "none" show no gesture.

    Args:
        folder: the folder.
        find_hands: gives the hands of each frame of a photo or clip.

    Raises:
        InputError: the folder does not exist or holds no folder with a hand in it.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder} is no folder; examples lie in one folder per gesture, such as {folder}/Victory/1.jpg"
        )
    rows: list[tuple[str, str, Hand]] = []
    notes: list[str] = []
    gestures = sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    if not gestures and any(kind_of(path) != "other" for path in folder.iterdir() if path.is_file()):
        raise InputError(f"{folder} holds photos or clips itself; put them into one folder per gesture inside of it")
    for gesture in gestures:
        before = len(rows)
        for path in sorted(path for path in gesture.rglob("*") if path.is_file() and not is_hidden(path.name)):
            try:
                hands = hands_in(path, find_hands)
            except Error as error:
                notes.append(f"passed over {path}: {error}")
                continue
            if not hands:
                notes.append(f"no hand was found in {path}")
            kept = np.linspace(0, len(hands) - 1, min(PER_CLIP, len(hands))).round().astype(int)
            inner = path.parent.relative_to(gesture).as_posix()
            group = path.relative_to(folder).as_posix() if inner == "." else inner
            name = NONE if gesture.name.lower() == NONE.lower() else gesture.name  # Model Maker calls it "none"
            rows += [(name, group, hands[k]) for k in kept]
        if len(rows) == before:
            notes.append(f"{gesture.name} has no example with a hand, so it is not learned")
    if not rows:
        first = f" ({notes[0]})" if notes else ""
        raise InputError(
            f"no hand was found in {folder}; it needs one folder per gesture with photos or clips of a hand{first}"
        )
    return examples_of(rows), notes


def hands_in(path: Path, find_hands: FindHands) -> list[Hand]:
    """The largest hand of each frame of a photo, a clip or a recording.

    Raises:
        InputError: the file is of another kind, or a recording is damaged.
        SourceError: it cannot be opened.
    """
    if path.suffix == RECORDING:
        frames = recorded(path)
    elif kind_of(path) == "other":
        raise InputError("neither photo, clip nor recording")
    else:
        frames = [list(found) for found in find_hands(path)]
    return [max(found, key=lambda hand: hand.palm_size) for found in frames if found]


def examples_of(rows: Sequence[tuple[str, str, Hand]]) -> ExampleHands:
    """Examples from (name, group, hand)."""
    return ExampleHands(
        np.array([name for name, _, _ in rows]),
        np.array([group for _, group, _ in rows]),
        np.array([hand.landmarks for _, _, hand in rows]),
        np.array([hand.world for _, _, hand in rows]),
        np.array([hand.handedness == "Left" for _, _, hand in rows]),
    )


def recorded(path: Path) -> list[list[Hand]]:
    """The hands of each frame of a recording, or of any JSON lines that `knuckle track` wrote.

    Raises:
        InputError: a line is damaged.
    """
    frames = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            frames.append([Hand.from_dict(row) for row in json.loads(line)["hands"]])
        except DAMAGE as error:
            raise InputError(f"{path}, line {number}: not a line of hands ({reason_of(error)})") from error
    return frames


def write_csv(path: Path, hands: ExampleHands) -> None:
    """Write examples as a table for other programs that learn gestures: a row per hand.

    The columns are `gesture`, `group` (its person or take), `handedness`, the 21 landmarks as `x0`, `y0`, `z0`, … in
    image pixels, and the world landmarks as `world_x0`, … in metres.

    Raises:
        SinkError: the file cannot be written.
    """
    places = [f"{axis}{k}" for k in range(21) for axis in "xyz"]
    rows = zip(hands.names.tolist(), hands.groups.tolist(), hands.left.tolist(), strict=True)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["gesture", "group", "handedness", *places, *(f"world_{place}" for place in places)])
            for k, (name, group, left) in enumerate(rows):
                points = hands.landmarks[k].ravel().round(2).tolist() + hands.world[k].ravel().round(5).tolist()
                writer.writerow([name, group, "Left" if left else "Right", *(f"{value:g}" for value in points)])
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error


def new_take(folder: Path, name: str) -> Path:
    """The file of the next recording of a gesture, in its folder.

    Raises:
        InputError: the name cannot be that of a folder.
    """
    if not name.strip() or name.startswith(".") or any(letter in name for letter in '/\\:*?"<>|'):
        raise InputError(f"a gesture cannot be called {name!r}; use letters, digits, spaces, - and _")
    takes = (folder / name / f"take-{number}{RECORDING}" for number in count(1))
    return next(path for path in takes if not path.exists())
