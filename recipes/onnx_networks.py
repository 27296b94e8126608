"""Write the ONNX files of our bundles, for systems that have no LiteRT: `python recipes/onnx_networks.py`.

Run it whenever a network in src/knuckle/models/networks changes. Weights are stored in half precision, as in the tflite
files, and widened when a network is loaded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from knuckle.models.bundle import NetworkFile, open_description, sha256_of
from knuckle.models.catalogue import ONNX, OWN, PACKAGED
from knuckle.train.export import export, sample_pictures
from knuckle.train.export_bundle import from_bundle

SMALLEST = 64  # constants with fewer numbers stay as they are: they may be indices, sizes or scales


def halve_weights(path: Path) -> None:
    """Store the float32 weights of an ONNX file in half precision, each followed by a cast."""
    model = onnx.load(path)
    graph, casts = model.graph, []
    for weight in list(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}/half")
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer.remove(weight)
        graph.initializer.append(half)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main() -> None:
    ONNX.mkdir(exist_ok=True)
    for name in PACKAGED:
        bundle = open_description(OWN / f"{name}.json")
        files = {}
        for role, stored in (("palm", bundle.palm_path), ("hand", bundle.hand_path)):
            path = ONNX / f"{stored.stem}.onnx"
            trained = from_bundle(bundle, role)
            export(trained.network, path, "onnx", sample_pictures(int(trained.network.side)))
            halve_weights(path)
            files[role] = NetworkFile(path.name, sha256_of(path))
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
        description = replace(bundle, **files, palm_int8=None, hand_int8=None)
        (ONNX / f"{name}.json").write_text(description.to_json() + "\n")


if __name__ == "__main__":
    main()
