"""Weights that are read from tflite files."""

from __future__ import annotations

import numpy as np
import pytest

from knuckle.errors import BundleError
from knuckle.models import catalogue
from knuckle.models.tflite import LAYER_KINDS, read_layers
from knuckle.models.visibility_head import shipped_head, with_visibility


@pytest.mark.parametrize("name", ["mediapipe", "mediapipe-lite", "knuckle"])
def test_layers_come_in_running_order_as_float32(name: str) -> None:
    for path in (catalogue.find(name).palm_path, catalogue.find(name).hand_path):
        layers = read_layers(path.read_bytes())
        assert len(layers) > 20 and {layer.kind for layer in layers} <= LAYER_KINDS
        assert layers[0].kind == "CONV_2D" and layers[0].constants[0].shape[-1] == 3  # the RGB image
        for layer in layers:
            assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in layer.constants)


def test_a_matrix_that_was_written_is_read_back() -> None:
    bundle = catalogue.find("mediapipe")
    published = (bundle.folder / catalogue.BUNDLES["mediapipe"].hand.file).read_bytes()
    before, after = read_layers(published), read_layers(with_visibility(published))
    head = shipped_head(1152)
    assert len(after) == len(before) + 2
    for layer, weight, bias in zip(
        after[-2:], (head.first, head.second), (head.first_bias, head.second_bias), strict=True
    ):
        assert layer.kind == "FULLY_CONNECTED"
        np.testing.assert_array_equal(layer.constants[0], weight)
        np.testing.assert_array_equal(layer.constants[1], bias)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(BundleError, match="not a tflite file"):
        read_layers(b"PK\x03\x04 something else")
