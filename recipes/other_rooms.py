"""People before a plain wall, cut out and put into photos of rooms, in other clothes and other light.

    python recipes/other_rooms.py people/train.jsonl rooms/train.jsonl OUT --source rf100_signers --count 2000

Most photos of whole people show the same few, so a palm detector learns their walls and their black shirts by
heart. Here the same hands come before other rooms: the wall is a smooth colour (a quadratic surface), so what differs
from it is the person; GrabCut (Rother et al. 2004) finds the edge. Where clips were filmed in one place that is no
plain wall, `--place` is a picture of it (clip_hands.py writes one), and what differs from it is the person. Photos
where the edge cuts off part of a hand are left out. Landmarks move with the person. Writes OUT/train.jsonl, for
`knuckle train palm --data`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as pillow
from rich.progress import track

from knuckle.images import Image

Floats = npt.NDArray[np.float32]
Random = np.random.Generator
NOT_WALL = 18.0  # difference of colour in Lab; half of it may be either
DARK = 38.0  # lightness below which clothes (and hair) lie
LONGEST = 560  # side of what is written, pixels


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("people", type=Path, help="labels whose photos show people before a plain wall")
    options.add_argument("rooms", type=Path, help="labels; its photos without hands are the rooms")
    options.add_argument("out", type=Path)
    options.add_argument("--source", required=True, help="of `people`, only photos of this source")
    options.add_argument("--rooms-source", help="of `rooms`, likewise")
    options.add_argument("--place", type=Path, help="where they were filmed, with nobody or anybody before it")
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    known = [row for row in rows_of(chosen.people) if row["source"] == chosen.source and is_known(row)]
    find: Callable[[Image], Image] = person_in
    if chosen.place:
        find = partial(person_before, read(chosen.place))
    people = [cut for row in track(known, "people") if (cut := cut_out(chosen.people.parent, row, find))]
    rooms = [
        row for row in rows_of(chosen.rooms) if not row["hands"] and chosen.rooms_source in (None, row.get("source"))
    ]
    if not people or not rooms:
        sys.exit(f"{len(people)} photos of people and {len(rooms)} rooms are of use: one each is needed (--source)")

    def draw(rng: Random) -> tuple[Image, list[dict[str, Any]], dict[str, str]]:
        (row, mask), room = people[int(rng.integers(len(people)))], rooms[int(rng.integers(len(rooms)))]
        photo = read(chosen.people.parent / row["image"])
        picture, affine = placed(dressed(photo, mask, rng), mask, read(chosen.rooms.parent / room["image"]), rng)
        hands = [moved(hand, affine) for hand in row["hands"]]
        return picture, [hand for hand in hands if is_within(hand, picture)], joined(row, room)

    write(chosen.out, chosen.count, chosen.seed, draw)
    print(f"{chosen.count} pictures of {len(people)} people's photos in {len(rooms)} rooms")


def write(
    out: Path, count: int, seed: int, draw: Callable[[Random], tuple[Image, list[dict[str, Any]], dict[str, str]]]
) -> None:
    """`count` drawn pictures with their hands and where they come from, as OUT/train.jsonl and OUT/images/."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    with (out / "train.jsonl").open("w") as file:
        for number in track(range(count), "pictures"):
            picture, hands, origin = draw(np.random.default_rng((seed, number)))
            name = f"images/{number:05d}.jpg"
            pillow.fromarray(picture).save(out / name, quality=92)
            size = {"width": picture.shape[1], "height": picture.shape[0]}
            file.write(json.dumps({**origin, "image": name, **size, "complete": True, "hands": hands}) + "\n")


def cut_out(folder: Path, row: dict[str, Any], find: Callable[[Image], Image]) -> tuple[dict[str, Any], Image] | None:
    """The row and where its person is, or None where that holds less than nine tenths of a hand's landmarks."""
    mask = find(read(folder / row["image"]))
    if not mask.any():
        return None
    for hand in (hand for hand in row["hands"] if hand.get("landmarks")):
        x, y = np.rint(np.array(hand["landmarks"])[:, :2]).astype(int).T
        inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
        if inside.any() and (mask[y[inside], x[inside]] > 0).mean() < 0.9:
            return None
    return row, mask


def joined(*rows: dict[str, Any]) -> dict[str, str]:
    """Where a picture made of several comes from, and who labelled the first."""
    parts = {
        key: sorted({part for row in rows for part in str(row.get(key, "unknown")).split(" + ")})
        for key in ("source", "licence")
    }
    return {key: " + ".join(part) for key, part in parts.items()} | {"labelled_by": str(rows[0].get("labelled_by", ""))}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_known(row: dict[str, Any]) -> bool:
    """Whether all hands of a photo are labelled, at least one of them closely."""
    return row.get("complete", False) and any(hand.get("landmarks") for hand in row["hands"])


