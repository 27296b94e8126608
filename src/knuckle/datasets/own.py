"""Our own labels: rows of JSON for photos and clips, and the tar shards of the synthetic hand (docs/datasets.md)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from knuckle.datasets.hand_json import hand_from_json, visibility_codes
from knuckle.datasets.labels import Clip, Dataset, LabelledBy, LabelledHand, Shot
from knuckle.datasets.pictures import names_in, read_member, source_in
from knuckle.datasets.rows import (
    box_of,
    files_of,
    json_lines,
    may_be_found,
    may_show,
    points,
    row_of,
    tips,
)
from knuckle.errors import InputError
from knuckle.media.sources import VIDEO_SUFFIXES
from knuckle.results import FloatArray

# Slices of renders: Monk's skin tones; the longer side of the landmarks' box as a share of the picture's shorter side;
# how many landmarks must be hidden; a streak as a share of the hand.
TONES = (("tone 1-3", 1, 3), ("tone 4-7", 4, 7), ("tone 8-10", 8, 10))
SIZES = (("small hand", 0, 0.12), ("medium hand", 0.12, 0.35), ("large hand", 0.35, np.inf))
MANY_HIDDEN = 5
BLURRED = 0.05
HIDDEN_CODES = (1, 2)
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def _shown(row: Mapping[str, Any]) -> tuple[tuple[LabelledHand, ...] | None, bool]:
    """The hands that show in a row's image, and whether these are all that may be found there."""
    hands = _hands_of(row)
    complete = bool(row.get("complete", True))
    if hands is None:
        return None, complete
    shown = tuple(hand for hand in hands if may_show(hand))
    return shown, complete and len(shown) == sum(map(may_be_found, hands))


def _hands_of(row: Mapping[str, Any]) -> tuple[LabelledHand, ...] | None:
    """`hands`, or `hand_boxes` with `tips`; None where the row has neither."""
    if row.get("hands") is not None:
        return tuple(map(hand_from_json, row["hands"]))
    if row.get("hand_boxes") is None:
        return None
    hands = [LabelledHand(box=box_of(box)) for box in row["hand_boxes"]]
    if row.get("tips"):
        if len(hands) != 1:
            raise ValueError(f"'tips' belong to one hand, but there are {len(hands)} hand_boxes")
        landmarks = tips(row["tips"]["thumb_tip"], row["tips"]["index_tip"])
        hands = [LabelledHand(box=hands[0].box, landmarks=landmarks)]
    return tuple(hands)


def _both_hands_box(row: Mapping[str, Any]) -> FloatArray | None:
    box = row.get("both_hands_box")
    if box is None:
        return None
    return box_of(box[0] if len(box) == 1 else box)


def _size_of(row: Mapping[str, Any]) -> tuple[int, int] | None:
    return (int(row["width"]), int(row["height"])) if row.get("width") and row.get("height") else None


def _check_reach(shot: Shot) -> None:
    """Boxes in other pixels than the image's own are the commonest damage, and they lie outside of the image."""
    for box in (*(hand.box for hand in shot.hands or ()), shot.both_hands_box):
        if box is not None and shot.size is not None and (box[:2] >= shot.size).any():
            edges, (width, height) = np.round(box.astype(float), 1).tolist(), shot.size
            raise ValueError(f"the box {edges} lies outside of its {width} × {height} image; mend it, or name a split")


def find_jsonl(path: Path) -> dict[str, Callable[[], Dataset]]:
    """JSON lines with `image`: every value of `source` is a split of its own, "" is all of them."""
    splits: dict[str, Callable[[], Dataset]] = {}
    for file in files_of(path, "index.jsonl") or (files_of(path, "*.jsonl") if path.is_file() else []):
        rows = list(json_lines(file))
        if not rows or "image" not in rows[0][1]:
            continue
        splits[""] = functools.partial(_read_jsonl, file, rows, None)
        for source in dict.fromkeys(str(row["source"]) for _, row in rows if "source" in row):
            splits[source] = functools.partial(_read_jsonl, file, rows, source)
    return splits


def _read_jsonl(file: Path, rows: list[tuple[int, dict[str, Any]]], source: str | None) -> Dataset:
    chosen = [(number, row) for number, row in rows if source is None or row.get("source") == source]
    shots = []
    for number, row in chosen:
        with row_of(file, number):
            picture = str(file.parent / row["image"])
            hands, complete = _shown(row)
            shot = Shot(
                picture,
                size=_size_of(row),
                hands=hands,
                complete=complete,
                both_hands_box=_both_hands_box(row),
                group=str(row.get("group", picture)),
                slices=tuple(map(str, row.get("slices", ()))),
            )
            _check_reach(shot)
        shots.append(shot)
    nobody = all(shot.hands is None and shot.both_hands_box is None for shot in shots)
    by = _labelled_by(file, (row for _, row in chosen), "nobody" if nobody else "people")
    licence = ", ".join(dict.fromkeys(str(row["licence"]) for _, row in chosen if row.get("licence")))
    return Dataset(source or file.parent.name, tuple(shots), labelled_by=by, licence=licence)


