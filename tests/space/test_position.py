from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hands_in_space import hand_at, hand_shape, turned
from hypothesis import given
from hypothesis import strategies as st

import knuckle
from knuckle import InputError
from knuckle.results import Hand
from knuckle.space import Camera, Locator, locate
from knuckle.space.position import PALM_STD, pixel_std
from knuckle.space.solve import solve_poses

SIZE = (1280, 720)
PINHOLE = Camera.from_fov(SIZE, 65)
BENT = replace(PINHOLE, distortion=np.array([-0.3, 0.06, 0.001, -0.001, 0.0]))
FISHEYE = replace(PINHOLE, distortion=np.array([-0.02, 0.01, -0.003, 0.001]), lens="fisheye")
ANGLES = st.floats(-60, 60)


def seen(camera: Camera, shape: np.ndarray, place: np.ndarray, track_id: int | None = 1) -> Hand:
    return hand_at(camera.project(shape + place), shape, track_id)


@pytest.mark.parametrize("camera", [PINHOLE, BENT, FISHEYE], ids=["pinhole", "distorted", "fisheye"])
@given(st.tuples(ANGLES, ANGLES, ANGLES), st.floats(-0.2, 0.2), st.floats(-0.1, 0.1), st.floats(0.3, 2))
def test_positions_are_exact_where_landmarks_are(
    camera: Camera, angles: tuple[float, ...], x: float, y: float, depth: float
) -> None:
    shape = turned(hand_shape(), angles)
    place = np.array([x * depth, y * depth, depth])
    (found,) = locate([seen(camera, shape, place)], camera)
    assert found.camera is not None and np.abs(found.camera - (shape + place)).max() < 1e-4 * depth


@given(st.tuples(st.floats(-180, 180), st.floats(-180, 180), st.floats(-180, 180)))
def test_world_landmarks_in_any_axes_give_the_same_position(angles: tuple[float, ...]) -> None:
    shape, place = turned(hand_shape(), (20, -30, 10)), np.array([0.1, 0.05, 0.6])
    pixels = PINHOLE.project(shape + place)
    (found,) = locate([hand_at(pixels, turned(shape, angles))], PINHOLE)
    assert found.camera is not None and np.abs(found.camera - (shape + place)).max() < 1e-3


@given(st.floats(0.12, 0.24))
def test_a_hand_twice_as_long_is_twice_as_far(length: float) -> None:
    hand = seen(PINHOLE, hand_shape(length_m=0.19), np.array([0.1, 0.0, 0.6]))
    (plain,), (scaled,) = locate([hand], PINHOLE), locate([hand], PINHOLE, hand_length_m=length)
    assert np.allclose(scaled.camera, plain.camera * (length / 0.19), atol=1e-4)


def test_a_known_length_corrects_world_landmarks_of_another_size() -> None:
    shape, place = hand_shape(length_m=0.21), np.array([-0.1, 0.1, 0.8])
    hand = hand_at(PINHOLE.project(shape + place), 0.8 * shape)
    (found,) = locate([hand], PINHOLE, hand_length_m=0.21)
    assert np.abs(found.camera - (shape + place)).max() < 1e-4
    assert locate([hand], PINHOLE)[0].camera[0, 2] == pytest.approx(0.8 * (shape + place)[0, 2], abs=1e-3)


def test_many_shapes_at_once_give_the_poses_of_each() -> None:
    shapes = np.stack([turned(hand_shape(k / 10), (10 * k, 5, 0)) for k in range(6)])
    places = np.random.default_rng(0).uniform([-0.2, -0.1, 0.4], [0.2, 0.1, 1.2], (6, 3))
    pixels = PINHOLE.project(shapes + places[:, None])
    together = solve_poses(PINHOLE, pixels, shapes, np.ones((6, 21)))
    assert np.allclose(together.translation, places, atol=1e-6)
    for k in range(6):
        alone = solve_poses(PINHOLE, pixels[k : k + 1], shapes[k : k + 1], np.ones((1, 21)))
        assert np.allclose(alone.translation[0], together.translation[k], atol=1e-9)


