"""From trained networks to a bundle folder, which `--models` takes, or to a `.task` file."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from torch import nn

from knuckle.errors import Error, InputError, SinkError, SourceError
from knuckle.models import catalogue
from knuckle.models.bundle import Bundle, NetworkFile, open_folder
from knuckle.train.checkpoint import read_checkpoint, task_of, write_weights
from knuckle.train.choose_format import export_both
from knuckle.train.export import Differences, Format, export, sample_pictures
from knuckle.train.export_pictures import ExportData
from knuckle.train.hand import network as hand_network
from knuckle.train.mediapipe_task import write_task
from knuckle.train.nets.hand_net import HandNet
from knuckle.train.nets.layers import fold
from knuckle.train.nets.palm_net import PalmNet, PalmNetShape
from knuckle.train.nets.reference_hand import load_reference_hand
from knuckle.train.nets.reference_palm import load_reference_palm
from knuckle.train.palm import network as palm_network
from knuckle.train.teacher import input_side

logger = logging.getLogger("knuckle")
ROLES = ("palm", "hand")
HAND_OUTPUTS = ("landmarks", "presence", "handedness", "world", "visibility", "log_sigma")
PALM_OUTPUTS = ("boxes", "scores")
FAINT_PALMS = 0.6  # of our palm networks, see `knuckle.pipeline.options.TrackerOptions`
OPTIONS = {  # fields of a bundle that belong to one of its networks
    "palm": ("min_palm_score", "faint_palms"),
    "hand": ("min_presence", "min_new_confidence", "min_faint_confidence", "second_look", "std_per_sigma"),
}
Choice = Format | Literal["auto"]  # auto: fp16, and int8 beside it where that is no worse


@dataclass(frozen=True, eq=False)
class Trained:
    """A network in PyTorch.

    Attributes:
        network: the module.
        config: describes it, see `knuckle.train.checkpoint`.
        options: the values of `OPTIONS` of the bundle that it comes from, or with which its training began.
    """

    network: nn.Module
    config: dict[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Parts:
    """What an export consists of.

    Attributes:
        networks: for "palm" and "hand" a trained network, or a bundle whose network is used.
        licences: for "palm" and "hand" the licence of the weights.
        source: the checkpoint or bundle that was exported.
    """

    networks: Mapping[str, Trained | Bundle]
    licences: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Exported:
    """One written network.

    Attributes:
        role: "palm" or "hand".
        path: its file.
        form: the format of the file.
        int8: the file of its int8 form, if there is one beside it.
        worst_output, difference: the output that differs most from PyTorch, as a share of its range.
        reason: why there is an int8 form beside it or none; empty if the format was given.
    """

    role: str
    path: Path
    form: Format
    int8: Path | None
    worst_output: str
    difference: float
    reason: str


def choose_parts(what: str, palm: str | None, hand: str | None, licence: str) -> Parts:
    """The networks to export.

    Args:
        what: a checkpoint FILE.pt, or a bundle (name or folder), both of whose networks are exported.
        palm, hand: a bundle whose network is used instead. A checkpoint needs one for the other role; None takes the
            default bundle's.
        licence: of the weights of a checkpoint.

    Raises:
        InputError, BundleError: `what` is neither, or a replacement has the same role as the checkpoint.
    """
    chosen = {"palm": palm, "hand": hand}
    replacements = {role: catalogue.find(name) for role, name in chosen.items() if name is not None}
    networks: dict[str, Trained | Bundle]
    if Path(what).suffix == ".pt":
        role, trained = load_trained(Path(what))
        trained = replace(trained, options=options_of_start(trained.config, role))
        if role in replacements:
            raise InputError(f"--{role} {chosen[role]}: {what} already is the {role} network")
        other = "hand" if role == "palm" else "palm"
        networks = {other: catalogue.find(catalogue.DEFAULT), **replacements, role: trained}
        licences = {role: licence}
    else:
        bundle = catalogue.find(what)
        networks = {role: from_bundle(bundle, role) for role in ROLES} | replacements
        licences = {role: licence_of(bundle, role) for role in ROLES}
    for role, part in networks.items():
        if isinstance(part, Bundle):
            licences[role] = licence_of(part, role)
    return Parts(networks, licences, what)


def options_of_start(config: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The thresholds and the like of the bundle that a run of fine-tuning began with; none if there is no such bundle.

    The network was taught in small steps, so what was right for the bundle is the best that is known. Without the
    second look, for example, hands of photos are read from rougher regions.
    """
    start = str(config.get("init", "new"))
    if start == "new":
        return {}
    if Path(start).suffix == ".pt":
        return options_of_start(load_trained(Path(start))[1].config, role) if Path(start).is_file() else {}
    try:
        bundle = catalogue.find(start)
    except Error as error:
        logger.warning("the run began with %s, which is not here, so its thresholds are lost: %s", start, error)
        return {}
    return {name: getattr(bundle, name) for name in OPTIONS[role]}


