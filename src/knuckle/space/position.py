"""Hands in metres in front of one camera: world landmarks are fitted to image landmarks, with the size of the hand.

One camera cannot tell a small near hand from a large far one. So distances are right as far as the size of the hand is:
give `hand_length_m`, or take an average hand with the error that this means. docs/space.md has measured errors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from knuckle.errors import Error, InputError
from knuckle.media.reader import Reader
from knuckle.pipeline.smooth import Smoothed, one_euro
from knuckle.results import Frame, Hand
from knuckle.space.camera import Camera, Floats
from knuckle.space.choose import CameraChoice
from knuckle.space.person import MIDDLE, PALM, PersonHand, learned, shaped
from knuckle.space.solve import Poses, skew, solve_poses

# Standard deviation of the length of adult hands over its mean: 0.187 ± 0.012 m in the ANSUR II survey of 2012.
POPULATION_SPREAD = 0.065
# The same for a length that the user gives: measured to 1 %, and compared with world landmarks that are off by 3 %.
KNOWN_SPREAD = 0.03
# Errors of the network, by which it is right on the clips of docs/space.md: of image landmarks in shares of the longer
# side of the hand's box, of world landmarks in lengths of the hand.
STD_PX_OF_BOX = 0.03
PALM_STD, THUMB_STD, FINGER_STD = 0.035, 0.07, 0.16
DEPTH_UNIT = 4.0  # of the filter of depths, which are logarithms: its cutoff is 1 Hz + 3 Hz per e-fold a second
LENGTH_RANGE_M = (0.05, 0.35)

SHAPE_STD = np.full(21, FINGER_STD)
SHAPE_STD[PALM] = PALM_STD
SHAPE_STD[1] = THUMB_STD


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of one track: the person's hand, and the filter of the logarithm of its distance."""

    person: PersonHand
    depth: Smoothed | None


class Locator:
    """Places the hands of a video in metres, with what earlier frames say about each hand.

    Over a clip the shape of the palm and the length of the hand are averaged for each track, and distances are filtered
    along the line of sight, so positions are steadier than those of `locate`. Hands without a track id are placed on
    their own. Use one locator for each stream.

    Args:
        camera: see `CameraChoice`: a `Camera`, a file, "fov:60", "fov" or "exif".
        hand_length_m: length of the person's hand from the wrist to the tip of the middle finger, metres; for an image
            with several people it must hold for all of them. None takes the network's average hand.
        smooth: filter the distances over time.

    Raises:
        InputError: the camera or the length cannot be.
        SourceError: the camera's file cannot be read.
    """

    def __init__(
        self, camera: Camera | str | os.PathLike[str], hand_length_m: float | None = None, *, smooth: bool = True
    ) -> None:
        low, high = LENGTH_RANGE_M
        if hand_length_m is not None and not low <= hand_length_m <= high:
            raise InputError(f"hand_length_m must be {low} to {high} metres, got {hand_length_m!r}")
        self.choice, self.hand_length_m, self.smooth = CameraChoice(camera), hand_length_m, smooth
        self.notes: list[str] = []
        self._known: dict[int, _Known] = {}

    def __call__(
        self, hands: Sequence[Hand], size: tuple[int, int] | None = None, time_s: float | None = None, source: str = ""
    ) -> list[Hand]:
        """The hands of one frame with `camera` and `camera_std`.

        Args:
            hands: of one frame.
            size: (width, height) of the frame, pixels; may be left out if the camera is a calibrated one.
            time_s: of the frame, seconds; None places each hand on its own.
            source: the photo's file, for "exif".

        Raises:
            InputError: the size is missing, or of another shape than the camera was calibrated for.
            SourceError: "exif", and the photo states no focal length.
        """
        if size is None:
            if self.choice.camera is None:
                raise InputError("give size=(width, height) of the image: the field of view alone has no pixels")
            camera = self.choice.camera
        else:
            camera = self.choice.of(size, source)
        note = f"positions in metres: {camera.about}"
        if note not in self.notes:
            self.notes.append(note)
        if not hands:
            return []
        persons = [self._learn(hand, time_s) for hand in hands]
        located = place(camera, hands, persons, self.hand_length_m)
        if time_s is None or not self.smooth:
            return located
        return [self._filtered(hand, camera, time_s) for hand in located]

    def of_reader(self, reader: Reader) -> Callable[[Frame, list[Hand]], list[Hand]]:
        """Places the hands of a reader's frames. A photo whose camera is not known is one of the reader's problems, and
        its hands stay unplaced. How sure the positions are is one of its notes.
        """

        def placed(frame: Frame, hands: list[Hand]) -> list[Hand]:
            stills = reader.kind == "image"
            try:
                found = self(hands, (frame.width, frame.height), None if stills else frame.time_s, frame.source)
            except Error as error:
                if not stills:
                    raise
                reader.problems.append(error)
                return hands
            for note in self.notes:
                reader.note(f"{reader.name}: {note}")
            return found

        return placed

    def frames(self, tracked: Iterable[tuple[Frame, list[Hand]]]) -> Iterator[tuple[Frame, list[Hand]]]:
        """The frames of `HandTracker.track` with their hands placed."""
        for frame, hands in tracked:
            yield frame, self(hands, (frame.width, frame.height), frame.time_s, frame.source)

    def reset(self) -> None:
        """Forget all hands, as before another clip."""
        self._known.clear()

    def learn(self, hands: Iterable[Hand]) -> None:
        """Take in the hands of a whole clip first, so that its first frames profit from the later ones."""
        for hand in hands:
            self._learn(hand, 0.0)

    def _learn(self, hand: Hand, time_s: float | None) -> PersonHand:
        if hand.track_id is None or time_s is None:
            return learned(None, hand.world)
        before = self._known.get(hand.track_id)
        person = learned(before.person if before else None, hand.world)
        self._known[hand.track_id] = _Known(person, before.depth if before else None)
        return person

    def _filtered(self, hand: Hand, camera: Camera, time_s: float) -> Hand:
        """The hand moved along the line of sight to the filtered distance of its track."""
        if hand.track_id is None or hand.camera is None:
            return hand
        known = self._known[hand.track_id]
        depth = float(hand.camera[PALM, 2].mean())
        value = np.log(np.array([[depth]]))
        filtered = one_euro(known.depth, value, time_s, DEPTH_UNIT)
        self._known[hand.track_id] = replace(known, depth=filtered)
        shift = float(np.exp(filtered.value[0, 0])) - depth
        points = hand.camera.astype(np.float64)
        points = points * (1 + shift / points[:, 2:])  # each point along its own ray, so its pixel stays
        return replace(hand, camera=points.astype(np.float32))


