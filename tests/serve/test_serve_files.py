"""The page and the models as files."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from servers import PATIENCE_S, Running, requests

from knuckle.models import catalogue
from knuckle.serve import files

httpx = pytest.importorskip("httpx")
brotli = pytest.importorskip("brotli")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>it</title>")
    for name in ("assets/main-1.js", "assets/engine.wasm", "app.webmanifest"):
        (folder / name).write_bytes(b"0123456789" * 500)
    (folder / "assets/main-1.js.gz").write_bytes(gzip.compress(b"0123456789" * 500))
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(files, "PAGE", folder)
    return folder


def test_the_page_comes_with_types_compression_and_isolation(server: Running, page: Path) -> None:
    start = requests.get(server.url("/"))
    assert start.status_code == 200 and start.headers["content-type"].startswith("text/html")
    assert start.headers["cross-origin-opener-policy"] == "same-origin"
    assert start.headers["cross-origin-embedder-policy"] == "require-corp"
    assert "connect-src 'self'" in start.headers["content-security-policy"]
    script = requests.get(server.url("/assets/main-1.js"), headers={"Accept-Encoding": "gzip, br"})
    assert script.headers["content-encoding"] == "gzip" and script.text == "0123456789" * 500
    assert (
        script.headers["content-type"].startswith("text/javascript") and "immutable" in script.headers["cache-control"]
    )
    plain = requests.get(server.url("/assets/main-1.js"), headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers and plain.text == script.text
    assert requests.get(server.url("/assets/engine.wasm")).headers["content-type"] == "application/wasm"
    assert requests.get(server.url("/app.webmanifest")).headers["content-type"] == "application/manifest+json"
    again = requests.get(server.url("/"), headers={"If-None-Match": start.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["/nothing.js", "/%2e%2e/secret", "/..%2fsecret", "/assets/", "/assets", "//etc/passwd"]
)
def test_files_outside_the_page_are_not_served(server: Running, page: Path, path: str) -> None:
    with server.connect() as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 404 " in head.splitlines()[0] and set(json.loads(body)) == {"error"}


def test_a_missing_page_says_how_to_build_it(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAGE", tmp_path)
    answer = requests.get(server.url("/"))
    assert answer.status_code == 404 and "make web" in answer.text


@pytest.mark.parametrize("encoding", ["br", "gzip", "identity"])
def test_models_are_served_unchanged(server: Running, encoding: str) -> None:
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[encoding]
    listed = requests.get(server.url("/models/")).json()
    assert listed["default"] == server.service.networks.bundle.name
    bundle = next(row for row in listed["bundles"] if row["name"] == "knuckle")
    folder = server.url(f"/models/{bundle['name']}")
    assert requests.get(f"{folder}/bundle.json").json()["palm"] == bundle["palm"]
    loaded = [catalogue.find("knuckle").folder / bundle[role]["file"] for role in ("palm_int8", "hand_int8")]
    assert bundle["bytes"] == sum(path.stat().st_size for path in loaded)  # what the page loads on the CPU
    for role in ("palm", "hand", "palm_int8", "hand_int8"):
        address, headers = f"{folder}/{bundle[role]['file']}", {"Accept-Encoding": encoding}
        with httpx.stream("GET", address, headers=headers, timeout=PATIENCE_S) as answer:
            assert answer.headers.get("content-encoding", "identity") == encoding
            sent = b"".join(answer.iter_raw())
        assert hashlib.sha256(unpack(sent)).hexdigest() == bundle[role]["sha256"]
        again = requests.get(address, headers={**headers, "If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


@pytest.mark.parametrize("path", ["mediapipe/no.tflite", "no/bundle.json", "mediapipe/..%2f..%2fx", "%2e%2e/%2e%2e"])
def test_no_other_files_of_the_cache_are_served(server: Running, path: str) -> None:
    assert requests.get(server.url(f"/models/{path}")).status_code == 404