def load_trained(path: Path) -> tuple[str, Trained]:
    """The role ("palm" or "hand") and the network of a checkpoint.

    Raises:
        InputError: the file is not a checkpoint.
    """
    config = json.loads(read_checkpoint(path)["config"])
    if task_of(config) == "palm":
        network, _ = palm_network.start_palm_network(str(path), PalmNetShape())
        return "palm", Trained(network.eval(), config)
    network, config = hand_network.load_hand_network(path)
    return "hand", Trained(network, config)


def from_bundle(bundle: Bundle, role: str) -> Trained:
    """A network of a bundle in PyTorch: from the checkpoint next to its file, or MediaPipe's from the file itself."""
    stored = _stored_file(bundle, role)
    options = {name: getattr(bundle, name) for name in OPTIONS[role]}
    checkpoint = stored.with_suffix(".pt")
    if checkpoint.is_file():
        return replace(load_trained(checkpoint)[1], options=options)
    if role == "hand":
        hand = load_reference_hand(stored)
        description = hand_network.describe(hand)
        return Trained(hand, {"task": "hand", **description, "init": bundle.name}, options)
    palm = load_reference_palm(stored)
    return Trained(palm, {"task": "palm", **palm_network.describe_reference(palm), "init": bundle.name}, options)


def licence_of(bundle: Bundle, role: str) -> str:
    """The licence of one network. A bundle whose networks have different licences says "hand: …; palm: …"."""
    parts = dict(part.split(": ", 1) for part in bundle.licence.split("; ") if ": " in part)
    return parts.get(role, bundle.licence)


def write_bundle(folder: Path, parts: Parts, form: Choice, data: ExportData, name: str) -> list[Exported]:
    """Write both networks and bundle.json.

    The network of a bundle is copied, or converted if the format is ONNX.

    Args:
        form: "auto" writes fp16, and int8 beside it where that is no worse.
        data: labelled images for int8.
        name: of the bundle.

    Raises:
        InputError, BundleError: a part cannot be read.
        EngineError: a written file differs too much from PyTorch.
        MissingExtraError: a converter is not installed.
        SinkError: the folder cannot be written.
    """
    licences = {parts.licences[role] for role in ROLES}
    joined = "; ".join(f"{role}: {text}" for role, text in sorted(parts.licences.items()))
    fields: dict[str, Any] = {"name": name, "source": f"knuckle export {parts.source} --format {form}"}
    fields["licence"] = licences.pop() if len(licences) == 1 else joined
    exported = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for role in ROLES:
            part = parts.networks[role]
            if isinstance(part, Bundle) and (form != "onnx" or _stored_file(part, role).suffix == ".onnx"):
                fields |= _copy_network(folder, part, role)
                continue
            trained = from_bundle(part, role) if isinstance(part, Bundle) else part
            described, one = _export_network(folder, trained, role, form, data)
            fields |= described
            exported.append(one)
        (folder / "bundle.json").write_text(Bundle(**fields).to_json() + "\n")
    except Error:  # of ours, some of which are OSErrors too
        raise
    except OSError as error:
        raise SinkError(f"the folder {folder} cannot be written: {error.strerror}") from error
    open_folder(folder)
    return exported


def _stored_file(bundle: Bundle, role: str) -> Path:
    return bundle.palm_path if role == "palm" else bundle.hand_path


def _export_network(
    folder: Path, trained: Trained, role: str, form: Choice, data: ExportData
) -> tuple[dict[str, Any], Exported]:
    """Write the file of one network, and its weights for further training; also the fields of `Bundle` for it."""
    network = fold(trained.network)
    path = folder / f"{role}{'.onnx' if form == 'onnx' else '.tflite'}"
    int8 = folder / f"{role}_int8.tflite"
    int8.unlink(missing_ok=True)  # of an earlier export
    if form == "auto":
        differences, reason = _export_auto(network, path, role, data, trained.config)
    else:
        differences, reason = _export_file(network, path, role, form, data, trained.config), ""
    write_weights(trained.network, trained.config, path.with_suffix(".pt"))
    worst = max(differences, key=lambda key: differences[key])
    fields: dict[str, Any] = {role: _network_file(path), f"{role}_side": input_side(network)}
    if int8.is_file():
        fields[f"{role}_int8"] = _network_file(int8)
    if role == "palm":
        fields["palm_strides"] = getattr(network, "strides")  # noqa: B009  an nn.Module's attributes have no type
        fields["palm_outputs"] = {key: key for key in PALM_OUTPUTS}
        fields["faint_palms"] = FAINT_PALMS if isinstance(network, PalmNet) else 1.0
    else:
        fields["hand_outputs"] = {key: key for key in HAND_OUTPUTS if key in differences}
        fields["second_look"] = isinstance(network, HandNet)
        points = hand_network.points_of(trained.config)
        fields["points"] = None if points.is_usual else points
    one = Exported(
        role,
        path,
        "fp16" if form == "auto" else form,
        int8 if int8.is_file() else None,
        worst,
        differences[worst],
        reason,
    )
    return fields | dict(trained.options), one


