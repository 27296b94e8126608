"""Tar shards of samples in the WebDataset layout, with a manifest.

Several processes can write. A stopped run resumes, and a shard is either complete or absent.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import platform
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import knuckle
from knuckle.datasets.hand_json import hand_to_json
from knuckle.errors import EngineError, InputError, SinkError
from knuckle.synth.body.hand_poses import FAMILIES, NAMED
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.studio import Sample, Studio

FORMAT = "knuckle-synth-1"
JPEG_QUALITY = 94
DEPTH_UNIT_M = 0.0002  # of the depth pictures; 16 bits reach 13 m
PACKAGES = ("numpy", "opencv-contrib-python", "moderngl", "anny")  # whose versions the manifest lists
CHUNK = 4  # samples that a worker process makes at a time
PRODUCTS = ("hands", "scenes")

Files = tuple[str, dict[str, bytes], int]  # key, suffix -> content, number of hands


@dataclass(frozen=True)
class Recipe:
    """What decides the pixels of shards, together with the renderer.

    Attributes:
        product: "hands" (crops of one hand) or "scenes" (whole pictures for the palm detector).
        count: number of samples.
        side: of the square pictures, pixels.
        seed: sample k of a seed is always the same, whatever `count`, `per_shard` and the number of processes.
        backgrounds: folder of photos to draw behind the hands, or None for procedural backgrounds only.
        masks: also write KEY.mask.png (hand ids).
        depth: also write KEY.depth.png (16 bits, unit `DEPTH_UNIT_M`, 0 where there is no object).
        per_shard: samples per tar file.
        margin: for "hands": how many times the tracker's region a picture shows, so that training can cut its own.
        poses: for "hands": only these, names of `hand_poses.NAMED` and `hand_poses.FAMILIES`. () is everything.
    """

    product: str
    count: int
    side: int
    seed: int = 0
    backgrounds: str | None = None
    masks: bool = False
    depth: bool = False
    per_shard: int = 1000
    margin: float = 1.0
    poses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.product not in PRODUCTS:
            raise InputError(f"product must be 'hands' or 'scenes', got {self.product!r}")
        lowest = {"count": 1, "side": 32, "seed": 0, "per_shard": 1, "margin": 0.1}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} must be a number from {low} up, got {getattr(self, name)!r}")
        if self.poses and self.product != "hands":
            raise InputError(f"poses can be chosen for 'hands' only, got {self.poses} for {self.product!r}")
        if unknown := [name for name in self.poses if name not in NAMED and name not in FAMILIES]:
            raise InputError(f"there is no pose {unknown[0]!r}; there are {', '.join([*FAMILIES, *NAMED])}")

    @property
    def shards(self) -> int:
        """Number of tar files."""
        return -(-self.count // self.per_shard)

    def name(self, shard: int) -> str:
        return f"{self.product}-{shard:06d}.tar"

    def keys(self, shard: int) -> range:
        """Numbers of the samples in a shard."""
        return range(shard * self.per_shard, min(self.count, (shard + 1) * self.per_shard))


def write_shards(
    folder: Path, recipe: Recipe, workers: int = 1, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Write all samples of a recipe and return the manifest. Complete shards in the folder are kept.

    Args:
        folder: created if missing. It must be empty or hold shards of the same recipe (`count` may differ).
        workers: number of processes; 1 works in this process.
        progress: called with the number of samples after each sample, and once per shard that was there already.

    Raises:
        InputError: `workers` is less than 1, the folder holds something else, or a background cannot be read.
        SinkError: a shard cannot be written, for example because the disk is full. No partial shard remains.
        EngineError: there is no OpenGL, or a worker process died.
    """
    if workers < 1:
        raise InputError(f"workers must be a whole number from 1 up, got {workers}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror or error}") from error
    manifest = _manifest_of(folder, recipe)
    done = {shard["name"]: shard for shard in manifest["shards"]}
    todo = []
    for shard in range(recipe.shards):
        found = done.get(recipe.name(shard))
        if found and found["samples"] == len(recipe.keys(shard)) and (folder / found["name"]).is_file():
            progress(found["samples"])
        else:
            todo.append(shard)
    with _sample_maker(recipe, workers if todo else 1) as (make, renderer_name):
        samples = make(index for shard in todo for index in recipe.keys(shard))
        for shard in todo:
            entry = _write_shard(folder / recipe.name(shard), islice(samples, len(recipe.keys(shard))), progress)
            done[entry["name"]] = entry | {"renderer": renderer_name}
            manifest["shards"] = [done[name] for name in sorted(done)]
            _write_manifest(folder, manifest)
    return manifest


def random_of(recipe: Recipe, index: int) -> np.random.Generator:
    """The random generator of one sample."""
    return np.random.default_rng([recipe.seed, PRODUCTS.index(recipe.product), index])


