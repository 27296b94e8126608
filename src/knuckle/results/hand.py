"""`Hand`: one hand in one image, and what its landmarks say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from knuckle.errors import Error, InputError
from knuckle.images import Image
from knuckle.results.extra_points import ExtraPoints, array_of
from knuckle.results.gesture import Gesture
from knuckle.results.measures import AngleUnit, LengthUnit, distance_between, is_finger_extended, joint_angle
from knuckle.results.notebook import hand_html
from knuckle.results.regions import FloatArray, Roi, rounded, same_values

Handedness: TypeAlias = Literal["Left", "Right"]
REQUIRED = ("landmarks", "world", "handedness", "handedness_score", "presence")  # keys of a row of `from_dict`
POINTS: tuple[int, ...] = (21, 3)
SHAPES = {"landmarks": POINTS, "world": POINTS, "visibility": POINTS[:1], "landmarks_raw": POINTS}
SHAPES |= {"landmark_std": POINTS[:1], "world_raw": POINTS, "camera": POINTS, "camera_std": POINTS}
LARGEST_NUMBER = 2**63


class _Point:
    """`hand.index_tip` is `hand.landmarks[HandLandmark.INDEX_TIP]`."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, hand: Hand | None, owner: type[Hand]) -> FloatArray:
        if hand is None:
            raise AttributeError("a named landmark belongs to a Hand, not to the class")
        point: FloatArray = hand.landmarks[self.index]
        return point


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Hand:
    """One hand in one image. It cannot be changed, its arrays neither; two hands with the same values are equal.

    Attributes:
        landmarks: (21, 3) float32: x, y in image pixels (pixel centres at integers), z in pixels relative
            to the wrist, smaller is nearer. Smoothed in video unless smoothing is off.
        world: (21, 3) float32 metres; x right, y down, z away, origin near the hand's centre.
        handedness: "Left" or "Right" hand of the person; in video the vote of the track so far.
        handedness_score: confidence in the handedness, 0.5..1.
        presence: confidence that the crop holds a hand, 0..1.
        roi: the region of the image that the landmarks were read from.
        palm_score: score of the palm from which this hand was found; None if the caller gave the region.
        track_id: 1, 2, 3, …: the number of the same hand throughout a video; None for single images.
        visibility: (21,) probability that each landmark is visible, or None if the network has no such output.
        landmarks_raw: `landmarks` before smoothing; the same array if nothing was smoothed.
        landmark_std: (21,) standard deviation of the error of x and of y that the network expects, image pixels; None
            if it has no such output (see docs/model_hand.md).
        gesture: what the hand says, if gestures were asked for and it makes one of the set; else None.
        world_raw: `world` before smoothing; the same array if nothing was smoothed.
        camera: (21, 3) float32 metres in camera space: x right, y down, z forward from the camera; None unless
            `knuckle.space` placed the hand.
        camera_std: (21, 3) standard deviations of `camera`, metres, mostly of the distance; None as `camera` is.
        extra: the points beyond the 21 if the bundle's network has any (docs/points.md): `hand.extra["thumb_nail"]`. A
            network that lacks some of the 21 has NaN there in all arrays, and 0 in `visibility`.
        picture: gives the image that the hand was found in, or None once the caller has dropped it; for notebooks. Not
            compared and not pickled.
    """

    landmarks: FloatArray
    world: FloatArray
    handedness: Handedness
    handedness_score: float
    presence: float
    roi: Roi
    palm_score: float | None = None
    track_id: int | None = None
    visibility: FloatArray | None = None
    landmarks_raw: FloatArray = None  # type: ignore[assignment]  # __post_init__ makes it an array
    landmark_std: FloatArray | None = None
    gesture: Gesture | None = None
    world_raw: FloatArray = None  # type: ignore[assignment]  # as above
    camera: FloatArray | None = None
    camera_std: FloatArray | None = None
    extra: ExtraPoints | None = None
    picture: Callable[[], Image | None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        unsmoothed = self.landmarks_raw is None or self.landmarks_raw is self.landmarks
        world_unsmoothed = self.world_raw is None or self.world_raw is self.world
        for name in SHAPES:
            values = getattr(self, name)
            if values is not None and not (isinstance(values, np.ndarray) and not values.flags.writeable):
                values = np.array(values)  # a copy, so that changes of the caller's array do not arrive here
                values.setflags(write=False)
                object.__setattr__(self, name, values)
        if unsmoothed:
            object.__setattr__(self, "landmarks_raw", self.landmarks)
        if world_unsmoothed:
            object.__setattr__(self, "world_raw", self.world)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hand):
            return NotImplemented
        return same_values(self, other)

    def __hash__(self) -> int:
        return hash((self.handedness, self.handedness_score, self.presence, self.roi, self.track_id))

    def __reduce__(self) -> tuple[Any, ...]:
        return Hand, tuple(getattr(self, one.name) for one in fields(self) if one.compare)

    def __repr__(self) -> str:
        track = "" if self.track_id is None else f", track_id={self.track_id}"
        gesture = "" if self.gesture is None else f", {self.gesture}"
        box = ", ".join(f"{edge:.0f}" for edge in self.box)
        return f"Hand({self.handedness}, presence={self.presence:.2f}, box=({box}){track}{gesture})"

    def _repr_html_(self) -> str:
        """The hand as notebooks show it: its skeleton, on its part of the image if that is still at hand."""
        try:
            image = self.picture() if self.picture else None
        except Error:  # the photo's file is gone
            image = None
        return hand_html(repr(self), self.landmarks, image)

    @property
    def box(self) -> FloatArray:
        """(4,) x0, y0, x1, y1 of the smallest upright box around the landmarks, image pixels."""
        points = self.landmarks[:, :2]
        low = points.min(axis=0)
        if low[0] != low[0]:  # NaN: a point that the network does not give
            points = points[np.isfinite(points).all(axis=1)]
            low = points.min(axis=0, initial=np.inf)
        return np.concatenate([low, points.max(axis=0, initial=-np.inf)])

    @property
    def palm_size(self) -> float:
        """Distance from the wrist to the middle finger's MCP, image pixels: the unit of the paper's error."""
        return float(np.hypot(*(self.landmarks[9, :2] - self.landmarks[0, :2])))

    def normalized(self, width: int, height: int) -> FloatArray:
        """(21, 3) landmarks as MediaPipe gives them: x as a share of the width, y of the height, z of the width.

        Args:
            width, height: size of the image in pixels.
        """
        return cast(FloatArray, self.landmarks / np.array([width, height, width], np.float32))

    def rows(self, name: str) -> FloatArray:
        """The rows of an array for all points: (21, …), and below them those of `extra`.

        Args:
            name: "landmarks", "world", "landmarks_raw", "world_raw", "visibility" or "landmark_std", if it is not None.
        """
        own: FloatArray = getattr(self, name)
        return own if self.extra is None else np.concatenate([own, getattr(self.extra, name)])

    def with_rows(self, arrays: Mapping[str, FloatArray], **changes: Any) -> Hand:
        """The hand with other arrays, in the rows that `rows` gives, and with other `changes`, as of a dataclass."""
        own: dict[str, Any] = {name: values[: POINTS[0]] for name, values in arrays.items()}
        if self.extra is not None:
            beyond: dict[str, Any] = {name: values[POINTS[0] :] for name, values in arrays.items()}
            changes["extra"] = replace(self.extra, **beyond)
        return replace(self, **own, **changes)

    def angle(self, joint: str | int, unit: AngleUnit = "rad") -> float:
        """The angle between the two bones that meet at a joint, in space: pi when straight, smaller when bent.

        Args:
            joint: a landmark between two others of its finger: "index_mcp", "index_pip", "thumb_ip", ….
            unit: "rad" or "deg".

        Raises:
            InputError: there is no such joint. The wrist and the tips are none.
        """
        return joint_angle(self.world, joint, unit)

    def distance(self, start: str | int, end: str | int, unit: LengthUnit = "palm") -> float:
        """The distance between two landmarks, such as "thumb_tip" and "index_tip".

        Args:
            start, end: names, numbers or `HandLandmark`s.
            unit: "palm" in space, in palm lengths (wrist to the middle finger's MCP), the same for large and small,
                near and distant hands; "px" in the image; "m" in metres of an average hand.

        Raises:
            InputError: a landmark or the unit does not exist.
        """
        return distance_between(self.landmarks, self.world, start, end, unit)

    def is_extended(self, finger: str) -> bool:
        """Whether a finger is stretched out rather than bent into the palm.

        Args:
            finger: "thumb", "index", "middle", "ring" or "pinky".

        Raises:
            InputError: there is no such finger.
        """
        return is_finger_extended(self.world, finger)

    wrist = _Point(0)
    thumb_cmc = _Point(1)
    thumb_mcp = _Point(2)
    thumb_ip = _Point(3)
    thumb_tip = _Point(4)
    index_mcp = _Point(5)
    index_pip = _Point(6)
    index_dip = _Point(7)
    index_tip = _Point(8)
    middle_mcp = _Point(9)
    middle_pip = _Point(10)
    middle_dip = _Point(11)
    middle_tip = _Point(12)
    ring_mcp = _Point(13)
    ring_pip = _Point(14)
    ring_dip = _Point(15)
    ring_tip = _Point(16)
    pinky_mcp = _Point(17)
    pinky_pip = _Point(18)
    pinky_dip = _Point(19)
    pinky_tip = _Point(20)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats, ready for JSON: the `hands` entries of a JSONL line (docs/formats.md).

        `camera` and `camera_std` are among them if the hand was placed in metres, `extra` if it has further points.
        """
        row: dict[str, Any] = {
            "track_id": self.track_id,
            "handedness": self.handedness,
            "handedness_score": round(self.handedness_score, 4),
            "presence": round(self.presence, 4),
            "palm_score": None if self.palm_score is None else round(self.palm_score, 4),
            "landmarks": rounded(self.landmarks, 3),
            "world": rounded(self.world, 6),
            "visibility": None if self.visibility is None else rounded(self.visibility, 4),
            "landmark_std": None if self.landmark_std is None else rounded(self.landmark_std, 3),
            "gesture": None if self.gesture is None else self.gesture.name,
            "gesture_score": None if self.gesture is None else round(self.gesture.score, 4),
        }
        if self.camera is not None and self.camera_std is not None:
            row |= {"camera": rounded(self.camera, 6), "camera_std": rounded(self.camera_std, 6)}
        if self.extra is not None:
            row["extra"] = self.extra.to_dict()
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Hand:
        """The inverse of `to_dict`, up to its rounding; `roi`, which is not written, is drawn around the landmarks.

        Raises:
            InputError: a value is missing, or has another type or shape.
        """
        if not isinstance(row, Mapping):
            raise InputError(f"a hand must be an object, got {row!r:.60}")
        missing = [key for key in REQUIRED if row.get(key) is None]
        if missing:
            raise InputError(f"a hand needs {', '.join(missing)}; got a row with {', '.join(row) or 'nothing'}")
        if row["handedness"] not in ("Left", "Right", ""):  # "": other trackers do not say it
            raise InputError(f"handedness of a hand must be 'Left' or 'Right', got {row['handedness']!r:.60}")
        gesture, track_id = row.get("gesture"), row.get("track_id")
        found: dict[str, Any] = {
            name: array_of(f"{name} of a hand", row[name], shape)
            for name, shape in SHAPES.items()
            if row.get(name) is not None
        }
        landmarks: FloatArray = found["landmarks"]
        known = landmarks[np.isfinite(landmarks[:, :2]).all(axis=1), :2]
        shown = known if len(known) else landmarks[:, :2]
        box = [*shown.min(axis=0).tolist(), *shown.max(axis=0).tolist()]
        return cls(
            handedness=row["handedness"],
            handedness_score=_number("handedness_score", row["handedness_score"]),
            presence=_number("presence", row["presence"]),
            roi=Roi.around(box),
            palm_score=None if row.get("palm_score") is None else _number("palm_score", row["palm_score"]),
            track_id=None if track_id is None else int(_number("track_id", track_id)),
            gesture=None if gesture is None else Gesture(str(gesture), _number("gesture_score", row["gesture_score"])),
            extra=None if row.get("extra") is None else ExtraPoints.from_dict(row["extra"]),
            **found,
        )


def _number(name: str, value: Any) -> float:
    """One number of a row, unchanged."""
    if isinstance(value, bool) or not isinstance(value, Real) or abs(float(value)) >= LARGEST_NUMBER:
        raise InputError(f"{name} of a hand must be a number, got {value!r:.60}")
    return cast(float, value)
