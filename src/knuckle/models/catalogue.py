"""The bundles that have a name: those of this package, those that can be fetched, and those in the cache.

Ours are part of the package, once for LiteRT and once for ONNX Runtime, which is used where LiteRT is missing.
MediaPipe's are fetched once into the user's cache (`knuckle.models.cache`).
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from knuckle.errors import BundleError, EngineError, Error
from knuckle.models import cache
from knuckle.models.bundle import TASK_MEMBERS, Bundle, NetworkFile, open_description, open_folder, sha256_of
from knuckle.models.cache import cache_folder
from knuckle.models.tflite import WITHOUT_LITERT, has_litert, input_side
from knuckle.models.visibility_head import HAND_FULL, HAND_LITE

__all__ = [
    "BUNDLES",
    "DEFAULT",
    "PACKAGED",
    "Bundle",
    "available",
    "cache_folder",
    "find",
    "import_folder",
    "import_task",
    "open_folder",
    "pull",
    "remove",
]

logger = logging.getLogger("knuckle")

OWN = Path(__file__).resolve().parent / "networks"  # NAME.json of each of our bundles, and their networks
ONNX = OWN / "onnx"  # the same for ONNX Runtime; recipes/onnx_networks.py writes it
PACKAGED = ("knuckle", "knuckle-far", "knuckle-fast")
DEFAULT = PACKAGED[0]

_PALM_FULL = "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54"
_PALM_LITE = "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18"
_GOOGLE = "MediaPipe Hands by Google"

BUNDLES = {
    "mediapipe": Bundle(
        "mediapipe",
        palm=NetworkFile("palm_detection_full.tflite", _PALM_FULL),
        hand=NetworkFile("hand_landmark_full.tflite", HAND_FULL),
        licence="Apache-2.0",
        source=f"{_GOOGLE}, full: {cache.TASK_URL} or the wheel {cache.WHEEL}",
    ),
    "mediapipe-lite": Bundle(
        "mediapipe-lite",
        palm=NetworkFile("palm_detection_lite.tflite", _PALM_LITE),
        hand=NetworkFile("hand_landmark_lite.tflite", HAND_LITE),
        licence="Apache-2.0",
        source=f"{_GOOGLE}, lite: the wheel {cache.WHEEL}",
    ),
}


BY_CONTENT = re.compile("-[0-9a-f]{12}$")
"""The end of the names of `.task` files in the cache, which nobody gave them."""


def find(models: str | os.PathLike[str]) -> Bundle:
    """The bundle for a name, a folder or a `.task` file.

    A string that is the name of a bundle means that bundle, even if a folder in the working directory has the same
    name; write "./mediapipe" or give a `Path` for the folder. A known bundle is fetched if it is not in the cache.

    Raises:
        BundleError: there is no such bundle, it is damaged, or it cannot be fetched.
        EngineError: it is one of MediaPipe's, and LiteRT is not installed.
    """
    name, path = os.fspath(models), Path(models)
    is_name = isinstance(models, str) and path.name == name
    if is_name and (bundle := _named(name)):
        return bundle
    if os.path.isdir(path):  # the methods of Path raise where the name is too long
        return open_folder(path)
    if os.path.isfile(path):
        by_content = f"{path.stem}-{sha256_of(path)[:12]}"
        try:
            return cache.open_cached(by_content)
        except BundleError:  # it is not there, or another version of Knuckle wrote it
            return import_task(path, by_content)
    if not is_name and path.name == name and (bundle := _named(name)):
        return bundle
    kept = [one for one in cache.cached_names() if not BY_CONTENT.search(one)]
    names = ", ".join(sorted({*BUNDLES, *PACKAGED, *kept}))
    raise BundleError(f"no bundle, folder or .task file called {name!r}; known bundles: {names}")


def _named(name: str) -> Bundle | None:
    """The bundle of that name, fetched if it is a known one and missing or damaged; None for other names."""
    if name in PACKAGED:
        return open_description((OWN if has_litert() else ONNX) / f"{name}.json")
    if name in BUNDLES and not has_litert():
        raise EngineError(f"bundle {name!r} cannot run: {WITHOUT_LITERT}")
    if cache.is_cached(name):
        try:
            return cache.open_cached(name)
        except BundleError as error:
            if name not in BUNDLES:
                raise
            logger.warning("%s; fetching it again", error)
            cache.remove(name)
    return pull(name) if name in BUNDLES else None


def is_known(bundle: Bundle) -> bool:
    """Whether a bundle is one of this package, or one of MediaPipe's in the cache."""
    return bundle.folder in (OWN, ONNX) or bundle.folder in [(cache_folder() / name).resolve() for name in BUNDLES]


