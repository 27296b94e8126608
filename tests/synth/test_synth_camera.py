"""The camera: what its lens and its sensor do to light."""

from __future__ import annotations

import numpy as np
import pytest

from knuckle.synth.camera import effects, fisheye
from knuckle.synth.camera.labels import project
from knuckle.synth.render.primitives import Camera, Picture


def gradient(side: int = 96) -> effects.Floats:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    return np.stack([0.05 + x, 0.05 + y, 0.3 + 0 * x], -1)


def grey(image: np.ndarray) -> float:
    return float(image.astype(float).mean())


def test_a_perfect_camera_keeps_order_and_shape() -> None:
    image = effects.apply_effects(gradient(), effects.CameraEffects(), np.random.default_rng(0))
    assert image.dtype == np.uint8 and image.shape == (96, 96, 3)
    assert (np.diff(image[40, :, 0].astype(int)) >= 0).all()


def test_exposure_does_not_depend_on_how_bright_the_scene_is() -> None:
    rng = np.random.default_rng(0)
    dim, bright = (effects.apply_effects(gradient() * k, effects.CameraEffects(), rng) for k in (0.01, 50))
    assert np.abs(dim.astype(int) - bright.astype(int)).max() <= 1


def test_one_stop_doubles_the_light() -> None:
    rng = np.random.default_rng(0)
    up = effects.apply_effects(gradient(), effects.CameraEffects(stops=1), rng, gain=0.3)
    doubled = effects.apply_effects(gradient() * 2, effects.CameraEffects(), rng, gain=0.3)
    assert np.array_equal(up, doubled)


def test_white_balance_removes_most_of_the_colour_of_the_light() -> None:
    flat = np.full((64, 64, 3), 0.2, np.float32)
    warm = np.array([1.5, 1.0, 0.5], np.float32)
    plain = effects.apply_effects(flat * warm, effects.CameraEffects(), np.random.default_rng(0))
    balanced = effects.apply_effects(flat * warm, effects.CameraEffects(), np.random.default_rng(0), illuminant=warm)
    cast = [float(np.ptp(image.reshape(-1, 3).mean(0))) for image in (plain, balanced)]
    assert 0 < cast[1] < 0.5 * cast[0]


def test_noise_grows_with_its_strength_and_leaves_the_mean() -> None:
    flat = np.full((128, 128, 3), 0.2, np.float32)
    images = [
        effects.apply_effects(flat, effects.CameraEffects(shot=s), np.random.default_rng(1), gain=1.0)
        for s in (0.0, 0.001, 0.01)
    ]
    spreads = [image.std() for image in images]
    assert spreads[0] == 0 < spreads[1] < spreads[2]
    assert abs(grey(images[1]) - grey(images[0])) < 1


def test_the_same_random_state_gives_the_same_picture() -> None:
    for seed in range(5):
        made = []
        for _ in range(2):
            rng = np.random.default_rng(seed)
            made.append(effects.apply_effects(gradient(), effects.random_effects(rng, 96, dark=0.5), rng))
        assert np.array_equal(*made)


@pytest.mark.parametrize("radius, length, angle", [(0.3, 0, 0), (3, 0, 0), (0.5, 9, 0.7), (2, 5, 3)])
def test_blur_keeps_the_amount_of_light(radius: float, length: float, angle: float) -> None:
    kernel = effects.blur_kernel(radius, length, angle)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel.shape[0] % 2 == 1
    assert np.allclose(kernel, kernel[::-1, ::-1])


def test_only_moving_objects_are_blurred() -> None:
    room = gradient()
    cover = np.zeros((96, 96), np.float32)
    cover[40:56, 40:56] = 1
    rgb = room * (1 - cover[..., None]) + cover[..., None]
    picture = Picture(rgb, np.where(cover > 0, 1, np.inf).astype(np.float32), cover.astype(np.uint8), cover)
    moved = effects.blur_moving(picture, room, 20, 0.0)
    assert np.allclose(moved[:30], room[:30], atol=1e-5)
    assert not np.allclose(moved[48, 34], room[48, 34], atol=1e-2)
    assert moved[48, 48, 2] < 1


FISHEYE = Camera(120, 90, 70, 70, 63.2, 41.7, (0.03, -0.004, 0.0, 0.0))


def test_fisheye_rays_invert_the_projection() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-1, 1, (50, 2)), np.ones(50)])
    pixels = project(points, FISHEYE)
    plane = (pixels - [FISHEYE.cx, FISHEYE.cy]) / [FISHEYE.fx, FISHEYE.fy]
    assert np.allclose(fisheye.fisheye_rays(plane, FISHEYE.distortion), points[:, :2], atol=2e-3)


def test_the_pinhole_contains_all_that_the_fisheye_sees() -> None:
    straight = fisheye.covering_pinhole(FISHEYE)
    corners = np.array([[0, 0], [119, 0], [0, 89], [119, 89], [60, 0], [0, 45]], float)
    plane = (corners - [FISHEYE.cx, FISHEYE.cy]) / [FISHEYE.fx, FISHEYE.fy]
    rays = fisheye.fisheye_rays(plane, FISHEYE.distortion)
    pixels = rays * [straight.fx, straight.fy] + [straight.cx, straight.cy]
    assert (pixels >= -1).all() and (pixels <= [straight.width, straight.height]).all()


def test_a_bent_picture_shows_a_point_where_the_labels_say() -> None:
    straight = fisheye.covering_pinhole(FISHEYE)
    point = np.array([0.31, -0.22, 1.0])
    x, y = project(point, straight)
    rgb = np.zeros((straight.height, straight.width, 3), np.float32)
    ticks_y, ticks_x = np.mgrid[0 : straight.height, 0 : straight.width]
    rgb[..., 0] = np.exp(-((ticks_x - x) ** 2 + (ticks_y - y) ** 2) / 18)
    flat = np.zeros(rgb.shape[:2], np.float32)
    bent = fisheye.to_fisheye(Picture(rgb, flat, flat.astype(np.uint8), flat), FISHEYE).rgb[..., 0]
    row, column = np.unravel_index(bent.argmax(), bent.shape)
    assert np.hypot(*(project(point, FISHEYE) - [column, row])) < 1
