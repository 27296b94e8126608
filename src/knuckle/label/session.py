"""What the photos and clips of one labelling session share: the journal, the networks, and who labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from knuckle.errors import SourceError
from knuckle.label.compare import Comparison
from knuckle.label.journal import Change, Journal
from knuckle.pipeline.hand import HandLandmarker
from knuckle.pipeline.networks import Networks
from knuckle.pipeline.options import TrackerOptions

Entry = Mapping[str, Any]  # the last change of an image: time, accepted, doubtful, row


@dataclass(frozen=True)
class Person:
    """Who labels.

    Attributes:
        name: to tell people apart; "" for nobody in particular.
        blind: show only this person's labels, and the tracker's proposals on all other images, so that agreement with
            others means something.
    """

    name: str = ""
    blind: bool = False


@dataclass(eq=False)
class Session:
    """One person who labels one folder.

    Attributes:
        root: the folder; names on the page are relative to it.
        journal: what was labelled.
        networks: they label first.
        person: who labels.
        comparison: two bundles to compare, if any.
    """

    root: Path
    journal: Journal
    networks: Networks
    person: Person = Person()
    comparison: Comparison | None = None

    @cached_property
    def landmarker(self) -> HandLandmarker:
        """The landmark network, for places that people or key frames show."""
        return self.networks.hand_landmarker(self.networks.completed(TrackerOptions()))

    def entries(self) -> Mapping[str, Entry]:
        """The last change of each image by `journal.key_of`; for somebody who labels blindly, of this person only."""
        if not self.person.blind:
            return self.journal.entries
        name = self.person.name
        return {image: people[name] for image, people in self.journal.people.items() if name in people}

    def name_of(self, path: str | Path) -> str:
        """The path of a file relative to the label file."""
        folder = os.path.abspath(self.journal.out.parent)
        return Path(os.path.relpath(os.path.abspath(path), folder)).as_posix()

    def save(self, changes: Mapping[str, Change]) -> None:
        """Save changes, by `journal.key_of`.

        Raises:
            SourceError: the log cannot be written.
        """
        try:
            self.journal.save(changes, self.person.name)
        except OSError as error:
            where = self.journal.out
            raise SourceError(f"{where} cannot be written: {error.strerror}; free some space, then go on") from error
