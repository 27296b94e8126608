"""Make docs/images/tracking.webp, the animation of the README: `python docs/make_animation.py CLIP CLIP`.

`knuckle track` tracks and draws the clips. This script puts them side by side and writes an animated WebP. The clips
are not part of this repository. docs/images/CREDITS.md names their source and licence.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import knuckle

TARGET = Path(__file__).resolve().parent / "images" / "tracking.webp"
SIZE = (400, 300)  # pixels of one clip
FRAMES = 44
MILLISECONDS = 100  # the clips have 10 frames a second


def main(clips: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        columns = [drawn_frames(clip, Path(folder) / f"{k}.mp4") for k, clip in enumerate(clips)]
    rows = [Image.fromarray(np.hstack(frames)) for frames in zip(*columns, strict=True)]
    rows[0].save(
        TARGET,
        save_all=True,
        append_images=rows[1:],
        duration=MILLISECONDS,
        loop=0,
        quality=55,
        method=6,
        minimize_size=True,
    )


def drawn_frames(clip: str, video: Path) -> list[np.ndarray]:
    """The first frames of a clip, as `knuckle track` draws them, scaled to SIZE."""
    track = [sys.executable, "-m", "knuckle", "track", clip, "--out", str(video)]
    subprocess.run(track, check=True)
    frames = [Image.fromarray(frame.image).resize(SIZE, Image.Resampling.LANCZOS) for frame in knuckle.read(video)]
    return [np.asarray(frame) for frame in frames[:FRAMES]]


if __name__ == "__main__":
    main(sys.argv[1:])
