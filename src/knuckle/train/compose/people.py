"""People who stand in front of a plain wall or a known background, cut out and put into photos of rooms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.results import FloatArray
from knuckle.train.compose.cutout import LONGEST_PX, Random, grab_cut, largest_part, warp_cutout
from knuckle.train.label_file import LabelledPhoto

NOT_WALL = 18.0  # difference of colour in Lab from which a pixel is not the wall; at half of it it may be either
DARK = 38.0  # darker pixels are taken as clothes or hair
LEAST_IN_MASK = 0.9  # share of a hand's landmarks that must lie inside the cut-out


def cut_out_person(photo: LabelledPhoto, find: Callable[[Image], Image]) -> Image | None:
    """The mask (height, width) of the person, 255 or 0; None if it misses more than a tenth of a hand's landmarks.

    Args:
        find: photo -> mask: `person_in_front_of_wall`, or `person_in_front_of_place` of a known place.
    """
    mask = find(photo.open())
    if not mask.any():
        return None
    for hand in photo.hands:
        if hand.landmarks is None:
            continue
        x, y = np.rint(hand.landmarks[:, :2]).astype(int).T
        inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
        if inside.any() and (mask[y[inside], x[inside]] > 0).mean() < LEAST_IN_MASK:
            return None
    return mask


def person_in_front_of_wall(photo: Image) -> Image:
    """(height, width) uint8, 255 where the person in the middle is. The wall has a colour that varies smoothly."""
    height, width = photo.shape[:2]
    away = distance_from_wall(photo)
    away[int(0.93 * height) :] = 0  # the bottom often shows a desk, a shadow or a player's bar
    _, parts = cv2.connectedComponents((away > NOT_WALL).astype(np.uint8))
    middle = parts[int(0.6 * height) :, int(0.35 * width) : int(0.65 * width)]
    if not middle.any():
        return np.zeros((height, width), np.uint8)
    body = (parts == np.bincount(middle[middle > 0], minlength=2).argmax()).astype(np.uint8)
    near = cv2.dilate(body, np.ones((15, 15))) > 0
    guess = np.full((height, width), cv2.GC_BGD, np.uint8)
    guess[near] = cv2.GC_PR_BGD
    guess[near & (away > 0.55 * NOT_WALL)] = cv2.GC_PR_FGD
    guess[cv2.erode(body, np.ones((5, 5))) > 0] = cv2.GC_FGD
    return _edge(photo, guess)


def person_in_front_of_place(place: Image, photo: Image) -> Image:
    """(height, width) uint8, 255 where the person in the middle is.

    Args:
        place: a picture of the background, of the same size. It may contain people, so pixels with the colour
            of the wall are treated as background too.
    """
    height, width = photo.shape[:2]
    left, right = int(0.16 * width), int(0.72 * width)  # nobody stands outside these columns
    lab = _lab(photo)
    wall = np.median(lab[: height // 2, left : int(0.24 * width)].reshape(-1, 3), axis=0)
    not_wall = np.linalg.norm(lab - wall, axis=2) > 1.2 * NOT_WALL
    differs = not_wall & (np.linalg.norm(lab - _lab(place), axis=2) > 0.7 * NOT_WALL)
    guess = np.where(differs, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[int(0.55 * height) :, int(0.36 * width) : int(0.52 * width)] = cv2.GC_FGD
    guess[: int(0.03 * height)] = guess[:, :left] = guess[:, right:] = cv2.GC_BGD
    return np.asarray(cv2.morphologyEx(_edge(photo, guess), cv2.MORPH_CLOSE, np.ones((15, 15))), np.uint8)


def _edge(photo: Image, guess: Image) -> Image:
    """(height, width) uint8, 255 in the largest part of the foreground that GrabCut finds."""
    found = grab_cut(photo, guess, iterations=3).astype(np.uint8)
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3))), np.uint8)
    return np.where(largest_part(found), 255, 0).astype(np.uint8)


def distance_from_wall(photo: Image) -> FloatArray:
    """(height, width) difference in Lab of each pixel from the wall, whose colour is fitted by a quadratic surface."""
    small = np.asarray(cv2.resize(photo, (128, 72), interpolation=cv2.INTER_AREA), np.uint8)
    lab, surface = _lab(small).reshape(-1, 3), _quadratic_terms(72, 128)
    x, y = surface[..., 1].ravel(), surface[..., 2].ravel()
    within = (y > 0.04) & (y < 0.92) & (x > 0.015) & (x < 0.985)
    wall = within & ((x < 0.2) | (x > 0.8) | (y < 0.14))
    wall &= np.abs(lab - np.median(lab[wall], axis=0)).max(axis=1) < 0.75 * NOT_WALL
    flat = surface.reshape(-1, 6)
    for _ in range(6):  # fit the surface to the wall, and take as wall what fits the surface
        fit, *_ = np.linalg.lstsq(flat[wall], lab[wall], rcond=None)
        wall = within & (np.linalg.norm(lab - flat @ fit, axis=1) < NOT_WALL / 3)
    return np.asarray(np.linalg.norm(_lab(photo) - _quadratic_terms(*photo.shape[:2]) @ fit, axis=2), np.float32)


def _lab(photo: Image) -> FloatArray:
    return np.asarray(cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def _quadratic_terms(height: int, width: int) -> FloatArray:
    """(height, width, 6): 1, x, y, x², y², xy, with x and y from 0 to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)


