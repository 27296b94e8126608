"""Targets: what clients send to `knuckle serve`, `knuckle label` and `knuckle stream --ws`."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from conftest import make_hand
from fuzz_models import bundle_seeds
from fuzz_others import clip_seeds
from fuzzing import SLOWEST_S, Target
from PIL import Image

from knuckle.exports.label_studio import LABEL_CONFIG
from knuckle.label.folder import Folder
from knuckle.label.routes import label_routes
from knuckle.results import Frame
from knuckle.serve.app import create_app
from knuckle.serve.limits import Limits
from knuckle.serve.service import Service
from knuckle.serve.track import parse_json
from knuckle.stream.address import Address
from knuckle.stream.websocket import WebSocketServer

TOKEN = "a-token-of-more-than-16-letters"
AUTHORIZED = (b"authorization", f"Bearer {TOKEN}".encode())
MOST_LOGGED = 5_000_000  # bytes that the labelling page may log before it starts anew
PATIENCE_S = 60 * SLOWEST_S  # for an answer, by the clock
END = b"\n\x1e"  # between the messages of one conversation
NO_LIMITS = Limits(requests_per_s=1e9, frames_per_s=1e9)
Scope = dict[str, Any]


def tiny_picture(folder: Path) -> bytes:
    """A photo in the folder that is labelled; also its bytes."""
    path = folder / "photos" / "a.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (12, 10), (180, 120, 90)).save(path)
    return path.read_bytes()


@functools.cache
def tiny_service(folder: Path) -> Service:
    """A service with networks of 8 × 8 pixels, in this process."""
    os.environ["KNUCKLE_CACHE"] = str(folder / "cache")  # /models lists the bundles in it
    logging.getLogger("knuckle").setLevel(logging.CRITICAL)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "bundle.json").write_bytes(bundle_seeds(folder / "bundle")[0])
    return Service(
        str(folder / "bundle"), limits=NO_LIMITS, workers=1, label_studio="http://127.0.0.1:9", cvat=True, token=TOKEN
    )


@functools.cache
def application(folder: Path, kind: str) -> tuple[Any, asyncio.AbstractEventLoop]:
    """The server's application, or that of the labelling page."""
    service, routes = tiny_service(folder), None
    if kind == "label":
        tiny_picture(folder)
        (folder / "photos" / "b.mp4").write_bytes(clip_seeds(folder)[0])
        service.token = None  # the page is for this computer only
        routes = label_routes(Folder(str(folder / "photos"), service.networks), service)
    return create_app(service, routes), asyncio.new_event_loop()


def connection(kind: str, target: str, headers: list[tuple[bytes, bytes]], **more: Any) -> Scope:
    """What a web server tells an application of a connection (ASGI 3); h11 refuses letters that are not left here."""
    raw = re.sub(r"[^\x21-\x7e]", "", target)
    bare, _, query = raw.partition("?")
    scope: Scope = {"type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "root_path": ""}
    scope |= {"path": unquote(bare), "raw_path": bare.encode(), "query_string": query.encode()}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {}}
    kept = [(re.sub(rb"[^-_a-z0-9]", b"", name), re.sub(rb"[\0-\x1f\x7f]", b"", value)) for name, value in headers]
    return scope | {"headers": [(b"host", b"127.0.0.1"), *kept], **more}


def send_request(data: bytes, folder: Path, kind: str) -> object:
    """One HTTP request; the application may refuse it, but no handler may fail."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, path = first.partition(" ")
    headers = [line.partition(": ") for line in lines]
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, _, value in headers]
    scope = connection("http", path, sent, method=method, scheme="http")
    answers, bodies = list[Any](), [body]

    async def receive() -> Any:
        if not bodies:
            await asyncio.Event().wait()  # the client stays until it has its answer
        return {"type": "http.request", "body": bodies.pop(), "more_body": False}

    async def send(message: Any) -> None:
        answers.append(message)

    app, loop = application(folder, kind)
    loop.run_until_complete(asyncio.wait_for(app(scope, receive, send), PATIENCE_S))
    status = answers[0]["status"]
    assert status < 500 or status in (502, 503), f"the status is {status}"  # 502: Label Studio is not there
    return status


def talk(data: bytes, folder: Path) -> object:
    """A conversation over /v1/track: messages that begin with { are text, all others are images."""
    app, loop = application(folder, "serve")
    messages = data.split(END)
    if isinstance(first := parse_json(messages[0].decode(errors="replace")), dict):
        app.state.service.is_token(first.get("token"))  # in a conversation a wrong one costs half a second
    incoming = iter([{"type": "websocket.connect"}, *map(as_message, messages)])
    answered, answers = asyncio.Event(), list[Any]()
    answered.set()

    async def receive() -> Any:
        await answered.wait()  # of the image before, so that none is dropped
        message = next(incoming, {"type": "websocket.disconnect", "code": 1000})
        if "bytes" in message:
            answered.clear()
        return message

    async def send(message: Any) -> None:
        answers.append(message)
        if '"frame"' in message.get("text", ""):
            answered.set()

    scope = connection("websocket", "/v1/track", [AUTHORIZED], subprotocols=[])
    loop.run_until_complete(asyncio.wait_for(app(scope, receive, send), PATIENCE_S))
    return answers


def as_message(data: bytes) -> Scope:
    is_text = data.startswith(b"{")
    return {"type": "websocket.receive", **({"text": data.decode(errors="replace")} if is_text else {"bytes": data})}


class Failures(logging.Handler):
    """Keeps the exceptions that the library reports of our handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] and record.getMessage() == "connection handler failed":
            self.errors.append(record.exc_info[1])


