"""The developers' photos and clips as evaluation sets, one per source, with groups of images that belong together.

They are not part of the repository. benchmarks/accuracy.py measures on them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from knuckle.datasets.formats import jsonl, ti1k
from knuckle.datasets.image_source import clip_header
from knuckle.datasets.labels import Clip, Dataset, LabelledBy, Shot
from knuckle.errors import InputError

STRETCH = 50  # this many images of one capture with neighbouring numbers are one group


def _capture(name: str) -> str:
    """The group of a photo of subhih, CAPTURE_picNUMBER: one man walks through many rooms."""
    capture, _, number = name.removesuffix(".jpg").rpartition("pic")
    return f"{capture}{int(number) // STRETCH}" if number.isdigit() else "others"


def _moment(name: str) -> str:
    """The group of a photo of ti1k: neighbouring numbers are neighbouring moments of one view."""
    return f"ti1k {int(re.sub(r'[^0-9]', '', name.removeprefix('TI1K'))) // 10}"


# For each source: how the file names show which images belong together, and a note. Not rf100_signers: drawn on its
# photos, its boxes are not where the hands are.
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
    """Every evaluation set of a folder with index.jsonl, photos/ and video/: a dataset per source.

    Raises:
        InputError: there is no index.jsonl, it lacks a source, or one of its rows is damaged.
    """
    folder = Path(folder)
    sources = jsonl.find(folder)
    lacking = [source for source in PHOTOS if source not in sources]
    if lacking:
        raise InputError(
            f"{folder}/index.jsonl was expected with the sources {', '.join(PHOTOS)}; lacking: {', '.join(lacking)}"
        )
    photos = [_grouped(sources[source](), group, note) for source, (group, note) in PHOTOS.items()]
    video = folder / "video"
    labelled = [file for file in sorted(video.glob("ti1k_*.txt")) if file.with_suffix(".mp4").is_file()]
    clips = [ti1k.read_clips(labelled)] if labelled else []
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
    """A clip without labels, or one that is known to show no hand in any frame."""
    if not hands_free:
        return Clip(str(path))
    frames, rate, size = clip_header(path)
    return Clip(str(path), tuple(Shot(str(path), k, k / rate, size, hands=(), group=path.stem) for k in range(frames)))