def _export_file(
    network: nn.Module, path: Path, role: str, form: Format, data: ExportData, config: dict[str, Any]
) -> Differences:
    """Write one file in this format; int8 is calibrated on real hands."""
    needs_hands = form == "int8"
    pictures = data.examples(network, role, config).inputs if needs_hands else sample_pictures(input_side(network))
    return export(network, path, form, pictures)


def write_network_files(path: Path, parts: Parts, form: Format, data: ExportData) -> list[Exported]:
    """Write a trained network as a single file, without a bundle around it.

    Args:
        path: the file. The network of a checkpoint is written there. Of two trained networks it gets the landmark
            network; the palm network becomes `NAME_palm`.
        parts, form, data: see `write_bundle`.

    Raises:
        InputError: none of the parts is a trained network.
        EngineError, MissingExtraError, SinkError: see `write_bundle`.
    """
    trained = {role: part for role, part in parts.networks.items() if isinstance(part, Trained)}
    if not trained:
        raise InputError(f"{path.name} would hold one network, but both come from other bundles; give a folder")
    exported = []
    for role in sorted(trained):
        target = path if role == "hand" or len(trained) == 1 else path.with_stem(f"{path.stem}_palm")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"the folder {target.parent} cannot be written: {error.strerror}") from error
        differences = _export_file(fold(trained[role].network), target, role, form, data, trained[role].config)
        worst = max(differences, key=lambda key: differences[key])
        exported.append(Exported(role, target, form, None, worst, differences[worst], ""))
    return exported


def _export_auto(
    network: nn.Module, path: Path, role: str, data: ExportData, config: dict[str, Any]
) -> tuple[Differences, str]:
    """Write fp16, and int8 beside it where that is no worse; also why.

    Args:
        config: of the run that trained the network.
    """
    try:
        examples = data.examples(network, role, config)
    except (InputError, SourceError) as error:
        if isinstance(error, SourceError) and (data.pictures or data.check):
            raise
        return export(network, path, "fp16", sample_pictures(input_side(network))), f"no int8: {error}"
    return export_both(network, path, path.with_name(f"{role}_int8.tflite"), examples)


def _network_file(path: Path) -> NetworkFile:
    return NetworkFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest())


def _copy_network(folder: Path, bundle: Bundle, role: str) -> dict[str, Any]:
    """Copy a network of a bundle; returns the fields of `Bundle` for it."""
    stored = _stored_file(bundle, role)
    int8 = getattr(bundle, f"{role}_int8")
    for file in (stored, stored.with_suffix(".pt"), *([] if int8 is None else [bundle.folder / int8.file])):
        if file.is_file() and file.resolve() != (folder / file.name).resolve():
            shutil.copy(file, folder)
    names = [
        *(["points"] if role == "hand" else []),
        role,
        f"{role}_int8",
        f"{role}_side",
        f"{role}_outputs",
        *OPTIONS[role],
        *(["palm_strides"] if role == "palm" else []),
    ]
    return {name: getattr(bundle, name) for name in names}


def write_task_file(path: Path, parts: Parts) -> None:
    """Write both networks as one file for MediaPipe's own HandLandmarker.

    Raises:
        InputError, BundleError, EngineError, MissingExtraError, SinkError: as `write_bundle` and `write_task`.
    """
    networks = {}
    for role in ROLES:
        part = parts.networks[role]
        trained = from_bundle(part, role) if isinstance(part, Bundle) else part
        if role == "hand" and not (points := hand_network.points_of(trained.config)).is_usual:
            raise InputError(
                f"a .task file is for MediaPipe, whose hands have 21 points; {parts.source} gives the {len(points)} of "
                f"{points.name}. Export it as a bundle folder"
            )
        networks[role] = fold(trained.network)
    pictures = {role: sample_pictures(input_side(network)) for role, network in networks.items()}
    write_task(path, networks["palm"], networks["hand"], pictures)
