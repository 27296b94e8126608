"""Networks and bundles from outside: what is refused, by name, before an engine sees it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_networks import tiny_hand, tiny_palm, zipped

import knuckle
from knuckle.errors import BundleError, EngineError
from knuckle.models import cache, catalogue
from knuckle.models.bundle import TASK_MEMBERS, Bundle, NetworkFile, open_folder
from knuckle.models.foreign import MOST_BYTES, check_network
from knuckle.models.tflite import add_tensor, litert, opened, packed

OUTPUTS = {"landmarks": "Identity", "presence": "p1", "handedness": "p2", "world": "Identity_3"}
Change = Callable[[Any, Any], None]


def changed(change: Change) -> bytes:
    schema, model = opened(tiny_hand())
    change(schema, model)
    return packed(model)


def custom_operator(schema: Any, model: Any) -> None:
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = "Own"


def loop(schema: Any, model: Any) -> None:
    model.operatorCodes[0].builtinCode = schema.BuiltinOperator.WHILE


def huge(schema: Any, model: Any) -> None:
    model.subgraphs[0].tensors[1].shape = [1, 100_000, 100_000, 8]


def negative(schema: Any, model: Any) -> None:
    model.subgraphs[0].tensors[1].shape = [1, -8, 8, 8]


def circle(schema: Any, model: Any) -> None:
    graph = model.subgraphs[0]
    graph.operators[0].inputs = [graph.operators[1].outputs[0], *graph.operators[0].inputs[1:]]


def no_tensor(schema: Any, model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [10_000, *model.subgraphs[0].operators[0].inputs[1:]]


def no_buffer(schema: Any, model: Any) -> None:
    model.subgraphs[0].tensors[2].buffer = 10_000


def short_constant(schema: Any, model: Any) -> None:
    tensor = model.subgraphs[0].tensors[2]
    model.buffers[tensor.buffer].data = model.buffers[tensor.buffer].data[:8]


def computed_constant(schema: Any, model: Any) -> None:
    graph = model.subgraphs[0]
    graph.operators[0].outputs = [int(graph.operators[0].inputs[1])]


def two_graphs(schema: Any, model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def many_pictures(schema: Any, model: Any) -> None:
    model.subgraphs[0].inputs = [model.subgraphs[0].inputs[0], add_tensor(schema, model, "more", (1, 8, 8, 3))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (custom_operator, "CUSTOM"),
        (loop, "WHILE"),
        (huge, "shape"),
        (negative, "shape"),
        (circle, "circle"),
        (no_tensor, "does not exist"),
        (no_buffer, "buffer 10000"),
        (short_constant, "8 bytes"),
        (computed_constant, "written before|has bytes|circle"),
        (two_graphs, "2 graphs"),
        (many_pictures, "2 inputs"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_networks_that_could_harm_an_engine_are_refused(change: Change, reason: str) -> None:
    check_network(tiny_hand(), "hand.tflite")
    with pytest.raises(BundleError, match=rf"hand\.tflite is refused: .*({reason})"):
        check_network(changed(change), "hand.tflite")


def test_our_networks_and_mediapipes_are_within_the_limits() -> None:
    for bundle in (catalogue.find(name) for name in ("knuckle", "knuckle-fast", "knuckle-far", "mediapipe")):
        for network in bundle.files():
            check_network((bundle.folder / network.file).read_bytes(), network.file)


def test_a_file_that_names_one_list_many_times_is_not_unpacked() -> None:
    """100,000 tensors that share one name of 100 kB would be 10 GB in memory."""
    import flatbuffers

    schema = litert("schema_py_generated")
    builder = flatbuffers.Builder(1 << 20)
    name = builder.CreateString("n" * 100_000)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 100_000)
    for _ in range(100_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(BundleError, match="again and again"):
        opened(bytes(builder.Output()))


def write_bundle(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    files = {"palm.tflite": tiny_palm(), "hand.tflite": tiny_hand()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    palm, hand = (NetworkFile(name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
    bundle = Bundle("own", palm, hand, "MIT", "here", palm_side=8, hand_side=8, palm_strides=((8, 2),))
    fields = json.loads(replace(bundle, hand_outputs=OUTPUTS).to_json()) | changes
    (folder / "bundle.json").write_text(json.dumps(fields))
    return folder


def test_a_small_bundle_of_the_user_s_own_runs(tmp_path: Path) -> None:
    networks = knuckle.load(write_bundle(tmp_path / "own"))
    assert knuckle.detect(np.zeros((40, 60, 3), np.uint8), models=networks) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"palm": {"file": "../secret", "sha256": "0"}}, "file in the folder"),
        ({"palm": {"file": "/etc/passwd", "sha256": "0"}}, "file in the folder"),
        ({"palm": {"file": "C:\\windows\\x", "sha256": "0"}}, "file in the folder"),
        ({"palm_side": 10**9}, "sides"),
        ({"palm_strides": [[1e-300, 1]]}, "palm_strides"),
        ({"palm_strides": [[8, 10**9]]}, "palm_strides"),
        ({"palm_outputs": {"boxes": "Identity"}}, "scores"),
        ({"hand_outputs": ["a"]}, "names by role"),
        ({"faint_palms": float("nan")}, "faint_palms"),
        ({"licence": ["a"]}, "licence"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_descriptions_that_do_not_fit_are_refused(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=reason):
        open_folder(write_bundle(tmp_path / "own", **changes))


@pytest.mark.parametrize("role", ["presence", "visibility", "unheard-of"])
def test_outputs_that_a_network_does_not_have_are_named_when_it_is_loaded(role: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"{role}, should have the shape"):
        knuckle.load(write_bundle(tmp_path / "own", hand_outputs=OUTPUTS | {role: "nowhere"}))


def test_a_zip_bomb_is_stopped_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    bomb = tmp_path / "bomb.task"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(TASK_MEMBERS["palm"], "w") as member:
        for _ in range((MOST_BYTES >> 20) + 1):
            member.write(bytes(1 << 20))
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(BundleError, match="256 MB at most"):
        catalogue.find(bomb)
    assert cache.cached_names() == []


def test_members_with_paths_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    members = {TASK_MEMBERS["palm"]: tiny_palm(), TASK_MEMBERS["hand"]: tiny_hand(), "../../../escaped": b"x"}
    (tmp_path / "a.task").write_bytes(zipped(members))
    with pytest.raises((BundleError, EngineError)):  # the networks are not those of a .task file
        knuckle.load(tmp_path / "a.task")
    assert not list(tmp_path.rglob("escaped"))


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(TASK_MEMBERS["palm"], bytes(range(256)) * 40)
    data = bytearray(whole.getvalue())
    data[60:80] = b"\xff" * 20
    (tmp_path / "a.task").write_bytes(data)
    with pytest.raises(BundleError, match=r"a\.task is not a hand landmarker"):
        cache.extract(tmp_path / "a.task", TASK_MEMBERS["palm"], tmp_path / "out")
