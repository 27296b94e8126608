"""One clip of a labelling session: key frames are labelled, the frames between them are filled and checked.

A frame is a key frame if it was chosen (`key_frames.py`) or set by a person, and was not unset. Accepted key frames are
the ends of stretches; the frames of a stretch are filled by `between.py`, and a person accepts them together. If a key
frame changes, its two stretches are filled anew and have to be accepted again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from knuckle.datasets.hand_json import hand_from_json, hand_to_json
from knuckle.datasets.image_source import moment_in
from knuckle.errors import Error, InputError
from knuckle.images import Image
from knuckle.label.between import KeyFrame, Stretch, fill
from knuckle.label.journal import Change, frame_key
from knuckle.label.propose import add_hand, propose
from knuckle.label.rows import checked_hands, checked_place, mark_outside, row_of
from knuckle.label.session import Entry, Session
from knuckle.label.watch import Watched
from knuckle.media.clip_frames import ClipFrames

EVERY = 10  # frames from one key frame to the next, on average
FLAGGED = 0.3  # the doubt from which on a frame between key frames is shown for review
Marks = Mapping[int, Entry]  # the last change of each frame that was ever changed


class LabelledClip:
    """A clip and its labels. Several threads may use it.

    Args:
        path: of the clip.
        every: frames from one key frame to the next, on average.
    """

    def __init__(self, path: Path, session: Session, every: int = EVERY) -> None:
        self.path, self.session = path, session
        self.name, self.shown = session.name_of(path), os.path.relpath(path, session.root)
        self.watched = Watched(str(path), session, every)
        self.filled: dict[tuple[int, int], tuple[tuple[float, float], Stretch]] = {}
        self.opened: ClipFrames | None = None
        self.opening, self.filling = threading.Lock(), threading.Lock()

    @property
    def frames(self) -> ClipFrames:
        """The frames; the clip is read through once.

        Raises:
            SourceError: it cannot be read.
        """
        with self.opening:
            if self.opened is None:
                self.opened = ClipFrames(str(self.path))
            return self.opened

    def watch_some(self) -> bool:
        """Let the tracker look at some more frames; False if it has seen them all."""
        return self.watched.go_on()

    # --- what is labelled ---

    def marks(self) -> Marks:
        """The last change of each frame."""
        prefix = f"{self.name}#"
        entries = self.session.entries()
        return {int(entry["row"]["frame"]): entry for image, entry in entries.items() if image.startswith(prefix)}

    def key_frames(self, marks: Marks) -> list[int]:
        """The frames to label by hand, done or not."""
        decided = {number for number, entry in marks.items() if mark_of(entry) != "between" or is_done(entry)}
        set_by_hand = {number for number in decided if mark_of(marks[number]) == "key"}
        return sorted(set(self.watched.key_frames) - decided | set_by_hand)

    def ends(self, marks: Marks) -> list[int]:
        """The accepted key frames, which are the ends of stretches."""
        return sorted(number for number, entry in marks.items() if mark_of(entry) == "key" and is_done(entry))

    def accepted_keys(self) -> list[int]:
        """The accepted key frames."""
        return self.ends(self.marks())

    def stretch_at(self, number: int, marks: Marks) -> tuple[int, int] | None:
        """The accepted key frames before and after a frame; None if one is missing or the frame is one."""
        return next(((one, other) for one, other in pairwise(self.ends(marks)) if one < number < other), None)

    def filled_stretch(self, stretch: tuple[int, int], marks: Marks) -> Stretch:
        """The labels between two accepted key frames; computed once, until one of them changes.

        Raises:
            SourceError: the clip cannot be read.
        """
        stamp = marks[stretch[0]]["time"], marks[stretch[1]]["time"]
        with self.filling:
            known = self.filled.get(stretch)
            if known is None or known[0] != stamp:
                keys = [KeyFrame(number, labelled_hands(marks[number])) for number in stretch]
                known = stamp, fill(self.frames.image, keys[0], keys[1], self.session.landmarker, self.watched.labelled)
                self.filled = {**self.current(marks), stretch: known}
            return known[1]

    def unfilled(self, marks: Marks) -> list[tuple[int, int]]:
        """The stretches that wait for their labels: those that nobody has accepted and that are not computed."""
        return [
            (one, other)
            for one, other in pairwise(self.ends(marks))
            if any(number not in marks or not is_done(marks[number]) for number in range(one + 1, other))
            and self.filled.get((one, other), ((), None))[0] != (marks[one]["time"], marks[other]["time"])
        ]

    def fill_next(self) -> bool:
        """Fill the next stretch that is not filled yet; False if all are."""
        marks = self.marks()
        waiting = self.unfilled(marks)
        if not waiting or self.watched.problem:
            return False
        try:
            self.filled_stretch(waiting[0], marks)
        except Error as error:
            self.watched.problem = str(error)
        return True

    # --- what the page shows ---

    def overview(self) -> dict[str, Any]:
        """Name, key frames and how many of them are done, labelled frames, and what is wrong with the clip."""
        marks, watched = self.marks(), self.watched
        done = sum(is_done(entry) for entry in marks.values())
        row = {"name": self.shown, "keys": len(self.key_frames(marks)), "keys_done": len(self.ends(marks))}
        return {**row, "done": done, "looked": watched.share, "problem": watched.problem or None}

    def timeline(self) -> dict[str, Any]:
        """A letter for each frame, the doubts of those that are flagged, and whether something is still computed.

        K is an accepted key frame, k another one, b an accepted frame between, f a flagged and p another filled one,
        ? a doubtful one, and a point any other frame.
        """
        self.session.journal.refresh()
        marks, count = self.marks(), len(self.frames)
        letters = ["."] * count
        doubts: dict[int, float] = {}
        for (one, _), (_, stretch) in sorted(self.current(marks).items(), key=lambda item: item[0]):
            for number, frame in enumerate(stretch.frames, one + 1):
                letters[number] = "f" if frame.doubt >= FLAGGED else "p"
                if frame.doubt >= FLAGGED:
                    doubts[number] = round(frame.doubt, 3)
        for number in self.key_frames(marks):
            letters[number] = "k"
        for number, entry in marks.items():
            if number < count and (entry["doubtful"] or is_done(entry)):
                letters[number] = "?" if entry["doubtful"] else "K" if mark_of(entry) == "key" else "b"
                doubts.pop(number, None)
        return {
            "name": self.shown,
            "frames": "".join(letters),
            "doubts": doubts,
            "times": [round(time_s, 3) for time_s in self.frames.times_s],
            "looked": self.watched.share,
            "waiting": len(self.unfilled(marks)),
            "problem": self.frames.problem or self.watched.problem or None,
        }

    def current(self, marks: Marks) -> dict[tuple[int, int], tuple[tuple[float, float], Stretch]]:
        """The stretches that are filled from the key frames as they are now."""
        ends = set(pairwise(self.ends(marks)))
        return {
            stretch: known
            for stretch, known in list(self.filled.items())
            if stretch in ends and known[0] == (marks[stretch[0]]["time"], marks[stretch[1]]["time"])
        }

    def image(self, number: int) -> Image:
        """A frame.

        Raises:
            SourceError: there is no such frame, or it cannot be read.
        """
        return self.frames.image(number)

    def labels(self, number: int) -> dict[str, Any]:
        """The labels of a frame: what a person said, else what its stretch says, else what the tracker saw.

        Raises:
            SourceError: there is no such frame, or it cannot be read.
        """
        width, height = self.frames.size
        self.session.journal.refresh()
        marks = self.marks()
        entry, doubt = marks.get(number), None
        is_labelled = entry is not None and mark_of(entry) != "none" and (is_done(entry) or mark_of(entry) == "key")
        if is_labelled and entry is not None:
            hands = entry["row"].get("hands") or []
        elif stretch := self.stretch_at(number, marks):
            frame = self.filled_stretch(stretch, marks).frames[number - stretch[0] - 1]
            hands, doubt = [hand_to_json(hand) for hand in frame.hands], round(frame.doubt, 3)
            for hand in hands:
                mark_outside(hand, width, height)
        else:
            known = self.watched.hands(number)
            hands = propose(self.image(number), self.session.networks)[0] if known is None else known
        flags = {name: bool(is_labelled and entry and entry[name]) for name in ("accepted", "doubtful")}
        mark = "key" if number in self.key_frames(marks) else "between" if flags["accepted"] else ""
        return {"width": width, "height": height, "hands": hands, **flags, "mark": mark, "doubt": doubt}

    def hand_at(self, number: int, place: Any) -> tuple[dict[str, Any], bool]:
        """A new hand at a click or in a box; see `rows.checked_place` and `propose.add_hand`.

        Raises:
            InputError: the place is neither.
            SourceError: there is no such frame, or it cannot be read.
        """
        return add_hand(self.image(number), self.session.networks, checked_place(place))

    def compare(self, number: int) -> dict[str, Any]:
        """What the bundles of the comparison see in an accepted key frame, and whether it counts.

        Raises:
            InputError: nothing is compared, or the frame is no accepted key frame.
            SourceError: it cannot be read.
        """
        marks, comparison = self.marks(), self.session.comparison
        if comparison is None or number not in self.ends(marks):
            raise InputError("accepted key frames are compared, in a session that was started with --compare")
        seen = comparison.look(self.image(number), marks[number]["row"].get("hands") or [])
        return {**seen, "counts": comparison.counts(Path(moment_in(self.name, self.frames.times_s[number])).name)}

    # --- changes ---

    def save(self, number: int, given: Mapping[str, Any]) -> None:
        """Save the labels of a frame, which is a key frame from now on.

        Args:
            given: see `rows.checked_hands`.

        Raises:
            InputError: the labels are damaged.
            SourceError: there is no such frame, or the log cannot be written.
        """
        self.image(number)
        hands, accepted, doubtful = checked_hands(given, self.frames.size)
        self.session.journal.refresh()
        marks = self.marks()
        new_id = self.new_track_id(marks)
        for hand in hands:
            if "track_id" not in hand:
                hand["track_id"], new_id = new_id, new_id + 1
        change = self.change(number, "key", hands, accepted, doubtful)
        self.session.save(self.withdrawn(number, marks, change) | {frame_key(self.name, number): change})

    def set_key_frame(self, number: int, is_key: bool) -> None:
        """Make a frame a key frame that waits for its labels, or an ordinary one again.

        Raises:
            SourceError: there is no such frame, or the log cannot be written.
        """
        hands = self.labels(number)["hands"] if is_key else []
        marks = self.marks()
        change = self.change(number, "key" if is_key else "none", hands, accepted=False)
        self.session.save(self.withdrawn(number, marks, change) | {frame_key(self.name, number): change})

    def accept_stretch(self, number: int) -> int:
        """Accept all frames between the key frames before and after a frame, and give their number.

        A hand that the two key frames number differently gets the number of the first one.

        Raises:
            InputError: the frame does not lie between two accepted key frames.
            SourceError: the clip cannot be read, or the log cannot be written.
        """
        self.session.journal.refresh()
        marks = self.marks()
        stretch = self.stretch_at(number, marks)
        if stretch is None:
            raise InputError(f"frame {number} does not lie between two accepted key frames")
        filled, changes = self.filled_stretch(stretch, marks), dict[str, Change]()
        for between, frame in enumerate(filled.frames, stretch[0] + 1):
            hands = [hand_to_json(hand) for hand in frame.hands]
            for hand in hands:
                mark_outside(hand, *self.frames.size)
            changes[frame_key(self.name, between)] = self.change(between, "between", hands, accepted=True)
        first, second = (labelled_hands(marks[end]) for end in stretch)
        renamed = {second[j].track_id: first[i].track_id for i, j in filled.pairs}
        for later, entry in marks.items():
            hands = entry["row"].get("hands") or []
            ids = [hand.get("track_id") for hand in hands]
            new = [renamed.get(one, one) for one in ids]
            if later >= stretch[1] and new != ids and len(set(new)) == len(set(ids)):
                row = {**entry["row"], "hands": [hand | {"track_id": k} for hand, k in zip(hands, new, strict=True)]}
                changes[frame_key(self.name, later)] = Change(row, entry["accepted"], entry["doubtful"])
        self.session.save(changes)
        return len(filled.frames)

    def change(
        self, number: int, mark: str, hands: list[dict[str, Any]], accepted: bool, doubtful: bool = False
    ) -> Change:
        """A change of a frame: its row in the label file, and what was said about it."""
        place = {"clip": self.name, "frame": number, "time_s": round(self.frames.times_s[number], 6), "mark": mark}
        return Change({**place, **row_of(hands, self.frames.size)}, accepted, doubtful)

    def withdrawn(self, number: int, marks: Marks, change: Change) -> dict[str, Change]:
        """The accepted frames beside a key frame that have to be accepted again after a change to it."""
        entry = marks.get(number)
        same = entry is not None and mark_of(entry) == "key" and entry["row"].get("hands") == change.row["hands"]
        if same and entry is not None and is_done(entry) == (change.accepted and not change.doubtful):
            return {}
        ends = self.ends(marks)
        low = max((end for end in ends if end < number), default=-1)
        high = min((end for end in ends if end > number), default=len(self.frames))
        return {
            frame_key(self.name, between): Change(old["row"], accepted=False)
            for between, old in marks.items()
            if low < between < high and between != number and mark_of(old) == "between" and is_done(old)
        }

    def new_track_id(self, marks: Marks) -> int:
        """A number that no hand of this clip has."""
        hands = [hand for entry in marks.values() for hand in entry["row"].get("hands") or []]
        return 1 + max([self.watched.most_ids, *(int(hand.get("track_id") or 0) for hand in hands)])


def mark_of(entry: Entry) -> str:
    """ "key", "between", or "none" for a frame that is no key frame any more."""
    return str(entry["row"].get("mark", "key"))


def is_done(entry: Entry) -> bool:
    """Whether a change puts its frame into the label file."""
    return bool(entry["accepted"] and not entry["doubtful"])


def labelled_hands(entry: Entry) -> list[Any]:
    """The hands of a key frame that have landmarks."""
    hands = map(hand_from_json, entry["row"].get("hands") or [])
    return [hand for hand in hands if hand.landmarks is not None]
