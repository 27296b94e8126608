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
    assert np.array_equal(as_rgb((RGB.astype(np.uint16) << 8).astype(">u2")), RGB)
    assert np.array_equal(as_rgb(gray.view(np.matrix)), np.stack([gray] * 3, axis=-1))
    assert np.array_equal(as_rgb(Image.fromarray(RGB)), RGB)
    opaque = Image.fromarray(gray).convert("LA").convert("La")
    assert np.array_equal(as_rgb(opaque), np.stack([gray] * 3, axis=-1))
    assert np.array_equal(as_rgb(Image.fromarray(gray.astype(np.uint16) << 8)), np.stack([gray] * 3, axis=-1))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (
            np.zeros((4, 4, 3), np.float32),
            r"float32 .*within 0\.\.1; convert with \(image \* 255\)\.astype",
        ),
        (np.full((4, 4, 3), 200.0), r"clip\(0, 255\)\.astype\(np\.uint8\)"),
        (np.full((4, 4, 3), -1.5), "negative values.* pass the image as it was before"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.zeros((4, 0), np.uint8), "empty"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (
            np.zeros((2, 4, 4, 3), np.uint8),
            r"\(2, 4, 4, 3\), a batch; pass one image, or list\(batch\)",
        ),
        (np.zeros((3, 40, 50), np.uint8), r"channels first; convert with image\.transpose\(1, 2, 0\)"),
        (np.array(None), "that holds NoneType"),
        (np.zeros((4, 4, 3), bool), r"bool .*astype\(np\.uint8\) \* 255"),
        (np.zeros((4, 4, 3), np.int32), r"int32 .*astype\(np\.uint8\)"),
        ("photo.jpg", r"the path 'photo\.jpg' \(str\); knuckle\.detect\(path\)"),
        (None, r"got None; cv2\.imread returns None .* check the path"),
        ((True, RGB), "ok, image = capture.read"),
        ([RGB, RGB], "a list of 2, and one image is taken here; knuckle.detect takes a list"),
        (knuckle.Frame(RGB), r"a Frame; pass its \.image"),
        (b"\xff\xd8", r"bytes, as in a file; pass its path, or PIL\.Image\.open"),
        (knuckle.read(RGB), "a Reader; loop over it"),
        (np.array([RGB, RGB[:3]], dtype=object), r"several sizes; pass list\(images\)"),
        (object(), "got object"),
    ],
)
def test_what_is_no_image_is_refused_in_words_that_name_it(image: object, words: str) -> None:
    with pytest.raises(knuckle.InputError, match=words):
        as_rgb(image)
    with pytest.raises(ValueError, match=words):  # also what a caller without our names would catch
        as_rgb(image)


def test_every_message_about_an_array_says_rgb() -> None:
    for wrong in (np.zeros((4, 4, 3), np.float32), np.zeros((3, 4, 5), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(knuckle.InputError, match=r"^expected RGB uint8"):
            as_rgb(wrong)


def test_order_bgr_swaps_the_channels_of_arrays_and_of_nothing_else() -> None:
    assert np.array_equal(as_rgb(RGB[..., ::-1], "bgr"), RGB)
    assert np.array_equal(as_rgb(np.dstack([RGB[..., ::-1], RGB[..., :1]]), "bgr"), RGB)
    assert np.array_equal(as_rgb(RGB[..., ::-1].astype(np.uint16) << 8, "bgr"), RGB)
    assert np.array_equal(as_rgb(RGB[..., 0], "bgr"), as_rgb(RGB[..., 0]))
    assert np.array_equal(as_rgb(Image.fromarray(RGB), "bgr"), RGB)
    with pytest.raises(knuckle.InputError, match="order must be 'rgb' or 'bgr', got 'gbr'"):
        as_rgb(RGB, "gbr")  # type: ignore[arg-type]


def test_a_torch_tensor_is_refused_with_the_way_to_convert_it() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(knuckle.InputError, match=r"a Tensor; pass a NumPy array: tensor\.permute"):
        as_rgb(torch.zeros(3, 4, 4))