def _labelled_by(file: Path, rows: Iterable[Mapping[str, Any]], otherwise: LabelledBy) -> LabelledBy:
    said: set[Any] = {str(row["labelled_by"]) for row in rows if row.get("labelled_by")}
    if len(said) > 1:
        raise InputError(f"{file}: rows labelled by {' and '.join(sorted(said))} are no single dataset; name a split")
    by: LabelledBy = said.pop() if said else otherwise
    if by not in get_args(LabelledBy):
        raise InputError(f"{file}: labelled_by must be one of {', '.join(get_args(LabelledBy))}, got {by!r}")
    return by


def find_clips(path: Path) -> dict[str, Callable[[], Dataset]]:
    """A video and beside it NAME.jsonl with one line per frame."""
    found = [(clip, file) for file in files_of(path, "*.jsonl", "*/*.jsonl") if (clip := _clip_beside(file))]
    return {"": functools.partial(_read_clips, path, found)} if found else {}


def _clip_beside(file: Path) -> Path | None:
    clips = [file.with_suffix(suffix) for suffix in sorted(VIDEO_SUFFIXES)]
    return next((clip for clip in clips if clip.is_file()), None)


def _read_clips(path: Path, found: list[tuple[Path, Path]]) -> Dataset:
    clips, by = [], set()
    for clip, file in found:
        shots, still = [], False
        rows = list(json_lines(file))
        by.add(
            _labelled_by(
                file, (row for _, row in rows), "renderer" if any("camera" in r for _, r in rows) else "people"
            )
        )
        for number, row in rows:
            with row_of(file, number):
                moment = int(row["frame"]), float(row["time_s"])
                shot = Shot(str(clip), *moment, _size_of(row.get("camera") or row), *_shown(row), group=clip.stem)
                still = still or bool(row.get("still"))
            shots.append(shot)
        clips.append(Clip(str(clip), tuple(shots), still))
    if len(by) > 1:
        raise InputError(f"{path}: clips labelled by {' and '.join(sorted(by))} are no single dataset; name one file")
    return Dataset(path.stem, clips=tuple(clips), labelled_by=by.pop())


def find_shards(path: Path) -> dict[str, Callable[[], Dataset]]:
    """Tar files with KEY.jpg (or .png, .webp) and KEY.json."""
    shards = files_of(path, "*.tar", "*/*.tar")
    return {"": functools.partial(_read_shards, path, shards)} if shards else {}


def _read_shards(path: Path, shards: list[Path]) -> Dataset:
    shots = tuple(shot for shard in shards for shot in _shots_of(shard))
    if not shots:
        raise InputError(f"{path}: the shards hold no KEY.json beside a KEY.jpg or KEY.png")
    return Dataset(path.stem, shots, labelled_by="renderer", note="synthetic pictures")


def _shots_of(shard: Path) -> Iterator[Shot]:
    names = set(names_in(shard))
    for name in names_in(shard):
        if not name.endswith(".json"):
            continue
        picture = next((name[:-5] + end for end in PICTURES if name[:-5] + end in names), None)
        with row_of(shard, name):
            if picture is None:
                raise ValueError("there is no picture of that name beside it")
            row = json.loads(read_member(shard, name))
            if "hands" not in row:
                raise KeyError("hands")
            source, size = source_in(shard, picture), _size_of(row.get("camera") or row)
            shot = Shot(source, 0, 0.0, size, *_shown(row), group=source, slices=tuple(_render_slices(row)))
        yield shot


def _render_slices(row: Mapping[str, Any]) -> Iterator[str]:
    """What the JSON of `knuckle synth` tells of a picture, as names of subsets; one with two hands may be in both
    subsets of a kind. Hands of which nothing shows do not count, and skin under a glove has no tone."""
    scene, shown = row.get("scene") or {}, [hand for hand in row["hands"] if may_show(hand_from_json(hand))]
    abouts = [hand["about"] for hand in shown if hand.get("about")]
    bare = [about for about in abouts if about.get("glove") is None]
    tones = [float(about["tone"]) for about in bare if about.get("tone") is not None]
    yield from (name for name, low, high in TONES if any(low <= tone <= high for tone in tones))
    yield from ["bare"] if bare else []
    yield from ["glove"] if len(bare) < len(abouts) else []
    yield from ["holds something"] if any(about.get("holds") for about in abouts) else []
    codes = [visibility_codes(hand["visibility"]) for hand in shown if hand.get("visibility")]
    if any(np.isin(of_hand, HIDDEN_CODES).sum() > MANY_HIDDEN for of_hand in codes):
        yield "hidden in part"
    size, spans = _size_of(row.get("camera") or row), [_span(hand) for hand in shown if hand.get("landmarks")]
    if size and not scene.get("crop"):  # in a crop every hand has the same size
        yield from (name for name, low, high in SIZES if any(low <= span / min(size) < high for span in spans))
    blur = float((scene.get("film") or {}).get("motion_px") or 0)
    yield from ["motion blur"] if spans and blur > BLURRED * max(spans) else []
    yield from [f"light: {scene['light']}"] if scene.get("light") else []


def _span(hand: Mapping[str, Any]) -> float:
    """The longer side of the box round a hand's landmarks, pixels."""
    return float(np.ptp(points(hand["landmarks"], 2, 3)[:, :2], axis=0).max())
