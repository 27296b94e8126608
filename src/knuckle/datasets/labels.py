"""Labels of hands in images and clips: the one form that every reader gives and every writer takes.

Pixels are image pixels with centres at integers. Boxes are x0, y0, x1, y1. Left and right are the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from knuckle.metrics import palm_size
from knuckle.results import PALM_LANDMARKS, ExtraPoints, FloatArray, Palm

LabelledBy = Literal["people", "mediapipe", "renderer", "nobody"]
CORRECTED_WEIGHT = 4.0  # a point that a person moved says more than one that a network made and nobody touched
PALM_SCALE = 1.04  # fitted to the reference palm detector on photos, see `palm_of`


class Visibility(IntEnum):
    """Whether a landmark can be seen in the image. Label files have their own codes, which readers translate."""

    UNKNOWN = 0
    OUTSIDE = 1  # beyond the edge of the image
    HIDDEN = 2  # inside the image, behind the hand itself or something else
    VISIBLE = 3
    ABSENT = 4  # this hand does not have the point, such as the tip of a finger that is missing


@dataclass(frozen=True, eq=False)
class LabelledHand:
    """One labelled hand. A field is None if it was not labelled.

    Attributes:
        box: (4,) pixels, around the whole hand.
        landmarks: (21, 2) or (21, 3) pixels in the order of `HandLandmark`. z is relative to the wrist, smaller is
            nearer. The row of a landmark without a label is NaN.
        world: (21, 3) metres, x right, y down, z away from the camera; the origin depends on the source.
        handedness: "Left" or "Right", the person's own.
        visibility: (21,) values of `Visibility`.
        palm: (4,) pixels, the square box that a palm detector should give.
        track_id: identifies this hand through its clip.
        extra: points beyond the 21, with (k,) values of `Visibility`; unlabelled points are NaN.
        corrected: (21,) True for the landmarks that a person moved, where the others were made by a network and only
            accepted.
        self_occluded: (21,) True for the hidden landmarks that the hand itself hides. Only renders have it.
        centre: (3,) metres in camera space, where the origin of `world` is. Only renders have it.
        mask_id: value of this hand in the mask image of a render; 0 if it is not in the mask.
        about: pose, skin and the like of a render, for tables and filters.
        ignore: this is no hand but a region, `box`, whose hands, if it has any, are not labelled. It teaches neither
            hand nor background.
    """

    box: FloatArray | None = None
    landmarks: FloatArray | None = None
    world: FloatArray | None = None
    handedness: str | None = None
    visibility: npt.NDArray[np.uint8] | None = None
    palm: FloatArray | None = None
    track_id: int | None = None
    corrected: npt.NDArray[np.bool_] | None = None
    self_occluded: npt.NDArray[np.bool_] | None = None
    centre: FloatArray | None = None
    mask_id: int = 0
    about: Mapping[str, Any] | None = None
    ignore: bool = False
    extra: ExtraPoints | None = None

    @property
    def extent(self) -> FloatArray | None:
        """(4,) the box, else the smallest box around the labelled landmarks, else None."""
        if self.box is not None or self.landmarks is None:
            return self.box
        points = self.landmarks[np.isfinite(self.landmarks[:, :2]).all(axis=1), :2]
        return np.concatenate([points.min(axis=0), points.max(axis=0)]) if len(points) else None

    @property
    def palm_size(self) -> float:
        """`metrics.palm_size` in pixels; NaN if the wrist or the middle finger's MCP has no label."""
        return float("nan") if self.landmarks is None else float(palm_size(self.landmarks))


@dataclass(frozen=True, eq=False)
class Shot:
    """One labelled image: a photo or one frame of a clip.

    Attributes:
        source: path of the photo or of the clip.
        frame: index of the frame in its clip; 0 for photos.
        time_s: seconds since the beginning of the clip.
        size: (width, height) in pixels; None if the labels do not say.
        hands: the labelled hands. () means that the image was checked and shows no hand; None means not checked.
        complete: `hands` lists every hand of the image, so any other detection is a false positive.
        both_hands_box: (4,) one box around all hands together, for sources that label only that.
        group: images of one group are not independent (same person, room or clip); intervals resample whole groups.
        slices: names of subsets to report separately ("small", "glove", ...).
        origin: name of the collection of photos that the image comes from (`source` in a row of our JSON lines); "" if
            the labels do not say.
    """

    source: str
    frame: int = 0
    time_s: float = 0.0
    size: tuple[int, int] | None = None
    hands: tuple[LabelledHand, ...] | None = None
    complete: bool = True
    both_hands_box: FloatArray | None = None
    group: str = ""
    slices: tuple[str, ...] = ()
    origin: str = ""

    def without_ignored(self) -> Shot:
        """The hands alone, without regions to `ignore`. If there is such a region, the result is not complete."""
        hands = None if self.hands is None else tuple(hand for hand in self.hands if not hand.ignore)
        return self if hands == self.hands else replace(self, hands=hands, complete=False)


@dataclass(frozen=True, eq=False)
class Clip:
    """A video. A tracker sees all its frames; those in `shots` are labelled. `still`: nothing moves in it."""

    source: str
    shots: tuple[Shot, ...] = ()
    still: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """Photos and clips with labels.

    Attributes:
        labelled_by: who made the labels. Figures on labels by "mediapipe" measure agreement with MediaPipe, not
            accuracy; labels by "renderer" are exact, but the images are synthetic.
        note: one line for the report: where the data comes from and what the labels leave out.
    """

    name: str
    shots: tuple[Shot, ...] = ()
    clips: tuple[Clip, ...] = ()
    labelled_by: LabelledBy = "people"
    licence: str = ""
    note: str = ""


def without_ignored(dataset: Dataset) -> Dataset:
    """The dataset with `Shot.without_ignored` for each image."""
    clips = (replace(clip, shots=tuple(shot.without_ignored() for shot in clip.shots)) for clip in dataset.clips)
    return replace(dataset, shots=tuple(shot.without_ignored() for shot in dataset.shots), clips=tuple(clips))


def palm_of(points: FloatArray) -> Palm:
    """The palm for (21, 2 or 3) landmarks in pixels, as the reference detector gives it, with score 1.

    The detector's box is square. Its centre is that of the upright box around its seven key points (standard
    deviation 2.5 % of the side), and its side is 1.04 times the longer side of that box (median deviation 4 %).
    Measured on 428 palms in photos.
    """
    keypoints = points[list(PALM_LANDMARKS), :2].astype(np.float32)
    known = keypoints[np.isfinite(keypoints).all(axis=1)]  # a hand may lack a knuckle
    low, high = known.min(0), known.max(0)
    half = PALM_SCALE * float((high - low).max()) / 2
    centre = (low + high) / 2
    return Palm(np.concatenate([centre - half, centre + half]).astype(np.float32), keypoints, 1.0)
