"""int8: what stays in float, corrected biases, and whether it is kept beside fp16, by held-out pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn import drawn_hand, write_yolo

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from knuckle.cli.export import export as export_command  # noqa: E402
from knuckle.models import catalogue  # noqa: E402
from knuckle.models.session import Session  # noqa: E402
from knuckle.models.tflite import kinds_of, opened  # noqa: E402
from knuckle.train.choose_format import Comparison, export_both  # noqa: E402
from knuckle.train.export import export  # noqa: E402
from knuckle.train.export_pictures import Examples  # noqa: E402
from knuckle.train.nets.reference_hand import ReferenceHandNet  # noqa: E402
from knuckle.train.quantise import correct_biases  # noqa: E402

SIDE = 64
FIGURES = {"error": 5.0, "tips": 6.0, "presence": 0.99, "handedness": 0.9, "world_mm": float("nan")}


def small_net() -> ReferenceHandNet:
    """A network like MediaPipe's with fewer layers and random weights, for small pictures."""
    torch.manual_seed(0)
    early = ((16, 32, 16, 3, 2), (16, 32, 24, 5, 2), (24, 48, 24, 5, 1), (24, 48, 48, 3, 2))
    blocks = (*early, (48, 96, 64, 5, 2), (64, 96, 64, 5, 1))
    network = ReferenceHandNet(blocks, side=SIDE).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):  # activations of a usual size, so that rounding shows
            torch.nn.init.kaiming_normal_(layer.weight)
    return network


def drawn(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([drawn_hand(rng, 160, 120)[0][20:84, 40:104] for _ in range(count)])


def layers(path: Path) -> list[tuple[str, int, int]]:
    """Kind, input side and type of the input of the layers with weights."""
    schema, model = opened(path.read_bytes())
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    graph, kinds, found = model.subgraphs[0], kinds_of(model), []
    for operator in graph.operators:
        kind, tensor = names[kinds[operator.opcodeIndex]], graph.tensors[int(operator.inputs[0])]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN"):
            found.append((kind, int(tensor.shape[1]), tensor.type == schema.TensorType.INT8))
    return found


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "hand.tflite"
    export(small_net(), path, "int8", drawn(6))
    return path


def test_fine_layers_and_all_after_the_last_residual_sum_stay_in_float(int8: Path) -> None:
    found = layers(int8)
    convolutions = [layer for layer in found if layer[0].endswith("CONV_2D")]
    for kind, side, is_int8 in convolutions[:-2]:  # the last two follow the last sum
        assert is_int8 == (side < SIDE // 8), (kind, side)
    others = [layer for layer in found if layer not in convolutions]
    assert not any(is_int8 for *_, is_int8 in [*convolutions[-2:], *others])
    assert sum(is_int8 for *_, is_int8 in found) == 7 and {kind for kind, *_ in others} == {"MEAN", "FULLY_CONNECTED"}


def test_corrected_biases_take_away_what_rounding_shifts(int8: Path, tmp_path: Path) -> None:
    """A network whose landmarks and sides are 3 and 1 off is put right; presence is left alone."""
    network, pictures = small_net(), drawn(6)
    with torch.no_grad():
        for layer, shift in ((network.landmarks, 3.0), (network.handedness, 1.0), (network.presence, 1.0)):
            layer.bias += shift
    path = tmp_path / "hand.tflite"
    path.write_bytes(int8.read_bytes())
    added = correct_biases(path, network, pictures)
    assert set(added) == {"landmarks", "world", "handedness"}
    np.testing.assert_allclose(added["landmarks"], 3.0, atol=0.2)
    np.testing.assert_allclose(added["handedness"], 1.0, atol=0.05)
    before, after = Session(int8, 1)(pictures), Session(path, 1)(pictures)
    np.testing.assert_allclose(
        after["landmarks"] - before["landmarks"], added["landmarks"][None].repeat(6, 0), atol=1e-3
    )
    np.testing.assert_array_equal(after["presence"], before["presence"])


@pytest.mark.parametrize(
    ("int8", "worse"),
    [
        (FIGURES, []),
        (FIGURES | {"error": 5.09, "presence": 0.986}, []),
        (FIGURES | {"error": 5.2}, ["error"]),
        (FIGURES | {"error": 4.0, "tips": 6.5, "handedness": 0.89}, ["tips", "handedness"]),
        (FIGURES | {"error": float("nan")}, ["error"]),
    ],
)
def test_int8_is_worse_where_one_figure_is(int8: dict[str, float], worse: list[str]) -> None:
    compared = Comparison(int8, FIGURES, 40)
    assert compared.worse == worse
    assert ("no worse" in str(compared)) == (not worse) and "world_mm" not in str(compared)


def examples(evaluate: Callable[[torch.nn.Module], dict[str, float]], hands: int = 40) -> Examples:
    return Examples(drawn(4), evaluate, hands, hands)


def test_int8_is_kept_where_it_is_no_worse(tmp_path: Path) -> None:
    """The first figures are the error against the network itself, so int8 is worse."""
    network, pictures = small_net(), drawn(8)
    with torch.no_grad():
        true = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)["landmarks"]

    def error(model: torch.nn.Module) -> dict[str, float]:
        out = model(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
        return {"error": float((out["landmarks"] - true).abs().mean())}

    path, int8 = tmp_path / "hand.tflite", tmp_path / "hand_int8.tflite"
    differences, reason = export_both(network, path, int8, examples(error))
    assert max(differences.values()) < 0.05 and "worse than float" in reason and not int8.exists()
    reason = export_both(network, path, int8, examples(lambda _: FIGURES))[1]
    assert "no worse" in reason
    assert not any(is_int8 for *_, is_int8 in layers(path)) and any(is_int8 for *_, is_int8 in layers(int8))
    reason = export_both(network, path, int8, examples(lambda _: FIGURES, hands=29))[1]
    assert "29 held-out pictures" in reason and not int8.exists()


def test_the_command_compares_on_held_out_pictures_and_says_what_it_chose(tmp_path: Path) -> None:
    labels = write_yolo(tmp_path / "labels", 36, empty=0)
    data = ["--pictures", f"{labels}@train", "--check", f"{labels}@val"]
    command = ["mediapipe-lite", "--palm", "mediapipe-lite", *data, "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(export_command, command, catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("hand"))
    bundle = catalogue.open_folder(tmp_path / "x")
    if bundle.hand_int8 is not None:
        assert "hand_int8.tflite, int8" in lines[place + 1] and "no worse than float on 36 held-out" in lines[place + 2]
        assert Session(bundle.folder / bundle.hand_int8.file).side == 224
    else:
        assert "worse than float on 36 held-out" in lines[place + 1]
    assert "fp16" in lines[place] and bundle.palm_int8 is None
