"""What operators use: health, metrics, logs, proxies, paths, draining; and answers that standards ask for."""

from __future__ import annotations

import io
import json
import logging
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from commands import run
from PIL import Image as PillowImage
from servers import PATIENCE_S, Limits, Running, pixels, ready, receive, requests, running
from websockets.exceptions import ConnectionClosed

import knuckle
from knuckle.gestures.recogniser import load_gestures, set_names
from knuckle.serve.logs import LineFormatter

TOKEN = "a-token-for-tests-only"


def metrics(server: Running, **headers: str) -> dict[str, float]:
    """The values of `/metrics`, by name with labels."""
    parser = pytest.importorskip("prometheus_client.parser")
    answer = requests.get(server.url("/metrics"), headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    found = {}
    for family in parser.text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(sample.labels[name] for name in sorted(sample.labels))
            found[f"{sample.name} {labels}".strip()] = sample.value
    return found


def test_metrics_count_what_the_server_did(photo: bytes) -> None:
    with running(workers=1, limits=Limits(requests_per_s=1000)) as server:
        hands = sum(len(server.post(photo).json()["hands"]) for _ in range(3))
        assert server.post(b"x").status_code == 415
        with ready(server) as connection:
            for _ in range(20):
                connection.send(photo)
            dropped, frame = 0, 0
            while frame < 19:
                answer = receive(connection)
                frame, dropped = answer["frame"], dropped + len(answer["dropped"])
            found = metrics(server)
            assert found["knuckle_websockets_open"] == 1 and found["knuckle_connections_open"] >= 1
    assert found["knuckle_hands_total /v1/detect"] == hands == 6
    assert found["knuckle_requests_total POST,/v1/detect,200"] == 3
    assert found["knuckle_requests_total POST,/v1/detect,415"] == 1
    assert found["knuckle_request_seconds_count /v1/detect"] == 4
    assert found["knuckle_images_total /v1/track"] == 20 - dropped
    assert found["knuckle_frames_dropped_total"] == dropped > 0
    assert found["knuckle_queue_seconds_count"] == 23 - dropped + 1  # the damaged image had its turn too
    assert found["knuckle_requests_waiting"] == 0


def test_metrics_need_the_token_and_count_wrong_ones(caplog: pytest.LogCaptureFixture, photo: bytes) -> None:
    with running(token=TOKEN, workers=1) as server, caplog.at_level(logging.INFO, "knuckle.serve"):
        assert requests.get(server.url("/metrics")).status_code == 401
        assert (
            server.post(photo, f"?secret={TOKEN}", Authorization="Bearer wrong-token-of-a-guesser").status_code == 401
        )
        with server.track() as connection, pytest.raises(ConnectionClosed):
            connection.send('{"token": "wrong-token-of-a-guesser"}')
            receive(connection)
        assert metrics(server, Authorization=f"Bearer {TOKEN}")["knuckle_tokens_refused_total"] == 3
        assert {requests.get(server.url(path)).status_code for path in ("/healthz", "/readyz")} == {200}
    # Earlier tests may have their summaries written meanwhile.
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    refused = [record.getMessage() for record in warnings if not getattr(record, "summary", False)]
    assert [line.rpartition(" for ")[2] for line in refused] == ["/metrics", "/v1/detect", "/v1/track"]
    everything = "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert TOKEN not in everything and "guesser" not in everything
    assert "POST /v1/detect 401" in everything


def test_lines_of_the_log_are_one_line() -> None:
    record = logging.LogRecord("knuckle.serve", logging.INFO, "", 0, "path %s", ("/a\nfake \x1b[31mline",), None)
    record.fields = {"path": "/a\nfake"}
    text, row = LineFormatter(False).format(record), json.loads(LineFormatter(True).format(record))
    assert "\n" not in text and "\x1b" not in text and "/a\\nfake" in text
    assert (row["level"], row["path"]) == ("info", "/a\nfake") and row["time"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_logs_requests_and_drains_when_it_is_stopped(photo: bytes, as_json: bool) -> None:
    options = ["--port=0", "--log-level=info", f"--log-format={'json' if as_json else 'text'}", "--drain=600"]
    command = [sys.executable, "-u", "-m", "knuckle.cli", "serve", "--workers=1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        try:
            address = process.stdout.readline().split()[3]
            assert requests.get(f"{address}readyz").json()["status"] == "ready"
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE_S
            while (state := requests.get(f"{address}readyz")).status_code == 200 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert (state.status_code, state.json()) == (503, {"error": "the server is stopping"})
            late = requests.post(f"{address}v1/detect", content=photo)  # a balancer may still send some
            assert late.status_code == 200 and requests.get(f"{address}healthz").status_code == 200
            process.send_signal(signal.SIGINT)  # a second signal ends the waiting
            assert process.wait(PATIENCE_S) in (-signal.SIGTERM, -signal.SIGINT, 130)
            lines = process.stderr.read().splitlines()
        finally:
            process.kill()
    if as_json:
        rows = [json.loads(line) for line in lines]
        last = next(row for row in rows if row.get("path") == "/v1/detect")
        assert (last["method"], last["status"], last["client"], last["level"]) == ("POST", 200, "127.0.0.1", "info")
        assert last["ms"] > 0
    else:
        assert any("info    127.0.0.1 POST /v1/detect 200 in " in line for line in lines)


def test_a_stopping_server_answers_the_frames_that_it_has(photo: bytes) -> None:
    with running(workers=1) as server, ready(server) as connection:
        server.service.executor.submit(time.sleep, 0.7)
        connection.send(photo)
        time.sleep(0.2)
        stopped = threading.Thread(target=server.stop)
        stopped.start()
        assert len(receive(connection)["hands"]) == 2
        with pytest.raises(ConnectionClosed) as closed:
            receive(connection)
        stopped.join(PATIENCE_S)
        assert closed.value.rcvd.code == 1012 and not stopped.is_alive()


def test_users_behind_a_trusted_proxy_have_limits_of_their_own(photo: bytes) -> None:
    limits = Limits(requests_per_s=0.001, connections_per_client=1)
    # The proxy may have many connections.
    with running(limits=limits, proxies=("127.0.0.0/8",)) as server, server.connect(), server.connect():
        statuses = {
            user: [server.post(b"x", X_Forwarded_For=f"6.6.6.6, {user}").status_code for _ in range(4)]
            for user in ("1.2.3.4", "5.6.7.8")
        }
    assert list(statuses.values()) == 2 * [[415, 429, 429, 429]]
    with running(limits=Limits(requests_per_s=0.001)) as server:  # without the option, the header is not believed
        answers = [server.post(b"x", X_Forwarded_For=f"1.2.3.{k}").status_code for k in range(4)]
    assert answers == [415, 429, 429, 429]


def test_the_server_works_below_a_path() -> None:
    with running(root_path="/hands/", workers=1) as server:
        for prefix in ("", "/hands"):  # proxies remove the path, or do not
            manual = requests.get(server.url(f"{prefix}/v1")).text
            assert 'href="/hands/v1/api.css"' in manual and f":{server.port}/hands/v1/detect" in manual
            assert requests.get(server.url(f"{prefix}/v1/openapi.json")).json()["servers"] == [{"url": "/hands"}]
            assert requests.get(server.url(f"{prefix}/models/")).status_code == 200
            assert requests.get(server.url(f"{prefix}/v1/detect")).status_code == 405


def test_limits_are_options_of_the_command() -> None:
    for arguments, says in (
        (["--limit", "colour=3"], "no limit called colour; the limits are body_bytes"),
        (["--limit", "body_bytes=many"], "expected a number"),
        (["--limit", "pixels=0"], "greater than 0"),
        (["--limit", "idle_s=nan"], "greater than 0"),
        (["--trusted-proxy", "10.0.0.1"], "needs --proxy-headers"),
        (["--proxy-headers", "--trusted-proxy", "nginx"], "such as 10.0.0.0/8"),
        (["--root-path", "hands"], "begins with a slash"),
    ):
        assert says in run("serve", *arguments).stderr


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/detect", {"POST"}),
        ("PUT", "/v1/detect/batch", {"POST"}),
        ("DELETE", "/v1/gestures", {"GET", "POST"}),
        ("POST", "/v1/openapi.json", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/models/", {"GET", "HEAD"}),
        ("POST", "/", {"GET", "HEAD"}),
        ("BREW", "/v1/detect", {"POST"}),
    ],
)
def test_wrong_methods_get_405_and_the_right_ones(server: Running, method: str, path: str, allowed: set[str]) -> None:
    answer = requests.request(method, server.url(path))
    assert answer.status_code == 405 and method in answer.json()["error"]
    assert allowed <= set(answer.headers["allow"].split(", ")) <= allowed | {"HEAD"}


def test_unknown_paths_of_the_api_are_json(server: Running) -> None:
    for path in ("/v1/", "/v1/nothing", "/v1/detect/x"):
        answer = requests.get(server.url(path))
        assert answer.status_code == 404 and "error" in answer.json(), path


def test_host_names_have_no_case_and_cors_shows_retry_after(photo: bytes) -> None:
    with running(origins=("https://app.example",), limits=Limits(requests_per_s=0.001), workers=1) as server:
        answers = [server.post(b"x", Host=f"LocalHost:{server.port}", Origin="https://app.example") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [415, 429]
    assert answers[-1].headers["access-control-expose-headers"] == "Retry-After" and answers[-1].headers["retry-after"]


@pytest.mark.parametrize("size", [(32_767, 1), (1, 40_000), (60_000, 300)])
def test_images_with_a_long_side_are_refused(server: Running, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    PillowImage.new("RGB", size).save(file, "PNG")
    answer = server.post(file.getvalue(), Content_Type="image/png")
    assert answer.status_code == 413 and "a side may have at most 32766" in answer.json()["error"]
    with ready(server) as connection:
        connection.send(file.getvalue())
        assert "at most 32766" in receive(connection)["error"]


def strict_json(text: str) -> Any:
    """JSON by the standard: NaN and Infinity are errors."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    value = json.loads(text, parse_constant=refuse)
    assert not any(isinstance(one, float) and not math.isfinite(one) for one in value.values())
    return value


@pytest.mark.parametrize("number", ["1" + 400 * "0", "-1e400", "1e999", "NaN", "Infinity", "-Infinity", "1e13", "true"])
def test_times_that_are_no_seconds_get_an_error_and_the_stream_goes_on(
    server: Running, photo: bytes, number: str
) -> None:
    with ready(server) as connection:
        connection.send(f'{{"time_s": {number}}}')
        assert "time_s must be a number of seconds" in strict_json(connection.recv(PATIENCE_S))["error"]
        connection.send(f'{{"options": {{"min_presence": {number}, "remember_s": {number}}}}}')
        strict_json(connection.recv(PATIENCE_S))
        connection.send('{"time_s": 1e12}')
        connection.send(photo)
        answer = strict_json(connection.recv(PATIENCE_S))
        assert len(answer["hands"]) == 2 and answer["time_s"] == 1e12


def test_numbers_of_any_length_and_text_that_is_no_unicode_get_answers(server: Running) -> None:
    with ready(server) as connection:
        for message in (
            '{"time_s": ' + 5000 * "9" + "}",
            '{"options": {"\\ud800": 1}}',
            '{"options": {"max_hands": 1e400}}',
        ):
            connection.send(message)
            assert strict_json(connection.recv(PATIENCE_S))["error"], message


def test_a_batch_returns_what_single_images_return(server: Running, photo: bytes) -> None:
    smaller = io.BytesIO()
    PillowImage.open(io.BytesIO(photo)).resize((320, 240)).save(smaller, "PNG")
    files = [photo, b"no image", smaller.getvalue(), photo]
    answer = batch(server, files).json()
    assert [len(row.get("hands", ())) for row in answer["images"]] == [2, 0, 2, 2]
    assert "expected a JPEG, PNG or WebP file" in answer["images"][1]["error"]
    assert (answer["images"][2]["width"], answer["images"][2]["height"]) == (320, 240)
    for row, file in zip(answer["images"], files, strict=True):
        if "hands" in row:
            (alone,) = knuckle.detect([pixels(file)], "mediapipe", threads=1)
            for hand, expected in zip(row["hands"], alone, strict=True):
                np.testing.assert_allclose(hand["landmarks"], expected.landmarks, atol=0.01)
    palms = batch(server, [photo, photo], "?palms_only=true").json()["images"]
    assert [len(row["palms"]) for row in palms] == [2, 2]
    assert batch(server, [b"x"]).json()["images"][0]["error"]


def batch(server: Running, files: list[bytes], query: str = "") -> Any:
    form = [("image", (f"{k}.jpg", file)) for k, file in enumerate(files)]
    return requests.post(server.url(f"/v1/detect/batch{query}"), files=form)


def test_a_batch_calls_each_network_once(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(workers=1) as server:
        calls: list[int] = []
        session = server.service.networks.palm
        monkeypatch.setattr(type(session), "__call__", counted(type(session).__call__, session, calls))
        assert len(batch(server, 4 * [photo]).json()["images"]) == 4
    assert calls == [4]


def counted(call: Any, palm: Any, calls: list[int]) -> Any:
    def count(self: Any, pictures: Any) -> Any:
        if self is palm:
            calls.append(len(pictures))
        return call(self, pictures)

    return count


def test_a_batch_has_the_limits_of_one_image(photo: bytes) -> None:
    limits = Limits(batch_images=3, pixels=700_000)
    with running(limits=limits, workers=1) as server:
        assert "Too many files" in batch(server, 4 * [photo]).json()["error"]
        images = batch(server, 3 * [photo]).json()["images"]  # 307,200 pixels each
        assert ["hands" in row for row in images] == [True, True, False] and "pixels" in images[2]["error"]
        assert requests.post(server.url("/v1/detect/batch"), content=photo).status_code == 415
    for count, status in ((1, 200), (2, 429)):  # each image counts as a request
        with running(limits=Limits(requests_per_s=0.001), workers=1) as server:
            assert batch(server, count * [photo]).status_code == status


def test_gestures_are_those_of_the_library(server: Running, photo: bytes) -> None:
    def post(query: str = "") -> Any:
        headers = {"Content-Type": "image/jpeg"}
        return requests.post(server.url(f"/v1/gestures{query}"), content=photo, headers=headers)

    sets = requests.get(server.url("/v1/gestures")).json()
    assert set(sets["sets"]) == set(set_names())
    for name in (sets["default"], "numbers"):
        query = "" if name == sets["default"] else f"?gestures={name}"
        hands = post(query).json()["hands"]
        expected = knuckle.detect(pixels(photo), "mediapipe", threads=1, gestures=name)
        assert [hand["gesture"] for hand in hands] == [hand.to_dict()["gesture"] for hand in expected]
        assert all(hand["gesture"] in (*load_gestures(name).names, "None") for hand in hands) and len(hands) == 2
    assert server.post(photo).json()["hands"][0]["gesture"] is None


def test_files_of_the_server_are_no_sets_of_gestures(server: Running, photo: bytes) -> None:
    path = "/etc/passwd"
    assert "gestures must be one of" in server.post(photo, f"?gestures={path}").json()["error"]
    with ready(server) as connection:
        connection.send(json.dumps({"options": {"gestures": path}}))
        assert "gestures must be one of" in receive(connection)["error"]
        connection.send(json.dumps({"options": {"gestures": "canned"}}))
        connection.send(photo)
        assert receive(connection)["hands"][0]["gesture"] is not None


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Warnings of servers in this process do not go to the terminal."""
    logger = logging.getLogger("knuckle.serve")
    handler = logging.NullHandler()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