def locate(
    hands: Sequence[Hand],
    camera: Camera | str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    hand_length_m: float | None = None,
    source: str = "",
) -> list[Hand]:
    """The hands of one image with `camera`, their landmarks in metres in camera space, and `camera_std`.

    Each hand is placed from this image alone; for video see `Locator`.

    Args:
        hands: as `detect` or a `HandTracker` gives them.
        camera: see `CameraChoice`: a `Camera`, a file, "fov:60", "fov" or "exif".
        size: (width, height) of the image, pixels; may be left out if the camera is a calibrated one.
        hand_length_m: length of the hand from the wrist to the tip of the middle finger, metres; None takes the
            network's average hand, and the distance is then as uncertain as the length of a stranger's hand.
        source: the photo's file, for "exif".

    Raises:
        InputError: the camera, the size or the length cannot be.
        SourceError: the camera's file cannot be read, or the photo states no focal length.
    """
    return Locator(camera, hand_length_m)(hands, size, None, source)


def place(
    camera: Camera, hands: Sequence[Hand], persons: Sequence[PersonHand], hand_length_m: float | None
) -> list[Hand]:
    """The hands with positions from the shapes of these persons' hands."""
    pixels = np.stack([hand.landmarks[:, :2] for hand in hands]).astype(np.float64)
    lengths = np.array([person.length_m for person in persons])
    shapes = np.stack([shaped(person, hand.world) for person, hand in zip(persons, hands, strict=True)])
    if hand_length_m is not None:
        shapes *= (hand_length_m / np.maximum(lengths, 1e-9))[:, None, None]
        lengths = np.full(len(hands), hand_length_m)
    spread = POPULATION_SPREAD if hand_length_m is None else KNOWN_SPREAD
    std_px = np.stack([pixel_std(hand) for hand in hands])
    shape_std = lengths[:, None] * SHAPE_STD  # (n, 21) metres
    # Errors of the shape are seen as errors of pixels, by how large the hand appears.
    seen_m = np.linalg.norm(np.diff(shapes[:, MIDDLE, :2], axis=1), axis=-1).sum(axis=1)
    seen_px = np.linalg.norm(np.diff(pixels[:, MIDDLE], axis=1), axis=-1).sum(axis=1)
    px_per_m = seen_px / np.maximum(seen_m, 0.2 * lengths + 1e-9)
    poses = solve_poses(camera, pixels, shapes, np.hypot(std_px, px_per_m[:, None] * shape_std))
    points, std = _points(camera, pixels, poses, shapes, std_px)
    off_shape = points / points[..., 2:] * shape_std[..., None]  # along the lines of sight
    std = np.sqrt(std**2 + (points * spread) ** 2 + off_shape**2)
    return [
        replace(hand, camera=one.astype(np.float32), camera_std=error.astype(np.float32))
        if np.isfinite(one).all() and np.isfinite(error).all()
        else hand  # its landmarks are all at one place, which has no distance
        for hand, one, error in zip(hands, points, std, strict=True)
    ]


def pixel_std(hand: Hand) -> Floats:
    """(21,) standard deviations of x and of y of a hand's landmarks, pixels: the network's own or `STD_PX_OF_BOX`."""
    if hand.landmark_std is not None:
        return np.maximum(np.asarray(hand.landmark_std, np.float64), 1e-3)
    box = hand.box
    return np.full(21, STD_PX_OF_BOX * max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0))


def _points(camera: Camera, pixels: Floats, poses: Poses, shapes: Floats, std_px: Floats) -> tuple[Floats, Floats]:
    """Points (n, 21, 3) on the rays of their pixels at the depth of the fitted shapes, and their errors (n, 21, 3).

    The errors are those of the pose and of the pixels. Where no ray belongs to a pixel, the fitted shape's point stays.
    """
    placed = poses.placed(shapes)
    rays = camera.rays(pixels)
    known = np.isfinite(rays).all(axis=-1, keepdims=True)
    rays = np.where(known, rays, placed[..., :2] / placed[..., 2:])
    points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * placed[..., 2:]
    turned = placed - poses.translation[:, None]
    jacobian = np.concatenate([-skew(turned), np.broadcast_to(np.eye(3), (*turned.shape, 3))], axis=-1)[..., 2, :]
    worse = np.maximum(poses.chi2, 1)  # the fit may be worse than the errors that it was given
    depth_std = np.sqrt(np.einsum("nka,nab,nkb->nk", jacobian, poses.covariance, jacobian) * worse[:, None])
    # A pixel's error moves the point across the line of sight, an error of the depth along it.
    across = std_px * points[..., 2] / np.sqrt(np.abs(np.linalg.det(camera.slopes(rays))))
    std = np.stack([across, across, np.zeros_like(across)], axis=-1)
    along = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) * depth_std[..., None]
    return points, np.hypot(std, along)
