from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import knuckle
from knuckle.images import as_rgb

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


def test_an_rgb_image_comes_back_itself_uncopied() -> None:
    assert as_rgb(RGB) is RGB


def test_gray_alpha_16_bits_and_pillow_become_rgb() -> None:
    gray = RGB[..., 0]
    assert np.array_equal(as_rgb(gray), np.stack([gray] * 3, axis=-1))
    assert np.array_equal(as_rgb(gray[..., None]), np.stack([gray] * 3, axis=-1))
    assert np.array_equal(as_rgb(np.concatenate([RGB, RGB[..., :1]], axis=-1)), RGB)
    assert np.array_equal(as_rgb(RGB.astype(np.uint16) << 8), RGB)
    assert np.array_equal(as_rgb(Image.fromarray(RGB)), RGB)
    assert np.array_equal(as_rgb(Image.fromarray(gray.astype(np.uint16) << 8)), np.stack([gray] * 3, axis=-1))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((4, 0), np.uint8), "empty"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"\(2, 4, 4, 3\)"),
        (np.zeros((4, 4, 3), bool), "bool"),
        ("photo.jpg", "str"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_image_is_refused_in_words_that_name_it(image: object, words: str) -> None:
    with pytest.raises(knuckle.InputError, match=words):
        as_rgb(image)
    with pytest.raises(ValueError, match=words):  # also what a caller without our names would catch
        as_rgb(image)
