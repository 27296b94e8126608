"""How good the labels between corrected key frames are: `python benchmarks/label_clips.py`.

The truth is what MediaPipe's networks see in every frame of a clip. `knuckle label` begins with our own bundle, whose
points differ from that. Every tenth frame is corrected: it gets the true labels. Then the frames between are filled,
and compared with the truth, beside our tracker alone and beside straight lines between the key frames.

More clips may be named. Writes results/label_clips.json, whose figures `docs/make_label.py` puts into docs/label.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from knuckle import HandTracker, load
from knuckle.datasets.labels import LabelledHand
from knuckle.label.between import Between, KeyFrame, apart, fill, points_of
from knuckle.label.clip import EVERY, FLAGGED
from knuckle.media.clip_frames import ClipFrames
from knuckle.pipeline.options import TrackerOptions

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "label_clips.json"
WRONG = 0.15  # palm sizes: a hand that is farther from the truth should be flagged
ELSEWHERE = 1.0  # palm sizes: it is not this hand


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--frames", default=180, show_default=True, help="Of each clip, at most.")
@click.option("--every", default=EVERY, show_default=True, help="Frames from one key frame to the next.")
def main(clips: tuple[Path, ...], frames: int, every: int) -> None:
    """Measure the example clip and CLIPS."""
    results = [measure(clip, frames, every) for clip in (ROOT / "examples" / "hands.mp4", *clips)]
    RESULT.write_text(json.dumps({"every": every, "flagged": FLAGGED, "clips": results}, indent=2) + "\n")
    click.echo(json.dumps(results, indent=2))


def measure(path: Path, most: int, every: int) -> dict[str, Any]:
    """The errors in a clip, % of the palm size."""
    frames = ClipFrames(str(path))
    count = min(len(frames), most)
    truth, own = (tracked(frames, count, models) for models in ("mediapipe", "knuckle"))
    networks = load("knuckle")
    landmarker = networks.hand_landmarker(networks.completed(TrackerOptions()))
    errors: dict[str, list[float]] = {"tracker": [], "line": [], "filled": []}
    flags: list[tuple[bool, bool]] = []  # of each frame: whether it is wrong, and whether it is flagged
    for one, other in zip(range(0, count, every), range(every, count, every), strict=False):
        ends = KeyFrame(one, truth[one]), KeyFrame(other, truth[other])
        stretch = fill(frames.image, *ends, landmarker, own.__getitem__)
        for number, frame in enumerate(stretch.frames, one + 1):
            line = list(between(ends, (number - one) / every))
            found = {"tracker": own[number], "line": line, "filled": frame.hands}
            for name, hands in found.items():
                errors[name] += distances(hands, truth[number])
            flags.append((is_wrong(frame, truth[number]), frame.doubt >= FLAGGED))
    frames.close()
    wrong = [flagged for bad, flagged in flags if bad]
    figures: dict[str, Any] = {"clip": path.name, "frames": len(flags), "hands": len(errors["filled"])}
    for name, values in errors.items():
        near = [100 * value for value in values if value < ELSEWHERE]
        figures[name] = {"median": round(float(np.median(near)), 2), "missed": len(values) - len(near)}
    figures |= {"flagged": sum(flagged for _, flagged in flags), "wrong": len(wrong), "wrong_flagged": sum(wrong)}
    return figures


def tracked(frames: ClipFrames, count: int, models: str) -> list[list[LabelledHand]]:
    """What a bundle sees in the first frames of a clip."""
    found = []
    with HandTracker(models, smooth=False) as tracker:
        for number in range(count):
            hands = tracker(frames.image(number), frames.times_s[number])
            found.append(
                [LabelledHand(landmarks=h.landmarks, handedness=h.handedness, track_id=h.track_id) for h in hands]
            )
    return found


def between(ends: Sequence[KeyFrame], share: float) -> Iterator[LabelledHand]:
    """Straight lines between the hands of two key frames that are of one side."""
    for hand in ends[0].hands:
        for other in ends[1].hands:
            if hand.handedness == other.handedness and hand.landmarks is not None and other.landmarks is not None:
                yield LabelledHand(landmarks=(1 - share) * hand.landmarks + share * other.landmarks)


def distances(hands: Sequence[LabelledHand], truth: Sequence[LabelledHand]) -> list[float]:
    """For each true hand the distance of the nearest one, palm sizes."""
    return [min((apart(points_of(hand), points_of(true)) for hand in hands), default=np.inf) for true in truth]


def is_wrong(frame: Between, truth: Sequence[LabelledHand]) -> bool:
    """Whether a person would have to correct a frame."""
    return len(frame.hands) != len(truth) or max(distances(frame.hands, truth), default=0.0) > WRONG


if __name__ == "__main__":
    main()
