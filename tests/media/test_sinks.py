from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import make_hand
from PIL import Image as pillow
from pyarrow import csv, parquet

from knuckle import InputError, SinkError
from knuckle.media.columns import HAND_COLUMNS, HANDS_FORMAT, hand_schema
from knuckle.media.output_names import OutputNames
from knuckle.media.sinks import ImageSink, InBackground, Origin, VideoSink, data_sink
from knuckle.media.sources import read
from knuckle.results import Frame, Hand, HandLandmark, Palm

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
FRAMES = [
    (Frame(IMAGE, k, k / 30, "clip.mp4"), [make_hand(10 + k), make_hand(40, side="Right")][: k % 3]) for k in range(9)
]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_has_one_row_per_hand_per_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new folder" / f"hands.{suffix}"
    with data_sink(path) as sink:
        for frame, hands in FRAMES:
            sink.write(frame, hands)
    table = (parquet.read_table if suffix == "parquet" else csv.read_csv)(path)
    rows = table.to_pylist()
    written = [(frame, index, hand) for frame, hands in FRAMES for index, hand in enumerate(hands)]
    assert len(rows) == len(written) == 9
    for row, (frame, index, hand) in zip(rows, written, strict=True):
        assert (row["format"], row["frame"], row["hand"]) == (HANDS_FORMAT, frame.index, index)
        assert (row["source"], row["width_px"], row["height_px"]) == ("clip.mp4", 64, 48)
        assert row["handedness"] == hand.handedness and row["time_s"] == pytest.approx(frame.time_s)
        for point in HandLandmark:
            got = [row[f"{point.name.lower()}_{axis}_px"] for axis in "xyz"]
            assert np.allclose(got, hand.landmarks[point], atol=1e-3)
            assert np.allclose(row[f"{point.name.lower()}_world_x_m"], hand.world[point, 0], atol=1e-5)
    if suffix == "parquet":
        assert table.schema.metadata[b"format"] == HANDS_FORMAT.encode()


def test_the_browser_page_writes_the_same_columns() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
    import make_web_constants as web

    assert web.COLUMNS_TARGET.read_text() == web.columns(), "run: python docs/make_web_constants.py"
    assert list(HAND_COLUMNS) == hand_schema().names


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_file_without_hands_can_be_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none.{suffix}"
    data_sink(path).close()
    if suffix == "jsonl":
        assert path.read_text() == ""
    else:
        assert (parquet.read_table if suffix == "parquet" else csv.read_csv)(path).num_rows == 0


def test_jsonl_has_one_object_per_frame_in_the_documented_shape(tmp_path: Path) -> None:
    path = tmp_path / "hands.jsonl"
    with data_sink(path) as sink:
        for frame, hands in FRAMES:
            sink.write(frame, hands)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(9))
    assert list(rows[0]) == ["frame", "time_s", "source", "width", "height", "hands"]
    keys = ["track_id", "handedness", "handedness_score", "presence", "palm_score", "landmarks", "world", "visibility"]
    keys += ["landmark_std", "gesture", "gesture_score"]
    for row, (_, hands) in zip(rows, FRAMES, strict=True):
        assert all(list(hand) == keys for hand in row["hands"])
        back = [Hand.from_dict(hand) for hand in row["hands"]]
        assert all(np.allclose(a.landmarks, b.landmarks, atol=1e-3) for a, b in zip(back, hands, strict=True))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_palms_are_written_in_their_own_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"palms.{suffix}"
    with data_sink(path, palms=True) as sink:
        sink.write(FRAMES[0][0], [Palm(np.arange(4.0), np.arange(14.0).reshape(7, 2), 0.75)])
        sink.write(FRAMES[1][0], [])
    if suffix == "jsonl":
        rows = [json.loads(line)["palms"] for line in path.read_text().splitlines()]
        assert [len(row) for row in rows] == [1, 0] and rows[0][0]["box"] == [0, 1, 2, 3]
        return
    (row,) = (parquet.read_table if suffix == "parquet" else csv.read_csv)(path).to_pylist()
    assert (row["score"], row["box_right_px"], row["wrist_y_px"], row["thumb_mcp_x_px"]) == (0.75, 2, 1, 12)