def test_the_order_of_hands_does_not_matter() -> None:
    hands = [seen(PINHOLE, turned(hand_shape(), (0, a, 0)), np.array([0.01 * a, 0, 0.6]), a) for a in (1, 9, 17)]
    forward, backward = locate(hands, PINHOLE), locate(hands[::-1], PINHOLE)
    assert all(np.allclose(a.camera, b.camera) for a, b in zip(forward, backward[::-1], strict=True))


def test_one_wrong_landmark_does_not_move_the_hand() -> None:
    shape, place = hand_shape(), np.array([0.0, 0.0, 0.6])
    pixels = PINHOLE.project(shape + place)
    pixels[20] += 60
    points = solve_poses(PINHOLE, pixels[None], shape[None], np.ones((1, 21)))
    assert np.abs(points.translation[0] - place).max() < 0.01


def test_stated_errors_of_poses_are_the_real_ones() -> None:
    rng = np.random.default_rng(0)
    count, std_px = 400, 1.5
    shapes = np.stack([turned(hand_shape(rng.uniform(0, 0.6)), rng.uniform(-40, 40, 3)) for _ in range(count)])
    places = rng.uniform([-0.2, -0.1, 0.3], [0.2, 0.1, 0.7], (count, 3))
    pixels = PINHOLE.project(shapes + places[:, None]) + rng.normal(0, std_px, (count, 21, 2))
    poses = solve_poses(PINHOLE, pixels, shapes, np.full((count, 21), std_px))
    off = poses.translation - places
    squares = np.einsum("ni,nij,nj->n", off, np.linalg.inv(poses.covariance[:, 3:, 3:]), off)
    # Chi-square with 3 degrees of freedom: mean 3 with a standard error of sqrt(6 / 400) = 0.12.
    assert 2.5 < squares.mean() < 3.6
    assert poses.chi2.mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("length", [None, 0.19])
def test_stated_errors_of_landmarks_are_the_real_ones(length: float | None) -> None:
    """Hands of many sizes, shapes that are off as the network's are, noisy pixels: errors are as large as stated."""
    rng = np.random.default_rng(1)
    scores = []
    for _ in range(300):
        size = rng.normal(0.19, 0.19 * (0.065 if length is None else 0.01))
        shape = turned(hand_shape(rng.uniform(0, 0.5), size), rng.uniform(-30, 30, 3))
        place = rng.uniform([-0.2, -0.1, 0.4], [0.2, 0.1, 0.8])
        world = shape * 0.19 / size
        world[[0, 1, 5, 9, 13, 17]] += rng.normal(0, PALM_STD * 0.19, (6, 3))
        hand = hand_at(PINHOLE.project(shape + place), world)
        noisy = hand.landmarks.copy()
        noisy[:, :2] += rng.normal(size=(21, 2)) * pixel_std(hand)[:, None]
        (found,) = locate([replace(hand, landmarks=noisy, landmarks_raw=None)], PINHOLE, hand_length_m=length)
        scores.append(((found.camera - shape - place) / found.camera_std)[[0, 5, 9, 13, 17]])
    assert (np.mean(np.square(scores), axis=(0, 1)) > 0.35).all()  # the fit takes up a part of the errors of the shape
    assert (np.mean(np.square(scores), axis=(0, 1)) < 1.6).all()


def test_the_distance_is_the_least_certain_and_a_known_length_makes_it_more_certain() -> None:
    hand = seen(PINHOLE, hand_shape(), np.array([0.0, 0.0, 0.7]))
    (unknown,), (known,) = locate([hand], PINHOLE), locate([hand], PINHOLE, hand_length_m=0.19)
    assert (unknown.camera_std[:, 2] > 2 * unknown.camera_std[:, :2].max(axis=1)).all()
    assert (known.camera_std[:, 2] < unknown.camera_std[:, 2]).all()


def clip(rng: np.random.Generator, count: int = 120) -> tuple[list[Hand], np.ndarray]:
    """Noisy hands of one track that move sideways at 0.6 m, and their true places."""
    places = np.stack([np.linspace(-0.1, 0.1, count), np.zeros(count), np.full(count, 0.6)], axis=1)
    hands = []
    for place in places:
        shape = turned(hand_shape(0.3), (0, 20, 0))
        pixels = PINHOLE.project(shape + place) + rng.normal(0, 1.5, (21, 2))
        hands.append(hand_at(pixels, shape * (1 + 0.04 * rng.normal()) + rng.normal(0, 0.002, (21, 3))))
    return hands, places


