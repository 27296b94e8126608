"""What a model bundle is: a palm network, a landmark network, and `bundle.json`, which says how to use them.

A bundle on disk is a folder with these files. The networks are verified by sha256 whenever a bundle is opened.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from knuckle.errors import DAMAGE, BundleError, InputError, reason_of
from knuckle.models.foreign import MOST_SIDE, check_file
from knuckle.results import PointSet

DESCRIPTION = "bundle.json"
# A `.task` file is a zip with these two networks, by role.
TASK_MEMBERS = {"palm": "hand_detector.tflite", "hand": "hand_landmarks_detector.tflite"}
# A gesture recognizer's `.task` is a zip with such a file and one with these networks.
LANDMARKER, RECOGNIZER = "hand_landmarker.task", "hand_gesture_recognizer.task"
EMBEDDER, CANNED, CUSTOM = (
    "gesture_embedder.tflite",
    "canned_gesture_classifier.tflite",
    "custom_gesture_classifier.tflite",
)
# Standard deviation of x for an expected |dx| + |dy| of 1, if errors follow a Laplace distribution, as the loss of
# training (`knuckle.train.losses.landmark_nll`) supposes.
STD_PER_SIGMA = 0.5**0.5
MOST_BYTES = 1 << 20  # of a description
MOST_ANCHORS = 64  # per cell
# A file in the bundle's own folder: no folders, no drive, no hidden files.
PLAIN_NAME = re.compile(r"[^./\\:\0\n][^/\\:\0\n]{0,200}")
OUTPUT_ROLES = {"palm_outputs": {"boxes", "scores"}, "hand_outputs": {"landmarks", "presence", "handedness", "world"}}
THRESHOLDS = ("min_palm_score", "min_presence", "min_new_confidence", "min_faint_confidence", "faint_palms")


@dataclass(frozen=True)
class NetworkFile:
    """A network of a bundle.

    Attributes:
        file: its file name, in the folder of the bundle.
        sha256: hash of its bytes, in hexadecimal.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """The content of a `bundle.json`.

    Attributes:
        name: name of the bundle.
        palm, hand: the two networks.
        palm_int8, hand_int8: the same networks with 8-bit arithmetic, or None. `knuckle.load` runs them where they are
            faster.
        licence: SPDX name of the licence of the weights.
        source: where the weights come from.
        palm_side, hand_side: side of the square input of each network, pixels.
        palm_strides: (stride in pixels, anchors per cell) of each output grid of the palm network.
        palm_outputs, hand_outputs: names of the outputs by role; see `PalmModel` and `HandModel`.
        min_palm_score, min_presence, second_look, faint_palms: values for the options of these names, used where the
            caller sets none; see `TrackerOptions`.
        min_new_confidence: what the score of its palm and both presences of a newly found hand must add up to
            (`knuckle.pipeline.tracker.confidence`), where the caller sets no `min_presence`. New hands must prove more
            than tracked ones, because they are less probable.
        min_faint_confidence: the same if the palm scored less than `min_palm_score`.
        std_per_sigma: factor from the output `log_sigma`, if the landmark network has it, to `Hand.landmark_std`:
            calibrated so that 68 % of the errors of x and of y on held-out photos are below it.
        handedness: meaning of the handedness output.
        points: what the landmark network gives, if that is not the 21 points; see `PointSet` and docs/points.md.
        folder: where the networks are; not part of `bundle.json`.
    """

    name: str
    palm: NetworkFile
    hand: NetworkFile
    licence: str
    source: str
    palm_side: int = 192
    hand_side: int = 224
    palm_strides: tuple[tuple[int, int], ...] = ((8, 2), (16, 6))
    palm_outputs: Mapping[str, str] = field(default_factory=lambda: {"boxes": "Identity", "scores": "Identity_1"})
    hand_outputs: Mapping[str, str] = field(
        default_factory=lambda: {
            "landmarks": "Identity",
            "presence": "Identity_1",
            "handedness": "Identity_2",
            "world": "Identity_3",
        }
    )
    min_palm_score: float = 0.5
    min_presence: float = 0.5
    min_new_confidence: float = 0.0
    min_faint_confidence: float = 0.95
    handedness: str = "probability of 'Left' in a mirrored image"
    second_look: bool = False
    faint_palms: float = 1.0
    std_per_sigma: float = STD_PER_SIGMA
    palm_int8: NetworkFile | None = None
    hand_int8: NetworkFile | None = None
    points: PointSet | None = None
    folder: Path = field(default=Path(), compare=False)

    @property
    def palm_path(self) -> Path:
        """The file of the palm network."""
        return self.folder / self.palm.file

    @property
    def hand_path(self) -> Path:
        """The file of the landmark network."""
        return self.folder / self.hand.file

    def files(self) -> list[NetworkFile]:
        """All networks of the bundle."""
        return [file for file in (self.palm, self.hand, self.palm_int8, self.hand_int8) if file is not None]

    def to_json(self) -> str:
        """The text of `bundle.json`."""
        fields = asdict(self)
        del fields["folder"], fields["points"]
        if self.points is not None:  # versions that know no other points than the 21 refuse such a bundle
            fields["points"] = self.points.to_dict()
        return json.dumps(fields, indent=2)


