"""The cache of bundles: fetch MediaPipe's networks from where Google publishes them, verify them, keep them.

Several processes may fetch and install at once. Each works in a folder of its own and moves it into place once it is
verified, so a bundle in the cache is always complete.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import struct
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

import platformdirs

from knuckle.errors import DAMAGE, BundleError, reason_of
from knuckle.models import visibility_head
from knuckle.models.bundle import (
    DESCRIPTION,
    TASK_MEMBERS,
    Bundle,
    NetworkFile,
    open_description,
    open_folder,
    sha256_of,
)
from knuckle.models.foreign import MOST_BYTES

# What zipfile raises on damaged files. RuntimeError: a compression that it lacks, or a password.
ZIP_DAMAGE = (*DAMAGE, zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError)
logger = logging.getLogger("knuckle")

# The modules that download are imported where they are used: most runs find their bundle in the cache.
TASK_URL = "https://storage.googleapis.com/mediapipe-models/hand_landmarker/hand_landmarker/float16/latest/hand_landmarker.task"
WHEEL = "mediapipe==0.10.21"
WHEEL_FOLDERS = {"palm": "mediapipe/modules/palm_detection", "hand": "mediapipe/modules/hand_landmark"}
TASK_TIMEOUT_S = 4.0


def cache_folder() -> Path:
    """Where bundles are kept: the folder `bundles` in KNUCKLE_CACHE, or in the user's cache folder."""
    chosen = os.environ.get("KNUCKLE_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("knuckle", appauthor=False))) / "bundles"


def cached_names() -> list[str]:
    """Names of the bundles in the cache."""
    return sorted(path.parent.name for path in cache_folder().glob(f"*/{DESCRIPTION}"))


def is_cached(name: str) -> bool:
    """Whether the cache has a bundle of this name."""
    return bool(name) and os.path.isfile(cache_folder() / name / DESCRIPTION)


def fetch_task(files: Mapping[str, NetworkFile], folder: Path) -> None:
    """Write both networks of the official `.task` file, which holds the full ones, to a folder.

    Args:
        files: the networks by role ("palm", "hand"): the names to give them, and their hashes.

    Raises:
        BundleError: the address cannot be reached, or gives other files.
    """
    from knuckle.models.package_index import copy_with_progress, opened

    task = folder / "hand_landmarker.task"
    try:
        with opened(TASK_URL, TASK_TIMEOUT_S) as answer, task.open("wb") as out:
            copy_with_progress(answer, out, int(answer.headers.get("Content-Length") or 0), task.name)
    except (OSError, ValueError) as error:
        raise BundleError(f"storage.googleapis.com: {getattr(error, 'reason', error)}") from error
    for role, network in files.items():
        extract(task, TASK_MEMBERS[role], folder / network.file, network.sha256)
    task.unlink()


def fetch_wheel(files: Mapping[str, NetworkFile], folder: Path) -> None:
    """Like `fetch_task`, from MediaPipe's wheel on the configured package index, which has full and lite networks."""
    from knuckle.models.package_index import download_wheel

    wheel = download_wheel(WHEEL, folder)
    for role, network in files.items():
        extract(wheel, f"{WHEEL_FOLDERS[role]}/{network.file}", folder / network.file, network.sha256)
    wheel.unlink()


def extract(archive: Path, member: str, target: Path, sha256: str | None = None) -> None:
    """Write one member of a zip file to `target`.

    Raises:
        BundleError: the archive is missing, not a zip, or has no such member; or the member has another `sha256`.
    """
    try:
        with zipfile.ZipFile(archive) as opened_zip, opened_zip.open(member) as source, target.open("wb") as out:
            copy_up_to(MOST_BYTES, source, out)
    except FileNotFoundError as error:
        raise BundleError(f"there is no file {archive}") from error
    except BundleError:
        raise
    except OSError as error:
        raise BundleError(f"{archive} cannot be read: {error.strerror or error}") from error
    except ZIP_DAMAGE as error:
        raise BundleError(
            f"{archive} is not a hand landmarker .task file ({reason_of(error)}); expected {member} in it"
        ) from error
    if sha256 and hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
        raise BundleError(f"{member} of {archive.name} is not the expected file (wrong sha256)")


def copy_up_to(most: int, source: IO[bytes], out: IO[bytes]) -> None:
    """Copy a member of an archive, whatever size it states.

    Raises:
        BundleError: it has more than `most` bytes, as a zip bomb has.
    """
    left = most
    while data := source.read(min(1 << 20, left + 1)):
        left -= len(data)
        if left < 0:
            raise BundleError(f"a network in an archive may have {most >> 20} MB at most, this one has more")
        out.write(data)


def workshop() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder beside the cached bundles, so that moving it into place is one rename.

    Raises:
        BundleError: the cache cannot be written.
    """
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".unfinished-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BundleError(
            f"the cache folder {cache_folder()} cannot be written ({error.strerror}); set KNUCKLE_CACHE"
        ) from error


def install(bundle: Bundle, folder: Path, name: str, *, overwrite: bool = False) -> Bundle:
    """Move a bundle whose networks are in `folder`, a `workshop`, into the cache as `name`.

    Args:
        overwrite: replace a bundle of this name. Otherwise a complete one stays: another process was faster.

    Raises:
        BundleError: the networks are not those that the bundle names.
    """
    (folder / DESCRIPTION).write_text(replace(bundle, name=name).to_json())
    open_folder(folder)
    target = cache_folder() / name
    try:
        folder.rename(target)
    except OSError:
        if not overwrite:
            try:
                return open_cached(name)
            except BundleError:
                logger.warning("%s is damaged and is replaced", target)
        aside = cache_folder() / f".unfinished-{uuid.uuid4().hex}"
        target.rename(aside)
        folder.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    return open_cached(name)


def open_cached(name: str) -> Bundle:
    """A bundle of the cache. MediaPipe's landmark networks get our visibility head.

    The network with the head is written once for each version of the head, beside the published file. `bundle.json` is
    replaced last and in one step, so other processes always find a complete bundle.

    Raises:
        BundleError: the bundle is missing or damaged.
    """
    bundle = open_description(cache_folder() / name / DESCRIPTION)
    published = bundle.folder / visibility_head.published_name(bundle.hand.file)
    path = published.with_name(f"{published.stem}.visibility-{visibility_head.version()}.tflite")
    if path == bundle.hand_path or not published.is_file() or sha256_of(published) not in visibility_head.PUBLISHED:
        return bundle
    network = visibility_head.with_visibility(published.read_bytes())
    hand = NetworkFile(path.name, hashlib.sha256(network).hexdigest())
    outputs = {**bundle.hand_outputs, "visibility": visibility_head.OUTPUT}
    with_head = replace(bundle, hand=hand, hand_outputs=outputs)
    try:
        write_in_one_step(path, network)
        write_in_one_step(bundle.folder / DESCRIPTION, with_head.to_json().encode())
    except OSError as error:
        logger.warning("%s cannot be written (%s): hand.visibility stays as it was", bundle.folder, error.strerror)
        return bundle
    return with_head


def write_in_one_step(path: Path, data: bytes) -> None:
    """Write a file so that readers see all of the old content or all of the new."""
    part = path.with_name(f".unfinished-{uuid.uuid4().hex}")
    part.write_bytes(data)
    part.replace(path)


def remove(name: str) -> None:
    """Delete a bundle from the cache.

    Raises:
        BundleError: the cache has no such bundle.
    """
    folder = cache_folder() / name
    if not name or folder.parent != cache_folder() or not folder.is_dir():
        raise BundleError(f"no bundle {name!r} in {cache_folder()}")
    shutil.rmtree(folder)