def test_in_video_distances_are_steadier_and_sizes_those_of_the_clip() -> None:
    hands, places = clip(np.random.default_rng(0))
    locator = Locator(PINHOLE)
    video = np.array([locator([hand], SIZE, k / 30)[0].camera[:, 2].mean() for k, hand in enumerate(hands)])
    alone = np.array([locate([hand], PINHOLE)[0].camera[:, 2].mean() for hand in hands])
    assert video[20:].std() < 0.4 * alone[20:].std()
    assert video[-1] == pytest.approx(places[-1, 2], rel=0.03)


def test_a_filtered_distance_keeps_the_pixels_and_time_that_stands_still_changes_nothing() -> None:
    hands, _ = clip(np.random.default_rng(1), 30)
    locator = Locator(PINHOLE)
    for k, hand in enumerate(hands):
        (found,) = locator([hand], SIZE, k / 30)
        assert np.allclose(PINHOLE.project(found.camera), hand.landmarks[:, :2], atol=0.05)


def test_a_clip_that_is_known_from_the_start_has_one_size_throughout() -> None:
    hands, _ = clip(np.random.default_rng(2))
    locator = Locator(PINHOLE, smooth=False)
    locator.learn(hands)
    lengths = [
        np.linalg.norm(found.camera[0] - found.camera[9]) for found in (locator([h], SIZE, 0.0)[0] for h in hands)
    ]
    assert np.std(lengths) / np.mean(lengths) < 0.03


def test_photos_are_placed_on_their_own() -> None:
    hands, _ = clip(np.random.default_rng(3), 2)
    locator = Locator(PINHOLE)
    one, other = (locator([replace(hand, track_id=None)], SIZE, k / 30)[0] for k, hand in enumerate(hands))
    assert other == locate([replace(hands[1], track_id=None)], PINHOLE)[0] and one.camera is not None


def test_the_source_of_the_intrinsics_is_stated() -> None:
    locator = Locator("fov")
    hand = seen(PINHOLE, hand_shape(), np.array([0.0, 0.0, 0.7]))
    locator([hand], SIZE, 0.0), locator([hand], SIZE, 0.1)
    assert len(locator.notes) == 1 and "assumed field of view of 60°" in locator.notes[0]


def test_wrong_arguments_say_what_is_expected() -> None:
    hand = seen(PINHOLE, hand_shape(), np.array([0.0, 0.0, 0.7]))
    with pytest.raises(InputError, match="size"):
        locate([hand], "fov:60")
    for length in (0.0, 19, -1):
        with pytest.raises(InputError, match="hand_length_m"):
            locate([hand], PINHOLE, hand_length_m=length)
    assert locate([], PINHOLE) == []


def test_flat_and_damaged_hands_give_numbers_and_no_warning() -> None:
    flat = hand_shape() * [1, 1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for hand in (
            seen(PINHOLE, flat, np.array([0, 0, 0.5])),
            hand_at(np.full((21, 2), 300.0), hand_shape()),
            hand_at(PINHOLE.project(flat + np.array([0, 0, 0.5])), np.zeros((21, 3))),
        ):
            (found,) = locate([hand], PINHOLE)
            assert found.camera is None or np.isfinite(found.camera).all()


def test_a_placed_hand_survives_json_and_tells_equality() -> None:
    hand = seen(PINHOLE, hand_shape(), np.array([0.0, 0.0, 0.7]))
    (found,) = locate([hand], PINHOLE)
    again = Hand.from_dict(found.to_dict())
    assert np.allclose(again.camera, found.camera, atol=1e-6) and np.allclose(
        again.camera_std, found.camera_std, atol=1e-6
    )
    assert found != hand and "camera" not in hand.to_dict()


def test_real_hands_stand_where_hands_of_webcams_do(shared: object) -> None:
    clip_path = f"{shared}/data/video/asl_bird.mkv"
    locator, depths = Locator("fov:60"), []
    for frame, hands in locator.frames(knuckle.HandTracker().track(clip_path)):
        depths += [hand.camera[:, 2].mean() for hand in hands]
        if frame.index > 60:
            break
    low, high = np.percentile(depths, [5, 95])
    assert len(depths) > 20 and low > 0.2 and high < 2.5
