"""Targets: tflite files, `.task` files, bundle folders, checkpoints: everything that becomes a network."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from fuzzing import Target
from tiny_networks import FEATURES, tiny_hand, tiny_network, tiny_palm, tiny_task, zipped

from knuckle.errors import Error
from knuckle.models.bundle import Bundle, NetworkFile, open_folder
from knuckle.models.catalogue import find
from knuckle.models.foreign import check_file
from knuckle.models.session import Session
from knuckle.models.tflite import input_side, read_layers
from knuckle.models.visibility_head import Head, with_visibility


def tflite_seeds(folder: Path) -> Sequence[bytes]:
    return [tiny_hand(), tiny_palm()]


def read_tflite(data: bytes, folder: Path) -> object:
    """The reader of weights, and the writer that adds a visibility head."""
    first, second = np.zeros((4, FEATURES), np.float32), np.zeros((21, 4), np.float32)
    head = Head(first, first[:, 0], second, second[:, 0])
    with suppress(Error):
        input_side(data)
    with suppress(Error):
        read_layers(data)
    return with_visibility(data, head)


def run_network(data: bytes, folder: Path) -> object:
    """A foreign network in the engine: opened, and run on one picture."""
    path = folder / "network.tflite"
    path.write_bytes(data)
    check_file(path)  # as every bundle from outside is
    session = Session(path, 1)
    return session(np.zeros((1, session.side, session.side, 3), np.uint8))


def read_task(data: bytes, folder: Path) -> object:
    """A `.task` file, imported into a cache of its own."""
    os.environ["KNUCKLE_CACHE"] = str(folder / "cache")
    path = folder / "a.task"
    path.write_bytes(data)
    return find(path)


def gesture_task_seeds(folder: Path) -> Sequence[bytes]:
    networks = {
        "gesture_embedder.tflite": tiny_network({"Identity": (8,)}),
        "canned_gesture_classifier.tflite": tiny_network({"p": (8,)}) + zipped({"labels.txt": b"a\nb\n"}),
    }
    return [zipped({"hand_landmarker.task": tiny_task(), "hand_gesture_recognizer.task": zipped(networks)})]


def read_gesture_task(data: bytes, folder: Path) -> object:
    from knuckle.mediapipe.tasks.gesture_model import GestureModel, is_gesture_task, landmarker_of

    return is_gesture_task(data), landmarker_of(data), GestureModel(data)


def bundle_seeds(folder: Path) -> Sequence[bytes]:
    files = {"palm.tflite": tiny_palm(), "hand.tflite": tiny_hand()}
    for name, network in files.items():
        (folder / name).write_bytes(network)
    palm, hand = (NetworkFile(name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
    bundle = Bundle("own", palm, hand, "MIT", "here", palm_side=8, hand_side=8)
    outputs = {"landmarks": "Identity", "presence": "p1", "handedness": "p2", "world": "Identity_3"}
    bundle = replace(bundle, palm_strides=((8, 2),), hand_outputs=outputs, min_palm_score=0.0, min_presence=0.0)
    bundle = replace(bundle, min_new_confidence=0.0, min_faint_confidence=0.0)
    return [bundle.to_json().encode(), replace(bundle, hand_int8=hand, faint_palms=0.5).to_json().encode()]


def read_bundle(data: bytes, folder: Path) -> object:
    """A folder of a bundle, opened and loaded."""
    import knuckle

    (folder / "bundle.json").write_bytes(data)
    bundle = open_folder(folder)
    for file in bundle.files():
        assert (folder / file.file).resolve().parent == folder.resolve(), f"{file.file} lies outside of the bundle"
    networks = knuckle.load(folder, threads=1, precision="float")
    return knuckle.detect(np.zeros((40, 60, 3), np.uint8), models=networks)


def checkpoint_seeds(folder: Path) -> Sequence[bytes]:
    import torch

    out = io.BytesIO()
    weights = {"a.weight": torch.zeros(2, 2), "a.bias": torch.zeros(2)}
    shape = {"side": 64, "stem": 4, "widths": [4, 4, 4, 4], "depths": [1, 1, 1, 1], "token": 4}
    config = json.dumps({"task": "hand", "network": "knuckle", "shape": shape})
    whole = {"network": {}, "average": weights, "optimiser": {}, "step": 1, "seconds": 0.5, "config": config}
    torch.save(whole, out)
    return [out.getvalue()]


def read_checkpoint(data: bytes, folder: Path) -> object:
    """A checkpoint, and the network that its configuration describes."""
    from knuckle.train.export_bundle import load_trained

    path = folder / "last.pt"
    path.write_bytes(data)
    return load_trained(path)


TARGETS = [
    Target("tflite", tflite_seeds, read_tflite),
    Target("network", tflite_seeds, run_network),
    Target("task", lambda folder: [tiny_task()], read_task),
    Target("gesture-task", gesture_task_seeds, read_gesture_task),
    Target("bundle", bundle_seeds, read_bundle),
    Target("checkpoint", checkpoint_seeds, read_checkpoint),
]
