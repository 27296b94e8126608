from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from conftest import two_hands, write_clip
from hands_in_space import hand_at, hand_shape, rig, turned

from knuckle import Error, InputError
from knuckle.cli.app import cli
from knuckle.results import Hand
from knuckle.space import Camera, read_cameras, triangulate
from knuckle.space.rigs import bone_lengths
from knuckle.space.views import Sightings, triangulate_points

BENT = replace(Camera.from_fov((1280, 720), 65), distortion=np.array([-0.3, 0.06, 0.001, -0.001, 0.0]))
SIDES = ("Left", "Right")


def places(time_s: float) -> list[np.ndarray]:
    """(21, 3) of a left and a right hand that move, metres in the world."""
    path = np.array([-0.15 + 0.1 * time_s, 0.02 * np.sin(6 * time_s), 0])
    left = turned(hand_shape(0.2), (10, 40 * time_s, 0)) + path
    right = turned(hand_shape(0.4), (-10, -30, 20)) * [-1, 1, 1] + [0.15, 0.05 * time_s, 0.05]
    return [left, right]


def view(camera: Camera, times_s: np.ndarray, rng: np.random.Generator, noise_px: float = 0.0) -> list[list[Hand]]:
    """What a camera sees of `places`, with its own track ids in its own order."""
    frames = []
    for time_s in times_s:
        hands = []
        for number, points in enumerate(places(time_s)):
            pixels = camera.project(camera.to_camera(points)) + rng.normal(0, 1, (21, 2)) * noise_px
            std = None if not noise_px else np.full(21, noise_px)
            hands.append(hand_at(pixels, hand_shape(), number + 3, SIDES[number], landmark_std=std))
        frames.append(hands[:: rng.choice([-1, 1])])
    return frames


def seen_by(
    cameras: list[Camera], times_s: np.ndarray, noise_px: float = 0.0
) -> dict[str, list[tuple[float, list[Hand]]]]:
    rng = np.random.default_rng(0)
    return {one.name: list(zip(times_s, view(one, times_s, rng, noise_px), strict=True)) for one in cameras}


def errors_mm(hands: list, truth=places) -> np.ndarray:  # type: ignore[no-untyped-def, type-arg]
    off = [hand.points - truth(hand.time_s)[SIDES.index(hand.handedness)] for hand in hands]
    return 1000 * np.linalg.norm(off, axis=-1)


@pytest.mark.parametrize("count", [2, 4])
def test_points_are_exact_where_landmarks_are(count: int) -> None:
    cameras = rig(BENT, count)
    hands = triangulate(seen_by(cameras, np.arange(5) / 30), cameras)
    assert len(hands) == 10 and {hand.track_id for hand in hands} == {1, 2}
    assert errors_mm(hands).max() < 0.5
    assert all((hand.views == count).all() and hand.error_px < 0.01 for hand in hands)


def test_the_order_of_cameras_and_hands_does_not_matter() -> None:
    cameras = rig(BENT, 3)
    tracks = seen_by(cameras, np.arange(3) / 30, 1.0)
    one = triangulate(tracks, cameras)
    mixed = {name: [(t, hands[::-1]) for t, hands in tracks[name]] for name in reversed(tracks)}
    other = triangulate(mixed, cameras[::-1])
    for a in one:
        b = next(b for b in other if (b.frame, b.handedness) == (a.frame, a.handedness))
        assert np.allclose(a.points, b.points, atol=1e-9) and np.allclose(a.std, b.std)


def test_a_view_that_is_wrong_is_left_out() -> None:
    cameras = rig(BENT, 4)
    tracks = seen_by(cameras, np.arange(3) / 30)
    wrong = cameras[2].name
    for _, hands in tracks[wrong]:
        for k, hand in enumerate(hands):
            moved = hand.landmarks.copy()
            moved[8:13, :2] += [70, -50]  # two fingers of each hand
            hands[k] = replace(hand, landmarks=moved, landmarks_raw=None)
    hands = triangulate(tracks, cameras)
    assert errors_mm(hands).max() < 2
    assert all((hand.views[8:13] == 3).all() and (hand.views[:8] == 4).all() for hand in hands)