def read(path: Path) -> Image:
    with pillow.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def lab_of(photo: Image) -> Floats:
    return np.asarray(cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def terms(height: int, width: int) -> Floats:
    """(height, width, 6) terms of a quadratic surface."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)


def away_from_wall(photo: Image) -> Floats:
    """(height, width) difference of each pixel from the wall's colour there, in Lab."""
    small = np.asarray(cv2.resize(photo, (128, 72), interpolation=cv2.INTER_AREA), np.uint8)
    lab, surface = lab_of(small).reshape(-1, 3), terms(72, 128)
    x, y = surface[..., 1].ravel(), surface[..., 2].ravel()
    within = (y > 0.04) & (y < 0.92) & (x > 0.015) & (x < 0.985)
    wall = within & ((x < 0.2) | (x > 0.8) | (y < 0.14))
    wall &= np.abs(lab - np.median(lab[wall], axis=0)).max(axis=1) < 0.75 * NOT_WALL
    flat = surface.reshape(-1, 6)
    for _ in range(6):  # what fits is wall, and the wall is what fits
        fit, *_ = np.linalg.lstsq(flat[wall], lab[wall], rcond=None)
        wall = within & (np.linalg.norm(lab - flat @ fit, axis=1) < NOT_WALL / 3)
    return np.asarray(np.linalg.norm(lab_of(photo) - terms(*photo.shape[:2]) @ fit, axis=2), np.float32)


def person_in(photo: Image) -> Image:
    """(height, width) uint8, 255 where the person in the middle is."""
    height, width = photo.shape[:2]
    away = away_from_wall(photo)
    away[int(0.93 * height) :] = 0  # where films have a desk, a shadow or a bar
    _, parts = cv2.connectedComponents((away > NOT_WALL).astype(np.uint8))
    middle = parts[int(0.6 * height) :, int(0.35 * width) : int(0.65 * width)]
    if not middle.any():
        return np.zeros((height, width), np.uint8)  # nobody in the middle
    body = (parts == np.bincount(middle[middle > 0], minlength=2).argmax()).astype(np.uint8)
    near = cv2.dilate(body, np.ones((15, 15))) > 0
    guess = np.full((height, width), cv2.GC_BGD, np.uint8)
    guess[near] = cv2.GC_PR_BGD
    guess[near & (away > 0.55 * NOT_WALL)] = cv2.GC_PR_FGD
    guess[cv2.erode(body, np.ones((5, 5))) > 0] = cv2.GC_FGD
    return edged(photo, guess)


def person_before(place: Image, photo: Image) -> Image:
    """(height, width) uint8, 255 where the person in the middle is, who stands before a known place.

    People who always stand there are in its picture too, so what has the colour of the wall beside their heads is wall.
    """
    height, width = photo.shape[:2]
    left, right = int(0.16 * width), int(0.72 * width)  # beside these there is no person
    lab = lab_of(photo)
    wall = np.median(lab[: height // 2, left : int(0.24 * width)].reshape(-1, 3), axis=0)
    differs = (np.linalg.norm(lab - wall, axis=2) > 1.2 * NOT_WALL) & (
        np.linalg.norm(lab - lab_of(place), axis=2) > 0.7 * NOT_WALL
    )
    guess = np.where(differs, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    guess[int(0.55 * height) :, int(0.36 * width) : int(0.52 * width)] = cv2.GC_FGD
    guess[: int(0.03 * height)] = guess[:, :left] = guess[:, right:] = cv2.GC_BGD
    found = edged(photo, guess)
    return np.asarray(cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((15, 15))), np.uint8)


def edged(photo: Image, guess: Image) -> Image:
    """(height, width) uint8, 255 where GrabCut finds the foreground that it is told, its largest part."""
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo, guess, (0, 0, 0, 0), *models, iterCount=3, mode=cv2.GC_INIT_WITH_MASK)
    found = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3))), np.uint8)
    return np.where(largest(found), 255, 0).astype(np.uint8)


def largest(mask: Image) -> npt.NDArray[np.bool_]:
    """Its largest connected part."""
    _, parts, figures, _ = cv2.connectedComponentsWithStats(mask)
    return np.asarray(parts == 1 + int(figures[1:, cv2.CC_STAT_AREA].argmax()))


