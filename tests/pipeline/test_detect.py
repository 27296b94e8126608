"""`detect` and its like on everything they take: paths, PIL images, arrays in either order, and lists of them."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import cv2
import numpy as np
import pytest
from conftest import make_hand, two_hands
from PIL import Image as pillow
from scene import blank, draw_hand

import knuckle
from knuckle import HandTracker, InputError, SourceError
from knuckle.images import Image
from knuckle.media.inputs import shown_in
from knuckle.pipeline.detect import BATCH
from knuckle.pipeline.options import OptionKeywords, TrackerOptions
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand
from knuckle.testing import FakeNetwork


@pytest.fixture(scope="module")
def images() -> list[Image]:
    """Images of several sizes with no, one or two hands, more than one batch of them."""
    one = draw_hand(blank(320, 400), 160, 220, 180)
    return [two_hands(0.4), blank(), one, two_hands(0.7, 800, 500), one[:, ::-1].copy()] * 2 + [blank(200, 200)]


def alike(one: list[Hand], other: list[Hand]) -> bool:
    """Equal up to the rounding of the engine, which may use other threads."""
    return len(one) == len(other) and all(
        np.allclose(a.landmarks, b.landmarks, atol=0.05) and a.handedness == b.handedness and a.roi == b.roi
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("bundle", ["mediapipe", "knuckle"])
def test_a_list_gives_for_each_image_what_it_gives_alone_in_order(bundle: str, images: list[Image]) -> None:
    assert len(images) > BATCH
    together = knuckle.detect(images, bundle)
    assert [len(hands) for hands in together] == [2, 0, 1, 2, 1] * 2 + [0]
    assert all(alike(hands, knuckle.detect(image, bundle)) for hands, image in zip(together, images, strict=True))
    assert all(map(alike, knuckle.detect(tuple(images), bundle, max_hands=1), [hands[:1] for hands in together]))
    palms = knuckle.detect_palms(images, bundle)
    alone = [knuckle.detect_palms(image, bundle) for image in images]
    assert [[round(palm.score, 3) for palm in these] for these in palms] == [
        [round(palm.score, 3) for palm in these] for these in alone
    ]


def test_each_network_is_called_once_for_a_batch_and_again_for_the_second_look(
    networks: Networks, images: list[Image]
) -> None:
    palm, hand = FakeNetwork(192, networks.palm), FakeNetwork(224, networks.hand)
    counted = replace(networks, palm=palm, hand=hand)
    knuckle.detect(images[:5], counted)
    assert (palm.calls, hand.calls) == ([5], [6])
    knuckle.detect(images[:5], counted, second_look=True)
    assert (palm.calls, hand.calls) == ([5, 5], [6, 6, 6])
    assert knuckle.detect([blank()] * 3, counted) == [[], [], []] and hand.calls == [6, 6, 6]
    assert knuckle.detect([], counted) == [] and palm.calls == [5, 5, 3]


def test_a_long_list_is_opened_a_few_at_a_time(networks: Networks) -> None:
    seen: list[int] = []

    def given() -> Iterator[Image]:
        for k in range(3 * BATCH + 1):
            seen.append(k)
            yield blank(64, 64)

    behind: list[int] = []

    def palms(pictures: np.ndarray) -> dict[str, Any]:
        behind.append(len(seen))
        return networks.palm(pictures)

    assert knuckle.detect(given(), replace(networks, palm=FakeNetwork(192, palms))) == [[]] * (3 * BATCH + 1)
    assert behind == [2 * BATCH, 3 * BATCH, 3 * BATCH + 1, 3 * BATCH + 1]  # at most one batch ahead


def test_paths_pil_images_and_arrays_of_both_orders_give_the_same_hands(tmp_path: Path) -> None:
    rgb, path = two_hands(0.4), tmp_path / "hände.png"
    pillow.fromarray(rgb).save(path)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    hands = knuckle.detect(rgb)
    assert len(hands) == 2
    for given, order in ((path, "rgb"), (str(path), "bgr"), (pillow.fromarray(rgb), "bgr"), (bgr, "bgr")):
        assert knuckle.detect(given, order=order) == hands
        assert knuckle.detect_palms(given, order=order) == knuckle.detect_palms(rgb)
        assert knuckle.landmarks_in(given, [hands[0].roi], order=order) == knuckle.landmarks_in(rgb, [hands[0].roi])
    mixed = knuckle.detect([path, pillow.fromarray(rgb), bgr], order="bgr")
    assert all(alike(found, hands) for found in mixed)
    assert HandTracker(order="bgr")(bgr) == HandTracker()(rgb)
    with pytest.raises(InputError, match="order must be 'rgb' or 'bgr'"):
        HandTracker(order="hsv")  # type: ignore[arg-type]


def test_a_bgr_image_is_read_as_rgb_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "hand.png"
    pillow.fromarray(two_hands(0.4)).save(path)
    read_by_opencv = cv2.imread(str(path))
    assert read_by_opencv is not None
    assert alike(knuckle.detect(read_by_opencv, order="bgr"), knuckle.detect(path))
    assert not alike(knuckle.detect(read_by_opencv), knuckle.detect(path))


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (None, InputError, "cv2.imread returns None"),
        (np.zeros((2, 8, 8, 3), np.uint8), InputError, r"list\(batch\)"),
        (np.zeros((3, 8, 9), np.uint8), InputError, r"transpose\(1, 2, 0\)"),
        ((True, np.zeros((8, 8, 3), np.uint8)), InputError, "ok, image = capture.read"),
        (io.BytesIO(b"1\n2"), InputError, r"an open file; pass its path, or PIL\.Image\.open"),
        (deque(["hand.png"]), InputError, r"knuckle\.detect\(list\(images\)\)"),
        (np.array(["hand.png"]), InputError, r"holds text; pass list\(paths\)"),
        ("", SourceError, "path of the photo is empty"),
        ("*.png", SourceError, r"a pattern; pass a list of files, such as sorted\(glob\.glob\('\*\.png'\)\)"),
        ("hamd.png", SourceError, r"there is no file hamd\.png; did you mean hand\.png\?"),
        ("nowhere/hand.png", SourceError, "nor a folder nowhere; paths start from"),
        ("zzz.tiff", SourceError, "there is no file zzz.tiff in .*check the path"),
        (".", SourceError, r"is a folder; loop over knuckle\.read\('\.'\)"),
        ("clip.mp4", SourceError, r"is a video; loop over knuckle\.HandTracker\(\)\.track\('clip\.mp4'\)"),
        ("https://example.org/hand.jpg", SourceError, "must be downloaded first"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_fix(
    given: Any, kind: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow.fromarray(blank(64, 64)).save(tmp_path / "hand.png")
    (tmp_path / "clip.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for call in (knuckle.detect, knuckle.detect_palms, lambda image: knuckle.landmarks_in(image, [])):
        with pytest.raises(kind, match=words):
            call(given)
    with pytest.raises(kind, match=f"^image 1 of the list: .*{words}"):
        knuckle.detect(["hand.png", given])


def test_pixels_as_nested_lists_are_refused_with_the_fix() -> None:
    with pytest.raises(InputError, match=r"np\.array\(rows, np\.uint8\)"):
        knuckle.detect(blank(4, 4).tolist())


@pytest.mark.parametrize("rois", [None, [[1, 2, 3, 4]], knuckle.Roi(1, 2, 3)])
def test_regions_that_are_no_list_of_regions_are_refused(rois: Any) -> None:
    with pytest.raises(InputError, match="must be a list of Roi"):
        knuckle.landmarks_in(blank(8, 8), rois)


@pytest.mark.parametrize("box", [[1, 2, 3], [[1, 2, 3, 4]], None])
def test_a_box_of_anything_but_four_numbers_is_refused(box: Any) -> None:
    with pytest.raises(InputError, match="a box is x0, y0, x1, y1"):
        knuckle.Roi.around(box)


def test_images_are_no_source_and_the_message_is_short() -> None:
    with pytest.raises(SourceError, match=r"images to knuckle\.detect") as caught:
        list(HandTracker().track([blank(640, 480)]))
    assert len(str(caught.value)) < 200


def test_a_missing_file_of_a_list_is_noticed_before_any_work(networks: Networks, tmp_path: Path) -> None:
    palm = FakeNetwork(192, networks.palm)
    paths = [tmp_path / f"{k}.png" for k in range(BATCH + 2)]
    for path in paths[:-1]:
        pillow.fromarray(blank(64, 64)).save(path)
    with pytest.raises(SourceError, match=f"image {BATCH + 1} of the list: there is no file"):
        knuckle.detect(paths, replace(networks, palm=palm))
    assert palm.calls == []


def test_hands_show_the_image_while_the_caller_keeps_it(tmp_path: Path) -> None:
    rgb = two_hands(0.4)
    path = tmp_path / "hand.png"
    pillow.fromarray(rgb).save(path)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    for hands in (knuckle.detect(bgr, order="bgr"), knuckle.detect(path), HandTracker()(rgb), knuckle.detect([rgb])[0]):
        picture = hands[0].picture
        assert picture is not None and np.array_equal(picture(), rgb)
        assert "data:image/jpeg" in hands[0]._repr_html_()
    (from_file, *_), (from_array, *_) = knuckle.detect(path), knuckle.detect(rgb.copy())
    path.unlink()
    for hand in (from_file, from_array):
        assert "data:image" not in hand._repr_html_() and "<svg" in hand._repr_html_()
    assert shown_in([], rgb) == [] and shown_in([make_hand()], rgb) == [make_hand()]


def test_options_as_keywords_are_the_fields_of_the_options() -> None:
    hints = get_type_hints(TrackerOptions)
    assert get_type_hints(OptionKeywords) == {field.name: hints[field.name] for field in fields(TrackerOptions)}
    with pytest.raises(InputError, match="no option called oops; options are: max_hands, "):
        knuckle.detect(blank(), oops=3)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="options must be a TrackerOptions, got 4"):
        HandTracker("mediapipe", 4)  # type: ignore[arg-type]
