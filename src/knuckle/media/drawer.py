"""`HandDrawer`: draws the hands of a video, and remembers what a single frame cannot tell."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.extras import cv2
from knuckle.images import Image, as_rgb
from knuckle.media.draw import MIN_VISIBILITY, WHITE, canvas, draw_labels, draw_palms, drawable, hand_renderer
from knuckle.media.draw_labels import FreeRoom
from knuckle.media.draw_marks import SUBPIXEL_BITS, Plate, fixed
from knuckle.media.draw_style import OUTLINE, DrawStyle, joint_colours
from knuckle.results import Colour, FloatArray, Hand, HandLandmark, Palm

SETTLE_S = 0.4  # time constant of the mean of a joint's visibility
HIDES_BELOW, SHOWS_ABOVE = 0.25, 0.75  # means at which a joint changes to hidden and to visible
FORGET_S = 1.0  # a track that was not seen for so long is forgotten
TRAIL_GAP_S = 0.3  # a trail does not join places further apart in time
FPS_WINDOW_S = 1.0


class HandDrawer:
    """Draws the hands of one video or camera; call it with one frame after the other.

    Hidden joints do not flicker: a joint changes to hidden or back only when its visibility stays low or high for about
    half a second. Labels stay where they are while they cover no hand.

    Args:
        style: a DrawStyle; its fields can also be given as keywords.

    Raises:
        InputError: a keyword is no part of a style, or a value is out of range.
    """

    def __init__(self, style: DrawStyle | None = None, **changes: Any) -> None:
        self.style = DrawStyle.of(style, changes)
        self.reset()

    def reset(self) -> None:
        """Forget the earlier frames, before another video."""
        self._joints = SteadyVisibility()
        self._places: dict[int, tuple[float, float]] = {}
        self._trails: dict[int, Trail] = {}
        self._calls: deque[float] = deque()
        self._next_s = 0.0

    def __call__(
        self,
        image: Any,
        results: Sequence[Hand] | Sequence[Palm],
        time_s: float | None = None,
        *,
        mirrored: bool = False,
        copy: bool = True,
    ) -> Image:
        """Draw the hands, or palms, of the next frame.

        Args:
            image: RGB uint8 (height, width, 3).
            results: its hands or palms.
            time_s: time of the frame in seconds; None: 30 frames per second.
            mirrored: return the mirror image. Text stays readable.
            copy: False draws on `image` itself if it is writable RGB uint8 and not mirrored.

        Returns:
            The drawn image, RGB uint8 (height, width, 3).

        Raises:
            InputError: `image` is not an image; see `knuckle.images.as_rgb`.
        """
        now = self._next_s if time_s is None else time_s
        self._next_s = now + 1 / 30
        if mirrored:
            picture = np.ascontiguousarray(as_rgb(image)[:, ::-1])
            results = [mirror(result, picture.shape[1]) for result in results]  # type: ignore[assignment]
        else:
            picture = canvas(image, copy)
        hands = drawable([result for result in results if isinstance(result, Hand)])
        palms = [result for result in results if isinstance(result, Palm)]
        if palms:
            draw_palms(picture, palms, line_width=self.style.line_width, labels=self.style.labels, copy=False)
        if self.style.trails_s:
            self._draw_trails(picture, hands, now, mirrored)
        steady = [self._joints(hand, now) for hand in hands]
        bare = replace(self.style, labels=False, ids=False, gestures=False, trails_s=0.0, fps=False)
        hand_renderer(bare, False)(picture, steady)
        if self.style.labels or self.style.ids or self.style.gestures or self.style.fps:
            room = FreeRoom(picture, hands)
            self._places = draw_labels(room, hands, self.style, self._places)
            if self.style.fps:
                self._draw_fps(room)
        return picture

    def _draw_trails(self, picture: Image, hands: Sequence[Hand], now: float, mirrored: bool) -> None:
        """Draw the paths of the index fingertips, older parts thinner."""
        last = picture.shape[1] - 1
        for hand in hands:
            if hand.track_id is not None:
                colour = joint_colours(hand, self.style.colours)[HandLandmark.INDEX_TIP]
                trail = self._trails.setdefault(hand.track_id, Trail(colour, deque()))
                x, y = hand.landmarks[HandLandmark.INDEX_TIP, :2].tolist()
                if x == x:  # a hand may lack the finger
                    trail.path.append((now, last - x if mirrored else x, y))
        widest = self.style.line_width or max(2.0, min(picture.shape[:2]) / 120)
        for track_id, trail in list(self._trails.items()):
            while trail.path and not now - self.style.trails_s <= trail.path[0][0] <= now:
                trail.path.popleft()
            if not trail.path:
                del self._trails[track_id]
                continue
            rows = np.array(trail.path)
            if mirrored:
                rows[:, 1] = last - rows[:, 1]
            trail.draw(picture, rows, (now - rows[:, 0]) / self.style.trails_s, widest)

    def _draw_fps(self, room: FreeRoom) -> None:
        """Write in a corner how many frames a second were drawn lately."""
        now = time.perf_counter()
        self._calls.append(now)
        while now - self._calls[0] > FPS_WINDOW_S and len(self._calls) > 2:
            self._calls.popleft()
        if len(self._calls) > 1:
            plate = Plate(room.picture, f"{(len(self._calls) - 1) / max(now - self._calls[0], 1e-6):.0f} fps")
            height, width = room.picture.shape[:2]
            place = room.take(plate, [(width, 0), (0, 0), (width, height), (0, height), (width, 0)])
            if place:
                plate.draw(room.picture, *place, WHITE, OUTLINE)


class Trail(NamedTuple):
    """The path of a fingertip.

    Attributes:
        colour: of the line.
        path: time in seconds, x and y in pixels.
    """

    colour: Colour
    path: deque[tuple[float, float, float]]

    def draw(self, picture: Image, rows: FloatArray, ages: FloatArray, widest: float) -> None:
        """Draw rows of `path` as a line that gets thinner with age, from 0 (new) to 1."""
        points = fixed(rows[:, 1:])
        for k in range(len(rows) - 1):
            if rows[k + 1, 0] - rows[k, 0] <= TRAIL_GAP_S:
                width = max(1, round(widest * (1 - float(ages[k + 1]))))
                cv2.polylines(picture, [points[k : k + 2]], False, self.colour, width, cv2.LINE_AA, SUBPIXEL_BITS)


class SteadyVisibility:
    """Decides for each joint of each track whether it is hidden, without flicker.

    The visibility is averaged over about `SETTLE_S` seconds, and the mean must fall below `HIDES_BELOW` or rise above
    `SHOWS_ABOVE` before a joint changes.
    """

    def __init__(self) -> None:
        self._means: dict[int, tuple[float, FloatArray, npt.NDArray[np.bool_]]] = {}

    def __call__(self, hand: Hand, now: float) -> Hand:
        """The hand with a visibility of 0 or 1 for each joint, if it has a track id and a visibility."""
        if hand.track_id is None or hand.visibility is None:
            return hand
        seen = hand.rows("visibility")
        before_s, mean, hidden = self._means.get(hand.track_id, (-math.inf, seen, None))
        if hidden is None or not 0 <= now - before_s <= FORGET_S:
            mean, hidden = seen.astype(np.float64), seen < MIN_VISIBILITY
        else:
            mean = mean + (1 - math.exp(-(now - before_s) / SETTLE_S)) * (seen - mean)
            hidden = np.where(hidden, mean < SHOWS_ABOVE, mean < HIDES_BELOW)
        self._means[hand.track_id] = now, mean, hidden
        return hand.with_rows({"visibility": (~hidden).astype(np.float32)})


def mirror(result: Hand | Palm, width: int) -> Hand | Palm:
    """A hand or palm in the mirror image of an image that is `width` pixels wide. Its side stays the person's own."""
    last = width - 1
    if isinstance(result, Palm):
        x0, y0, x1, y1 = result.box
        keypoints = np.column_stack([last - result.keypoints[:, 0], result.keypoints[:, 1]])
        return replace(result, box=np.array([last - x1, y0, last - x0, y1]), keypoints=keypoints)
    landmarks = np.array(result.rows("landmarks"))
    landmarks[:, 0] = last - landmarks[:, 0]
    roi = replace(result.roi, x=last - result.roi.x, angle_rad=-result.roi.angle_rad)
    return result.with_rows({"landmarks": landmarks}, roi=roi)
