"""Find `std_per_sigma` of a bundle: from what its landmark network says about its own error to standard deviations.

    python recipes/calibrate_std.py DATA/index.jsonl --split ti1k [--check DATA/video/ti1k_*.txt] [--models BUNDLE]

The photos must be held out from training (recipes/held_out.py) and have landmarks labelled by people; labels of single
points, such as two fingertips, are enough. Write the printed value into bundle.json. `--check` prints what share of the
errors on frames of other clips then lies within one and two standard deviations (68 and 95 % are right).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

import knuckle
from knuckle.datasets import open_image, read_dataset
from knuckle.datasets.formats import ti1k
from knuckle.datasets.labels import Clip, Shot
from knuckle.images import Image
from knuckle.metrics import iou_matrix, std_factor

SAME_HAND = 0.3  # intersection over union of the boxes, at least


def frames_of(clips: Iterable[Clip]) -> Iterator[tuple[Image, Shot]]:
    """Every fifth labelled frame of some clips."""
    for clip in clips:
        labelled = {shot.frame: shot for shot in clip.shots}
        for frame in knuckle.read(clip.source):
            if frame.index % 5 == 0 and frame.index in labelled:
                yield frame.image, labelled[frame.index]


def errors_of(images: Iterable[tuple[Image, Shot]], models: str) -> tuple[np.ndarray, np.ndarray]:
    """Signed errors of x and of y in pixels, and the standard deviations that the network gives for them; (n,) each."""
    errors, expected = [np.empty(0)], [np.empty(0)]
    for image, shot in images:
        labelled = [hand for hand in shot.hands or () if hand.landmarks is not None and hand.extent is not None]
        found = knuckle.detect(image, models) if labelled else []
        for label in labelled if found else ():
            overlaps = iou_matrix([label.extent], [hand.box for hand in found])[0]
            hand = found[int(overlaps.argmax())]
            if overlaps.max() >= SAME_HAND and hand.landmark_std is not None:
                difference = (hand.landmarks[:, :2] - label.landmarks[:, :2]).ravel()
                known = np.isfinite(difference)
                errors.append(difference[known])
                expected.append(np.repeat(hand.landmark_std, 2)[known])
    return np.concatenate(errors), np.concatenate(expected)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", help="labelled photos")
    options.add_argument("--split", help="the source or split of the labels")
    options.add_argument("--check", nargs="*", type=Path, default=[], help="label files of ti1k's clips")
    options.add_argument("--models", default="knuckle")
    chosen = options.parse_args()
    used = knuckle.load(chosen.models).bundle.std_per_sigma
    photos = read_dataset(chosen.photos, split=chosen.split).shots
    errors, expected = errors_of(((open_image(shot.source), shot) for shot in photos), chosen.models)
    if not len(errors):
        raise SystemExit(
            f"{chosen.models}: the landmark network does not tell its error, or no labelled hand was found"
        )
    factor = std_factor(errors, expected)
    print(f"{len(errors)} errors: std_per_sigma {used * factor:.3f} (the bundle has {used:.3f})")
    clips = ti1k.read_clips(sorted(chosen.check)).clips if chosen.check else ()
    errors, expected = errors_of(frames_of(clips), chosen.models)
    if len(errors):
        within = [100 * np.mean(np.abs(errors) <= k * factor * expected) for k in (1, 2)]
        print(f"{len(errors)} errors in clips: {within[0]:.0f} % within one, {within[1]:.0f} % within two std")


if __name__ == "__main__":
    main()
