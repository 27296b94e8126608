"""Writes gestures as a `gesture_recognizer.task` for MediaPipe's GestureRecognizer, as its Model Maker does."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from knuckle.errors import SinkError
from knuckle.extras import required
from knuckle.gestures.recogniser import GestureRecogniser, GestureSet, load_gestures
from knuckle.gestures.taught import NONE
from knuckle.models.bundle import CANNED, CUSTOM, EMBEDDER, LANDMARKER, RECOGNIZER
from knuckle.models.tflite import add_buffer, opened, packed
from knuckle.train.export import quiet
from knuckle.train.gestures.task_networks import SetClassifier, TaskClassifier, TaskEmbedder, TaughtClassifier

LABEL_FILE = "labels.txt"
AXIS_LABELS = 2  # AssociatedFileType of TensorFlow's metadata_schema.fbs


def write_gesture_task(path: Path, gestures: GestureRecogniser, landmarker: bytes) -> None:
    """Write gestures beside MediaPipe's seven, which are in the file too: MediaPipe asks for both.

    Args:
        path: the file to write.
        gestures: what MediaPipe calls custom gestures; they win over the seven.
        landmarker: the bytes of a `.task` file of a hand landmarker, as `knuckle export BUNDLE --out FILE.task` writes.

    Raises:
        MissingExtraError: the converter is not installed.
        SinkError: the file cannot be written.
    """
    canned = load_gestures("mediapipe")
    network = canned.network
    hand, world, right = torch.zeros(1, 21, 3), torch.zeros(1, 21, 3), torch.ones(1, 1)
    embedder = TaskEmbedder(network).eval()
    embedding = embedder(hand, right, world)
    members = {
        EMBEDDER: converted(embedder, (hand, right, world)),
        CANNED: with_labels(converted(classifier_of(canned), (embedding,)), (NONE, *canned.names)),
        CUSTOM: with_labels(converted(classifier_of(gestures), (embedding,)), (NONE, *gestures.names)),
    }
    whole = zipped({LANDMARKER: landmarker, RECOGNIZER: zipped(members)})
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(whole)
        beside.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


def classifier_of(gestures: GestureRecogniser) -> TaskClassifier:
    """The classifier of a set or of taught gestures."""
    if isinstance(gestures.gestures, GestureSet):
        return SetClassifier(gestures.network, gestures.gestures)
    return TaughtClassifier(gestures.network, gestures.gestures)


def converted(network: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """A network as the bytes of a tflite file."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        converter = required("litert_torch", "train", "`.task` files")
        path = Path(folder, "network.tflite")
        converter.convert(network.eval(), inputs).export(str(path))
        return path.read_bytes()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive without compression, which MediaPipe maps into memory."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return whole.getvalue()


def with_labels(network: bytes, labels: Sequence[str]) -> bytes:
    """A tflite file with the names of its outputs: metadata that point to a file in a zip behind it."""
    schema, model = opened(network)
    entry = schema.MetadataT()
    entry.name = "TFLITE_METADATA"
    entry.buffer = add_buffer(schema, model, label_metadata())
    model.metadata = [*(model.metadata or []), entry]
    whole = io.BytesIO(packed(model))
    whole.seek(0, io.SEEK_END)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(LABEL_FILE), "".join(f"{label}\n" for label in labels))
    return whole.getvalue()


def label_metadata() -> bytes:
    """Metadata of a network with one input and one output, whose labels are in `LABEL_FILE`."""
    import flatbuffers

    builder = flatbuffers.Builder(256)

    def vector(offset: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def table(fields: int, offsets: Mapping[int, int], kind: int | None = None) -> int:
        """A table of references by field number; `kind` is the field 2 of an AssociatedFile."""
        builder.StartObject(fields)
        for number, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        if kind is not None:
            builder.PrependInt8Slot(2, kind, 0)
        return int(builder.EndObject())

    files = vector(table(5, {0: builder.CreateString(LABEL_FILE)}, AXIS_LABELS))  # AssociatedFile
    entering = vector(table(7, {0: builder.CreateString("embedding")}))  # TensorMetadata
    leaving = vector(table(7, {0: builder.CreateString("probabilities"), 6: files}))
    graph = vector(table(7, {2: entering, 3: leaving}))  # SubGraphMetadata
    root = table(8, {0: builder.CreateString("Knuckle gestures"), 3: graph, 7: builder.CreateString("1.0.0")})
    builder.Finish(root, b"M001")
    return bytes(builder.Output())
