"""Tar shards of samples in the WebDataset layout, with a manifest.

Several processes can write. A stopped run resumes, and a shard is either complete or absent.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import knuckle
from knuckle.datasets.hand_json import hand_to_json
from knuckle.errors import EngineError, InputError, SinkError
from knuckle.extras import cv2
from knuckle.synth.scene.random_hands import SceneMix
from knuckle.synth.scene.studio import Sample, Studio
from knuckle.synth.write.manifest import manifest_of, write_manifest
from knuckle.synth.write.recipe import DEPTH_UNIT_M, Recipe, random_of

JPEG_QUALITY = 94
CHUNK = 4  # samples that a worker process makes at a time

Files = tuple[str, dict[str, bytes], int]  # key, suffix -> content, number of hands


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
        raise InputError(f"workers must be at least 1, got {workers}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror or error}") from error
    manifest = manifest_of(folder, recipe)
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
            write_manifest(folder, manifest)
    return manifest


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
    return _Worker(recipe, Studio(recipe.side, recipe.backgrounds, recipe.margin, mix=recipe.mix()))


def samples_of(recipe: Recipe, indices: Iterable[int], mix: SceneMix | None = None) -> Iterator[Sample]:
    """Samples of a recipe by their numbers, made in this process.

    `mix` changes what they show and how often; its poses, points and missing fingers are replaced by the recipe's.
    """
    worker = _worker_of(recipe)
    if mix is not None:
        worker.studio.mix = recipe.mix(mix)
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
