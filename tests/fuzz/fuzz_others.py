"""Targets: cameras, gestures, the manifest, the journal, messages, requests, addresses, photos and clips."""

from __future__ import annotations

import functools
import io
import itertools
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pillow_heif
from conftest import make_hand
from fuzzing import Target
from PIL import Image

MOST_FRAMES = 50
CAMERA = {"name": "left", "size": [640, 480], "matrix": [[500, 0, 320], [0, 500, 240], [0, 0, 1]]}
CAMERA |= {"distortions": [0.1, 0, 0, 0], "rotation": [0, 0, 0], "translation": [0.1, 0, 0]}
CAMERA_FILES = {
    "json": json.dumps({"left": CAMERA, "right": {**CAMERA, "name": "right", "fisheye": True}}),
    "toml": "[cam_0]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in CAMERA.items()),
    "yaml": "%YAML:1.0\n---\nM1: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
    "   data: [ 500., 0., 320., 0., 500., 240., 0., 0., 1. ]\nD1: [ 0.1, 0., 0., 0. ]\nimage_width: 640\n",
    "xml": '<?xml version="1.0"?>\n<opencv_storage>\n<K type_id="opencv-matrix"><rows>3</rows><cols>3</cols>'
    "<dt>d</dt><data>500. 0. 320. 0. 500. 240. 0. 0. 1.</data></K>\n<d>0.1 0. 0. 0.</d></opencv_storage>",
}


def cameras(suffix: str) -> Target:
    def read(data: bytes, folder: Path) -> object:
        from knuckle.space.lens_files import read_cameras

        path = folder / f"cameras.{suffix}"
        path.write_bytes(data)
        found = read_cameras(path)
        return [camera.rays(np.zeros((2, 2))) for camera in found.values()]

    return Target(f"cameras-{suffix}", lambda folder: [CAMERA_FILES[suffix].encode()], read)


def taught_seeds(folder: Path) -> Sequence[bytes]:
    from knuckle.gestures.network import shape_network
    from knuckle.gestures.taught import TaughtGestures

    network = shape_network()
    width = network.whitened(np.zeros((1, len(network.centre)), np.float32)).shape[1]
    means = np.zeros((2, width), np.float32)
    taught = TaughtGestures(network.version, ("fist", "open"), means, 4.0, 1.0, False)
    return [json.dumps(taught.to_json()).encode()]


def read_taught(data: bytes, folder: Path) -> object:
    """Gestures that users taught, and what they say of a hand."""
    from knuckle.gestures.recogniser import load_gestures

    path = folder / "mine.json"
    path.write_bytes(data)
    return load_gestures(path)([make_hand()])


def recording(folder: Path) -> Sequence[bytes]:
    return [json.dumps({"hands": [make_hand().to_dict()]}).encode() + b"\n"]


def read_recording(data: bytes, folder: Path) -> object:
    from knuckle.gestures.examples import read_examples

    path = folder / "examples" / "fist" / "take-1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return read_examples(folder / "examples", lambda path: [])


def manifest_seeds(folder: Path) -> Sequence[bytes]:
    from knuckle.batch.items import ItemResult
    from knuckle.batch.manifest import Manifest

    with Manifest(folder / "made", {"sources": ["a"], "options": {}}) as manifest:
        manifest.add(ItemResult("a", "a.mp4", "done", frames=3, parts=("parts/a.parquet",)))
        manifest.add(ItemResult("b", "b.mp4", "failed", error="broken"))
        manifest.end("done", 0)
    return [manifest.path.read_bytes()]


def read_manifest(data: bytes, folder: Path) -> object:
    from knuckle.batch.manifest import read_results, read_runs, write_table

    path = folder / "manifest" / "a.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return read_results(folder), read_runs(folder), write_table(folder)


def journal_seeds(folder: Path) -> Sequence[bytes]:
    row = {"image": "a.jpg", "hands": []}
    entry = {"time": 1.0, "image": "a.jpg", "accepted": True, "doubtful": False, "row": row}
    return [b"\x00" + json.dumps(row).encode() + b"\n", b"\x01" + json.dumps(entry).encode() + b"\n"]


def read_journal(data: bytes, folder: Path) -> object:
    from knuckle.label.journal import Change, Journal

    files = folder / "labels.jsonl", folder / "labels.jsonl.log" / "1.jsonl"
    for path in (*files, *files[1].parent.glob("*")):
        path.unlink(missing_ok=True)
    files[1].parent.mkdir(exist_ok=True)
    files[data[:1] == b"\x01"].write_bytes(data[1:])
    journal = Journal(files[0])
    journal.save({"b.jpg": Change({"hands": []}, accepted=True)})
    return Journal(files[0])


def proto_seeds(folder: Path) -> Sequence[bytes]:
    from knuckle.mediapipe.protobuf.light import NormalizedLandmarkList

    message = NormalizedLandmarkList()
    message.landmark.add(x=0.5, y=0.25, z=-0.1, visibility=1.0)
    return [message.SerializeToString(), b"\x0a\x05\x0d\x00\x00\x80\x3f"]