def dressed(photo: Image, mask: Image, rng: Random) -> Image:
    """The same person in clothes of any colour and pattern, lighter or darker, in warmer or colder light."""
    lab, person = lab_of(photo), mask > 0
    dark = person & (lab[..., 0] < DARK)
    clothes = largest(dark.astype(np.uint8)) if dark.any() else dark
    skin = person & ~dark
    lab[skin, 0] = 100 * (lab[skin, 0] / 100) ** rng.uniform(0.8, 1.7)
    if rng.random() < 0.8:
        shade = lab[clothes, 0] / DARK
        colour = np.array([rng.uniform(12, 92), *rng.normal(0, 22, 2)])
        lab[clothes] = colour * np.column_stack([0.6 + 0.6 * shade, np.ones_like(shade), np.ones_like(shade)])
        lab[clothes, 0] += patterned(person.shape, rng)[clothes]
    tint = np.array([0.0, *rng.normal(0, 3, 2)])
    lab[person] = np.clip(lab[person] + tint, (0, -100, -100), (100, 100, 100))
    rgb = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb * 255, 0, 255), np.uint8)


def patterned(shape: tuple[int, ...], rng: Random) -> Floats:
    """(height, width) lightness to add: nothing, stripes, checks or blotches."""
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


def placed(photo: Image, mask: Image, room: Image, rng: Random) -> tuple[Image, Floats]:
    """The person in the room, cut off by its lower edge as in the photo, and the (2, 3) affine of landmarks."""
    size = LONGEST / max(room.shape[:2])
    room = np.asarray(cv2.resize(room, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = room.shape[:2]
    there = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = there[0][0], there[0][-1], there[1][0], there[1][-1]
    # A head that the photo cuts off stays cut off: by the picture's own edge.
    part = rng.uniform(0.4, 1.05) if top > 2 else rng.uniform(1.03, 1.4)
    scale = float(part) * height / (bottom - top)
    x = rng.uniform(0.15, 0.85) * width - scale * (left + right) / 2
    affine = np.array([[scale, 0, x], [0, scale, height - scale * (bottom - 1)]], np.float32)
    person, cover = warped(photo, mask, affine, (width, height))
    light = (float(room.mean()) / max(float(person[cover[..., 0] > 0.5].mean()), 1.0)) ** rng.uniform(0, 0.6)
    mixed = np.clip(person * light, 0, 255) * cover + room * (1 - cover)
    return np.asarray(np.rint(mixed), np.uint8), affine


def warped(photo: Image, mask: Image, affine: Floats, size: tuple[int, int]) -> tuple[Image, Floats]:
    """Photo (height, width, 3) and what it covers, 0 to 1 (height, width, 1), in a picture of (width, height)."""
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    # Blurred before it is shrunk: warping alone would take every third pixel.
    photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale) if scale < 0.7 else photo
    soft = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3))), (0, 0), max(0.8, 0.4 / scale))
    shown = cv2.warpAffine(photo, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(soft, affine, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    return np.asarray(shown, np.uint8), np.asarray(cover[..., None], np.float32)


def moved(hand: dict[str, Any], affine: Floats) -> dict[str, Any]:
    """A label after a similarity transform (2, 3) of the picture, mirrored ones too."""
    turn = affine[:, :2]
    scale = float(np.sqrt(abs(np.linalg.det(turn))))
    now: dict[str, Any] = {key: hand[key] for key in ("visibility", "handedness") if hand.get(key)}
    if np.linalg.det(turn) < 0 and "handedness" in now:
        now["handedness"] = {"Left": "Right", "Right": "Left"}[now["handedness"]]
    if hand.get("world"):
        world = np.array(hand["world"])
        now["world"] = np.column_stack([world[:, :2] @ turn.T / scale, world[:, 2]]).round(5).tolist()
    if hand.get("landmarks"):
        points = np.array(hand["landmarks"])
        there = np.column_stack([points[:, :2] @ turn.T + affine[:, 2], points[:, 2] * scale])
        now["landmarks"] = there.round(2).tolist()
    if hand.get("box"):
        corners = np.array(hand["box"])[[[0, 1], [2, 1], [2, 3], [0, 3]]] @ turn.T + affine[:, 2]
        now["box"] = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).round(2).tolist()
    return now


def is_within(hand: dict[str, Any], picture: Image) -> bool:
    """Whether any of it lies in the picture."""
    points = np.array(hand["landmarks"])[:, :2] if "landmarks" in hand else np.reshape(hand["box"], (2, 2))
    size = picture.shape[1], picture.shape[0]
    return bool((points.max(axis=0) > 0).all() and (points.min(axis=0) < size).all())


if __name__ == "__main__":
    main()
