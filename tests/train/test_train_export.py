"""Exports: every format gives the outputs of PyTorch; a bundle folder can be used for tracking and further training."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand, write_yolo

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

import knuckle  # noqa: E402
from knuckle.cli.export import export as export_command  # noqa: E402
from knuckle.errors import EngineError, InputError, SinkError, SourceError  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.models.session import Session  # noqa: E402
from knuckle.train import export as exporting  # noqa: E402
from knuckle.train.checkpoint import read_checkpoint  # noqa: E402
from knuckle.train.export import TOLERANCE, compare, export, sample_pictures  # noqa: E402
from knuckle.train.export_bundle import options_of_start  # noqa: E402
from knuckle.train.hand.network import start_hand_network  # noqa: E402
from knuckle.train.hand.task import HandTask  # noqa: E402
from knuckle.train.loop import LoopOptions, train  # noqa: E402
from knuckle.train.nets.hand_net import HandNet, HandNetShape  # noqa: E402
from knuckle.train.nets.layers import ConvNorm, fold  # noqa: E402
from knuckle.train.nets.reference_hand import ReferenceHandNet  # noqa: E402

SMALL = HandNetShape(side=64, stem=8, widths=(8, 8, 16, 16), depths=(1, 0, 0, 1), token=16, bin_px=4)


def trained_net(seed: int = 0, shape: HandNetShape = SMALL) -> HandNet:
    """A network whose batch norms are not the identity."""
    torch.manual_seed(seed)
    network = HandNet(shape).eval()
    for module in network.modules():
        if isinstance(module, ConvNorm) and module.norm is not None:
            torch.nn.init.uniform_(module.norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.norm.bias, 0, 0.2)
            module.norm.running_mean.normal_(0, 0.2)
            module.norm.running_var.uniform_(0.5, 1.5)
    return network


@pytest.mark.parametrize("head", ["bins", "heatmap", "direct"])
def test_folding_batch_norms_changes_nothing(head: str) -> None:
    shape = HandNetShape(**{**SMALL.__dict__, "head": head})
    network, picture = trained_net(shape=shape), torch.rand(2, 3, 64, 64)
    folded = fold(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        before, after = network(picture), folded(picture)
    for name in before:
        torch.testing.assert_close(after[name], before[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("form", ["fp32", "fp16", "int8", "onnx"])
def test_every_format_equals_torch(form: exporting.Format, tmp_path: Path) -> None:
    network = fold(trained_net())
    path = tmp_path / f"hand.{'onnx' if form == 'onnx' else 'tflite'}"
    pictures = sample_pictures(64)
    differences = export(network, path, form, pictures)
    assert set(differences) == {"landmarks", "world", "presence", "handedness", "visibility", "log_sigma"}
    assert max(differences.values()) <= TOLERANCE[form]
    session = Session(path, 1)
    assert session.side == 64 and session(pictures[:2])["landmarks"].shape == (2, 63)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if form == "fp16":
        tensors = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0)).subgraphs[0].tensors
        halves = sum(int(np.prod(t.shape)) for t in tensors if t.type == schema.TensorType.FLOAT16)
        assert halves > 0.9 * sum(p.numel() for p in network.parameters())


def test_weights_and_biases_are_stored_alike(tmp_path: Path) -> None:
    """LiteRT.js runs a layer by plain loops where one is widened from float16 and the other is not."""
    export(fold(trained_net()), tmp_path / "hand.tflite", "fp16", sample_pictures(64))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((tmp_path / "hand.tflite").read_bytes(), 0))
    kinds, graph = schema.BuiltinOperator, model.subgraphs[0]
    codes = [code.builtinCode for code in model.operatorCodes]
    widened = {op.outputs[0] for op in graph.operators if codes[op.opcodeIndex] == kinds.DEQUANTIZE}
    layers = [op for op in graph.operators if codes[op.opcodeIndex] in (kinds.CONV_2D, kinds.FULLY_CONNECTED)]
    biased = [op for op in layers if len(op.inputs) > 2 and op.inputs[2] >= 0]
    assert len(layers) >= len(biased) > 10
    assert all((op.inputs[1] in widened) == (op.inputs[2] in widened) for op in biased)


def test_a_file_that_differs_from_torch_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = fold(trained_net())
    write = exporting._write_onnx
    monkeypatch.setattr(exporting, "_write_onnx", lambda _, path, pictures: write(fold(trained_net(1)), path, pictures))
    with pytest.raises(EngineError, match="differs from PyTorch"):
        export(network, tmp_path / "hand.onnx", "onnx", sample_pictures(64))
    assert not list(tmp_path.iterdir())


def test_a_missing_output_is_an_error(tmp_path: Path) -> None:
    class Less(ReferenceHandNet):
        pass

    network = fold(trained_net())
    export(network, tmp_path / "hand.onnx", "onnx", sample_pictures(64))

    class More(torch.nn.Module):
        side = 64

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            out: dict[str, torch.Tensor] = network(x)
            return out | {"more": out["world"]}

    with pytest.raises(EngineError, match="lacks the outputs more"):
        compare(More(), tmp_path / "hand.onnx", sample_pictures(64))


def test_the_error_names_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be written"):
        export(fold(trained_net()), tmp_path / "file" / "hand.onnx", "onnx", sample_pictures(64))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of a small network."""
    folder = tmp_path_factory.mktemp("run")
    labels = f"{write_yolo(folder / 'labels', 2)}@train"
    options = LoopOptions(steps=2, batch=2, precision="float32", device="cpu")
    task = HandTask(init="new", data=(labels,), shape=SMALL, loop=options)
    return train(task.job(), options, folder / "mine", lambda *_: None)


