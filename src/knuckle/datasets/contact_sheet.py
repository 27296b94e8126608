"""A contact sheet of labelled images: what a person looks at to see whether labels are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

from knuckle.datasets.image_source import open_image
from knuckle.datasets.labels import LabelledHand, Shot
from knuckle.errors import SinkError, SourceError
from knuckle.extras import cv2
from knuckle.images import Image
from knuckle.media.draw_marks import dot, fixed, lines
from knuckle.results import BONES, FloatArray

TILE, LINE, COLUMNS = 300, 15, 5  # pixels of a picture's sides, pixels of a line of text, tiles in a row
LINES, LETTERS = 3, 46  # of text below a picture, and in a line
GROUND, INK, WRONG, BOX = (24, 27, 33), (226, 230, 236), (255, 120, 96), (120, 200, 255)


def write_sheet(path: Path, shots: Sequence[Shot], notes: Mapping[Shot, Sequence[str]], most: int = 100) -> int:
    """Write a picture with a tile for each image: its labels, its name, and what is wrong with it.

    Args:
        path: a .jpg or .png file.
        shots: photos; frames of clips are left out. Those with notes come first.
        notes: what is wrong with an image; such tiles have a red frame.
        most: tiles at most.

    Returns:
        The number of tiles.

    Raises:
        SinkError: the file cannot be written.
    """
    photos = [shot for shot in dict.fromkeys(shots) if not is_frame(shot)]
    chosen = sorted(photos, key=lambda shot: not notes.get(shot))[:most]
    rows = max(1, -(-len(chosen) // COLUMNS))
    height = TILE + LINES * LINE + 12
    sheet = pillow.new("RGB", (COLUMNS * (TILE + 8) + 8, rows * height + 8), GROUND)
    for number, shot in enumerate(chosen):
        row, column = divmod(number, COLUMNS)
        place = 8 + column * (TILE + 8), 8 + row * height
        put_tile(sheet, place, shot, notes.get(shot, ()))
    try:
        sheet.save(path, quality=88)  # which other formats than JPEG ignore
    except (OSError, ValueError) as error:
        raise SinkError(f"the contact sheet {path} cannot be written ({error}); name it .jpg or .png") from error
    return len(chosen)


def is_frame(shot: Shot) -> bool:
    """Whether an image is a frame of a clip."""
    return Path(shot.source).suffix.lower() in (".mp4", ".mkv", ".avi", ".mov", ".webm")


def put_tile(sheet: pillow.Image, place: tuple[int, int], shot: Shot, notes: Sequence[str]) -> None:
    """Draw one image at (x, y) of the sheet."""
    x, y = place
    brush, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    try:
        sheet.paste(pillow.fromarray(labelled_picture(open_image(shot.source), shot.hands or ())), place)
    except SourceError:
        brush.text((x + 8, y + 8), "the image cannot be read", WRONG, font)
    if notes:
        brush.rectangle((x - 2, y - 2, x + TILE + 1, y + TILE + 1), outline=WRONG, width=3)
    sides = ", ".join(hand.handedness or "side unknown" for hand in shot.hands or ())
    about = "not labelled" if shot.hands is None else sides or "no hand"
    text = [f"{Path(shot.source).name[-30:]}: {about}", *notes]
    for number, line in enumerate(text[:LINES]):
        brush.text((x, y + TILE + 3 + number * LINE), shortened(line), WRONG if number else INK, font)


def shortened(text: str) -> str:
    """The text, cut where the tile ends."""
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def labelled_picture(image: Image, hands: Sequence[LabelledHand]) -> Image:
    """(height, width, 3) the image in the size of a tile, with boxes, bones and points of its hands."""
    height, width = image.shape[:2]
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    for hand in hands:
        if hand.box is not None:
            low, high = (hand.box.reshape(2, 2) * scale).round().astype(int).tolist()
            cv2.rectangle(picture, low, high, BOX, 1)
        if hand.landmarks is not None:
            draw_points(picture, hand.landmarks[:, :2].astype(np.float64) * scale)
    return picture


def draw_points(picture: Image, points: FloatArray) -> None:
    """Draw the bones and points of a hand that are labelled; (21, 2) pixels."""
    known = np.asarray(np.isfinite(points).all(axis=1))
    lines(picture, [(fixed(points[pair]), colour) for pair, colour in BONES if known[pair[0]] and known[pair[1]]], 1)
    for point in points[known]:
        dot(picture, fixed(point).tolist(), 1.5, INK)
