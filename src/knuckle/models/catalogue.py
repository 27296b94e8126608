"""Model bundles: a palm network, a landmark network and what must be known of them.

A bundle on disk is a folder with `bundle.json`, a palm network and a landmark network, verified by sha256 every time
they are opened. Ours are part of the package. MediaPipe's are fetched once into the user's cache folder, where their
landmark networks are given a visibility head (`knuckle.models.visibility_head`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import platformdirs

from knuckle.errors import BundleError
from knuckle.models import fetch

logger = logging.getLogger("knuckle")

DEFAULT = "mediapipe"
OWN = Path(__file__).resolve().parent / "networks"  # NAME.json of each of ours, the networks, the weights to train on
PACKAGED = ("knuckle", "knuckle-far")


@dataclass(frozen=True)
class Network:
    """One network file of a bundle: its file name and the sha256 of its bytes."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """What `bundle.json` holds.

    Attributes:
        name: how it is called in the cache.
        palm, hand: the network files, beside `bundle.json`.
        licence: SPDX name of the weights' licence.
        source: where the weights came from.
        palm_side, hand_side: input sides in pixels.
        palm_strides: (stride, anchors per cell) of each grid of the palm network.
        palm_outputs, hand_outputs: output names by role.
        min_palm_score, min_presence: the thresholds it was made for.
        handedness: what the handedness output tells.
        second_look: whether hands that palms led to are read twice; see `TrackerOptions`.
        faint_palms: how much fainter palms are tried than are given; see `TrackerOptions`.
    """

    name: str
    palm: Network
    hand: Network
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
    handedness: str = "probability of 'Left' in a mirrored image"
    second_look: bool = False
    faint_palms: float = 1.0
    folder: Path = field(default=Path(), compare=False)

    @property
    def palm_path(self) -> Path:
        return self.folder / self.palm.file

    @property
    def hand_path(self) -> Path:
        return self.folder / self.hand.file

    def to_json(self) -> str:
        """The text of `bundle.json`."""
        fields = asdict(self)
        del fields["folder"]
        return json.dumps(fields, indent=2)


_PALM_FULL = "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54"
_PALM_LITE = "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18"
_HAND_FULL = "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"
_HAND_LITE = "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6"
_WITH_HEAD = re.compile(r"\.visibility-[0-9a-f]+(?=\.tflite$)")
_GOOGLE = "MediaPipe Hands by Google"

BUNDLES = {
    "mediapipe": Bundle(
        "mediapipe",
        palm=Network("palm_detection_full.tflite", _PALM_FULL),
        hand=Network("hand_landmark_full.tflite", _HAND_FULL),
        licence="Apache-2.0",
        source=f"{_GOOGLE}, full: {fetch.TASK_URL} or the wheel {fetch.WHEEL}",
    ),
    "mediapipe-lite": Bundle(
        "mediapipe-lite",
        palm=Network("palm_detection_lite.tflite", _PALM_LITE),
        hand=Network("hand_landmark_lite.tflite", _HAND_LITE),
        licence="Apache-2.0",
        source=f"{_GOOGLE}, lite: the wheel {fetch.WHEEL}",
    ),
}


def cache_folder() -> Path:
    """Where bundles are kept: KNUCKLE_CACHE, or the system's cache folder for this user."""
    chosen = os.environ.get("KNUCKLE_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("knuckle", appauthor=False))) / "bundles"


def find(models: str | os.PathLike[str]) -> Bundle:
    """The bundle that `models` names: a known name (fetched if need be), a folder, or a `.task` file.

    Raises:
        BundleError: there is no such bundle, it is damaged, or it cannot be fetched.
    """
    name = str(models)
    if name in PACKAGED:
        return _opened(OWN / f"{name}.json")
    path = Path(models)
    if path.is_dir():
        return open_folder(path)
    if path.is_file():
        return import_task(path, path.stem + "-" + _sha256(path)[:12])
    if (cache_folder() / name / "bundle.json").is_file():
        try:
            return _open_cached(name)
        except BundleError as error:
            if name not in BUNDLES:
                raise
            logger.warning("%s; fetching it again", error)
            remove(name)
    if name not in BUNDLES:
        raise BundleError(
            f"no bundle, folder or .task file called {name!r}; known bundles: {', '.join(sorted(available()))}"
        )
    return pull(name)


def available() -> dict[str, Bundle | None]:
    """All bundle names, the known ones and those in the cache, each with the bundle where it need not be fetched."""
    found: dict[str, Bundle | None] = dict.fromkeys(BUNDLES)
    found |= {name: find(name) for name in PACKAGED}
    for entry in sorted(cache_folder().glob("*/bundle.json")):
        if entry.parent.name in PACKAGED:  # of a version that kept ours there
            continue
        try:
            found[entry.parent.name] = _open_cached(entry.parent.name)
        except BundleError as error:
            logger.warning("%s", error)
    return found


def open_folder(folder: Path) -> Bundle:
    """Read `bundle.json` in a folder and verify both networks against it.

    Raises:
        BundleError: a file is missing, unreadable or not the one that `bundle.json` names.
    """
    return _opened(folder / "bundle.json")


def _opened(path: Path) -> Bundle:
    """The bundle that a file describes, whose networks lie beside it."""
    folder = path.parent
    try:
        fields = json.loads(path.read_text())
        fields["palm"], fields["hand"] = Network(**fields["palm"]), Network(**fields["hand"])
        fields["palm_strides"] = tuple((int(s), int(n)) for s, n in fields["palm_strides"])
        bundle = Bundle(**fields, folder=folder.resolve())
        if not isinstance(bundle.second_look, bool):
            raise ValueError(f"second_look must be true or false, got {bundle.second_look!r}")
        if not 0 <= bundle.faint_palms <= 1:
            raise ValueError(f"faint_palms must be a number from 0 to 1, got {bundle.faint_palms!r}")
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is no bundle: it has no {path.name}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    for network in (bundle.palm, bundle.hand):
        if not (folder / network.file).is_file():
            raise BundleError(f"bundle {folder} is incomplete: {network.file} is missing")
        if _sha256(folder / network.file) != network.sha256:
            raise BundleError(f"bundle {folder} is damaged: {network.file} is not the file that {path.name} names")
    return bundle


def pull(name: str) -> Bundle:
    """Fetch a known bundle into the cache: the official `.task` file, else the networks inside a pip wheel.

    Several processes may pull at once: each works in a folder of its own and moves it into place when all of
    it is verified, so a bundle in the cache is whole.

    Raises:
        BundleError: unknown name, or neither source can be reached.
    """
    if name not in BUNDLES:
        raise BundleError(f"no known bundle {name!r}; there are: {', '.join(BUNDLES)}")
    bundle = BUNDLES[name]
    with _workshop() as folder:
        reasons = []
        for bring in (_from_task, _from_wheel):
            try:
                bring(bundle, Path(folder))
                return _install(bundle, Path(folder), name)
            except BundleError as error:
                reasons.append(str(error))
    raise BundleError(
        f"bundle {name!r} is not in the cache and cannot be fetched ({'; '.join(reasons)}). "
        f"With a network, run: knuckle models pull {name}. Without one, use bundle {PACKAGED[0]!r}, which is part of "
        f"the package (--models {PACKAGED[0]}), or a hand_landmarker.task file."
    )


def import_task(path: Path, name: str) -> Bundle:
    """Take an official `hand_landmarker.task` file, or any zip with its two networks, into the cache as `name`.

    Raises:
        BundleError: it is no such file.
    """
    if (cache_folder() / name / "bundle.json").is_file():
        return _open_cached(name)
    with _workshop() as folder:
        for role, member in fetch.TASK_MEMBERS.items():
            fetch.extract(path, member, Path(folder) / f"{role}.tflite")
        palm, hand = (
            Network(f"{role}.tflite", _sha256(Path(folder) / f"{role}.tflite")) for role in fetch.TASK_MEMBERS
        )
        official = {(known.palm.sha256, known.hand.sha256): known.licence for known in BUNDLES.values()}
        licence = official.get((palm.sha256, hand.sha256), "as its publisher states")
        bundle = Bundle(name, palm, hand, licence, source=f"imported from {path.name}")
        return _install(bundle, Path(folder), name)


def import_folder(folder: Path, name: str) -> Bundle:
    """Copy a bundle folder into the cache as `name`."""
    bundle = open_folder(folder)
    with _workshop() as workshop:
        for path in (bundle.palm_path, bundle.hand_path):
            shutil.copy(path, workshop)
        return _install(bundle, Path(workshop), name)


def remove(name: str) -> None:
    """Delete a bundle from the cache.

    Raises:
        BundleError: it is not there.
    """
    folder = cache_folder() / name
    if not name or folder.parent != cache_folder() or not folder.is_dir():
        raise BundleError(f"no bundle {name!r} in {cache_folder()}")
    shutil.rmtree(folder)


def _workshop() -> tempfile.TemporaryDirectory[str]:
    """A folder beside the cached bundles, so that moving into place is one rename."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".unfinished-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BundleError(
            f"the cache folder {cache_folder()} cannot be written ({error.strerror}); set KNUCKLE_CACHE"
        ) from error


def _install(bundle: Bundle, workshop: Path, name: str) -> Bundle:
    if name in PACKAGED:
        raise BundleError(f"{name!r} is the name of a bundle of this package; choose another with --name")
    fields = {**asdict(bundle), "name": name}
    fields.update(palm=bundle.palm, hand=bundle.hand)
    (workshop / "bundle.json").write_text(Bundle(**fields).to_json())
    open_folder(workshop)
    target = cache_folder() / name
    try:
        workshop.rename(target)
    except OSError:  # another process was first, or a damaged bundle is in the way
        try:
            return _open_cached(name)
        except BundleError:
            shutil.rmtree(target, ignore_errors=True)
            workshop.rename(target)
    return _open_cached(name)


def _open_cached(name: str) -> Bundle:
    """A bundle of the cache; where its landmark network is one that MediaPipe published, with our visibility head.

    The published file stays beside the one with the head, which is made from it once for every version of the head.
    `bundle.json` is replaced last and in one step, so whoever opens the bundle meanwhile finds it whole.
    """
    from knuckle.models.visibility_head import OUTPUT, version, with_visibility

    bundle = open_folder(cache_folder() / name)
    published = bundle.folder / _WITH_HEAD.sub("", bundle.hand.file)
    path = published.with_name(f"{published.stem}.visibility-{version()}.tflite")
    if path == bundle.hand_path or not published.is_file() or _sha256(published) not in (_HAND_FULL, _HAND_LITE):
        return bundle
    network = with_visibility(published.read_bytes())
    outputs = {**bundle.hand_outputs, "visibility": OUTPUT}
    seeing = replace(bundle, hand=Network(path.name, hashlib.sha256(network).hexdigest()), hand_outputs=outputs)
    try:
        _replace(path, network)
        _replace(bundle.folder / "bundle.json", seeing.to_json().encode())
    except OSError as error:
        logger.warning("%s cannot be written (%s): hand.visibility stays as it was", bundle.folder, error.strerror)
        return bundle
    return seeing


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one step: readers see all of the old one or all of the new one."""
    part = path.with_name(f".unfinished-{uuid.uuid4().hex}")
    part.write_bytes(data)
    part.replace(path)


def _from_task(bundle: Bundle, folder: Path) -> None:
    if bundle.name != "mediapipe":
        raise BundleError("the official .task file holds the full networks only")
    fetch.from_task(_files(bundle, folder), folder)


def _from_wheel(bundle: Bundle, folder: Path) -> None:
    fetch.from_wheel(_files(bundle, folder), folder)


def _files(bundle: Bundle, folder: Path) -> fetch.Files:
    return {role: (folder / net.file, net.sha256) for role, net in (("palm", bundle.palm), ("hand", bundle.hand))}


def _sha256(path: Path) -> str:
    stat = path.stat()
    return _sha256_of(str(path.resolve()), stat.st_mtime_ns, stat.st_size)


@lru_cache
def _sha256_of(path: str, modified_ns: int, size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
