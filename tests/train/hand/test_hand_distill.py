"""A teacher's answers take the place of labels where the crop shows a hand and the teacher sees it."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import drawn_hand

torch = pytest.importorskip("torch")

from knuckle.train.augment import crop_from_image  # noqa: E402
from knuckle.train.hand.distill import AnswersAsLabels  # noqa: E402
from knuckle.train.hand.labels import error_unit_px, labels_in_crop, labels_without_hand, region_of, scalar  # noqa: E402

SIDE, TEACHER_SIDE = 64, 128


class Says(torch.nn.Module):
    """A teacher that gives every picture the same landmarks; its presence is the brightness of the picture."""

    side = TEACHER_SIDE

    def __init__(self, points: np.ndarray) -> None:
        super().__init__()
        self.points = torch.from_numpy(points.astype(np.float32)).reshape(1, 63)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert x.shape[1:] == (3, TEACHER_SIDE, TEACHER_SIDE)
        n = len(x)
        brightness = x.mean(dim=(1, 2, 3))[:, None]
        world = torch.ones(n, 63) * 0.5
        return {
            "landmarks": self.points.repeat(n, 1),
            "world": world,
            "presence": brightness,
            "handedness": torch.full((n, 1), 0.9),
        }


def batch(*labels: dict[str, np.ndarray], brightness: tuple[int, ...]) -> dict[str, torch.Tensor]:
    stacked = {name: torch.from_numpy(np.stack([each[name] for each in labels])) for name in labels[0]}
    pictures = [np.full((3, SIDE, SIDE), value, np.uint8) for value in brightness]
    return stacked | {"picture": torch.from_numpy(np.stack(pictures))}


def labelled() -> dict[str, np.ndarray]:
    _, hand = drawn_hand(np.random.default_rng(0))
    roi = region_of(hand, (5, 9, 13))
    return labels_in_crop(hand, roi, crop_from_image(roi, SIDE, mirrored=False), SIDE, mirrored=False)


def test_answers_replace_labels_where_the_teacher_sees_a_hand() -> None:
    points = np.random.default_rng(1).uniform(20, 100, (21, 3))
    boxed = labels_without_hand()
    boxed["presence"], boxed["presence_weight"] = scalar(1), scalar(2)
    before = batch(labelled(), labelled(), labels_without_hand(), boxed, brightness=(255, 20, 255, 255))
    after = AnswersAsLabels(Says(points), SIDE)(dict(before))
    for row in (0, 3):  # a labelled hand and one of which only presence is known
        torch.testing.assert_close(after["landmarks"][row], torch.from_numpy(points).float() * SIDE / TEACHER_SIDE)
        torch.testing.assert_close(after["world"][row], torch.zeros(21, 3))
        assert (after["world_weight"][row] == 1).all() and after["landmark_weight"][row].tolist()[3:5] == [1.0, 1.5]
        unit = error_unit_px(points[:, :2] * SIDE / TEACHER_SIDE, np.ones(21, bool))
        assert after["palm_size"][row].item() == pytest.approx(max(unit, 0.08 * SIDE), rel=1e-4)
    for row in (1, 2):  # a hand that the teacher misses keeps its labels, and a crop without a hand its none
        for name in before:
            torch.testing.assert_close(after[name][row], before[name][row])
    assert after["handedness"][0] == before["handedness"][0]  # a label counts more than an answer
    assert after["handedness"][3].item() == pytest.approx(0.9) and after["handedness_weight"][3] == 1
    for name in ("presence", "presence_weight", "visibility_weight", "picture"):
        torch.testing.assert_close(after[name], before[name])
