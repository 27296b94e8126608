"""The page behind a real nginx with a certificate, set up as docs/serve.md says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import PATIENCE_S, requests, running

from knuckle.serve import files
from knuckle.serve.limits import Limits

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
pytestmark = pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None, reason="needs nginx and openssl")

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "serve.md"
OWN = {"Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"}


@contextmanager
def proxy_to(port: int, folder: Path, more: str = "") -> Iterator[str]:
    """The https address of an nginx with the configuration of the documentation, other ports and files, and `more`."""
    make = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {folder}/key -out {folder}/crt"
    )
    subprocess.run(make.split(), check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    block = re.search(r"```nginx\n(.+?)```", RECIPE.read_text(), re.S)
    assert block
    recipe = block[1].replace("/etc/ssl/hands.", f"{folder}/").replace("listen 443", f"listen 127.0.0.1:{own}")
    recipe = recipe.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    recipe = recipe.replace("location / {", f"{more} location / {{")
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = f"http {{ access_log off; {paths}\n{recipe}\n}}"
    config = f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n{http}"
    (folder / "nginx.conf").write_text(config)
    process = subprocess.Popen([str(NGINX), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", own), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        yield f"https://localhost:{own}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_own_pages_are_answered_and_foreign_ones_refused(tmp_path: Path) -> None:
    with running() as server, proxy_to(server.port, tmp_path) as address:
        assert httpx.get(f"{address}/models/", headers=OWN, verify=False, timeout=PATIENCE_S).status_code == 200
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert httpx.get(f"{address}/models/", headers=foreign, verify=False, timeout=PATIENCE_S).status_code == 403
        sibling = {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "same-site"}
        assert httpx.get(f"{address}/models/", headers=sibling, verify=False, timeout=PATIENCE_S).status_code == 403


def test_a_foreign_host_is_refused_whatever_the_browser_says(tmp_path: Path) -> None:
    with running() as server:
        rebound = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
        assert requests.get(server.url("/models/"), headers=rebound).status_code == 403


@pytest.mark.skipif(not (files.PAGE / "index.html").is_file(), reason="the page is not built: make web")
def test_the_page_starts_and_reports_scripts_that_do_not_arrive(new_tab: Callable[[], Any], tmp_path: Path) -> None:
    with running(limits=Limits(requests_per_s=1000)) as server:
        tab = new_tab()
        with proxy_to(server.port, tmp_path) as address:
            tab.goto(address)
            tab.wait_for("document.getElementById('loading').textContent === 'Ready.'")
            assert tab.evaluate("crossOriginIsolated") is True
            tab.close()
        tab = new_tab()
        with proxy_to(server.port, tmp_path, "location ~ ^/assets/index-.*js$ { return 403; }") as address:
            tab.goto(address)
            tab.wait_for("!document.getElementById('incomplete').hidden")
            tab.close()