def read_proto(data: bytes, folder: Path) -> object:
    from knuckle.mediapipe.protobuf.light import NormalizedLandmarkList
    from knuckle.mediapipe.protobuf.text_format import MessageToString

    message = NormalizedLandmarkList()
    message.ParseFromString(data)
    return MessageToString(message), message.SerializeToString()


def read_proto_json(data: bytes, folder: Path) -> object:
    from knuckle.mediapipe.protobuf.json_format import Parse
    from knuckle.mediapipe.protobuf.light import NormalizedLandmarkList

    return Parse(data, NormalizedLandmarkList()).SerializeToString()


def decode_upload(data: bytes, folder: Path) -> object:
    from knuckle.serve.decode import decode_image

    return decode_image(data, 1_000_000)


def refused() -> tuple[type[Exception], ...]:
    from knuckle.serve.limits import Refused

    return (Refused,)


def read_message(data: bytes, folder: Path) -> object:
    """A text message of the WebSocket /v1/track."""
    from knuckle.serve.track import Changes, apply_message

    return apply_message(data.decode(errors="replace"), Changes())


def read_address(data: bytes, folder: Path) -> object:
    """An address of a receiver; names are not looked up."""
    from knuckle.stream.address import parse_address

    def numbers_only(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if not isinstance(host, str) or not host.replace(".", "").isdigit():
            raise socket.gaierror(8, "not looked up")
        return []

    before, socket.getaddrinfo = socket.getaddrinfo, numbers_only  # type: ignore[assignment]
    try:
        return str(parse_address(data.decode(errors="replace"), "--osc", 9000, ("ws", "mqtt")))
    finally:
        socket.getaddrinfo = before


def osc_names(data: bytes, folder: Path) -> object:
    """OSC messages with a prefix that a user or a page chose."""
    from knuckle.stream.choose import StreamOptions
    from knuckle.stream.osc import bundles, message

    options = StreamOptions(prefix=data.decode(errors="replace"))
    return bundles([message("/" + options.prefix, 1, "left", floats=[1.0])])


def photo_seeds(folder: Path) -> Sequence[bytes]:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    found = []
    exif = Image.Exif()
    exif[274] = 6
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "PPM", "TGA", "ICO"):
        out = io.BytesIO()
        picture.save(out, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
        found.append(out.getvalue())
    for kind, options in (("TIFF", {"save_all": True, "append_images": [picture]}), ("JPEG", {"progressive": True})):
        out = io.BytesIO()
        picture.save(out, kind, **options)
        found.append(out.getvalue())
    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    picture.save(out, "HEIF", quality=40)
    return [*found, out.getvalue()]


def read_photo(data: bytes, folder: Path) -> object:
    from knuckle.media.photo_files import read_pictures

    path = folder / "photo.jpg"
    path.write_bytes(data)
    return [picture.full_size for picture in itertools.islice(read_pictures(path, "photo.jpg"), MOST_FRAMES)]


CLIPS = {"mp4": "mpeg4", "mkv": "vp8", "avi": "mjpeg", "gif": "gif"}


def clip_seeds(folder: Path) -> Sequence[bytes]:
    found = []
    for suffix, codec in CLIPS.items():
        path = folder / f"a.{suffix}"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height = 32, 32
            stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
            for value in range(3):
                picture = np.random.default_rng(value).integers(0, 255, (32, 32, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode(None))
        found.append(path.read_bytes())
    return found


def read_video(data: bytes, folder: Path) -> object:
    from knuckle.media.clips import read_clip

    path = folder / "clip.mp4"
    path.write_bytes(data)
    with read_clip(str(path)) as reader:
        return [frame.time_s for frame in itertools.islice(reader, MOST_FRAMES)]


def text(*seeds: str) -> Callable[[Path], Sequence[bytes]]:
    return functools.partial(lambda found, folder: found, [seed.encode() for seed in seeds])


TARGETS = [
    *map(cameras, CAMERA_FILES),
    Target("taught-gestures", taught_seeds, read_taught),
    Target("gesture-recording", recording, read_recording),
    Target("manifest", manifest_seeds, read_manifest),
    Target("label-journal", journal_seeds, read_journal, keep=1),
    Target("protobuf", proto_seeds, read_proto),
    Target("protobuf-json", text('{"landmark": [{"x": 0.5, "y": 0.25, "z": -0.1}]}'), read_proto_json),
    Target("upload", lambda folder: photo_seeds(folder)[:3], decode_upload, allowed=refused()),
    Target(
        "track-message",
        text('{"options": {"max_hands": 1}, "time_s": 1.5}', '{"reset": true, "options": {"min_presence": 0.5}}'),
        read_message,
    ),
    Target("address", text("127.0.0.1:9000", "[::1]:80", "ws://127.0.0.1:8000/a", "mqtt://u:p@10.0.0.1"), read_address),
    Target("osc", text("knuckle/left", "é"), osc_names),
    Target("photo", photo_seeds, read_photo),
    Target("clip", clip_seeds, read_video),
]