def available() -> dict[str, Bundle | None]:
    """All bundle names, the known ones and those in the cache; None for those that would have to be fetched."""
    found: dict[str, Bundle | None] = dict.fromkeys(BUNDLES)
    found |= {name: find(name) for name in PACKAGED}
    for name in cache.cached_names():
        if name in PACKAGED:  # an old version kept ours in the cache
            continue
        try:
            found[name] = cache.open_cached(name)
        except Error as error:
            logger.warning("%s", error)
    return found


def pull(name: str) -> Bundle:
    """Fetch a known bundle into the cache: from the official `.task` file, else from MediaPipe's wheel.

    Raises:
        BundleError: unknown name, or neither source can be reached.
    """
    if name not in BUNDLES:
        raise BundleError(f"no bundle {name!r} to fetch; there are: {', '.join(BUNDLES)}")
    bundle = BUNDLES[name]
    networks = {"palm": bundle.palm, "hand": bundle.hand}
    sources = [cache.fetch_task, cache.fetch_wheel] if name == "mediapipe" else [cache.fetch_wheel]
    reasons = []
    with cache.workshop() as folder:
        for fetch in sources:
            try:
                fetch(networks, Path(folder))
                return cache.install(bundle, Path(folder), name)
            except BundleError as error:
                reasons.append(str(error))
    raise BundleError(
        f"bundle {name!r} is not in the cache and cannot be fetched ({'; '.join(reasons)}). Bundle {PACKAGED[0]!r} is "
        f'part of the package and needs no network: models="{PACKAGED[0]}" or --models {PACKAGED[0]}. With a network, '
        f"run: knuckle models pull {name}. A hand_landmarker.task file that you have works too."
    )


def import_task(path: Path, name: str) -> Bundle:
    """Copy the networks of a `hand_landmarker.task` file, or of a zip like it, into the cache as `name`.

    A bundle of that name that is in the cache is replaced.

    Raises:
        BundleError: the file is missing or not a `.task` file, or `name` is the name of a known bundle.
    """
    require_free(name)
    with cache.workshop() as folder:
        networks = {role: Path(folder) / f"{role}.tflite" for role in TASK_MEMBERS}
        for role, target in networks.items():
            cache.extract(path, TASK_MEMBERS[role], target)
        palm, hand = (NetworkFile(target.name, sha256_of(target)) for target in networks.values())
        official = {(known.palm.sha256, known.hand.sha256): known.licence for known in BUNDLES.values()}
        licence = official.get((palm.sha256, hand.sha256), "as its publisher states")
        sides = {role: input_side(target.read_bytes()) for role, target in networks.items()}
        source = f"imported from {path.name}"
        bundle = Bundle(name, palm, hand, licence, source, palm_side=sides["palm"], hand_side=sides["hand"])
        return cache.install(bundle, Path(folder), name, overwrite=True)


def import_folder(folder: Path, name: str) -> Bundle:
    """Copy a bundle folder into the cache as `name`. A bundle of that name that is in the cache is replaced.

    Raises:
        BundleError: the folder is not a bundle, or `name` is the name of a known bundle.
    """
    require_free(name)
    bundle = open_folder(folder)
    with cache.workshop() as workshop:
        for network in bundle.files():
            shutil.copy(bundle.folder / network.file, workshop)
        return cache.install(bundle, Path(workshop), name, overwrite=True)


def require_free(name: str) -> None:
    """Raise a BundleError if `name` cannot be given to an imported bundle."""
    if name in PACKAGED or name in BUNDLES:
        raise BundleError(f"{name!r} is the name of a known bundle; choose another with --name")
    if not name or Path(name).name != name or name.startswith("."):
        raise BundleError(f"{name!r} cannot be the name of a bundle: use a plain name such as 'mine'")


def remove(name: str) -> None:
    """Delete a bundle from the cache.

    Raises:
        BundleError: the cache has no such bundle.
    """
    cache.remove(name)