def with_other_clothes(photo: Image, mask: Image, rng: Random) -> Image:
    """The same person in clothes of another colour and pattern, with lighter or darker skin, in another light."""
    lab, person = _lab(photo), mask > 0
    dark = person & (lab[..., 0] < DARK)
    clothes = largest_part(dark.astype(np.uint8)) if dark.any() else dark
    skin = person & ~dark
    lab[skin, 0] = 100 * (lab[skin, 0] / 100) ** rng.uniform(0.8, 1.7)
    if rng.random() < 0.8:
        shade = lab[clothes, 0] / DARK
        colour = np.array([rng.uniform(12, 92), *rng.normal(0, 22, 2)])
        lab[clothes] = colour * np.column_stack([0.6 + 0.6 * shade, np.ones_like(shade), np.ones_like(shade)])
        lab[clothes, 0] += _pattern(person.shape, rng)[clothes]
    tint = np.array([0.0, *rng.normal(0, 3, 2)])
    lab[person] = np.clip(lab[person] + tint, (0, -100, -100), (100, 100, 100))
    rgb = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb * 255, 0, 255), np.uint8)


def _pattern(shape: tuple[int, ...], rng: Random) -> FloatArray:
    """(height, width) lightness to add: none, stripes, checks or blotches."""
    y, x = np.indices(shape).astype(np.float32)
    strength, period = rng.uniform(8, 35), rng.uniform(5, 30)
    kind = rng.random()
    if kind < 0.45:
        return np.zeros(shape, np.float32)
    if kind < 0.65:
        noise = rng.normal(0, 1, shape).astype(np.float32)
        blotches = cv2.GaussianBlur(noise, (0, 0), period / 3)
        return np.asarray(strength * blotches / max(float(blotches.std()), 1e-6) / 2, np.float32)
    angle = rng.uniform(0, np.pi)
    first = np.sign(np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period))
    second = np.sign(np.sin(2 * np.pi * (y * np.cos(angle) - x * np.sin(angle)) / period)) if kind > 0.85 else 0
    return np.asarray(strength * (first + second) / 2, np.float32)


def put_into_room(photo: Image, mask: Image, room: Image, rng: Random) -> tuple[Image, FloatArray]:
    """The person in a room, cut off by its lower edge as in the photo.

    Args:
        mask: (height, width) of the photo, 255 where the person is.

    Returns:
        The picture, whose longer side is LONGEST_PX, and the (2, 3) affine picture from photo.
    """
    size = LONGEST_PX / max(room.shape[:2])
    room = np.asarray(cv2.resize(room, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = room.shape[:2]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    # A head that is cut off by the edge of the photo must also be cut off by the edge of the picture.
    part = rng.uniform(0.4, 1.05) if top > 2 else rng.uniform(1.03, 1.4)
    scale = float(part) * height / (bottom - top)
    x = rng.uniform(0.15, 0.85) * width - scale * (left + right) / 2
    affine = np.array([[scale, 0, x], [0, scale, height - scale * (bottom - 1)]], np.float32)
    person, cover = warp_cutout(photo, mask, affine, (width, height))
    light = (float(room.mean()) / max(float(person[cover[..., 0] > 0.5].mean()), 1.0)) ** rng.uniform(0, 0.6)
    mixed = np.clip(person * light, 0, 255) * cover + room * (1 - cover)
    return np.asarray(np.rint(mixed), np.uint8), affine