def open_folder(folder: Path) -> Bundle:
    """Read `bundle.json` of a folder, verify the networks, and check that they are none that must not run.

    Raises:
        BundleError: a file is missing or unreadable, a network is not the one that `bundle.json` names, or it is
            refused (`knuckle.models.foreign`).
        EngineError: LiteRT, which checks tflite files, is not installed.
    """
    bundle = open_description(folder / DESCRIPTION)
    for network in bundle.files():
        check_once(bundle.folder / network.file, network.sha256)
    return bundle


@lru_cache
def check_once(path: Path, sha256: str) -> None:
    check_file(path)


def open_description(path: Path) -> Bundle:
    """Like `open_folder`, for networks that were checked before: those of this package and of the cache."""
    folder = path.parent
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        bundle = _parsed(json.loads(path.read_text(encoding="utf-8")), folder.resolve())
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {path.name}") from error
    except (*DAMAGE, OSError, InputError) as error:
        raise BundleError(f"{path} cannot be read: {reason_of(error)}") from error
    for network in bundle.files():
        if not os.path.isfile(folder / network.file):  # Path.is_file raises where the name is too long
            raise BundleError(f"bundle {folder} is incomplete: {network.file[:80]} is missing")
        if sha256_of(folder / network.file) != network.sha256:
            raise BundleError(f"bundle {folder} is damaged: {network.file} is not the file that {path.name} names")
    return bundle


def _parsed(fields: dict[str, Any], folder: Path) -> Bundle:
    """The bundle that a description states; anything wrong with it is one of `DAMAGE`."""
    if unknown := fields.keys() - Bundle.__dataclass_fields__.keys():
        names = ", ".join(sorted(unknown))[:80]
        raise ValueError(f"this version of Knuckle does not know {names}; update it, or export the bundle again")
    for role in ("palm", "hand", "palm_int8", "hand_int8"):
        if role in ("palm", "hand") or fields.get(role) is not None:
            found = fields[role] = NetworkFile(**fields[role])
            if not PLAIN_NAME.fullmatch(found.file):
                raise ValueError(f"a network is a file in the folder of the bundle, got {found.file!r:.80}")
    if fields.get("points") is not None:
        fields["points"] = PointSet.from_dict(fields["points"])
    fields["palm_strides"] = tuple((int(s), int(n)) for s, n in fields["palm_strides"])
    bundle = Bundle(**fields, folder=folder)
    for name in ("name", "licence", "source", "handedness"):
        if not isinstance(getattr(bundle, name), str):
            raise ValueError(f"{name} must be text, got {getattr(bundle, name)!r:.80}")
    for name in ("palm_outputs", "hand_outputs"):
        outputs = getattr(bundle, name)
        if not isinstance(outputs, dict) or not all(isinstance(one, str) for pair in outputs.items() for one in pair):
            raise ValueError(f"{name} must be names by role, got {outputs!r:.80}")
        if missing := OUTPUT_ROLES[name] - outputs.keys():
            raise ValueError(f"{name} must name {', '.join(sorted(missing))}, got {', '.join(outputs)[:80]}")
    for side in (bundle.palm_side, bundle.hand_side):
        if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= MOST_SIDE:
            raise ValueError(f"sides must be whole numbers from 1 to {MOST_SIDE}, got {side!r:.80}")
    if not bundle.palm_strides:
        raise ValueError("palm_strides must name a grid of anchors, got none")
    for stride, count in bundle.palm_strides:
        if not 1 <= stride <= MOST_SIDE or not 1 <= count <= MOST_ANCHORS:
            raise ValueError(f"palm_strides must be pairs of a stride and a number of anchors, got {stride}, {count}")
    if not isinstance(bundle.second_look, bool):
        raise ValueError(f"second_look must be true or false, got {bundle.second_look!r:.80}")
    for name in THRESHOLDS:
        value = getattr(bundle, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{name} must be a number from 0 to 1, got {value!r:.80}")
    if isinstance(bundle.std_per_sigma, bool) or not 0 < float(bundle.std_per_sigma) < math.inf:
        raise ValueError(f"std_per_sigma must be a number above 0, got {bundle.std_per_sigma!r:.80}")
    return bundle


def sha256_of(path: Path) -> str:
    """Hash of a file in hexadecimal; computed again only when the file has changed."""
    stat = path.stat()
    return _sha256_of(str(path.resolve()), stat.st_mtime_ns, stat.st_size)


@lru_cache
def _sha256_of(path: str, modified_ns: int, size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
