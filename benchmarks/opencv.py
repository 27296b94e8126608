"""Whether Knuckle could do without OpenCV: crops, drawing, colours and a window, and the same with other packages.

`python benchmarks/opencv.py` writes benchmarks/results/opencv.json.

All run on one thread, in turn in the same process, on a frame of 1280 × 960.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as pillow
from PIL import ImageDraw

import knuckle
from knuckle.geometry import crop, image_from_crop
from knuckle.results import Roi

RESULT = Path(__file__).resolve().parent / "results" / "opencv.json"
CLIP = Path(__file__).resolve().parents[1] / "examples" / "hands.mp4"
SHOWN = 60  # a frame with two hands
REGION, SIDE, REPEATS = Roi(600, 360, 380, 0.4), 224, 40


def crop_with_pillow(image: Any, roi: Roi) -> Any:
    """The crop, bilinear, without the reference's steps of 1/32 pixel."""
    affine = image_from_crop(roi, SIDE)
    reach = roi.size / 2 * (abs(math.cos(roi.angle_rad)) + abs(math.sin(roi.angle_rad))) + 2
    left, top = max(0, int(roi.x - reach)), max(0, int(roi.y - reach))
    affine[:, 2] -= left, top
    affine[:, 2] += 0.5 - affine[:, :2].sum(axis=1) / 2  # Pillow's pixels have their centres at 0.5
    near = pillow.fromarray(image[top : int(roi.y + reach) + 1, left : int(roi.x + reach) + 1])
    turned = near.transform((SIDE, SIDE), pillow.Transform.AFFINE, affine.ravel().tolist(), pillow.Resampling.BILINEAR)
    return np.asarray(turned)


def crop_with_numpy(image: Any, roi: Roi) -> Any:
    """The crop as OpenCV computes it: bilinear in steps of 1/32 pixel, in whole numbers; inside of the image only.

    The three channels of a pixel are packed into one number of 64 bits, so that all are weighted at once.
    """
    affine = image_from_crop(roi, SIDE)
    reach = roi.size / 2 * (abs(math.cos(roi.angle_rad)) + abs(math.sin(roi.angle_rad))) + 2
    left, top = max(0, int(roi.x - reach)), max(0, int(roi.y - reach))
    near = image[top : int(roi.y + reach) + 2, left : int(roi.x + reach) + 2].astype(np.uint64)
    width = near.shape[1]
    packed = (near[..., 0] | (near[..., 1] << 21) | (near[..., 2] << 42)).ravel()
    affine[:, 2] -= left, top
    ticks = np.arange(SIDE, dtype=np.float32)
    x, y = (
        np.rint(32 * np.add.outer(row[1] * ticks + row[2], row[0] * ticks)).astype(np.int32)
        for row in affine.astype(np.float32)
    )
    first = np.clip((y >> 5) * width + (x >> 5), 0, packed.size - width - 2)
    dx, dy = x & 31, y & 31
    total = packed.take(first) * ((32 - dx) * (32 - dy)).astype(np.uint64)
    total += packed.take(first + 1) * (dx * (32 - dy)).astype(np.uint64)
    total += packed.take(first + width) * ((32 - dx) * dy).astype(np.uint64)
    total += packed.take(first + width + 1) * (dx * dy).astype(np.uint64)
    total += np.uint64(512 | (512 << 21) | (512 << 42))
    return np.stack([total >> shift for shift in (10, 31, 52)], axis=-1).astype(np.uint8)


def draw_with_pillow(image: Any, hands: Any) -> Any:
    """Bones and joints, smooth as OpenCV's: drawn four times as large around each hand, then reduced."""
    picture = pillow.fromarray(image)
    for hand in hands:
        x0, y0, x1, y1 = (hand.box + np.array([-12, -12, 12, 12])).round().astype(int).tolist()
        large = pillow.new("RGBA", (4 * (x1 - x0), 4 * (y1 - y0)))
        pen = ImageDraw.Draw(large)
        points = (4 * (hand.landmarks[:, :2] - [x0, y0])).tolist()
        for a, b in knuckle.HAND_CONNECTIONS:
            pen.line([*points[a], *points[b]], fill=(96, 214, 120, 255), width=16)
        for x, y in points:
            pen.ellipse([x - 16, y - 16, x + 16, y + 16], fill=(255, 205, 60, 255))
        small = large.reduce(4)
        picture.paste(small, (x0, y0), small)
    return np.asarray(picture)


def planes_with_pyav(image: Any, scaler: Any) -> Any:
    """The colours of a video, by FFmpeg's scaler."""
    import av

    return scaler.reformat(av.VideoFrame.from_ndarray(image, format="rgb24"), format="yuv420p")


def milliseconds(task: Callable[[], object]) -> float:
    """The fastest of several runs, since other programs only slow runs down."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        task()
        times.append(1000 * (time.perf_counter() - start))
    return round(min(times), 2)


def windows(image: Any) -> dict[str, float]:
    """The time of showing one frame; without a screen or an OpenCV with windows, some or all are missing.

    OpenCV's windows hang if PyAV was imported before OpenCV, so this comes first.
    """
    if not os.environ.get("DISPLAY"):
        return {}
    from knuckle.media.screen import Screen

    found = {}
    with suppress(cv2.error):  # an OpenCV without windows
        cv2.namedWindow("OpenCV", cv2.WINDOW_NORMAL)
        cv2.resizeWindow("OpenCV", image.shape[1], image.shape[0])

        def show() -> None:
            cv2.imshow("OpenCV", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            cv2.waitKey(1)

        found["OpenCV"] = milliseconds(show)
        cv2.destroyAllWindows()
    screen = Screen("Tk")
    screen.put(image)
    found["Tk"] = milliseconds(lambda: screen.put(image))
    screen.close()
    return found


def main() -> None:
    cv2.setNumThreads(1)
    shown = windows(np.tile(np.arange(1280, dtype=np.uint8)[:, None], (960, 1, 3)))
    frame = next(frame.image for frame in knuckle.read(CLIP) if frame.index == SHOWN)
    image = np.ascontiguousarray(cv2.resize(frame, (1280, 960), interpolation=cv2.INTER_CUBIC))
    hands = knuckle.detect(image, "knuckle")
    from av.video.reformatter import VideoReformatter  # after the windows, see there

    scaler = VideoReformatter()
    differing = np.mean(crop_with_numpy(image, REGION) != crop(image, REGION, SIDE))
    assert len(hands) == 2 and differing < 0.01, (len(hands), differing)
    found = {
        "one crop of 224 px": {
            "OpenCV": milliseconds(lambda: crop(image, REGION, SIDE)),
            "Pillow": milliseconds(lambda: crop_with_pillow(image, REGION)),
            "NumPy": milliseconds(lambda: crop_with_numpy(image, REGION)),
        },
        "drawing two hands": {
            "OpenCV": milliseconds(lambda: knuckle.draw_hands(image, hands)),
            "Pillow": milliseconds(lambda: draw_with_pillow(image, hands)),
        },
        "colours of a video frame": {
            "OpenCV": milliseconds(lambda: cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)),
            "PyAV": milliseconds(lambda: planes_with_pyav(image, scaler)),
        },
        "a frame in a window": shown,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
