"""Put a trained landmark network into the package, in place of that of `knuckle` and `knuckle-far`.

    python recipes/release_hand.py RUN/checkpoint.pt --pictures HELD_OUT.jsonl [--presence-shift -1.5]

Writes hand.pt, hand.tflite, hand_int8.tflite and hand.onnx in src/knuckle/models/networks with their hashes, and
mobile/models/knuckle.task. The thresholds of the bundles stay: choose the shift of presence so that they fit
(`benchmarks/new_hands.py` compares thresholds, of this network and of the released one). Then measure everything again
that docs/release.md lists for new networks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from knuckle.models.bundle import NetworkFile, open_description, sha256_of
from knuckle.models.catalogue import OWN
from knuckle.train.calibrate import calibrate_presence
from knuckle.train.export_bundle import choose_parts, write_bundle
from knuckle.train.export_pictures import ExportData

BUNDLES = ("knuckle", "knuckle-far")
PARTS = {"hand": "hand.tflite", "hand_int8": "hand_int8.tflite"}
ROOT = Path(__file__).parents[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--pictures", required=True, help="labelled crops on which int8 is calibrated")
    options.add_argument("--presence-shift", type=float, default=0.0, help="added to the logit of presence")
    chosen = options.parse_args()
    bundles = {path: open_description(path) for path in (OWN / f"{name}.json" for name in BUNDLES)}  # before it changes
    with tempfile.TemporaryDirectory() as scratch:
        shifted = Path(scratch) / "hand.pt"
        calibrate_presence(chosen.checkpoint, -chosen.presence_shift, shifted)
        parts, data = choose_parts(str(shifted), None, None, "Apache-2.0"), ExportData(chosen.pictures)
        for form in ("fp16", "int8"):
            write_bundle(Path(scratch) / form, parts, form, data, "knuckle")
        for name in ("hand.tflite", "hand.pt"):
            shutil.copy(Path(scratch) / "fp16" / name, OWN)
        shutil.copy(Path(scratch) / "int8" / "hand.tflite", OWN / "hand_int8.tflite")
    files = {part: NetworkFile(file, sha256_of(OWN / file)) for part, file in PARTS.items()}
    for path, bundle in bundles.items():
        path.write_text(replace(bundle, **files).to_json() + "\n")
    subprocess.run([sys.executable, ROOT / "recipes" / "onnx_networks.py"], check=True)
    origins = json.loads((OWN / "origins.json").read_text())
    for name, origin in origins.items():
        origin["sha256"] = sha256_of(OWN.parents[1] / name)
    (OWN / "origins.json").write_text(json.dumps(origins, indent=1) + "\n")
    task = ROOT / "mobile" / "models" / "knuckle.task"
    subprocess.run(
        [sys.executable, "-m", "knuckle", "export", "knuckle", "--format", "task", "--out", task], check=True
    )


if __name__ == "__main__":
    main()
