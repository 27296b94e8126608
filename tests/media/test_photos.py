"""Photos in every format, large ones, damaged ones, animations."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import two_hands
from PIL import Image as pillow

import knuckle
from knuckle import SourceError
from knuckle.datasets.image_source import open_image
from knuckle.datasets.parsing import image_size
from knuckle.images import Image
from knuckle.media import photo_files
from knuckle.media.photo_files import load_image, read_pictures
from knuckle.media.sources import read

pillow_heif = pytest.importorskip("pillow_heif")
pillow_heif.register_heif_opener()

CORNERS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30)]
FORMATS = {
    "jpg": {"quality": 95},
    "png": {},
    "webp": {"quality": 95},
    "tif": {},
    "heic": {"quality": 95},
    "avif": {"quality": 95},
}


def corners(width: int = 96, height: int = 64) -> Image:
    """A picture whose four quarters have different colours, so that no turned copy looks like it."""
    image = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(CORNERS):
        rows = slice(0, height // 2) if number < 2 else slice(height // 2, height)
        columns = slice(0, width // 2) if number % 2 == 0 else slice(width // 2, width)
        image[rows, columns] = colour
    return image


def differs(a: Image, b: Image) -> float:
    """Mean difference, which is large for pictures of another size."""
    return float(np.abs(a.astype(int) - b).mean()) if a.shape == b.shape else 255.0


def stored(upright: Image, orientation: int) -> Image:
    """The pixels as a camera stores them, to be shown upright by this EXIF orientation."""
    across = {5: lambda a: a.transpose(1, 0, 2), 7: lambda a: np.rot90(a, 2).transpose(1, 0, 2)}
    flips = {2: np.fliplr, 4: np.flipud, **across}
    turns = {1: 0, 3: 2, 6: 1, 8: -1}
    turned = flips[orientation](upright) if orientation in flips else np.rot90(upright, turns[orientation])
    return np.ascontiguousarray(turned)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{suffix}"
    pillow.fromarray(stored(corners(), orientation)).save(path, exif=exif.tobytes(), **FORMATS[suffix])
    assert differs(load_image(path), corners()) < 6
    assert image_size(path) == (96, 64)


@pytest.mark.parametrize("suffix", ["jp2", "j2k", "gif", "bmp", "ppm", "tga", *FORMATS])
def test_every_format_is_a_photo_of_its_own_size(tmp_path: Path, suffix: str) -> None:
    pillow.fromarray(corners()).save(tmp_path / f"photo.{suffix}")
    reader = read(tmp_path / f"photo.{suffix}")
    (frame,) = reader
    assert reader.kind == "image" and differs(frame.image, corners()) < 8 and not reader.notes


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("CMYK", "jpg"), ("CMYK", "tif"), ("P", "png"), ("P", "gif"), ("RGBA", "png"), ("RGBA", "webp")),
        *(("RGBA", "heic"), ("RGBA", "avif"), ("RGBA", "tif"), ("YCbCr", "jpg"), ("RGBA", "jp2")),
    ],
)
def test_colours_survive_every_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    picture = pillow.fromarray(corners())
    (picture.quantize(8) if mode == "P" else picture.convert(mode)).save(path)
    assert differs(load_image(path), corners()) < 8


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16", "F", "I"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_of_any_depth_is_gray(tmp_path: Path, mode: str, suffix: str) -> None:
    gray = np.zeros((64, 96), np.uint8)
    gray[:, 48:] = 255
    deep = {"I;16": gray.astype(np.uint16) * 257, "I": gray.astype(np.int32) * 257, "F": gray.astype(np.float32) / 255}
    image = pillow.fromarray(deep[mode]) if mode in deep else pillow.fromarray(gray).convert(mode)
    path = tmp_path / f"gray.{suffix}"
    try:
        image.save(path)
    except OSError:
        pytest.skip(f"{suffix} cannot hold {mode}")
    assert differs(load_image(path), np.repeat(gray[..., None], 3, 2)) < 2


def test_colours_of_16_bits_are_read(tmp_path: Path) -> None:
    import cv2

    for suffix in ("png", "tif"):
        cv2.imwrite(str(tmp_path / f"deep.{suffix}"), corners()[..., ::-1].astype(np.uint16) * 257)
        assert differs(load_image(tmp_path / f"deep.{suffix}"), corners()) < 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_heic_photo_of_tiles_is_read_whole(tmp_path: Path, orientation: int) -> None:
    """iPhones store tiles of 512 pixels; the first of them is not the photo."""
    exif = pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "tiles.heic"
    pillow.fromarray(stored(corners(1000, 700), orientation)).save(path, tile_size=256, exif=exif.tobytes())
    assert b"grid" in path.read_bytes()
    (frame,) = read(path)
    assert (frame.width, frame.height) == (1000, 700) and differs(frame.image, corners(1000, 700)) < 6


def test_each_page_of_a_tiff_is_a_photo_and_thumbnails_are_not(tmp_path: Path) -> None:
    pages = [pillow.fromarray(np.full((20, 30 + k, 3), 60 * k, np.uint8)) for k in range(4)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    reader = read(tmp_path / "scan.tif")
    frames = list(reader)
    assert reader.kind == "image" and [frame.width for frame in frames] == [30, 31, 32, 33]
    assert [frame.index for frame in frames] == [0, 1, 2, 3] and reader.frame_count == 4
    small = pages[1].copy()
    small.encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "with thumbnail.tif", save_all=True, append_images=[small])
    assert [frame.width for frame in read(tmp_path / "with thumbnail.tif")] == [30]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_animations_are_clips_with_their_own_pauses(tmp_path: Path, suffix: str) -> None:
    pictures = [pillow.fromarray(np.full((64, 64, 3), 60 * k, np.uint8)) for k in range(4)]
    path = tmp_path / f"moving.{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    reader = read(path)
    frames = list(reader)
    assert (reader.kind, reader.frame_count, len(frames)) == ("video", 4, 4)
    assert reader.rate == pytest.approx(25)
    assert np.allclose([frame.time_s for frame in frames], [0, 0.04, 0.08, 0.12])
    assert [round(frame.image.mean() / 60) for frame in frames] == [0, 1, 2, 3]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "jp2", "avif", "heic", "bmp"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9])
def test_cut_off_photos_are_named(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    pillow.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SourceError, match=rf"cut\.{suffix}.*(cut off|not an image)") as caught:
            load_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "jp2", "avif", "heic"])
def test_damaged_photos_give_pixels_or_a_source_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(1)
    pillow.fromarray(corners()).save(tmp_path / f"good.{suffix}")
    data = np.frombuffer((tmp_path / f"good.{suffix}").read_bytes(), np.uint8)
    outcomes = set()
    for _ in range(60):
        damaged = data.copy()
        damaged[rng.integers(0, len(data), 8)] = rng.integers(0, 256, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcomes.add(next(read_pictures(io.BytesIO(damaged.tobytes()), f"x.{suffix}")).image.ndim)
            except SourceError:
                outcomes.add(0)
    assert outcomes <= {0, 3}


def test_raw_files_and_jpeg_xl_say_what_to_do(tmp_path: Path) -> None:
    pillow.fromarray(corners()).save(tmp_path / "photo.tif")
    (tmp_path / "photo.tif").rename(tmp_path / "photo.NEF")
    with pytest.raises(SourceError, match=r"photo\.NEF is a raw file.*convert it"):
        list(read(tmp_path / "photo.NEF"))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\x0a" + bytes(40))
    with pytest.raises(SourceError, match="JPEG XL"):
        list(read(tmp_path / "photo.jpg"))


def test_without_pillow_heif_other_photos_are_read_and_heic_says_what_is_missing(tmp_path: Path) -> None:
    for suffix in ("jpg", "heic"):
        pillow.fromarray(corners()).save(tmp_path / f"photo.{suffix}")
    code = (
        "import sys; sys.modules['pillow_heif'] = None; import knuckle\n"
        "reader = knuckle.read(sys.argv[1]); print(len(list(reader)), reader.problems[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1 ") and "photo.heic" in done.stdout and "pip install pillow-heif" in done.stdout


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "jp2", "heic", "gif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_photos_are_read_smaller_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, orientation: int
) -> None:
    if orientation != 1 and suffix in ("jp2", "gif"):
        pytest.skip("has no EXIF")
    monkeypatch.setattr(photo_files, "FULL_PIXELS", 500_000)
    exif = pillow.Exif()
    exif[0x0112] = orientation
    upright = corners(1200, 900)
    path = tmp_path / f"large.{suffix}"
    with_exif = {"exif": exif.tobytes()} if suffix not in ("jp2", "gif") else {}
    pillow.fromarray(stored(upright, orientation)).save(path, **with_exif)
    reader = read(path)
    (frame,) = reader
    assert frame.width * frame.height <= 500_000 and frame.width / frame.height == pytest.approx(4 / 3, abs=0.01)
    assert differs(frame.image, corners(frame.width, frame.height)) < 8
    (note,) = reader.notes
    assert "1200 × 900" in note and f"{frame.width} × {frame.height}" in note
    list(reader)
    assert len(reader.notes) == 1
    with pytest.raises(SourceError, match="its labels"):
        open_image(str(path))


def test_sides_beyond_opencv_are_read_smaller(tmp_path: Path) -> None:
    wide = np.zeros((40, 40_000, 3), np.uint8)
    wide[:, 20_000:] = 255
    pillow.fromarray(wide).save(tmp_path / "wide.jpg")
    (frame,) = read(tmp_path / "wide.jpg")
    assert (frame.width, frame.height) == (20_000, 20) and frame.image[:, 15_000:].min() > 250
    assert knuckle.detect(frame.image, max_hands=1) == []


def test_above_the_limit_a_photo_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_files, "MAX_PIXELS", 1_000_000)
    monkeypatch.setattr(photo_files, "FULL_PIXELS", 500_000)
    for suffix, options in {"png": {}, "jpg": {"progressive": True}}.items():
        pillow.new("RGB", (1200, 900)).save(tmp_path / f"x.{suffix}", **options)
        with pytest.raises(SourceError, match=r"1200 × 900 pixels; (PNG|JPEG) files are read up to 1 megapixels"):
            load_image(tmp_path / f"x.{suffix}")
    pillow.new("RGB", (1200, 900)).save(tmp_path / "baseline.jpg")
    assert load_image(tmp_path / "baseline.jpg").shape == (450, 600, 3)


def test_pillow_keeps_its_own_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 100)
    pillow.fromarray(corners()).save(tmp_path / "photo.png")
    assert load_image(tmp_path / "photo.png").shape == (64, 96, 3)
    assert pillow.MAX_IMAGE_PIXELS == 100


def test_a_tracker_takes_a_folder_of_photos_one_by_one(tmp_path: Path) -> None:
    """Photos are independent: a photo without hands between two others changes nothing."""
    for number, width in ((1, 640), (2, 320), (10, 640)):
        image = np.full((240, width, 3), 200, np.uint8) if number == 2 else two_hands(0.0, width, 240)
        pillow.fromarray(image).save(tmp_path / f"{number}.png")
    tracker = knuckle.HandTracker("knuckle")
    found = []
    for frame in read(tmp_path):
        found.append([(hand.landmarks.tolist(), hand.track_id) for hand in tracker(frame.image, frame.time_s)])
        alone = knuckle.detect(frame.image, "knuckle")
        assert found[-1] == [(hand.landmarks.tolist(), None) for hand in alone]
    assert [len(hands) > 0 for hands in found] == [True, False, True]
