"""Frames of a clip in any order are those that reading it from the start gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import write_clip
from scene import blank

from knuckle.datasets import file_of, open_image
from knuckle.datasets.image_source import moment_in
from knuckle.errors import SourceError
from knuckle.images import Image
from knuckle.media import clip_frames
from knuckle.media.clip_frames import ClipFrames
from knuckle.media.sources import read

COUNT = 70


@pytest.fixture(scope="module", params=[None, "uneven"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames that differ by a moving bar, at even times and at uneven ones."""
    images = []
    for k in range(COUNT):
        image: Image = blank(160, 96)
        image[:, 2 * k : 2 * k + 12] = 20
        images.append(image)
    path = tmp_path_factory.mktemp("clip") / "bar.mp4"
    times = [0.04 * k + 0.013 * (k % 3) for k in range(COUNT)] if request.param else None
    write_clip(path, images, 25, times=times)
    return path


def test_frames_come_in_any_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_frames, "MEMORY", 6 * 160 * 96 * 3)  # so that most are decoded again
    monkeypatch.setattr(clip_frames, "BEHIND", 3)
    with read(str(path)) as reader:
        known = [(frame.time_s, frame.image) for frame in reader]
    frames = ClipFrames(str(path))
    assert len(frames) == len(known) == COUNT and frames.size == (160, 96) and not frames.problem
    assert frames.times_s == [time_s for time_s, _ in known]
    order = [0, 1, 2, 69, 68, 67, 66, 65, 30, 29, 31, 5, 60, 0, 61]
    for number in order:
        np.testing.assert_array_equal(frames.image(number), known[number][1])
    with pytest.raises(SourceError, match="no frame 70"):
        frames.image(COUNT)
    frames.close()
    for number in (0, 1, 33, 69):
        source = moment_in(str(path), known[number][0])
        np.testing.assert_array_equal(open_image(source), known[number][1])
        assert file_of(source) == str(path)


def test_a_moment_that_is_not_there_is_said(path: Path, tmp_path: Path) -> None:
    for source, says in ((f"{path}#t=99", "no frame at 99 s"), (f"{path}#t=soon", "names no frame")):
        with pytest.raises(SourceError, match=says):
            open_image(source)
    (tmp_path / "no.mp4").write_bytes(b"no clip")
    with pytest.raises(SourceError):
        ClipFrames(str(tmp_path / "no.mp4"))
