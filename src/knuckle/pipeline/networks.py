"""Loading: a bundle's name or path to its two networks, ready to run."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from knuckle.errors import BundleError, InputError
from knuckle.forks import RenewedLock
from knuckle.models import catalogue
from knuckle.models.bundle import DESCRIPTION, Bundle
from knuckle.models.precision import PRECISIONS, ROLES, Precision, open_network
from knuckle.models.session import Network, Session
from knuckle.pipeline.hand import HandLandmarker, HandModel
from knuckle.pipeline.options import CompleteOptions, TrackerOptions
from knuckle.pipeline.palm import PalmDetector, PalmModel, anchors
from knuckle.results import HAND_POINTS

MAX_CACHED_BUNDLES = 8


@dataclass(frozen=True, eq=False)
class Networks:
    """The two networks of a bundle, loaded by `load`; trackers that ask for the same bundle share them.

    Pickles as the arguments of `load`. If a network or the bundle was exchanged (`dataclasses.replace`), it pickles
    with what it holds, so the networks must be picklable too.

    Attributes:
        palm, hand: the networks.
        bundle: what is known about them.
        arguments: models, threads, device and precision that `load` was called with.
        loaded: palm, hand and bundle as `load` made them.
    """

    palm: Network
    hand: Network
    bundle: Bundle
    arguments: tuple[str | os.PathLike[str], int | None, str, Precision] | None = None
    loaded: tuple[Network, Network, Bundle] | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        held = (self.palm, self.hand, self.bundle)
        if self.arguments and self.loaded and all(a is b for a, b in zip(held, self.loaded, strict=True)):
            return load, self.arguments
        return Networks, held

    def completed(self, options: TrackerOptions) -> CompleteOptions:
        """The options, with the bundle's values where they are None.

        A caller who chooses `min_presence` chooses it for newly found hands too: `min_new_confidence` asks no more.
        """
        if isinstance(options, CompleteOptions):
            return options
        values = {option.name: getattr(options, option.name) for option in fields(options)}
        bundle = self.bundle
        new = bundle.min_new_confidence if options.min_presence is None else options.min_presence
        for name in ("min_palm_score", "min_presence", "second_look", "faint_palms"):
            if values[name] is None:
                values[name] = getattr(bundle, name)
        return CompleteOptions(
            **values, min_new_confidence=new, min_faint_confidence=max(new, bundle.min_faint_confidence)
        )

    def require_all_points(self, what: str) -> None:
        """Raise InputError if the landmark network lacks some of the 21 points, which `what` needs."""
        without = (self.bundle.points or HAND_POINTS).without
        if without:
            raise InputError(
                f"{what} need all 21 points of a hand; bundle {self.bundle.name!r} is without {', '.join(without)}"
            )

    def palm_detector(self, options: TrackerOptions, min_score: float | None = None) -> PalmDetector:
        """The palm detector; its threshold is `min_score`, or `min_palm_score` of the options."""
        if min_score is None:
            min_score = self.completed(options).min_palm_score
        return PalmDetector(self.palm, PalmModel(self.bundle.palm_strides, **self.bundle.palm_outputs), min_score)

    def hand_landmarker(self, options: TrackerOptions, min_presence: float | None = None) -> HandLandmarker:
        """The landmark network; its threshold is `min_presence`, or `min_presence` of the options.

        Raises:
            InputError: gestures are asked for, and the network lacks some of the 21 points.
        """
        points = self.bundle.points or HAND_POINTS
        if options.gestures:
            self.require_all_points("gestures")
        if min_presence is None:
            min_presence = self.completed(options).min_presence
        model = HandModel(**self.bundle.hand_outputs)
        return HandLandmarker(
            self.hand, model, min_presence, options.mirrored, self.bundle.std_per_sigma, points=points
        )


Models = str | os.PathLike[str] | Networks
Stamp = tuple[tuple[int, int, int] | None, ...]
_kept: dict[tuple[Any, ...], tuple[Stamp, Networks]] = {}
_lock = RenewedLock()


def load(
    models: Models = catalogue.DEFAULT,
    threads: int | None = None,
    device: str = "cpu",
    precision: Precision = "auto",
) -> Networks:
    """Load a bundle. The same arguments give the same networks, as long as the bundle's files do not change.

    Args:
        models: a bundle's name, its folder or a `.task` file (see `knuckle.models.catalogue.find`); loaded networks are
            returned as they are.
        threads: threads of the inference engine; None: one per CPU core, at most 4.
        device: "cpu", "gpu", or a device of ONNX Runtime for bundles of ONNX files.
        precision: "float", "int8", or "auto": where the bundle has both forms of a network and runs on the CPU, the one
            that is faster on this machine. It is measured once per machine (see `knuckle.models.precision`).

    Raises:
        BundleError: there is no such bundle, it is damaged, or it cannot be fetched.
        EngineError: the device is missing, or its engine refuses a network.
        InputError: an argument has the wrong type or value.
    """
    if isinstance(models, Networks):
        return models
    if not isinstance(models, (str, os.PathLike)):
        raise InputError(f"models must be a bundle's name, a folder or a .task file, got {models!r}")
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    key = (isinstance(models, str), os.fspath(models), threads, device, precision)
    with _lock:
        if key in _kept:
            stamp, networks = _kept[key]
            if stamp == _stamp(models, networks.bundle):
                return networks
        bundle = catalogue.find(models)
        stamp = _stamp(models, bundle)
        if device == "cpu":
            palm, hand = (open_network(bundle, role, threads, precision) for role in ROLES)
        else:
            palm, hand = Session(bundle.palm_path, threads, device), Session(bundle.hand_path, threads, device)
        for session, side in ((palm, bundle.palm_side), (hand, bundle.hand_side)):
            if session.side != side:
                raise BundleError(f"{session.model} takes {session.side} pixels, {DESCRIPTION} says {side}")
        if not catalogue.is_known(bundle):
            check_outputs(palm, hand, bundle)
        networks = Networks(palm, hand, bundle, (models, threads, device, precision), (palm, hand, bundle))
        _kept.pop(key, None)
        _kept[key] = stamp, networks
        if len(_kept) > MAX_CACHED_BUNDLES:
            del _kept[next(iter(_kept))]
        return networks


def check_outputs(palm: Network, hand: Network, bundle: Bundle) -> None:
    """Run both networks on a black picture and compare their outputs with what the description says.

    Raises:
        BundleError: an output is missing or has another shape.
    """
    count, points = len(anchors(palm.side, bundle.palm_strides)), len(bundle.points or HAND_POINTS)
    expected: dict[Network, dict[str, object]] = {
        palm: {"boxes": (1, count, 18), "scores": (1, count, 1)},
        hand: {
            **{"landmarks": 3 * points, "world": 3 * points, "visibility": points, "log_sigma": points},
            **{"presence": 1, "handedness": 1},
        },
    }
    for network, names in ((palm, bundle.palm_outputs), (hand, bundle.hand_outputs)):
        outputs = network(np.zeros((1, network.side, network.side, 3), np.uint8))
        for role, name in names.items():
            shape = outputs[name].shape if name in outputs else None
            wanted = expected[network].get(role)
            if wanted is None or shape is None or wanted not in (shape, math.prod(shape)):
                raise BundleError(
                    f"the output {name!r:.80} of bundle {bundle.name!r:.80}, its {role:.80}, should have the shape "
                    f"{wanted}; it has {shape or 'no such output'}"
                )


def _stamp(models: str | os.PathLike[str], bundle: Bundle) -> Stamp:
    """Changes when a file of the bundle, or the `.task` file that it came from, is written again."""
    paths = [bundle.folder / DESCRIPTION, *(bundle.folder / network.file for network in bundle.files())]
    if Path(models).is_file():
        paths.append(Path(models))
    stamp: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
            stamp.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            stamp.append(None)
    return tuple(stamp)
