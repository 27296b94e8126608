"""`knuckle export`: a checkpoint or a bundle as a bundle folder that `--models` takes, in another format."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from knuckle.errors import InputError, SinkError
from knuckle.models import catalogue
from knuckle.models.bundle import NetworkFile
from knuckle.train import export as exporting
from knuckle.train.checkpoint import read_checkpoint
from knuckle.train.export import FORMATS, Format, sample_pictures
from knuckle.train.hand import task as hand_task
from knuckle.train.hand.data import HandCrops, Source
from knuckle.train.nets.hand_net import HandNet, fold
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.nets.reference_hand import load_reference_hand
from knuckle.train.nets.reference_palm import load_reference_palm
from knuckle.train.palm import task as palm_task
from knuckle.train.task_file import write_task

HAND_ROLES = ("landmarks", "presence", "handedness", "world", "visibility")
TASK = "task"
NETWORK = ("task", "network", "shape", "hidden")  # what a run's config says of its network
FAINT_PALMS = 0.6  # of our palm networks: see `knuckle.pipeline.tracker.palms_to_try`
CALIBRATION = 64  # crops that int8 ranges are measured on


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and the config that makes it again."""

    network: nn.Module
    config: dict[str, Any]


@click.command()
@click.argument("what", metavar="CHECKPOINT|BUNDLE")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, TASK]),
    default="fp16",
    show_default=True,
    help="fp16: half the bytes, same arithmetic. fp32. int8: 8-bit arithmetic. onnx: for GPUs, with ONNX Runtime. "
    "task: one file that MediaPipe's own HandLandmarker loads.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder (task: file) to write.  [default: NAME-FORMAT, NAME.task]"
)
@click.option("--palm", "palm_from", metavar="BUNDLE", help="Take its palm network.  [a new hand's: mediapipe]")
@click.option("--hand", "hand_from", metavar="BUNDLE", help="Take its landmark network.  [a new palm's: mediapipe]")
@click.option("--pictures", metavar="PATH[@SPLIT]", help="Labelled images: what int8 ranges are measured on.")
@click.option("--name", help="What the bundle calls itself.  [default: the folder's name]")
@click.option("--licence", default="as its training data allow", show_default=True, help="Of a trained network.")
def export(
    what: str,
    form: Format | Literal["task"],
    out: Path | None,
    palm_from: str | None,
    hand_from: str | None,
    pictures: str | None,
    name: str | None,
    licence: str,
) -> None:
    """Write a trained network as a bundle folder, checked against PyTorch before it is kept.

    \b
    knuckle export runs/mine/checkpoint.pt --out mine/
    knuckle track clip.mp4 --models mine/
    knuckle export mediapipe --format onnx --out mediapipe-onnx/
    knuckle track clip.mp4 --models mediapipe-onnx/ --device cuda
    knuckle export knuckle --palm mediapipe --out mixed/
    """
    if form == "int8" and pictures is None:
        raise InputError("int8 measures the ranges of numbers on real hands: give --pictures, a labelled dataset")
    path = Path(what)
    others = {"palm": palm_from, "hand": hand_from}
    found: dict[str, Trained | catalogue.Bundle] = {role: catalogue.find(name) for role, name in others.items() if name}
    if path.suffix == ".pt":
        role, trained = _trained(path)
        if others[role]:
            raise InputError(f"--{role} {others[role]}: {what} is the {role} network already")
        other = "hand" if role == "palm" else "palm"
        found = {other: catalogue.find(catalogue.DEFAULT), **found, role: trained}
        licences = {role: licence}
    else:
        licences = {role: licence_of(catalogue.find(what), role) for role in others}
        found = {**{role: _from_bundle(catalogue.find(what), role) for role in others}, **found}
    default = path.stem if path.suffix != ".pt" else path.resolve().parent.name
    if form == "task":
        _write_task(out or Path(f"{default}.task"), found)
        return
    folder = out or Path(f"{default}-{form}")
    licences |= {role: licence_of(entry, role) for role, entry in found.items() if isinstance(entry, catalogue.Bundle)}
    write_bundle(folder, found, form, pictures, name or folder.resolve().name, what, licences)


def licence_of(bundle: catalogue.Bundle, role: str) -> str:
    """A bundle's licence, or one network's where they differ ("hand: …; palm: …", as `write_bundle` says it)."""
    parts = dict(part.split(": ", 1) for part in bundle.licence.split("; ") if ": " in part)
    return parts.get(role, bundle.licence)


def _write_task(path: Path, found: dict[str, Trained | catalogue.Bundle]) -> None:
    """Both networks as one file for MediaPipe's own HandLandmarker."""
    trained = {
        role: _from_bundle(each, role) if isinstance(each, catalogue.Bundle) else each for role, each in found.items()
    }
    palms, hands = (fold(trained[role].network) for role in ("palm", "hand"))
    sides = {role: int(getattr(net, "side")) for role, net in (("palm", palms), ("hand", hands))}  # noqa: B009
    write_task(path, palms, hands, {role: sample_pictures(side) for role, side in sides.items()})
    click.echo(
        f"written  {path}, {path.stat().st_size / 1e6:.1f} MB, for MediaPipe's HandLandmarker or --models {path}"
    )


