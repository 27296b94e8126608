"""Draws the page's sample video: two waving hands, six seconds that loop seamlessly.

It is written as `public/sample.mp4`, and as `public/sample.webm` for browsers that cannot decode H.264.

python web/page/make_sample.py
"""

import sys
from collections.abc import Iterator
from math import cos, pi, sin
from pathlib import Path

import av

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from scene import blank, draw_hand  # noqa: E402

from knuckle.images import Image  # noqa: E402

RATE, SECONDS, WIDTH, HEIGHT = 30, 6, 640, 400


# The file's ending: its encoder and the encoder's options.
FORMATS = {
    "mp4": ("libx264", {"crf": "24", "preset": "slow"}, {"movflags": "faststart"}),
    "webm": ("libvpx-vp9", {"crf": "34", "b": "0", "cpu-used": "1"}, {}),
}


def frames() -> Iterator[Image]:
    for k in range(RATE * SECONDS):
        turn = 2 * pi * k / (RATE * SECONDS)
        image = blank(WIDTH, HEIGHT)
        draw_hand(image, 185 + 30 * sin(turn), 205 + 14 * cos(2 * turn), 205, 0.12 + 0.2 * sin(2 * turn))
        x, y, size = 455 - 30 * sin(turn), 205 - 14 * sin(2 * turn), 205 + 22 * sin(turn)
        yield draw_hand(image, x, y, size, -0.1 + 0.22 * cos(turn), right=True)


def main() -> None:
    for ending, (codec, options, container_options) in FORMATS.items():
        with av.open(str(HERE / "public" / f"sample.{ending}"), "w", options=container_options) as container:
            stream = container.add_stream(codec, rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for image in frames():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
