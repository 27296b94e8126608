"""Make docs/images/handedness.jpg: the side that each API reports, in a photo and in its mirror image."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests"))

WIDTH, HEIGHT = 560, 460
HAND_X, HAND_Y, HAND_SIZE = 120, 215, 130  # the person's right hand in the photo, pixels
GREEN, RED, DARK, WHITE = (30, 120, 40), (190, 40, 40), (40, 40, 40), (255, 255, 255)


def main() -> None:
    photo = person()
    panels = [
        labelled(photo, "as the camera took it", flipped=False),
        labelled(photo[:, ::-1].copy(), "mirrored, as a selfie is shown", flipped=True),
    ]
    picture = np.hstack([panels[0], np.full((HEIGHT, 20, 3), 255, np.uint8), panels[1]])
    cv2.imwrite(str(DOCS / "images" / "handedness.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def person() -> np.ndarray:
    """Draw a person who faces the camera and raises the right hand."""
    from scene import SKIN, blank, draw_hand

    image = blank(WIDTH, HEIGHT)
    middle = WIDTH // 2
    cv2.ellipse(image, (middle, 430), (95, 150), 0, 180, 360, (90, 110, 150), -1, cv2.LINE_AA)
    cv2.ellipse(image, (middle, 190), (52, 68), 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    cv2.ellipse(image, (middle, 160), (56, 46), 0, 180, 360, (70, 50, 40), -1, cv2.LINE_AA)
    for x in (middle - 19, middle + 19):
        cv2.circle(image, (x, 190), 5, DARK, -1, cv2.LINE_AA)
    cv2.ellipse(image, (middle, 216), (20, 10), 0, 20, 160, DARK, 2, cv2.LINE_AA)
    return draw_hand(image, HAND_X, HAND_Y, HAND_SIZE, right=True)


def labelled(image: np.ndarray, title: str, flipped: bool) -> np.ndarray:
    """Write the answer of each API under the hand: green if it is the person's own side, red if not."""
    told = {"knuckle.solutions": side_by_solutions(image), "knuckle.tasks": side_by_tasks(image)}
    x = (WIDTH - HAND_X if flipped else HAND_X) - 110
    cv2.rectangle(image, (0, 0), (WIDTH, 44), WHITE, -1)
    cv2.rectangle(image, (x, 362), (x + 220, HEIGHT), WHITE, -1)
    write(image, title, 12, 30, 0.75, DARK)
    write(image, "the person's right hand", x + 8, 386, 0.55, DARK)
    for row, (name, side) in enumerate(told.items()):
        write(image, f"{name}: {side}", x + 8, 414 + 28 * row, 0.6, GREEN if side == "Right" else RED)
    return image


def side_by_solutions(image: np.ndarray) -> str:
    """The side that the legacy API reports."""
    import knuckle.solutions as mp_solutions

    with mp_solutions.hands.Hands(static_image_mode=True) as hands:
        (side,) = hands.process(image).multi_handedness or []
    return side.classification[0].label


def side_by_tasks(image: np.ndarray) -> str:
    """The side that the Tasks API reports."""
    from knuckle.pipeline.palm import UPRIGHT_RAD
    from knuckle.tasks import BaseOptions, HandLandmarker, HandLandmarkerOptions, Image, ImageFormat

    # Upright crops: the network does not recognise the drawn hand in a turned one.
    options = HandLandmarkerOptions(BaseOptions(model_asset_path="mediapipe"), upright_rad=UPRIGHT_RAD)
    with HandLandmarker.create_from_options(options) as landmarker:
        ((side,),) = landmarker.detect(Image(ImageFormat.SRGB, image)).handedness
    return str(side.category_name)


def write(image: np.ndarray, text: str, x: int, y: int, size: float, color: tuple[int, int, int]) -> None:
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1 + (size > 0.58), cv2.LINE_AA)


if __name__ == "__main__":
    main()
