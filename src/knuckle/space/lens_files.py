"""Files of calibrated cameras: OpenCV's FileStorage (YAML, XML, JSON), ROS, caliscope, pose2sim, anipose, plain JSON.

They differ in the names of the same values, so one reader takes all of them: it turns a file into nested mappings and
makes a camera of every mapping that holds intrinsics.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from knuckle.errors import DAMAGE, Error, InputError, SourceError, reason_of
from knuckle.extras import cv2, required
from knuckle.space.camera import Camera, Floats
from knuckle.yaml_files import read_yaml

# The names that files use, in lower case and without "_".
NAMES = {
    "matrix": ("matrix", "cameramatrix", "intrinsicmatrix", "intrinsics", "intrinsic", "k", "m", "mtx"),
    "distortion": ("distortions", "distortion", "distortioncoefficients", "distcoeffs", "dist", "d"),
    "size": ("size", "imagesize", "resolution"),
    "rotation": ("rotation", "rotationmatrix", "rot", "r", "rvec"),
    "translation": ("translation", "t", "tvec", "trans"),
    "position": ("position",),
    "extrinsics": ("extrinsics", "extrinsic", "extrinsicmatrix"),
    "name": ("name", "cameraname"),
    "width": ("width", "imagewidth"),
    "height": ("height", "imageheight"),
    "fisheye": ("fisheye", "fisheyemodel"),
    "model": ("model", "cameramodel", "distortionmodel", "lens"),
}
FISHEYES = ("fisheye", "equidistant", "kannala_brandt", "kannalabrandt", "opencv_fisheye")
SUFFIXES = (".toml", ".json", ".yaml", ".yml", ".xml")
NUMBERED = re.compile(r"(.*?)_?(\d+)$")  # M1 or K_01: files of stereo pairs and of EasyMocap number their keys


def read_cameras(path: str | os.PathLike[str]) -> dict[str, Camera]:
    """The cameras of a file by name, in the order of the file. docs/space.md lists the formats.

    Lengths of the file are taken as metres. Cameras without a place stand at the origin of the world.

    Raises:
        SourceError: the file does not exist, cannot be read or holds no camera.
        InputError: a camera's values have a wrong shape or are out of range.
        MissingExtraError: a TOML file under Python 3.10 needs the package tomli.
    """
    file = Path(path)
    cameras: dict[str, Camera] = {}
    tree = read_tree(file)
    for key, entry in _entries(tree, file.stem):
        try:
            camera = _camera(entry, key, f"intrinsics of {file.name}")
        except Error:
            raise
        except (*DAMAGE, cv2.error) as error:
            raise InputError(f"{file}: the camera {key} cannot be read: {reason_of(error)}") from error
        name = camera.name if camera.name not in cameras else key
        if name in cameras:
            raise InputError(f"{file} holds two cameras called {name}; give each its own name")
        cameras[name] = camera
    if not cameras:
        raise SourceError(
            f"{file} holds no camera: no table has a 3 × 3 matrix called {', '.join(NAMES['matrix'][:3])}, K …, "
            "or fx, fy, cx and cy"
        )
    return cameras


def read_tree(file: Path) -> Mapping[str, Any]:
    """A file as nested mappings and lists.

    Raises:
        SourceError: it does not exist or is not in a format of `SUFFIXES`.
    """
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise SourceError(f"cameras are read from {', '.join(SUFFIXES)}, got {file}")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SourceError(f"there is no file {file}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    try:
        if suffix == ".toml":
            name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
            tree = required(name, "space", "camera files in TOML").loads(text)
        elif suffix == ".json":
            tree = json.loads(text)
        elif suffix == ".xml":
            storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
            tree = _plain(storage.root())
            storage.release()
        else:
            tree = read_yaml(text)
    except (*DAMAGE, SystemError, cv2.error) as error:  # SystemError: text in OpenCV's reader that is no UTF-8
        raise SourceError(f"{file} is damaged or not {suffix[1:].upper()}: {reason_of(error)}") from error
    if isinstance(tree, list):
        tree = {str(k): item for k, item in enumerate(tree)}
    return tree if isinstance(tree, Mapping) else {}


def _plain(node: Any) -> Any:
    """A node of OpenCV's FileStorage as plain Python."""
    if node.isMap():
        return {name: _plain(node.getNode(name)) for name in node.keys()}  # noqa: SIM118  # it is no mapping
    if node.isSeq():
        return [_plain(node.at(k)) for k in range(node.size())]
    if node.isString():
        return node.string()
    return node.real() if node.isReal() or node.isInt() else None


