"""8-bit arithmetic for a trained network (post-training quantisation): what is quantised, and what is put right after.

Measured on MediaPipe's landmark networks:
- Layers after the pooled features stay in float. They take no time, and an 8-bit output moves in steps of a pixel,
  which looks like jitter.
- Ranges are measured on pictures that show a hand. Hand-free ones widen the ranges, and with a fifth of them the
  difference to float was 1.7 times as large.
- In networks with depthwise convolutions, layers at an eighth of the input's side or more stay in float, and so do the
  layers after the last residual sum. The table has the mean difference to float of 607 hands from eleven sources, % of
  the palm, and the time of a picture. Changing between floats and integers costs time, so more of them is not faster.

      in float                      all points   tips   time
      none                                1.62   1.99   3.3 ms
      at half of the side or more         0.89   1.09   3.3 ms
      as it is now                        0.52   0.67   3.1 ms

- Rounding shifts some outputs by the same amount in every picture; the world landmarks of the full network moved by
  2 to 3 cm. The median shift is added to the biases of the dense layers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from knuckle.models.session import Session
from knuckle.models.tflite import kinds_of, opened, packed
from knuckle.results import FloatArray

Pictures = npt.NDArray[np.uint8]
# Presence is not among them: the pictures all show a hand, and the bias would learn to say so.
SHIFTED = ("landmarks", "world", "handedness")
PROBABILITIES = ("handedness",)


def write_int8(whole: Path, path: Path, pictures: Pictures) -> None:
    """Write a float tflite file again with its convolutions in 8 bits; what the module names stays in float.

    Args:
        whole: the float file.
        path: the file to write.
        pictures: (n, side, side, 3) inputs on which the ranges of all tensors are measured.
    """
    from ai_edge_quantizer import qtyping, quantizer, recipe
    from ai_edge_quantizer.recipe import AlgorithmName

    kinds = qtyping.TFLOperationName
    job = quantizer.Quantizer(str(whole))
    job.load_quantization_recipe(recipe.static_wi8_ai8())
    for kind in (kinds.INPUT, kinds.OUTPUT, kinds.MEAN, kinds.FULLY_CONNECTED, kinds.LOGISTIC):
        job.update_quantization_recipe(regex=".*", operation_name=kind, algorithm_key=AlgorithmName.NO_QUANTIZE)
    for name in _float_layers(whole):
        job.update_quantization_recipe(
            regex=re.escape(name), operation_name=kinds.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    examples = [{"args_0": picture[None].astype(np.float32) / 255} for picture in pictures]
    job.quantize(job.calibrate({"serving_default": examples})).export_model(str(path))


def _float_layers(whole: Path) -> list[str]:
    """The output names of the layers that stay in float; none if no convolution is depthwise."""
    schema, model = opened(whole.read_bytes())
    graph, kinds, builtin = model.subgraphs[0], kinds_of(model), schema.BuiltinOperator
    layers = [(kinds[operator.opcodeIndex], operator) for operator in graph.operators]
    if all(kind != builtin.DEPTHWISE_CONV_2D for kind, _ in layers):
        return []
    side = int(graph.tensors[int(graph.inputs[0])].shape[1])
    last_sum = max((number for number, (kind, _) in enumerate(layers) if kind == builtin.ADD), default=len(layers))

    def is_fine(operator: Any) -> bool:
        shape = graph.tensors[int(operator.inputs[0])].shape
        return len(shape) == 4 and int(shape[1]) >= side // 8

    return [
        graph.tensors[int(operator.outputs[0])].name.decode()
        for number, (_, operator) in enumerate(layers)
        if number > last_sum or is_fine(operator)
    ]


def correct_biases(path: Path, network: nn.Module, pictures: Pictures) -> dict[str, FloatArray]:
    """Add the median difference between PyTorch and an int8 file to the biases of the file's dense output layers.

    Outputs that no dense layer gives are left as they are.

    Args:
        path: the int8 file; it is changed.
        network: what the file should compute.
        pictures: (n, side, side, 3) inputs that show a hand.

    Returns:
        What was added, for each corrected output.
    """
    seen = Session(path, 1)(pictures)
    with torch.no_grad():
        true = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    schema, model = opened(path.read_bytes())
    graph, kinds, builtin = model.subgraphs[0], kinds_of(model), schema.BuiltinOperator
    makes = {int(operator.outputs[0]): operator for operator in graph.operators}
    added = {}
    for output in model.signatureDefs[0].outputs:
        name = output.name.decode()
        if name not in SHIFTED or name not in true:
            continue
        layer = makes.get(int(output.tensorIndex))
        if layer is not None and kinds[layer.opcodeIndex] == builtin.LOGISTIC:
            layer = makes.get(int(layer.inputs[0]))
        if layer is None or kinds[layer.opcodeIndex] != builtin.FULLY_CONNECTED or len(layer.inputs) < 3:
            continue
        expected, found = true[name].numpy(), seen[name]
        if name in PROBABILITIES:
            expected, found = _logit(expected), _logit(found)
        shift = np.median(expected - found, axis=0).astype(np.float32)
        buffer = model.buffers[graph.tensors[int(layer.inputs[2])].buffer]
        bias = np.frombuffer(bytes(buffer.data), np.float32) + shift
        buffer.data = np.frombuffer(bias.astype(np.float32).tobytes(), np.uint8)
        added[name] = shift
    path.write_bytes(packed(model))
    return added


def _logit(p: FloatArray) -> FloatArray:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)), np.float32)