def files_of(sample: Sample, key: str, recipe: Recipe) -> Files:
    """The files of a sample in its shard."""
    entry = {
        "hands": [hand_to_json(hand) for hand in sample.hands],
        "camera": dict(sample.camera),
        "scene": dict(sample.scene),
    }
    files = {"jpg": _encoded(".jpg", sample.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])}
    files["json"] = json.dumps(entry, separators=(",", ":")).encode()
    if recipe.masks:
        files["mask.png"] = _encoded(".png", sample.mask, [])
    if recipe.depth:
        units = np.where(np.isfinite(sample.depth), sample.depth, 0) / DEPTH_UNIT_M
        files["depth.png"] = _encoded(".png", np.where(units < 65535, units, 0).astype(np.uint16), [])
    return key, files, len(sample.hands)


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard in order: the key, and the content of the files by suffix.

    Raises:
        InputError: the file is not a tar file.
    """
    try:
        with tarfile.open(path) as tar:
            key = ""
            files: dict[str, bytes] = {}
            for member in tar:
                name, _, suffix = member.name.partition(".")
                content = tar.extractfile(member)
                if content is None:
                    continue
                if files and name != key:
                    yield key, files
                    files = {}
                key, files[suffix] = name, content.read()
            if files:
                yield key, files
    except tarfile.TarError as error:
        raise InputError(f"{path} is not a shard: {error}") from error


def _encoded(suffix: str, picture: Any, options: Sequence[int]) -> bytes:
    done, data = cv2.imencode(suffix, picture, list(options))
    if not done:
        raise SinkError(f"a picture of shape {picture.shape} could not be encoded as {suffix}")
    return bytes(data)


@dataclass
class _Worker:
    """What makes the samples of a recipe in one process."""

    recipe: Recipe
    studio: Studio

    def sample(self, index: int) -> Sample:
        rng = random_of(self.recipe, index)
        return self.studio.hand_crop(rng) if self.recipe.product == "hands" else self.studio.scene(rng)

    def files(self, index: int) -> Files:
        key = f"{self.recipe.product}_{self.recipe.seed}_{index:08d}"
        return files_of(self.sample(index), key, self.recipe)


_worker: _Worker | None = None  # of a worker process


def _worker_of(recipe: Recipe) -> _Worker:
    os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe draws on this process's own core
    cv2.setNumThreads(1)
    return _Worker(recipe, Studio(recipe.side, recipe.backgrounds, recipe.margin, recipe.poses))


def samples_of(recipe: Recipe, indices: Iterable[int], mix: SceneMix | None = None) -> Iterator[Sample]:
    """Samples of a recipe by their numbers, made in this process.

    `mix` changes how often things happen in them; its `poses` are replaced by the recipe's.
    """
    worker = _worker_of(recipe)
    if mix is not None:
        worker.studio.mix = replace(mix, poses=recipe.poses)
    for index in indices:
        yield worker.sample(index)


def _start_worker(recipe: Recipe) -> None:
    global _worker
    _worker = _worker_of(recipe)


def _files_in_worker(indices: Sequence[int]) -> list[Files]:
    assert _worker is not None  # _start_worker ran first
    return [_worker.files(index) for index in indices]


def _renderer_in_worker() -> str:
    assert _worker is not None  # _start_worker ran first
    return _worker.studio.renderer.name


Make = Callable[[Iterator[int]], Iterator[Files]]


@contextmanager
def _sample_maker(recipe: Recipe, workers: int) -> Iterator[tuple[Make, str]]:
    """A function from sample numbers to their files, in order, and the name of the renderer."""
    if workers == 1:
        worker = _worker_of(recipe)
        yield lambda indices: map(worker.files, indices), worker.studio.renderer.name
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker, (recipe,))
    try:
        yield lambda indices: _in_order(pool, indices, workers), pool.submit(_renderer_in_worker).result()
    except BrokenProcessPool as error:
        raise EngineError(
            f"a process of `knuckle synth` died ({error}); see the lines above, or use --workers 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, indices: Iterator[int], workers: int) -> Iterator[Files]:
    """The samples' files in order; a few chunks per process wait in the queue."""
    waiting: deque[Future[list[Files]]] = deque()
    while True:
        while len(waiting) < 4 * workers and (chunk := list(islice(indices, CHUNK))):
            waiting.append(pool.submit(_files_in_worker, chunk))
        if not waiting:
            return
        yield from waiting.popleft().result()


def _write_shard(path: Path, samples: Iterator[Files], progress: Callable[[int], None]) -> dict[str, Any]:
    part = path.with_suffix(".part")
    count = hands = 0
    try:
        with tarfile.open(part, "w") as tar:
            for key, files, found in samples:
                for suffix, content in files.items():
                    entry = tarfile.TarInfo(f"{key}.{suffix}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
                count, hands = count + 1, hands + found
                progress(1)
        part.replace(path)
    except OSError as error:
        if isinstance(error, knuckle.Error):
            raise
        raise SinkError(
            f"{path} cannot be written: {error.strerror or error}; the shards before it are complete"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return {"name": path.name, "samples": count, "hands": hands, "bytes": path.stat().st_size}


def _manifest_of(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """The manifest in the folder if it belongs to this recipe, or a new one.

    Raises:
        InputError: the folder holds another recipe's shards, or tar files without a manifest.
    """
    fresh: dict[str, Any] = {
        "format": FORMAT,
        "recipe": asdict(recipe),
        "versions": {"knuckle": knuckle.__version__, "python": platform.python_version()} | _versions(),
        "depth_unit_m": DEPTH_UNIT_M,
        "shards": [],
    }
    path = folder / "manifest.json"
    if not path.exists():
        if folder.is_dir() and any(folder.glob("*.tar")):
            raise InputError(f"{folder} holds tar files and no manifest.json; choose another folder")
        return fresh
    try:
        found = json.loads(path.read_text())
        poses = tuple(found["recipe"].get("poses", ()))  # older manifests have none
        recipe_found = {**found["recipe"], "count": recipe.count, "poses": poses}
        same = recipe_found == asdict(recipe) and found["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a manifest of `knuckle synth`: {error!r}") from error
    if not same:
        raise InputError(
            f"{folder} holds another recipe ({found['recipe']}); choose another folder or the same options"
        )
    return fresh | {"shards": [shard for shard in found["shards"] if (folder / shard["name"]).is_file()]}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    totals: dict[str, Any] = {name: sum(shard[name] for shard in manifest["shards"]) for name in ("samples", "hands")}
    totals["renderers"] = sorted({shard["renderer"] for shard in manifest["shards"] if "renderer" in shard})
    path = folder / "manifest.json"
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps({**manifest, **totals}, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error
