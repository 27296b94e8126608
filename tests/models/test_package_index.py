"""A wheel is fetched from the configured package index, without pip."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from knuckle import BundleError
from knuckle.models import cache, catalogue
from knuckle.models.package_index import configured_indexes, download_wheel, without_password

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
OTHERS = ("mediapipe-0.10.21-cp311-cp311-win_amd64.whl", "mediapipe-0.10.2-cp311-cp311-manylinux_2_28_x86_64.whl")


class Index:
    """A package index on this machine: what it answers, and what it was asked."""

    def __init__(self, wheel: bytes) -> None:
        self.wheel, self.form, self.sha256 = wheel, "json", hashlib.sha256(wheel).hexdigest()
        self.requests: list[tuple[str, str | None]] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append((self.path, self.headers.get("Authorization")))
                kind, body = index.answer(self.path)
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> tuple[str, bytes]:
        if path.endswith(WHEEL):
            return "application/octet-stream", self.wheel
        if path != "/simple/mediapipe/":
            return "text/plain", b""
        names = (*OTHERS, WHEEL)
        if self.form == "json":
            files = [{"filename": n, "url": f"../../files/{n}", "hashes": {"sha256": self.sha256}} for n in names]
            return "application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode()
        links = "".join(f'<a href="../../files/{name}#sha256={self.sha256}">{name}</a><br>' for name in names)
        return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index that has MediaPipe's wheel, with its two full networks; it is the one that pip is configured for."""
    bundle = catalogue.BUNDLES["mediapipe"]
    folder = catalogue.find("mediapipe").folder
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.write(folder / bundle.palm.file, f"{cache.WHEEL_FOLDERS['palm']}/{bundle.palm.file}")
        archive.write(folder / bundle.hand.file, f"{cache.WHEEL_FOLDERS['hand']}/{bundle.hand.file}")
    found = Index((tmp_path / WHEEL).read_bytes())
    monkeypatch.setattr(cache, "TASK_URL", "http://127.0.0.1:9/hand_landmarker.task")
    monkeypatch.setenv("KNUCKLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{found.address}/simple")
    for name in ("PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_bundle_is_fetched_from_the_configured_index(
    index: Index, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.form = form
    monkeypatch.setenv("PATH", "")  # neither pip nor uv is needed
    assert catalogue.pull("mediapipe").folder == tmp_path / "cache" / "bundles" / "mediapipe"
    assert [path for path, _ in index.requests] == ["/simple/mediapipe/", f"/files/{WHEEL}"]
    assert [entry.name for entry in (tmp_path / "cache" / "bundles").iterdir()] == ["mediapipe"]


def test_a_damaged_download_is_refused(index: Index, tmp_path: Path) -> None:
    index.sha256 = "0" * 64
    with pytest.raises(BundleError, match=r"\.whl is not the file that the index names") as caught:
        catalogue.pull("mediapipe")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache" / "bundles").iterdir())


def test_a_password_is_sent_and_never_shown(index: Index, tmp_path: Path) -> None:
    environment = {"PIP_INDEX_URL": f"http://me:s%40cret@{index.address}/simple", "PIP_CONFIG_FILE": os.devnull}
    with pytest.raises(BundleError, match=r"has no wheel of mediapipe==9\.9") as caught:
        download_wheel("mediapipe==9.9", tmp_path, environment)
    assert index.requests[0][1] == "Basic " + base64.b64encode(b"me:s@cret").decode()
    assert "cret" not in str(caught.value) and index.address in str(caught.value)
    assert without_password("https://me:a@host.example/x@y") == "https://host.example/x@y"


def test_an_index_on_disk_works_too(index: Index, tmp_path: Path) -> None:
    project = tmp_path / "simple" / "mediapipe"
    project.mkdir(parents=True)
    shutil.copy(tmp_path / WHEEL, project)
    (project / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    (tmp_path / "out").mkdir()
    environment = {"PIP_INDEX_URL": (tmp_path / "simple").as_uri(), "PIP_CONFIG_FILE": os.devnull}
    assert download_wheel("mediapipe==0.10.21", tmp_path / "out", environment).read_bytes() == index.wheel


def test_the_index_is_the_one_that_pip_or_uv_is_configured_for(tmp_path: Path) -> None:
    def of(text: str = "", **environment: str) -> list[str]:
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = https://conf.example/simple\n{text}")
        return configured_indexes({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), **environment})

    assert of()[0] == "https://conf.example/simple"
    assert of(PIP_INDEX_URL="https://pip.example/simple")[0] == "https://pip.example/simple"
    assert of(UV_INDEX_URL="https://uv.example/simple")[0] == "https://uv.example/simple"
    both = of("extra-index-url =\n    https://one.example\n    https://two.example\n")
    assert both == ["https://conf.example/simple", "https://one.example", "https://two.example"]
    assert of(PIP_NO_INDEX="1") == of("no-index = true\n") == []
    (default,) = configured_indexes({"PIP_CONFIG_FILE": os.devnull})
    assert default.startswith("https://") and default.endswith("/simple")
    with pytest.raises(BundleError, match="no-index is set"):
        download_wheel("mediapipe==0.10.21", tmp_path, {"PIP_NO_INDEX": "1"})


def test_without_pip_and_configuration_the_error_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip._internal.models.index", None)
    with pytest.raises(BundleError, match="no package index is configured: set PIP_INDEX_URL or UV_INDEX_URL"):
        download_wheel("mediapipe==0.10.21", tmp_path, {"PIP_CONFIG_FILE": os.devnull})
