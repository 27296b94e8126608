"""Draws the page's sample video, `public/sample.mp4`: two waving hands, six seconds that loop seamlessly.

python web/page/make_sample.py
"""

import sys
from math import cos, pi, sin
from pathlib import Path

import av

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from scene import blank, draw_hand  # noqa: E402

RATE, SECONDS, WIDTH, HEIGHT = 30, 6, 640, 400


def main() -> None:
    with av.open(str(HERE / "public" / "sample.mp4"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "24", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for k in range(RATE * SECONDS):
            turn = 2 * pi * k / (RATE * SECONDS)
            image = blank(WIDTH, HEIGHT)
            draw_hand(image, 185 + 30 * sin(turn), 205 + 14 * cos(2 * turn), 205, 0.12 + 0.2 * sin(2 * turn))
            size = 205 + 22 * sin(turn)
            draw_hand(image, 455 - 30 * sin(turn), 205 - 14 * sin(2 * turn), size, -0.1 + 0.22 * cos(turn), right=True)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
