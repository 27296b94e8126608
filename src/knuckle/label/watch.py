"""What the tracker sees in a clip before a person corrects it, how much it doubts each frame, and the key frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from knuckle.datasets.damage.seen import read_mirrored
from knuckle.datasets.hand_json import hand_from_json
from knuckle.datasets.labels import LabelledHand
from knuckle.errors import Error
from knuckle.images import Image
from knuckle.label.key_frames import choose_key_frames
from knuckle.label.propose import MAX_HANDS, as_label, distance, unmirrored
from knuckle.label.session import Session
from knuckle.media.sources import read
from knuckle.pipeline.tracker import HandTracker
from knuckle.results import Hand

AT_ONCE = 16  # frames that are looked at before other work gets its turn


class Watched:
    """The tracker's view of a clip, which grows in the background.

    Args:
        path: of the clip.
        every: frames from one key frame to the next, on average.

    Attributes:
        seen: for each frame that was looked at its hands, as in our JSON lines.
        doubts: for each of these frames the doubt of `doubt_of`.
        key_frames: the frames to label, as soon as all were looked at.
        most_ids: the largest number of a hand.
        share: how much of the clip was looked at, 0 to 1.
        problem: why the clip cannot be read, else "".
    """

    def __init__(self, path: str, session: Session, every: int) -> None:
        self.path, self.session, self.every = path, session, every
        self.seen: list[list[dict[str, Any]]] = []
        self.doubts: list[float] = []
        self.key_frames: list[int] = []
        self.most_ids, self.share, self.problem = 0, 0.0, ""
        self.steps = self.look()
        self.lock = threading.Lock()

    def go_on(self) -> bool:
        """Look at some more frames; False if all were looked at."""
        with self.lock:
            looked = 0
            for _ in islice(self.steps, AT_ONCE):
                looked += 1
            return looked > 0

    def hands(self, number: int) -> list[dict[str, Any]] | None:
        """The hands of a frame; None if it was not looked at yet."""
        return self.seen[number] if number < len(self.seen) else None

    def labelled(self, number: int) -> list[LabelledHand]:
        """The hands of a frame; none if it was not looked at yet."""
        return [hand_from_json(hand) for hand in self.hands(number) or []]

    def look(self) -> Iterator[None]:
        """Track the clip, frame by frame."""
        before: list[Hand] = []
        try:
            with (
                read(self.path, live=False) as reader,
                HandTracker(self.session.networks, max_hands=MAX_HANDS) as track,
            ):
                for frame in reader:
                    hands = track(frame.image, frame.time_s)
                    self.doubts.append(self.doubt_of(frame.image, hands, before))
                    self.seen.append([as_label(hand) for hand in hands])
                    self.most_ids = max([self.most_ids, *(hand.track_id or 0 for hand in hands)])
                    self.share = min(len(self.seen) / (reader.frame_count or len(self.seen)), 0.99)
                    before = hands
                    yield
        except Error as error:  # the frames before a break are still labelled
            self.problem = "" if self.seen else str(error)
        self.key_frames = choose_key_frames(self.doubts, self.every)
        self.share = 1.0

    def doubt_of(self, image: Image, hands: list[Hand], before: list[Hand]) -> float:
        """How much the tracker doubts a frame: the mean over its hands, and those that have just gone.

        That of a hand is how far its mirror image is read elsewhere, in palm sizes; 0.5 more for another side; 1 for a
        hand that has just come or gone.
        """
        ids, old = {hand.track_id for hand in hands}, {hand.track_id for hand in before}
        doubts = [1.0] * len(old - ids)
        regions = [hand.roi for hand in hands]
        for hand, mirrored in zip(hands, read_mirrored(image, regions, self.session.landmarker), strict=True):
            if self.seen and hand.track_id not in old:
                doubts.append(1.0)
                continue
            other = unmirrored(mirrored, image.shape[1])
            same_side = hand.handedness != mirrored.handedness  # a mirrored left hand looks like a right one
            doubts.append(min(1.0, distance(hand, other)) + 0.5 * (not same_side))
        return float(np.mean(doubts)) if doubts else 0.0