def test_hands_missing_from_views_are_still_found_by_two() -> None:
    cameras = rig(BENT, 4)
    tracks = seen_by(cameras, np.arange(6) / 30)
    tracks[cameras[0].name] = [(t, []) for t, _ in tracks[cameras[0].name]]
    tracks[cameras[1].name] = [
        (t, [h for h in hands if h.handedness == "Left"]) for t, hands in tracks[cameras[1].name]
    ]
    hands = triangulate(tracks, cameras)
    assert len(hands) == 12 and errors_mm(hands).max() < 0.5
    assert {len(hand.cameras) for hand in hands} == {2, 3}


def test_a_hand_that_one_camera_sees_is_not_in_space() -> None:
    cameras = rig(BENT, 3)
    tracks = seen_by(cameras, np.arange(3) / 30)
    for one in cameras[1:]:
        tracks[one.name] = [(t, [h for h in hands if h.handedness == "Left"]) for t, hands in tracks[one.name]]
    assert {hand.handedness for hand in triangulate(tracks, cameras)} == {"Left"}


def test_cameras_that_are_not_synchronised_are_interpolated() -> None:
    cameras = rig(BENT, 3)
    rng = np.random.default_rng(0)
    tracks = {}
    for k, one in enumerate(cameras):
        times = np.arange(10) / 30 + 0.011 * k
        tracks[one.name] = list(zip(times, view(one, times, rng), strict=True))
    hands = triangulate(tracks, cameras)
    assert len(hands) >= 16 and errors_mm(hands).max() < 1
    apart = triangulate({name: [(k / 30, f[1]) for k, f in enumerate(v)] for name, v in tracks.items()}, cameras)
    assert np.median(errors_mm(apart)) > 2 * np.median(errors_mm(hands))  # as if they were synchronised


def test_stated_errors_are_the_real_ones() -> None:
    cameras = rig(BENT, 4)
    hands = triangulate(seen_by(cameras, np.arange(25) / 30, 1.5), cameras)
    off = np.array([hand.points - places(hand.time_s)[SIDES.index(hand.handedness)] for hand in hands])
    squares = (off / np.array([hand.std for hand in hands])) ** 2
    assert len(hands) == 50 and 0.8 < squares.mean() < 1.25
    # Median of Rayleigh errors, of which the fit of 3 unknowns to 8 numbers takes up a part: 1.18 sqrt(5 / 8) sigma.
    assert np.mean([h.error_px for h in hands]) / 1.5 == pytest.approx(0.93, abs=0.1)


def test_points_move_with_the_world() -> None:
    cameras = rig(BENT, 3)
    turn, shift = cv2.Rodrigues(np.array([0.3, -0.5, 0.2]))[0], np.array([1.0, 2.0, 3.0])
    moved = [
        replace(one, rotation=one.rotation @ turn.T, translation=one.translation - one.rotation @ turn.T @ shift)
        for one in cameras
    ]
    tracks = seen_by(cameras, np.arange(2) / 30)
    for a, b in zip(triangulate(tracks, cameras), triangulate(tracks, moved), strict=True):
        assert np.allclose(a.points @ turn.T + shift, b.points, atol=1e-6)


def test_ids_stay_when_a_hand_is_lost_for_a_moment() -> None:
    cameras = rig(BENT, 3)
    tracks = {
        name: v[:4] + [(t, []) for t, _ in v[4:8]] + v[8:] for name, v in seen_by(cameras, np.arange(12) / 30).items()
    }
    assert {hand.track_id for hand in triangulate(tracks, cameras)} == {1, 2}


def test_impossible_rigs_say_what_is_wrong() -> None:
    cameras = rig(BENT, 2)
    tracks = seen_by(cameras, np.arange(2) / 30)
    with pytest.raises(InputError, match="two or more"):
        triangulate({"cam_0": tracks["cam_0"]}, cameras)
    with pytest.raises(InputError, match="no camera is called"):
        triangulate({"cam_0": tracks["cam_0"], "left": tracks["cam_1"]}, cameras)
    with pytest.raises(InputError, match="same place"):
        triangulate(list(tracks.values()), [cameras[0], replace(cameras[0], name="b")])
    with pytest.raises(InputError, match="must rise"):
        triangulate([[(0.0, []), (0.0, [])], []], cameras)


