"""Palm networks alone, as the pipeline runs them: recall by size of the hand, false positives, speed.

    python benchmarks/palms.py --boxes HELD_OUT_BOXES.jsonl --signers VIDEO/ \\
        --scenes benchmarks/scratch/accuracy/scenes --free PHOTOS/office_no_hands [--free CLIP.mp4] \\
        [--models mediapipe mediapipe-lite knuckle-fast]

`--boxes`: held-out photos with boxes around their hands, drawn by people. `--signers`: folder of the clips that
benchmarks/labels/asl_hands.jsonl labels, with people further away; only held-out signers are used. `--scenes`: renders
of another seed. `--free`: folders and clips without any hand. False positives are counted three times: palms above the
threshold, palms that the tracker tries (`faint_palms`), and hands of `knuckle.detect`. The networks are timed
alternately; the result is the median ratio to the first network within a round. Figures are written to
benchmarks/results/palms.json; docs/make_tables.py makes tables of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import signers, unseen
from networks import images_in, in_turn
from rich.progress import track

import knuckle
from knuckle.datasets import open_image, read_dataset
from knuckle.datasets.labels import Clip, Dataset, Shot
from knuckle.images import Image
from knuckle.media.sources import read
from knuckle.metrics import bootstrap
from knuckle.models.session import Session
from knuckle.pipeline.options import TrackerOptions
from knuckle.pipeline.tracker import Networks, hand_detection, palms_to_try
from knuckle.results import Palm
from knuckle.train.palm.evaluator import LEAST_SCORE, OPERATING_SCORE, SIZES, Matches, match_palms, palm_figures

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "palms.json"
CLIPS = {".mkv", ".mp4"}
EVERY_FRAME = 10  # every N-th frame of hand-free clips is used


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--boxes", required=True, help="photos with boxes drawn by people")
    options.add_argument("--signers", required=True, type=Path, help="folder of the clips asl_*")
    options.add_argument("--scenes", required=True, help="rendered scenes")
    options.add_argument("--free", required=True, action="append", type=Path, help="folder or clip without hands")
    options.add_argument("--models", nargs="+", default=["mediapipe", "mediapipe-lite", "knuckle-fast", "knuckle-far"])
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    networks = {name: knuckle.load(name) for name in chosen.models}
    by_source: dict[str, list[Shot]] = defaultdict(list)
    for shot in read_dataset(chosen.boxes).shots:
        by_source[shot.slices[0] if shot.slices else "photos"].append(shot)
    clips = tuple(Clip(str(path)) for path in sorted(chosen.signers.glob("asl_*")))
    signed = [shot for clip in unseen(signers(Dataset("asl_clips", clips=clips))).clips for shot in clip.shots]
    by_source["asl_clips"] = [shot for shot in signed if shot.complete]  # elsewhere a palm may be a hand's
    time = in_turn(chosen.models, palm_session)
    boxed = {name: {who: matched(one, shots) for who, one in networks.items()} for name, shots in by_source.items()}
    recalls = {
        name: {who: recall(one, by_source[name]) for who, one in by_model.items()} for name, by_model in boxed.items()
    }
    found = {
        "models": chosen.models,
        "time": time,
        "boxes": recalls,
        "box_sizes": {who: by_size([by_model[who] for by_model in boxed.values()]) for who in networks},
        "scenes": {who: palm_figures(matched(one, read_dataset(chosen.scenes).shots)) for who, one in networks.items()},
        "free": alarms(networks, chosen.free),
    }
    chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def palm_session(name: str, threads: int) -> tuple[Session, int]:
    """A bundle's palm network and its side."""
    bundle = knuckle.models.catalogue.find(name)
    return Session(bundle.palm_path, threads), bundle.palm_side


def matched(networks: Networks, shots: Sequence[Shot]) -> Matches:
    """All palms above a low score, matched to the labels."""
    find = networks.palm_detector(TrackerOptions(min_palm_score=LEAST_SCORE)).graph()
    palms: list[Sequence[Palm]] = []
    sizes: list[tuple[int, int]] = []
    for image in track(pictures(shots), networks.bundle.name, total=len(shots)):
        palms.append(find(image))
        sizes.append((image.shape[1], image.shape[0]))
    return match_palms(palms, shots, sizes)


def pictures(shots: Sequence[Shot]) -> Iterator[Image]:
    """Photos, and frames of clips, in the order of their labels."""
    for source, group in itertools.groupby(shots, lambda shot: shot.source):
        frames = [shot.frame for shot in group]
        if Path(source).suffix in CLIPS:
            wanted = set(frames)
            yield from (frame.image for frame in read(source) if frame.index in wanted)
        else:
            yield from (open_image(source) for _ in frames)


def recall(found: Matches, shots: Sequence[Shot]) -> dict[str, Any]:
    """Recall at the tracker's score, with an interval over photos or clips; average precision; number of hands.

    A hand is found if the centre of a palm lies in its box.
    """
    there = found.best >= OPERATING_SCORE
    groups = [shot.source for shot in shots for hand in shot.hands or () if hand.extent is not None]
    share = bootstrap(lambda k: 100 * float(there[k].mean()), groups)
    return {"hands": len(there), "recall": share, "ap": palm_figures(found)["ap"]}


def by_size(found: Sequence[Matches]) -> dict[str, Any]:
    """Number of hands and recall for each size class (relative to the longer side of the picture)."""
    truths = np.concatenate([one.truths for one in found])
    there = np.concatenate([one.best for one in found]) >= OPERATING_SCORE
    shares: dict[str, Any] = {}
    for low, high in itertools.pairwise(SIZES):
        chosen = (truths >= low) & (truths < high)
        found_share = 100 * float(there[chosen].mean()) if chosen.any() else None
        shares[f"{100 * low:.0f}_{100 * high:.0f}"] = {"hands": int(chosen.sum()), "recall": found_share}
    return shares


def alarms(networks: dict[str, Networks], places: Sequence[Path]) -> dict[str, Any]:
    """False positives for each place and network: palms above the threshold, palms tried, hands."""
    counts: dict[str, Any] = {}
    for place in places:
        pictures = list(pictures_of(place))
        counts[place.name] = {"pictures": len(pictures)}
        for name, one in networks.items():
            options = one.completed(TrackerOptions())
            palms, hands = palms_to_try(one, options), hand_detection(one, options)
            tried = [palms(picture) for picture in pictures]
            counts[place.name][name] = {
                "palms": sum(palm.score >= options.min_palm_score for seen in tried for palm in seen),
                "tried": sum(map(len, tried)),
                "hands": sum(len(hands(picture)) for picture in pictures),
            }
    return counts


def pictures_of(place: Path) -> Iterator[Image]:
    """All photos of a folder, or one in `EVERY_FRAME` frames of a clip."""
    if place.is_dir():
        yield from images_in([path for path in sorted(place.rglob("*")) if path.is_file()])
    else:
        yield from (frame.image for frame in itertools.islice(read(place), 0, None, EVERY_FRAME))


if __name__ == "__main__":
    main()
