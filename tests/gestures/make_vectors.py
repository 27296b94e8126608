"""Write tests/gestures/vectors.json, to which the Python and the TypeScript code are both held.

Run it as `python tests/gestures/make_vectors.py` after the network or the sets changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from posed import posed_hand

from knuckle.gestures.directions import conditions_of
from knuckle.gestures.examples import examples_of
from knuckle.gestures.features import features_of_hands
from knuckle.gestures.recogniser import GestureRecogniser, load_gestures, set_names
from knuckle.gestures.steady import GestureMemory, steadied
from knuckle.gestures.taught import TaughtGestures, fit_gestures
from knuckle.results import Hand

PATH = Path(__file__).with_name("vectors.json")
SHOWN = (("two", "Right", (10, 20, 30)), ("thumb_up", "Left", (0, -20, 170)), ("stop", "Right", (5, 0, 0)))
SHOWN += (("asl_K", "Left", (40, 0, -60)), ("claw", "Right", (0, 180, 20)))
TAUGHT = ("two", "fist", "ok")


def vectors() -> dict[str, Any]:
    """Hands with their features, conditions and probabilities in each set, and in a taught one."""
    examples = [
        (name, f"take {k}", posed_hand(name, turned_deg=(4 * k, -5 * k, 9 * k))) for name in TAUGHT for k in range(5)
    ]
    taught = fit_gestures(examples_of(examples), directed=True)
    rows = [row_of(posed_hand(pose, side, turned), taught) for pose, side, turned in SHOWN]
    return {"taught": taught.to_json(), "hands": rows, "steady": steady_rows()}


def steady_rows() -> list[dict[str, Any]]:
    """Frames of one hand whose probabilities flicker, with a pause: what was seen, and what is said."""
    rng, rows = np.random.default_rng(2), list[dict[str, Any]]()
    following: GestureMemory = {}
    hand = replace(posed_hand("two"), track_id=1)
    for k in range(60):
        time_s = round(k / 30 + (0.4 if k >= 40 else 0.0), 4)
        row = np.full(4, 0.05, np.float32)
        row[(k // 20 + int(rng.random() < 0.25)) % 4] += 0.8
        following = steadied(following, [hand], row[None], time_s)
        said = following[1]
        average = said.average.round(4).tolist()
        rows.append({"time_s": time_s, "row": row.round(3).tolist(), "average": average, "column": said.column})
    return rows


def row_of(hand: Hand, taught: TaughtGestures) -> dict[str, Any]:
    """What is computed of a hand."""
    left = np.array([hand.handedness == "Left"])
    recognisers = {name: load_gestures(name) for name in set_names()}
    recognisers["taught"] = GestureRecogniser(recognisers["canned"].network, taught)
    return {
        "landmarks": hand.landmarks.round(3).tolist(),
        "world": hand.world.round(6).tolist(),
        "handedness": hand.handedness,
        "features": features_of_hands([hand])[0].round(4).tolist(),
        "conditions": conditions_of(hand.world[None], left)[0].round(4).tolist(),
        "probabilities": {name: one.probabilities([hand])[0].round(4).tolist() for name, one in recognisers.items()},
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors()) + "\n")
