"""Clips with known ground truth, made from photos of hands: still, moving on a known path, or covered for a while.

Every frame has its own sensor noise. The clips are written losslessly to a scratch folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

import knuckle
from knuckle.datasets.labels import Clip, Dataset, LabelledHand, Shot
from knuckle.images import Image
from knuckle.media.sources import load_image

RATE, FRAMES = 30, 60
LABELLER = "mediapipe"
LONGEST_SIDE = 640
READ_NOISE, SHOT_NOISE = 2.0, 0.1  # grey levels; variance per grey level: about 4 levels at mid grey, a webcam indoors
SWAY_PALMS, SWAY_HZ = (0.9, 0.45), (1.0, 2.0)  # a horizontal figure of eight, at most 8 palms a second
COVERED = range(20, 35)


def made_datasets(photos: Iterable[Path], folder: Path) -> tuple[Dataset, ...]:
    """Three clips of each photo that shows one hand. The labels are what `LABELLER` detects on the photo."""
    kinds: dict[str, list[Clip]] = {"still": [], "moving": [], "covered": []}
    networks = knuckle.load(LABELLER)
    for photo in photos:
        image = shrink(load_image(photo))
        hands = knuckle.detect(image, networks)
        if len(hands) != 1:
            continue
        truth = LabelledHand(box=hands[0].box, landmarks=hands[0].landmarks[:, :2].astype(np.float64))
        kinds["still"].append(make(folder / f"still_{photo.stem}.mkv", lambda k, i=image, t=truth: (i, t)))
        kinds["moving"].append(make(folder / f"moving_{photo.stem}.mkv", swaying(image, truth, hands[0].palm_size)))
        kinds["covered"].append(make(folder / f"covered_{photo.stem}.mkv", covering(image, truth)))
    what = "of photos of one hand, each frame with its own sensor noise"
    notes = {
        "still": f"clips in which nothing moves, made {what}; the labels are those of `{LABELLER}` on the photo itself",
        "moving": f"clips that sway along a known path, up to 8 palms a second, made {what}; only the path is truth",
        "covered": f"clips in which the hand is covered for half a second, made {what}",
    }
    still = [replace(clip, still=True) for clip in kinds.pop("still")]
    datasets = []
    for kind, clips in (("still", still), *kinds.items()):
        datasets.append(Dataset(f"{kind}_hand", clips=tuple(clips), labelled_by=LABELLER, note=notes[kind]))
    return tuple(datasets)


def shrink(image: Image) -> Image:
    """The image with even sides of at most `LONGEST_SIDE` pixels."""
    scale = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    width, height = (int(side * scale) // 2 * 2 for side in (image.shape[1], image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def swaying(image: Image, truth: LabelledHand, palm: float) -> Callable[[int], tuple[Image, LabelledHand]]:
    """Frames of the photo moving on a horizontal figure of eight."""
    amplitude = np.multiply(SWAY_PALMS, palm)

    def frame(k: int) -> tuple[Image, LabelledHand]:
        shift = amplitude * np.sin(2 * np.pi * np.multiply(SWAY_HZ, k / RATE))
        size = (image.shape[1], image.shape[0])
        moved = cv2.warpAffine(image, np.column_stack([np.eye(2), shift]), size, borderMode=cv2.BORDER_REFLECT_101)
        assert truth.box is not None and truth.landmarks is not None
        shifted = replace(truth, box=truth.box + np.tile(shift, 2), landmarks=truth.landmarks + shift)
        return np.asarray(moved, np.uint8), shifted

    return frame


def covering(image: Image, truth: LabelledHand) -> Callable[[int], tuple[Image, LabelledHand | None]]:
    """Frames of the photo with a grey card in front of the hand during `COVERED`."""
    assert truth.box is not None
    centre, half = (truth.box[:2] + truth.box[2:]) / 2, 0.75 * (truth.box[2:] - truth.box[:2]).max()
    (x0, y0), (x1, y1) = np.maximum(centre - half, 0).astype(int), (centre + half).astype(int)
    covered = image.copy()
    covered[y0:y1, x0:x1] = 128
    return lambda k: (covered, None) if k in COVERED else (image, truth)


def make(path: Path, frame: Callable[[int], tuple[Image, LabelledHand | None]]) -> Clip:
    """The clip with its labels; its file is written if it does not exist."""
    random = np.random.default_rng(0)
    made = [frame(k) for k in range(FRAMES)]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, [with_noise(image, random) for image, _ in made])
    size = (made[0][0].shape[1], made[0][0].shape[0])
    shots = tuple(
        Shot(str(path), k, k / RATE, size, () if truth is None else (truth,), group=path.stem)
        for k, (_, truth) in enumerate(made)
    )
    return Clip(str(path), shots)


def with_noise(image: Image, random: np.random.Generator) -> Image:
    """The image with read noise and shot noise, whose variance rises with the light.

    Foi et al. (2008), "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data".
    """
    spread = np.sqrt(READ_NOISE**2 + SHOT_NOISE * image.astype(np.float32))
    noise = random.standard_normal(image.shape, np.float32) * spread
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def write(path: Path, images: list[Image]) -> None:
    """Write a lossless video; the file appears when it is complete."""
    unfinished = path.with_suffix(".unfinished.mkv")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], "bgr0"
        stream.codec_context.time_base = Fraction(1, RATE)
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unfinished.replace(path)
