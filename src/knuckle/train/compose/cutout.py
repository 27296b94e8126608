"""What people and hands share: cutting out along an edge, moving labels, blending into a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from knuckle.datasets.labels import LabelledHand
from knuckle.extras import cv2
from knuckle.geometry import apply
from knuckle.images import Image
from knuckle.results import FloatArray
from knuckle.train.label_file import LabelledPhoto

Random = np.random.Generator
LONGEST_PX = 560  # longer side of a composed picture
ORIGIN = ("source", "licence")  # fields of a row that are joined


def grab_cut(photo: Image, guess: Image, iterations: int) -> npt.NDArray[np.bool_]:
    """(height, width) where GrabCut (Rother et al. 2004) finds the foreground.

    Args:
        guess: (height, width) of cv2.GC_BGD, GC_PR_BGD, GC_PR_FGD and GC_FGD.
    """
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, guess, (0, 0, 0, 0), *models, iterCount=iterations, mode=cv2.GC_INIT_WITH_MASK)
    return np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD))


def largest_part(mask: Image) -> npt.NDArray[np.bool_]:
    """The largest connected part of a mask."""
    _, parts, figures, _ = cv2.connectedComponentsWithStats(mask)
    return np.asarray(parts == 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax()))


def moved(hand: LabelledHand, affine: FloatArray) -> LabelledHand:
    """The label after a similarity transform of the picture, (2, 3); mirroring exchanges left and right."""
    linear = affine[:, :2]
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    landmarks, world, box, side = hand.landmarks, hand.world, hand.box, hand.handedness
    if landmarks is not None:
        landmarks = np.column_stack([apply(affine, landmarks[:, :2]), landmarks[:, 2:] * scale])
    if world is not None:
        world = np.column_stack([world[:, :2] @ linear.T / scale, world[:, 2]])
    if box is not None:
        corners = apply(affine, np.asarray(box)[[[0, 1], [2, 1], [2, 3], [0, 3]]])
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    if side is not None and np.linalg.det(linear) < 0:
        side = "Right" if side == "Left" else "Left"
    return replace(hand, landmarks=landmarks, world=world, box=box, handedness=side, palm=None)


def is_within(hand: LabelledHand, picture: Image) -> bool:
    """Whether any part of a hand lies in the picture."""
    extent = hand.extent
    size = picture.shape[1], picture.shape[0]
    return extent is not None and bool((extent[2:] > 0).all() and (extent[:2] < size).all())


def warp_cutout(photo: Image, mask: Image, affine: FloatArray, size: tuple[int, int]) -> tuple[Image, FloatArray]:
    """A cut-out in a picture (width, height).

    Args:
        photo: (h, w, 3). mask: (h, w), 255 where the cut-out is.
        affine: (2, 3) picture from photo.

    Returns:
        The warped photo (height, width, 3), and how much it covers, 0..1 (height, width, 1).
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    # Blurred before it is shrunk, since the warp alone would skip pixels.
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.4 / scale), np.uint8) if scale < 0.7 else photo
    soft = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3))), (0, 0), max(0.8, 0.4 / scale))
    shown = cv2.warpAffine(photo, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(soft, affine, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    return np.asarray(shown, np.uint8), np.asarray(cover[..., None], np.float32)


def joined_origin(photos: Sequence[LabelledPhoto]) -> dict[str, Any]:
    """Sources and licences of all photos in a picture, joined by " + "; who labelled the first one."""

    def parts(about: Mapping[str, Any], field: str) -> list[str]:
        return str(about.get(field, "unknown")).split(" + ")

    joined = {
        field: " + ".join(sorted({part for photo in photos for part in parts(photo.about, field)})) for field in ORIGIN
    }
    return {**joined, "labelled_by": str(photos[0].about.get("labelled_by", ""))}
