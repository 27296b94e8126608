"""The developers' photos and clips as evaluation sets, one per source, with groups of images that belong together."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from knuckle.datasets.boxes import read_ti1k_clips
from knuckle.datasets.labels import Clip, Dataset, LabelledBy, Shot
from knuckle.datasets.own import find_jsonl
from knuckle.datasets.pictures import clip_header
from knuckle.errors import InputError

STRETCH = 50  # pictures of one capture with neighbouring numbers that count as one group


def _capture(name: str) -> str:
    """subhih: CAPTURE_picNUMBER, one man walking through many rooms; a stretch of a capture is a group."""
    capture, _, number = name.removesuffix(".jpg").rpartition("pic")
    return f"{capture}{int(number) // STRETCH}" if number.isdigit() else "others"


def _moment(name: str) -> str:
    """ti1k: neighbouring numbers are neighbouring moments of one view."""
    return f"ti1k {int(re.sub(r'[^0-9]', '', name.removeprefix('TI1K'))) // 10}"


# Source, how its file names show what belongs together, and what its labels leave out. rf100_signers is not here: drawn
# on its photos, its boxes are not where the hands are. Sources without labels are of no use here.
PHOTOS: Mapping[str, tuple[Callable[[str], str] | None, str]] = {
    "subhih": (_capture, "one man in many rooms and outdoors; boxes"),
    "asl_letters": (
        None,
        "close hands of one person, some turned and grey; boxes; file names hide what belongs together",
    ),
    "lebanese_gestures": (None, "many homes and phones; boxes; file names hide what belongs together"),
    "hands_dguzk": (
        None,
        "turned photos and mosaics with cut-off hands, loose boxes; file names hide what belongs together",
    ),
    "ti1k": (_moment, "first-person pinches: boxes and the tips of thumb and index finger"),
    "indoor_no_hands": (None, "rooms without people"),
    "office_no_hands": (None, "offices without people"),
}
CLIPS: Mapping[str, tuple[str, LabelledBy, str, str]] = {
    "asl_clips": ("asl_*.mkv", "nobody", "CC-BY-4.0", "five signing people, two fast hands; no labels"),
    "bottle_clip": ("bottle-detection.mp4", "nobody", "CC-BY-4.0", "hands reach in and out; no labels"),
    "car_clip": ("car-detection.mp4", "people", "CC-BY-4.0", "no person in any frame"),
}
HANDS_FREE = ("car_clip",)


def sample_datasets(folder: str | os.PathLike[str]) -> tuple[Dataset, ...]:
    """Every evaluation set of a folder with index.jsonl, photos/ and video/.

    Sources with labels become a dataset of photos each; ti1k's clips and the clips without labels one each per kind.
    What a source's licence asks for stays in `licence`.

    Raises:
        InputError: there is no index.jsonl, it lacks a source, or a row of it is damaged.
    """
    folder = Path(folder)
    sources = find_jsonl(folder)
    lacking = [source for source in PHOTOS if source not in sources]
    if lacking:
        raise InputError(
            f"{folder}/index.jsonl was expected with the sources {', '.join(PHOTOS)}; lacking: {', '.join(lacking)}"
        )
    photos = [_grouped(sources[source](), group, note) for source, (group, note) in PHOTOS.items()]
    video = folder / "video"
    labelled = [file for file in sorted(video.glob("ti1k_*.txt")) if file.with_suffix(".mp4").is_file()]
    clips = [read_ti1k_clips(labelled)] if labelled else []
    for name, (pattern, by, licence, note) in CLIPS.items():
        found = tuple(_clip(path, name in HANDS_FREE) for path in sorted(video.glob(pattern)))
        clips += [Dataset(name, clips=found, labelled_by=by, licence=licence, note=note)] if found else []
    return (*photos, *clips)


def _grouped(dataset: Dataset, group: Callable[[str], str] | None, note: str) -> Dataset:
    shots = dataset.shots
    if group is not None:
        shots = tuple(replace(shot, group=group(Path(shot.source).name)) for shot in shots)
    return replace(dataset, shots=shots, note=note)


def _clip(path: Path, hands_free: bool) -> Clip:
    """A clip without labels, or one of which somebody said that no frame shows a hand."""
    if not hands_free:
        return Clip(str(path))
    frames, rate, size = clip_header(path)
    return Clip(str(path), tuple(Shot(str(path), k, k / rate, size, hands=(), group=path.stem) for k in range(frames)))