def _entries(tree: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings that hold intrinsics, with the key of each, wherever they are nested."""
    known = _known(tree)
    if "matrix" in known:
        yield name, known
        return
    numbered: dict[str, dict[str, Any]] = {}
    for key, value in tree.items():
        if found := NUMBERED.fullmatch(key):
            numbered.setdefault(found.group(2), {})[found.group(1)] = value
    stereo = [(number, _known(keys)) for number, keys in numbered.items()]
    stereo = [(number, keys) for number, keys in stereo if "matrix" in keys]
    for place, (number, keys) in enumerate(stereo):
        second = place == 1 and len(stereo) == 2  # of a stereo pair, which has one rotation and translation
        yield number, ({part: known[part] for part in ("rotation", "translation") if part in known and second} | keys)
    if stereo:
        return
    for key, value in tree.items():
        if isinstance(value, list):
            value = {f"{key}_{k}": item for k, item in enumerate(value)}
        if isinstance(value, Mapping):
            yield from _entries(value, key)


def _known(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a mapping under our own names; "matrix" only if it can be one."""
    lower = {key.lower().replace("_", ""): value for key, value in tree.items()}
    known: dict[str, Any] = {}
    for ours, theirs in NAMES.items():
        value = next((lower[name] for name in theirs if lower.get(name) is not None), None)
        if value is not None:
            known[ours] = value
    if "matrix" in known and np.size(_numbers(known["matrix"])) != 9:
        inner = known.pop("matrix")
        lower = {key.lower(): value for key, value in inner.items()} | lower if isinstance(inner, Mapping) else lower
    if "matrix" not in known and {"fx", "fy", "cx", "cy"} <= set(lower):
        fx, fy, cx, cy = (lower[name] for name in ("fx", "fy", "cx", "cy"))
        known["matrix"] = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    return known


def _numbers(value: Any) -> Floats:
    """The numbers of a list, of nested lists, or of a matrix as OpenCV and ROS write it; empty if it is none."""
    if isinstance(value, Mapping) and "data" in value:
        value = value["data"]
    try:
        return np.asarray(value, np.float64)
    except DAMAGE:
        return np.zeros(0)


def _camera(entry: Mapping[str, Any], key: str, about: str) -> Camera:
    """The camera of a mapping under our own names."""
    name = str(entry.get("name") or key)
    rotation: Floats = np.eye(3)
    translation: Floats = np.zeros(3)
    if "extrinsics" in entry and (matrix := _numbers(entry["extrinsics"])).size in (12, 16):
        matrix = matrix.reshape(-1, 4)
        rotation, translation = matrix[:3, :3], matrix[:3, 3]
    if "rotation" in entry:
        rotation = _numbers(entry["rotation"])
        if rotation.size == 3:  # a rotation vector
            rotation = np.asarray(cv2.Rodrigues(rotation.reshape(3))[0], np.float64)
        if rotation.size != 9:
            raise InputError(f"rotation of {name} must be a 3 × 3 matrix or a rotation vector, got {rotation.shape}")
        rotation = rotation.reshape(3, 3)
    if "translation" in entry:
        translation = _numbers(entry["translation"])
    elif "position" in entry:
        translation = -rotation @ _numbers(entry["position"]).reshape(3)
    size = _numbers(entry["size"]) if "size" in entry else _numbers([entry.get("width"), entry.get("height")])
    distortion = _numbers(entry.get("distortion", [])).reshape(-1)
    model = str(entry.get("model", "")).lower()
    fisheye = bool(entry.get("fisheye", False)) or model in FISHEYES
    return Camera(
        matrix=_numbers(entry["matrix"]).reshape(3, 3),
        size=cast(tuple[int, int], tuple(size.astype(int).tolist())) if size.shape == (2,) and size.min() > 0 else None,
        distortion=distortion if distortion.any() else np.zeros(0),
        lens="fisheye" if fisheye else "pinhole",
        rotation=rotation,
        translation=translation,
        name=name,
        about=about,
    )
