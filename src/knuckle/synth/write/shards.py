"""Samples to tar shards (WebDataset layout) with a manifest: several processes, resumable, never half a shard."""

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
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import knuckle
from knuckle.datasets.hand_json import hand_to_json
from knuckle.errors import EngineError, InputError, SinkError
from knuckle.synth.body.poses import FAMILIES, NAMED
from knuckle.synth.scene.studio import Sample, Studio

FORMAT = "knuckle-synth-1"
JPEG_QUALITY = 94
DEPTH_UNIT_M = 0.0002  # 16 bits reach 13 m
PACKAGES = ("numpy", "opencv-contrib-python", "moderngl", "anny")
CHUNK = 4  # samples that a process makes per message

Files = tuple[str, dict[str, bytes], int]  # key, suffix -> content, number of hands


@dataclass(frozen=True)
class Recipe:
    """All that decides the pixels, beside the renderer.

    Attributes:
        product: "hands" (crops of one hand) or "scenes" (whole pictures for the palm detector).
        count: samples. side: pixels of their square pictures.
        seed: sample k of a seed is always the same, whatever `count`, `per_shard` and the number of processes.
        backgrounds: a folder of photos to draw behind the things, or None for procedural ones alone.
        masks, depth: also write KEY.mask.png (hand ids) and KEY.depth.png (16 bits of `DEPTH_UNIT_M`, 0 is empty).
        per_shard: samples per tar file.
        margin: what a picture of "hands" shows, in tracker's regions; above 1 training can cut its own.
        poses: of "hands", only these; names of `poses.NAMED` and `poses.FAMILIES`. () is everything.
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
        if self.product not in ("hands", "scenes"):
            raise InputError(f"a product is 'hands' or 'scenes', got {self.product!r}")
        least = {"count": 1, "side": 32, "seed": 0, "per_shard": 1, "margin": 0.1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} must be a number from {low} up, got {getattr(self, name)!r}")

        if self.poses and self.product != "hands":
            raise InputError(f"only 'hands' can be asked for poses, got {self.poses} for {self.product!r}")
        if unknown := [name for name in self.poses if name not in NAMED and name not in FAMILIES]:
            raise InputError(f"there is no pose {unknown[0]!r}; there are {', '.join([*FAMILIES, *NAMED])}")

    @property
    def shards(self) -> int:
        return -(-self.count // self.per_shard)

    def name(self, shard: int) -> str:
        return f"{self.product}-{shard:06d}.tar"

    def keys(self, shard: int) -> range:
        return range(shard * self.per_shard, min(self.count, (shard + 1) * self.per_shard))


def write_shards(
    folder: Path, recipe: Recipe, workers: int = 1, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Make all samples of a recipe; shards that the folder already has stay. Gives the manifest.

    Args:
        folder: made where missing; must be empty or hold the same recipe's shards (`count` may differ).
        workers: processes; 1 works in this one.
        progress: called with the number of samples that each finished shard or chunk adds.

    Raises:
        InputError: the folder holds something else, or a background cannot be used.
        SinkError: a shard cannot be written (a full disk); no half shard stays.
        EngineError: no OpenGL, or a process that died.
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
    with _makers(recipe, workers if todo else 1) as (make, drawn_by):
        made = make(index for shard in todo for index in recipe.keys(shard))
        for shard in todo:
            entry = _write_shard(folder / recipe.name(shard), islice(made, len(recipe.keys(shard))), progress)
            done[entry["name"]] = entry | {"renderer": drawn_by}
            manifest["shards"] = [done[name] for name in sorted(done)]
            _write_manifest(folder, manifest)
    return manifest


def random_of(recipe: Recipe, index: int) -> np.random.Generator:
    """The source of chance of one sample."""
    return np.random.default_rng([recipe.seed, ("hands", "scenes").index(recipe.product), index])


def files_of(sample: Sample, key: str, recipe: Recipe) -> Files:
    """A sample as the files of its shard."""
    truth = {
        "hands": [hand_to_json(hand) for hand in sample.hands],
        "camera": dict(sample.camera),
        "scene": dict(sample.scene),
    }
    files = {"jpg": _encoded(".jpg", sample.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])}
    files["json"] = json.dumps(truth, separators=(",", ":")).encode()
    if recipe.masks:
        files["mask.png"] = _encoded(".png", sample.mask, [])
    if recipe.depth:
        units = np.where(np.isfinite(sample.depth), sample.depth, 0) / DEPTH_UNIT_M
        files["depth.png"] = _encoded(".png", np.where(units < 65535, units, 0).astype(np.uint16), [])
    return key, files, len(sample.hands)


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples of a shard in their order: key, suffix -> content.

    Raises:
        InputError: not a tar file.
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


_studio: Studio | None = None  # one per process
_recipe: Recipe | None = None


def _open(recipe: Recipe) -> None:
    global _studio, _recipe
    os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe draws on this process's own core
    cv2.setNumThreads(1)
    _studio, _recipe = Studio(recipe.side, recipe.backgrounds, recipe.margin, recipe.poses), recipe


def samples_of(recipe: Recipe, indices: Iterable[int]) -> Iterator[Sample]:
    """Samples of a recipe by their numbers, made in this process."""
    _open(recipe)
    assert _studio is not None
    for index in indices:
        rng = random_of(recipe, index)
        yield _studio.hand_crop(rng) if recipe.product == "hands" else _studio.scene(rng)


def _make(indices: Sequence[int]) -> list[Files]:
    assert _studio is not None and _recipe is not None  # _open ran first
    made = []
    for index in indices:
        rng = random_of(_recipe, index)
        sample = _studio.hand_crop(rng) if _recipe.product == "hands" else _studio.scene(rng)
        made.append(files_of(sample, f"{_recipe.product}_{_recipe.seed}_{index:08d}", _recipe))
    return made


def _renderer() -> str:
    assert _studio is not None  # _open ran first
    return _studio.renderer.name


Make = Callable[[Iterator[int]], Iterator[Files]]


@contextmanager
def _makers(recipe: Recipe, workers: int) -> Iterator[tuple[Make, str]]:
    """A function from sample numbers to their files, in order, by this process or several; and the renderer's name."""
    if workers == 1:
        _open(recipe)
        yield lambda indices: (files for index in indices for files in _make([index])), _renderer()
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _open, (recipe,))
    try:
        yield lambda indices: _in_order(pool, indices, workers), pool.submit(_renderer).result()
    except BrokenProcessPool as error:
        raise EngineError(
            f"a process of `knuckle synth` died ({error}); see the lines above, or use --workers 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, indices: Iterator[int], workers: int) -> Iterator[Files]:
    waiting: deque[Future[list[Files]]] = deque()
    while True:
        while len(waiting) < 4 * workers and (chunk := list(islice(indices, CHUNK))):
            waiting.append(pool.submit(_make, chunk))
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
        raise SinkError(f"{path} cannot be written: {error.strerror or error}; shards before it are whole") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return {"name": path.name, "samples": count, "hands": hands, "bytes": path.stat().st_size}


def _manifest_of(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """The folder's own manifest where it is this recipe's, or a new one."""
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
        there = {**found["recipe"], "count": recipe.count, "poses": tuple(found["recipe"].get("poses", ()))}
        same = there == asdict(recipe) and found["format"] == FORMAT
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