def test_video_keeps_frames_rate_sound_and_pictures(tmp_path: Path, clip: Path) -> None:
    out = tmp_path / "out.mp4"
    with VideoSink(out, 15.0, Origin(str(clip))) as sink:
        for frame in read(clip):
            sink.write(frame, [])
    with av.open(str(out)) as written, av.open(str(clip)) as source:
        stream = written.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.frames, stream.average_rate) == (30, Fraction(15))
        packets = [sum(p.size for p in c.demux(c.streams.audio[0])) for c in (written, source)]
        assert packets[0] == packets[1] > 0
    before, after = list(read(clip)), list(read(out))
    for one, other in zip(before, after, strict=True):
        assert abs(one.time_s - other.time_s) < 2e-3
        assert np.abs(one.image.astype(int) - other.image).mean() < 4


def test_uneven_times_are_kept_in_video(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.2, 0.212, 0.5]
    with VideoSink(tmp_path / "uneven.mp4", 30.0) as sink:
        for k, time_s in enumerate(times):
            sink.write(Frame(IMAGE, k, time_s), [])
    assert np.allclose([frame.time_s for frame in read(tmp_path / "uneven.mp4")], times, atol=1e-3)


def test_odd_sizes_gain_one_row_and_column_at_most(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "odd.mp4", 30.0) as sink:
        sink.write(Frame(IMAGE[:47, :63]), [])
    (frame,) = read(tmp_path / "odd.mp4")
    assert frame.image.shape == (48, 64, 3)


def test_images_are_named_after_their_sources(tmp_path: Path) -> None:
    with ImageSink(tmp_path / "out", OutputNames(), tmp_path / "in") as sink:
        for name in ("a.jpg", "deeper/a.png"):
            sink.write(Frame(IMAGE, source=str(tmp_path / "in" / name)), [make_hand()])
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jpg"))
    assert names == ["a_hands.jpg", "deeper/a_hands.jpg"]
    with pillow.open(tmp_path / "out" / "a_hands.jpg") as written:
        assert written.size == (64, 48)


def test_photos_that_differ_in_suffix_only_do_not_overwrite_each_other(tmp_path: Path) -> None:
    with ImageSink(tmp_path, OutputNames()) as sink:
        for name in ("a.jpg", "a.png"):
            sink.write(Frame(IMAGE, source=name), [])
    assert len(list(tmp_path.glob("*.jpg"))) == 2


def test_paths_that_cannot_be_written_fail_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SinkError, match=r"hands\.csv"):
        data_sink(tmp_path / "file" / "hands.csv")
    with pytest.raises(SinkError, match=r"out\.mp4"):
        VideoSink(tmp_path / "file" / "out.mp4")
    with pytest.raises(InputError, match=r"\.parquet"):
        data_sink(tmp_path / "hands.xlsx")
    with pytest.raises(InputError, match=r"\.mp4"):
        VideoSink(tmp_path / "out.xyz")


def test_a_background_sink_writes_everything_and_raises_errors(tmp_path: Path) -> None:
    class Breaks(ImageSink):
        def write(self, frame: Frame, results: object) -> None:
            if frame.index == 2:
                raise SinkError("disk full")

    with InBackground(data_sink(tmp_path / "hands.jsonl")) as sink:
        for frame, hands in FRAMES:
            sink.write(frame, hands)
    assert len((tmp_path / "hands.jsonl").read_text().splitlines()) == 9
    with pytest.raises(SinkError, match="disk full"), InBackground(Breaks(tmp_path)) as sink:
        for frame, hands in FRAMES:
            sink.write(frame, hands)
