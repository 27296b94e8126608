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


def subhih_group(name: str) -> str:
    """The group of a photo of subhih, CAPTURE_picNUMBER: one man walks through many rooms."""
    capture, _, number = name.removesuffix(".jpg").rpartition("pic")
    return f"{capture}{int(number) // STRETCH}" if number.isdigit() else "others"


def ti1k_group(name: str) -> str:
    """The group of a photo of ti1k: neighbouring numbers are neighbouring moments of one view."""
    return f"ti1k {int(re.sub(r'[^0-9]', '', name.removeprefix('TI1K'))) // 10}"


# For each source: how the file names show which images belong together, and a note. Not rf100_signers: drawn on its
# photos, its boxes are not where the hands are. Not gloves_whole_people: 24 of its boxes are clicks without an area.
PHOTOS: Mapping[str, tuple[Callable[[str], str] | None, str]] = {
    "subhih": (subhih_group, "one man in many rooms and outdoors; boxes"),
    "asl_letters": (
        None,
        "close hands of one person, some turned and grey; boxes; file names hide what belongs together",
    ),
    "lebanese_gestures": (None, "many homes and phones; boxes; file names hide what belongs together"),
    "hands_dguzk": (
        None,
        "turned photos and mosaics with cut-off hands, loose boxes; file names hide what belongs together",
    ),
    "ti1k": (ti1k_group, "first-person pinches: boxes and the tips of thumb and index finger"),
    "rps_homes": (None, "many people at home and at work, 0.5 to 3 m away; boxes of the playing hands only"),
    "bare_and_gloved": (None, "bare and gloved hands before many backgrounds; not every hand has a box"),
    "gloves_other": (None, "gloves of all kinds, over objects; not every hand has a box"),
    "gloves_workers": (None, "workers in gloves, near and far; not every hand has a box"),
    "count_to_ten": (None, "two or three men with both hands raised; not every hand has a box"),
    "indoor_no_hands": (None, "rooms without people"),
    "office_no_hands": (None, "offices without people"),
    "faces_no_hands": (None, "faces without hands"),
    "animals_no_hands": (None, "raccoons"),
    "trees_no_hands": (None, "palm trees from above"),
}
CLIPS: Mapping[str, tuple[str, LabelledBy, str, str]] = {
    "asl_clips": ("asl_*.mkv", "nobody", "CC-BY-4.0", "five signing people, two fast hands; no labels"),
    "bottle_clip": ("bottle-detection.mp4", "nobody", "CC-BY-4.0", "hands reach in and out; no labels"),
    "car_clip": ("car-detection.mp4", "people", "CC-BY-4.0", "no person in any frame"),
}
HAND_FREE = ("car_clip",)


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
    datasets = []
    for source, (group_of, note) in PHOTOS.items():
        dataset = sources[source]()
        shots = dataset.shots
        if group_of is not None:
            shots = tuple(replace(shot, group=group_of(Path(shot.source).name)) for shot in shots)
        datasets.append(replace(dataset, shots=shots, note=note))
    video = folder / "video"
    labelled = [file for file in sorted(video.glob("ti1k_*.txt")) if file.with_suffix(".mp4").is_file()]
    if labelled:
        datasets.append(ti1k.read_clips(labelled))
    for name, (pattern, by, licence, note) in CLIPS.items():
        paths = sorted(video.glob(pattern))
        clips = tuple(hand_free_clip(path) if name in HAND_FREE else Clip(str(path)) for path in paths)
        if clips:
            datasets.append(Dataset(name, clips=clips, labelled_by=by, licence=licence, note=note))
    return tuple(datasets)


def hand_free_clip(path: Path) -> Clip:
    """A clip that is labelled as showing no hand in any frame."""
    frames, rate, size = clip_header(path)
    return Clip(str(path), tuple(Shot(str(path), k, k / rate, size, hands=(), group=path.stem) for k in range(frames)))
