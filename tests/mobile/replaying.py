"""Replays as the numbers that tests/mobile/Replay.kt and Replay.swift read, and their answers compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

MOBILE = Path(__file__).resolve().parents[2] / "mobile"
CHECKED = (0, 4, 5, 8, 12, 17, 20)
OPTIONS = (
    "maxHands",
    "minPalmScore",
    "faintPalms",
    "minPresence",
    "minNewConfidence",
    "minFaintConfidence",
    "secondLook",
    "searchEvery",
    "smooth",
    "predictMotion",
    "voteHandedness",
    "removeDuplicates",
    "rememberS",
)


def replays() -> list[dict[str, Any]]:
    """What mobile/make_replays.py has written."""
    found: list[dict[str, Any]] = json.loads((MOBILE / "replays.json").read_text())
    return found


def numbers_of(all_replays: list[dict[str, Any]]) -> str:
    """What the programs read."""
    trackers = [one for one in all_replays if one["kind"] != "palms"]
    palms = [one for one in all_replays if one["kind"] == "palms"]
    numbers: list[Any] = [len(trackers)]
    for replay in trackers:
        numbers.append(int(replay["kind"] == "track"))
        numbers += [-1 if (value := replay["options"][name]) is None else value for name in OPTIONS]
        numbers.append(len(replay["frames"]))
        for frame in replay["frames"]:
            numbers += [frame["time_s"], frame["width"], frame["height"]]
            if replay["kind"] == "track":
                numbers.append(len(frame["palms"]))
                for palm in frame["palms"]:
                    numbers += [*palm["box"], *palm["keypoints"], palm["score"]]
                numbers.append(len(frame["reads"]))
                for read in frame["reads"]:
                    numbers += hands_of(read["hands"])
            else:
                numbers += hands_of(frame["given"])
    numbers.append(len(palms))
    for one in palms:
        numbers += [one["width"], one["height"], one["minScore"], len(one["rows"])]
        for row in one["rows"]:
            numbers += row
    return " ".join(str(int(one) if isinstance(one, bool) else one) for one in numbers)


def hands_of(hands: list[dict[str, Any]]) -> list[Any]:
    numbers: list[Any] = [len(hands)]
    for hand in hands:
        numbers += [*hand["landmarks"], *hand["world"], hand["left"], hand["score"], hand["presence"]]
    return numbers


def compare(answers: str, all_replays: list[dict[str, Any]]) -> None:
    """Check what a program printed against the replays.

    Raises:
        AssertionError: something differs; the message names the replay and the frame.
    """
    given = iter(float(text) for text in answers.split())
    for replay in all_replays:
        for number, frame in enumerate(replay.get("frames", [])):
            where = f"{replay['name']}, frame {number}"
            if replay["kind"] == "track":
                assert bool(next(given)) == frame["searched"], where
                assert next(given) == len(frame["reads"]), where
                for read in frame["reads"]:
                    assert next(given) == len(read["regions"]), where
                    regions = [take(given, 4) for _ in read["regions"]]
                    np.testing.assert_allclose(regions, read["regions"], atol=0.05, err_msg=where)
            assert next(given) == len(frame["hands"]), where
            for hand in frame["hands"]:
                assert [next(given), bool(next(given))] == [hand["id"], hand["left"]], where
                np.testing.assert_allclose(next(given), hand["score"], atol=1e-3, err_msg=where)
                for name, tolerance in (("landmarks", 0.05), ("world", 0.0005)):
                    points = np.array(take(given, 63)).reshape(21, 3)[list(CHECKED)]
                    np.testing.assert_allclose(points.ravel(), hand[name], atol=tolerance, err_msg=where)
    for replay in (one for one in all_replays if one["kind"] == "palms"):
        assert next(given) == len(replay["palms"]), replay["name"]
        for palm in replay["palms"]:
            expected = [palm["score"], *palm["box"], *palm["keypoints"]]
            np.testing.assert_allclose(take(given, 19), expected, atol=0.02, err_msg=replay["name"])
    assert next(given, None) is None


def take(numbers: Iterator[float], count: int) -> list[float]:
    return [next(numbers) for _ in range(count)]