def write_bundle(
    folder: Path,
    found: dict[str, Trained | catalogue.Bundle],
    form: Format,
    pictures: str | None,
    name: str,
    source: str,
    licences: dict[str, str],
) -> None:
    """Write both networks and bundle.json; the one that is a bundle's is copied, or converted where ONNX is asked for.

    Raises:
        InputError, BundleError, EngineError, MissingExtraError, SinkError.
    """
    fields: dict[str, Any] = {"name": name, "source": f"knuckle export {source} --format {form}"}
    same = len(set(licences.values())) == 1
    fields["licence"] = (
        licences["hand"] if same else "; ".join(f"{role}: {text}" for role, text in sorted(licences.items()))
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror}") from error
    for role in ("palm", "hand"):
        entry = found[role]
        if isinstance(entry, catalogue.Bundle):
            stored = entry.palm_path if role == "palm" else entry.hand_path
            if form != "onnx" or stored.suffix == ".onnx":
                fields |= _copied(folder, entry, role)
                continue
            entry = _from_bundle(entry, role)
        fields |= _exported(folder, entry, role, form, pictures)
    text = catalogue.Bundle(**fields).to_json()
    try:
        (folder / "bundle.json").write_text(text + "\n")
    except OSError as error:
        raise SinkError(f"{folder / 'bundle.json'} cannot be written: {error.strerror}") from error
    catalogue.open_folder(folder)
    click.echo(f"written  {folder}  (knuckle track SOURCE --models {folder})")


def _trained(path: Path) -> tuple[str, Trained]:
    """The role and the network of a checkpoint."""
    config = json.loads(read_checkpoint(path)["config"])
    if config.get("task") == "palm":
        network, _ = palm_task.start_palm_network(str(path), PalmNetShape())
        return "palm", Trained(network.eval(), config)
    network, config = hand_task.load_network(path)
    return "hand", Trained(network, config)


def _from_bundle(bundle: catalogue.Bundle, role: str) -> Trained:
    """A bundle's network: its checkpoint beside the file, or the reference's out of the file."""
    stored = bundle.palm_path if role == "palm" else bundle.hand_path
    beside = stored.with_suffix(".pt")
    if beside.is_file():
        return _trained(beside)[1]
    if role == "hand":
        hand = load_reference_hand(stored)
        return Trained(hand, {"task": "landmarks", **hand_task.config_of(hand), "init": bundle.name})
    detector = load_reference_palm(stored)
    name = "mediapipe" if detector.depth == 4 else "mediapipe-lite"
    return Trained(detector, {"task": "palm", "network": name, "init": bundle.name})


def _exported(folder: Path, trained: Trained, role: str, form: Format, pictures: str | None) -> dict[str, Any]:
    """One network's file, and beside it the weights to train on from; the fields of `Bundle` that describe it."""
    network = fold(trained.network)
    side = int(getattr(network, "side"))  # noqa: B009  of nn.Module
    path = folder / f"{role}{'.onnx' if form == 'onnx' else '.tflite'}"
    shown = sample_pictures(side, _pictures(pictures, side, role) if pictures else ())
    differences = exporting.export(network, path, form, shown)
    _write_weights(trained, path.with_suffix(".pt"))
    worst = max(differences, key=lambda key: differences[key])
    size = path.stat().st_size / 1e6
    click.echo(f"{role:<8} {path.name}, {size:.1f} MB; largest difference {100 * differences[worst]:.2g} % ({worst})")
    described = {role: NetworkFile(path.name, _sha256(path)), f"{role}_side": side}
    if role == "palm":
        strides = getattr(network, "strides")  # noqa: B009  of nn.Module
        outputs = {key: key for key in ("boxes", "scores")}
        faint = FAINT_PALMS if isinstance(network, PalmNet) else 1.0
        return described | {"palm_strides": strides, "palm_outputs": outputs, "faint_palms": faint}
    outputs = {key: key for key in HAND_ROLES if key in differences}
    return described | {"hand_outputs": outputs, "second_look": isinstance(network, HandNet)}


def _copied(folder: Path, bundle: catalogue.Bundle, role: str) -> dict[str, Any]:
    """A bundle's network as it is; the fields of `Bundle` that describe it."""
    network = bundle.palm if role == "palm" else bundle.hand
    stored = bundle.palm_path if role == "palm" else bundle.hand_path
    try:
        for file in (stored, stored.with_suffix(".pt")):
            if file.is_file() and file.resolve() != (folder / file.name).resolve():
                shutil.copy(file, folder)
    except OSError as error:
        raise SinkError(f"{folder} cannot be written: {error.strerror}") from error
    own = {"palm": ("palm_strides", "faint_palms"), "hand": ("second_look",)}
    names = (f"{role}_side", f"{role}_outputs", *own[role])
    return {role: network} | {key: getattr(bundle, key) for key in names}


def _pictures(text: str, side: int, role: str) -> list[npt.NDArray[np.uint8]]:
    """Real pictures as the network gets them: crops around hands, or whole images."""
    from knuckle.datasets import open_image
    from knuckle.geometry import letterbox

    source = Source.read(text)
    numbers = range(min(CALIBRATION, len(source.shots)))
    if role == "palm":
        return [letterbox(open_image(source.shots[number].source), side) for number in numbers]
    crops = HandCrops([source], side, augmented=False)
    return [np.ascontiguousarray(crops(number)["picture"].transpose(1, 2, 0)) for number in numbers]


def _write_weights(trained: Trained, path: Path) -> None:
    """A checkpoint of half the bytes that training starts from: matrices and filters as float16.

    Of the run's config only what makes the network again: the rest names folders of whoever trained it.
    """
    state = trained.network.state_dict()
    half = {key: value.half() if value.ndim > 1 else value for key, value in state.items()}
    nothing: dict[str, Any] = {"network": {}, "optimiser": {}, "step": 0, "seconds": 0.0}
    try:
        config = {key: trained.config[key] for key in NETWORK if key in trained.config}
        torch.save(nothing | {"average": half, "config": json.dumps(config)}, path)
    except (OSError, RuntimeError) as error:
        raise SinkError(f"{path} cannot be written: {error}") from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
