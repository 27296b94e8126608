"""Writes `.task` files: both networks in one file that MediaPipe's own HandLandmarker loads (Python, phones, web).

A `.task` file is a zip archive of two uncompressed tflite files. Each contains the metadata that MediaPipe's
preprocessing needs (mean 0, deviation 255, so that pictures become 0..1). MediaPipe's graph has fixed anchors: 2016 of
a 192 px input. The rows of our palm network are written as the first of these, shifted by the distance between our
anchor and MediaPipe's; the remaining rows have a score that means "no palm".
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from knuckle.errors import EngineError, InputError, SinkError
from knuckle.models.bundle import TASK_MEMBERS
from knuckle.models.tflite import add_buffer, opened, packed
from knuckle.pipeline.palm import anchors
from knuckle.train.export import export
from knuckle.train.teacher import input_side

PALM_SIDE, PALM_STRIDES = 192, ((8, 2), (16, 6))  # of the fixed anchors
NO_PALM = -100.0  # a logit; MediaPipe clips logits at this value
PALM_OUTPUTS = {"boxes": "Identity", "scores": "Identity_1"}
HAND_OUTPUTS = {
    "landmarks": "Identity",
    "presence": "Identity_1",
    "handedness": "Identity_2",
    "world": "Identity_3",
}
LABELS = {"palm": ("labels.txt", "palm\n"), "hand": ("handedness.txt", "Left\nRight\n")}


class TaskPalm(nn.Module):
    """A palm network with MediaPipe's anchors: boxes (n, 2016, 18), scores (n, 2016, 1)."""

    offsets: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.side = network, input_side(network)
        ours = anchors(self.side, getattr(network, "strides")) * (PALM_SIDE / self.side)  # noqa: B009  an nn.Module's attributes have no type
        theirs = anchors(PALM_SIDE, PALM_STRIDES)
        if len(ours) > len(theirs):
            raise InputError(f"a .task file has room for {len(theirs)} anchors, this palm network has {len(ours)}")
        away = np.repeat((ours - theirs[: len(ours)])[:, None], 9, axis=1)
        away[:, 1] = 0  # sizes do not depend on the anchor
        self.register_buffer("offsets", torch.from_numpy(away.reshape(1, -1, 18).astype(np.float32)))
        self.spare = len(theirs) - len(ours)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        out = self.network(picture)
        boxes = out["boxes"] * (PALM_SIDE / self.side) + self.offsets
        return {
            "boxes": nn.functional.pad(boxes, (0, 0, 0, self.spare)),
            "scores": nn.functional.pad(out["scores"], (0, 0, 0, self.spare), value=NO_PALM),
        }


class TaskHand(nn.Module):
    """A landmark network with only the outputs that MediaPipe knows, in its order."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.side = network, input_side(network)

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        out = self.network(picture)
        return {name: out[name] for name in HAND_OUTPUTS}


def write_task(path: Path, palm: nn.Module, hand: nn.Module, pictures: dict[str, npt.NDArray[np.uint8]]) -> None:
    """Write a `.task` file.

    Args:
        palm, hand: networks with folded batch norms.
        pictures: for "palm" and "hand" (n, side, side, 3) inputs on which files and networks are compared.

    Raises:
        InputError: the palm network has too many anchors.
        EngineError, MissingExtraError: as `knuckle.train.export.export`.
        SinkError: the file cannot be written.
    """
    parts = {"palm": (TaskPalm(palm), PALM_OUTPUTS), "hand": (TaskHand(hand), HAND_OUTPUTS)}
    task = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(task, "w", zipfile.ZIP_STORED) as archive:
        for role, (network, names) in parts.items():
            part = Path(folder) / f"{role}.tflite"
            export(network, part, "fp16", pictures[role])
            archive.writestr(zipfile.ZipInfo(TASK_MEMBERS[role]), with_metadata(part.read_bytes(), names, role))
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(task.getvalue())
        beside.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


def with_metadata(network: bytes, names: dict[str, str], role: str) -> bytes:
    """A tflite file with MediaPipe's names and order of outputs, with metadata, and with a file of labels appended.

    Args:
        names: our name -> MediaPipe's name of each output, in MediaPipe's order.
        role: "palm" or "hand".

    Raises:
        EngineError: the network lacks an output.
    """
    schema, model = opened(network)
    graph = model.subgraphs[0]
    by_name = {graph.tensors[index].name.decode(): index for index in graph.outputs}
    missing = set(names) - set(by_name)
    if missing:
        raise EngineError(f"the {role} network lacks the outputs {', '.join(sorted(missing))}")
    graph.outputs = [by_name[name] for name in names]
    for name, theirs in names.items():
        graph.tensors[by_name[name]].name = theirs
    graph.tensors[graph.inputs[0]].name = "input_1"
    model.signatureDefs = []  # they refer to the old outputs
    label_file, labels = LABELS[role]
    entry = schema.MetadataT()
    entry.name = "TFLITE_METADATA"
    entry.buffer = add_buffer(schema, model, _metadata(role, list(names.values()), label_file))
    model.metadata = [*(model.metadata or []), entry]
    whole = io.BytesIO(packed(model))
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:  # the labels follow the network as a zip archive
        archive.writestr(zipfile.ZipInfo(label_file), labels)
    return whole.getvalue()


def _metadata(role: str, outputs: list[str], label_file: str) -> bytes:
    """The metadata as a flatbuffer of TensorFlow's metadata_schema.fbs, which defines the field numbers."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)

    def vector(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def floats(value: float) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())

    def table(fields: int, **offsets: int) -> int:
        """A table of references; the keywords f0, f1, … are field numbers."""
        builder.StartObject(fields)
        for name, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(int(name[1:]), offset, 0)
        return int(builder.EndObject())

    mean, deviation = floats(0.0), floats(255.0)
    options = table(2, f0=mean, f1=deviation)  # NormalizationOptions
    builder.StartObject(2)  # ProcessUnit: normalization
    builder.PrependUint8Slot(0, 1, 0)
    builder.PrependUOffsetTRelativeSlot(1, options, 0)
    units = vector([int(builder.EndObject())])
    builder.StartObject(2)  # ImageProperties: RGB
    builder.PrependInt8Slot(0, 1, 0)
    image = int(builder.EndObject())
    builder.StartObject(4)  # Content: image
    builder.PrependUint8Slot(0, 2, 0)
    builder.PrependUOffsetTRelativeSlot(1, image, 0)
    content = int(builder.EndObject())
    low, high = floats(0.0), floats(1.0)
    stats = table(2, f0=high, f1=low)
    name = builder.CreateString("input_1")
    entering = vector([table(7, f0=name, f3=content, f4=units, f5=stats)])  # TensorMetadata
    leaving = vector([table(7, f0=builder.CreateString(output)) for output in outputs])
    file_name = builder.CreateString(label_file)
    builder.StartObject(5)  # AssociatedFile: labels of values
    builder.PrependUOffsetTRelativeSlot(0, file_name, 0)
    builder.PrependInt8Slot(2, 3, 0)
    files = vector([int(builder.EndObject())])
    graph = vector([table(7, f2=entering, f3=leaving, f4=files)])  # SubGraphMetadata
    title, parser = builder.CreateString(f"Knuckle {role}"), builder.CreateString("1.0.0")
    root = table(8, f0=title, f3=graph, f7=parser)  # ModelMetadata
    builder.Finish(root, b"M001")
    return bytes(builder.Output())