def test_a_checkpoint_becomes_a_bundle_that_runs_and_can_be_trained_further(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    result = CliRunner().invoke(export_command, [str(checkpoint), "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0 and f"--models {out}" in result.output
    bundle = catalogue.open_folder(out)
    assert bundle.hand_side == 64 and bundle.hand_outputs["visibility"] == "visibility"
    assert bundle.palm.sha256 == catalogue.find("knuckle").palm.sha256
    networks = knuckle.load(out)
    image, _ = drawn_hand(np.random.default_rng(0))
    palm = knuckle.detect_palms(image, models=networks)[0]
    landmarker = networks.hand_landmarker(knuckle.TrackerOptions())
    hands = landmarker.read(image, [knuckle.pipeline.palm.roi_from_palm(palm)])
    assert hands[0].visibility is not None and hands[0].visibility.shape == (21,)
    network, config = start_hand_network(str(out), HandNetShape())
    assert isinstance(network, HandNet) and network.shape == SMALL and config["init"] == str(out)
    said = json.loads(read_checkpoint(bundle.hand_path.with_suffix(".pt"))["config"])
    assert set(said) == {"task", "network", "shape"}  # nobody's folders
    pictures = sample_pictures(64)
    assert max(compare(network, bundle.hand_path, pictures).values()) < TOLERANCE["fp16"]


def test_networks_of_two_bundles_become_one(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    command = ["knuckle", "--palm", "mediapipe", "--out", str(out)]
    assert CliRunner().invoke(export_command, command, catch_exceptions=False).exit_code == 0
    mixed, ours, theirs = catalogue.open_folder(out), catalogue.find("knuckle"), catalogue.find("mediapipe")
    assert mixed.palm == theirs.palm and mixed.palm_strides == theirs.palm_strides and mixed.hand_side == ours.hand_side
    assert (mixed.faint_palms, mixed.second_look) == (theirs.faint_palms, ours.second_look) == (1, True)
    result = CliRunner().invoke(export_command, [str(checkpoint), "--hand", "mediapipe", "--out", str(out)])
    assert isinstance(result.exception, InputError) and "already" in str(result.exception)
    for number, command in enumerate(([str(checkpoint), "--licence", "MIT"], [str(tmp_path / "0")])):
        folder = tmp_path / str(number)
        assert (
            CliRunner().invoke(export_command, [*command, "--out", str(folder)], catch_exceptions=False).exit_code == 0
        )
        assert catalogue.open_folder(folder).licence == "hand: MIT; palm: Apache-2.0"


def test_thresholds_of_a_bundle_stay_with_its_networks(tmp_path: Path) -> None:
    """Both where a network is copied and where it is exported again."""
    strict = tmp_path / "strict"
    shutil.copytree(catalogue.find("mediapipe-lite").folder, strict)
    bundle = replace(catalogue.find("mediapipe-lite"), min_palm_score=0.4, min_presence=0.7)
    (strict / "bundle.json").write_text(bundle.to_json())
    for command in ([str(strict), "--format", "fp32"], ["mediapipe", "--palm", str(strict), "--hand", str(strict)]):
        out = tmp_path / command[0].rpartition("/")[2] / "out"
        CliRunner().invoke(export_command, [*command, "--out", str(out)], catch_exceptions=False)
        mixed = catalogue.open_folder(out)
        assert (mixed.min_palm_score, mixed.min_presence) == (0.4, 0.7)


def test_a_network_that_was_trained_further_keeps_the_thresholds_it_began_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began = catalogue.find("knuckle")
    for role, name in (("hand", "second_look"), ("hand", "min_new_confidence"), ("palm", "faint_palms")):
        assert options_of_start({"init": "knuckle"}, role)[name] == getattr(began, name)
    assert began.second_look and options_of_start({"init": "new"}, "hand") == {}
    assert not caplog.records and options_of_start({"init": str(tmp_path / "gone")}, "hand") == {}
    assert "its thresholds are lost" in caplog.text


def test_int8_needs_real_pictures(tmp_path: Path) -> None:
    """The run that made a checkpoint names them; a bundle without a run does not."""
    out = tmp_path / "x"
    result = CliRunner().invoke(export_command, ["mediapipe-lite", "--format", "int8", "--out", str(out)])
    assert isinstance(result.exception, InputError) and "--pictures" in str(result.exception)


def test_int8_is_calibrated_on_the_data_of_the_run(checkpoint: Path, tmp_path: Path) -> None:
    command = [str(checkpoint), "--format", "int8", "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(export_command, command, catch_exceptions=False)
    assert result.exit_code == 0 and "hand.tflite, int8" in result.output
    bundle = catalogue.open_folder(tmp_path / "x")
    assert bundle.hand_side == 64 and tensor_types(bundle.hand_path)[schema.TensorType.INT8] > 10


def test_int8_is_not_tried_without_enough_pictures(checkpoint: Path, tmp_path: Path) -> None:
    """The default says why there is none."""
    result = CliRunner().invoke(export_command, [str(checkpoint), "--out", str(tmp_path / "x")], catch_exceptions=False)
    assert "hand.tflite, fp16" in result.output and "held-out pictures with a hand are too few" in result.output
    missing = [str(checkpoint), "--out", str(tmp_path / "y"), "--pictures", str(tmp_path / "none.yaml")]
    assert isinstance(CliRunner().invoke(export_command, missing).exception, SourceError)


def tensor_types(path: Path) -> Counter[int]:
    """How many tensors of a file have each type."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    return Counter(tensor.type for tensor in model.subgraphs[0].tensors)


def test_the_error_names_a_file_that_is_not_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nothing")
    for what, words in ((tmp_path / "x.pt", "not a checkpoint"), (tmp_path / "y.pt", "No such file")):
        result = CliRunner().invoke(export_command, [str(what)])
        assert isinstance(result.exception, InputError) and words in str(result.exception)


def test_the_references_networks_become_onnx_and_find_the_same_hands(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    out = tmp_path / "mediapipe-onnx"
    command = ["mediapipe", "--format", "onnx", "--out", str(out)]
    assert CliRunner().invoke(export_command, command, catch_exceptions=False).exit_code == 0
    assert json.loads((out / "bundle.json").read_text())["licence"] == "Apache-2.0"
    image, _ = drawn_hand(np.random.default_rng(1), 640, 480)
    (theirs,), (ours,) = (knuckle.detect(image, models=models) for models in ("mediapipe", out))
    np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.3)
    assert ours.handedness == theirs.handedness


def test_the_page_states_the_formats_and_their_tolerances() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text().partition("## Export")[2]
    stated = dict(re.findall(r"^\| `(\w+)`.*? \| ([\d.]+) %[^|]*\|$", page.partition("\n## ")[0], re.M))
    allowed = {form: f"{100 * share:g}" for form, share in TOLERANCE.items()}
    assert stated == {**allowed, "task": allowed["fp16"]}


def test_a_file_name_gives_a_file(checkpoint: Path, tmp_path: Path) -> None:
    for name in ("m.onnx", "deeper/m.tflite"):
        command = [str(checkpoint), "--out", str(tmp_path / name)]
        assert CliRunner().invoke(export_command, command, catch_exceptions=False).exit_code == 0
        assert (tmp_path / name).is_file()
        outputs = Session(tmp_path / name, 1)(np.zeros((1, 64, 64, 3), np.uint8))
        assert "landmarks" in outputs
    result = CliRunner().invoke(export_command, ["knuckle", "--out", str(tmp_path / "both.onnx")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "both.onnx").is_file() and (tmp_path / "both_palm.onnx").is_file()
    for command in (["--format", "fp16", "--out", "m.onnx"], ["--format", "onnx", "--out", "m.tflite"]):
        result = CliRunner().invoke(export_command, [str(checkpoint), *command])
        assert isinstance(result.exception, InputError) and "does not suit" in str(result.exception)