@functools.cache
def listening(folder: Path) -> tuple[WebSocketServer, int, Failures]:
    """A server of `knuckle stream --ws` in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server, failures = WebSocketServer(Address("127.0.0.1", port, "ws")), Failures()
    logging.getLogger("websockets.server").addHandler(failures)
    server.open(Frame(np.zeros((8, 8, 3), np.uint8), 0, 0.0, "a"))
    return server, port, failures


def send_bytes(data: bytes, folder: Path) -> object:
    """Bytes to the port of a stream, then the end of the connection; the server must go on."""
    _, port, failures = listening(folder)
    failures.errors.clear()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        answer = bytearray()
        with suppress(ConnectionError):  # it closes a connection that it does not understand
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1 << 16):
                answer += part
    if failures.errors:
        raise failures.errors[0]
    return answer


def request_seeds(folder: Path) -> Sequence[bytes]:
    picture = tiny_picture(folder)
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + picture + b"\r\n--x--\r\n"
    image = base64.b64encode(picture).decode()
    task = {"tasks": [{"id": 1, "data": {"image": "s3://a/b.png"}}], "label_config": LABEL_CONFIG}
    token, of_form = f"authorization: Bearer {TOKEN}", "content-type: multipart/form-data; boundary=x"
    heads = {
        f"POST /v1/detect?max_hands=2&min_presence=0.5\n{token}\ncontent-type: image/png": picture,
        f"POST /v1/detect?palms_only=true\n{token}\n{of_form}": form,
        f"POST /v1/detect/batch?mirrored=1\n{token}\n{of_form}": form,
        f"POST /v1/gestures?gestures=canned\n{token}\ncontent-length: 90": picture,
        f"POST /label-studio/setup\n{token}": json.dumps({"schema": LABEL_CONFIG}).encode(),
        f"POST /label-studio/predict\n{token}": json.dumps(task).encode(),
        f"POST /label-studio/webhook\n{token}": b"{}",
        "POST /api/function_invocations\nx-nuclio-function-name: knuckle": json.dumps(
            {"image": image, "threshold": 0.5}
        ).encode(),
        "GET /models/knuckle/hand.tflite\nrange: bytes=0-9": b"",
        "GET /index.html\norigin: http://127.0.0.1": b"",
        f"GET /metrics\nauthorization: Basic {base64.b64encode(f'a:{TOKEN}'.encode()).decode()}": b"",
    }
    return [head.encode() + b"\n\n" + body for head, body in heads.items()]


def label_seeds(folder: Path) -> Sequence[bytes]:
    labels = {"hands": [make_hand(5, 5, 4).to_dict()], "accepted": True, "doubtful": False}
    drawn = {"landmarks": [[k / 2, 5] for k in range(21)], "handedness": "Left", "visibility": [2] * 21}
    frame = "/clips/0/frames/1"
    bodies = {
        f"PUT {frame}": {**labels, "hands": [drawn]},
        f"PUT {frame}/key": {"key": True},
        f"POST {frame}/stretch": {},
        f"POST {frame}/hand": {"place": [5, 6]},
        "PUT /photos/0": {**labels, "hands": [drawn]},
        "PUT /photos/0\nhost: localhost": labels,
        "POST /photos/0/hand": {"place": [5, 6]},
        "POST /photos/0/hand\norigin: http://127.0.0.1": {"place": [1, 1, 8, 9]},
    }
    gets = [f"GET {path}" for path in ("/photos", "/photos/0", "/photos/0/image", "/labels/coco", "/labels/jsonl")]
    gets += [f"GET {path}" for path in ("/clips/0", frame, f"{frame}/image", "/comparable")]
    return [f"{head}\n\n{json.dumps(body)}".encode() for head, body in bodies.items()] + [
        f"{head}\n\n".encode() for head in (*gets, "GET /photos/0/comparison")
    ]


def send_label_request(data: bytes, folder: Path) -> object:
    """A request to the labelling page, and afterwards its list of photos, which shows what was saved."""
    status = send_request(data, folder, "label")
    send_request(b"GET /photos\n\n", folder, "label")
    for path in ("/photos/0", "/clips/0", "/clips/0/frames/1"):
        send_request(f"GET {path}\n\n".encode(), folder, "label")
    log = folder / "photos" / "labels.jsonl.log"
    if sum(file.stat().st_size for file in log.glob("*")) > MOST_LOGGED:
        application.cache_clear()
        shutil.rmtree(log)
    return status


def talk_seeds(folder: Path) -> Sequence[bytes]:
    picture = tiny_picture(folder)
    return [
        END.join([b'{"options": {"max_hands": 1, "gestures": "canned"}, "time_s": 0.5}', picture, picture]),
        END.join([b'{"reset": true}', picture, b'{"time_s": 2, "token": "x"}', picture]),
        json.dumps({"token": TOKEN}).encode(),
    ]


def handshake_seeds(folder: Path) -> Sequence[bytes]:
    lines = ["GET / HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"]
    hello = "\r\n".join([*lines, "", ""]).encode()
    masked = b"\x81\x82\0\0\0\0hi"
    from_page = hello[:-2] + b"Origin: http://localhost:80\r\n\r\n"
    return [hello + masked, hello + b"\x88\x80\0\0\0\0", from_page + b"\x89\x80\0\0\0\0" + masked]


TARGETS = [
    Target("serve-request", request_seeds, functools.partial(send_request, kind="serve")),
    Target("serve-socket", talk_seeds, talk),
    Target("label-request", label_seeds, send_label_request),
    Target("stream-websocket", handshake_seeds, send_bytes),
]