def test_board_corners_of_a_real_rig_are_where_its_own_program_puts_them(shared: Path) -> None:
    folder = shared / "data" / "video" / "multicamera"
    cameras = list(read_cameras(folder / "config.toml").values())
    with (folder / "xyz_CHARUCO.csv").open() as lines:
        truth = {
            (r["sync_index"], r["keypoint_id"]): [float(r[f"{a}_coord"]) for a in "xyz"] for r in csv.DictReader(lines)
        }
    pixels = np.full((4, len(truth), 2), np.nan)
    places_of = {key: k for k, key in enumerate(truth)}
    with (folder / "xy_CHARUCO.csv").open() as lines:
        for row in csv.DictReader(lines):
            if (key := (row["sync_index"], row["keypoint_id"])) in places_of:
                pixels[int(row["cam_id"]), places_of[key]] = float(row["img_loc_x"]), float(row["img_loc_y"])
    found = triangulate_points(Sightings.of(cameras, pixels, np.ones((4, len(truth)))))
    off = 1000 * np.linalg.norm(found.points - np.array(list(truth.values())), axis=1)
    assert np.nanmedian(off) < 1.5 and np.nanpercentile(off, 90) < 4 and np.isnan(off).mean() < 0.01


def test_the_command_writes_tables_that_agree(tmp_path: Path) -> None:
    cameras = rig(BENT, 2)
    (tmp_path / "rig.json").write_text(json.dumps([one.to_dict() for one in cameras]))
    views = []
    for name, frames in seen_by(cameras, np.arange(4) / 30).items():
        path = tmp_path / f"{name}.jsonl"
        rows = [
            {
                "frame": k,
                "time_s": t,
                "source": name,
                "width": 1280,
                "height": 720,
                "hands": [h.to_dict() for h in hands],
            }
            for k, (t, hands) in enumerate(frames)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        views.append(str(path))
    for suffix in ("parquet", "csv", "jsonl"):
        arguments = ["triangulate", *views[::-1], "--cameras", str(tmp_path / "rig.json")]
        arguments += ["--out", str(tmp_path / f"out.{suffix}")]
        done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert done.exit_code == 0 and "8, ids 1, 2" in done.output
        assert isinstance(CliRunner().invoke(cli, arguments).exception, InputError)  # it exists
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with (tmp_path / "out.csv").open() as text:
        rows = list(csv.DictReader(text))
    for row, line, cells in zip(table, lines, rows, strict=True):
        truth = places(row["time_s"])[SIDES.index(row["handedness"])]
        assert row["wrist_x_m"] == pytest.approx(truth[0, 0], abs=2e-3) == line["wrist_x_m"]
        assert float(cells["wrist_x_m"]) == pytest.approx(line["wrist_x_m"]) and row["wrist_views"] == 2
        assert row["cameras"] == "cam_0 cam_1" and row["format"] == "knuckle-points-1"


def test_the_command_tracks_videos_and_takes_their_time_stamps(tmp_path: Path) -> None:
    cameras = rig(Camera.from_fov((640, 480), 60), 2, 0.6)
    (tmp_path / "rig.json").write_text(json.dumps([one.to_dict() for one in cameras]))
    frames = [two_hands(k / 5) for k in range(6)]
    for name in ("cam_0", "cam_1"):
        write_clip(tmp_path / f"{name}.mp4", frames, 15)
    stamps = tmp_path / "times.csv"
    stamps.write_text(
        "sync_index,cam_id,frame_time\n" + "".join(f"{k},{c},{9 + k / 15}\n" for k in range(6) for c in (0, 1))
    )
    arguments = ["triangulate", str(tmp_path / "cam_0.mp4"), str(tmp_path / "cam_1.mp4"), "--timestamps", str(stamps)]
    arguments += ["--cameras", str(tmp_path / "rig.json"), "--out", str(tmp_path / "o.jsonl")]
    assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    for line in (tmp_path / "o.jsonl").read_text().splitlines():
        assert json.loads(line)["time_s"] >= 9
    stamps.write_text("a,b\n1,2\n")
    assert isinstance(CliRunner().invoke(cli, [*arguments, "--overwrite"]).exception, Error)


def test_bones_of_a_hand_have_their_lengths() -> None:
    shape = hand_shape(0.0, 0.19)
    assert bone_lengths(shape)[2].sum() == pytest.approx(0.19)
