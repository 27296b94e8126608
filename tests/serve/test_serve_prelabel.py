"""Pre-labels for Label Studio and CVAT, asked of a real server the way these tools ask."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from servers import Limits, Running, requests, running

from knuckle.exports.label_studio import LABEL_CONFIG
from knuckle.results import HandLandmark

NAMES = [point.name.lower() for point in HandLandmark]
KEY = "key-of-label-studio"


@dataclass
class LabelStudio:
    """A server that gives one photo to who sends the key, as Label Studio does."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def studio(photo: bytes) -> Iterator[LabelStudio]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            known = self.headers.get("Authorization") == f"Token {KEY}"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(photo if known else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    found = LabelStudio(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def helper(studio: LabelStudio) -> Iterator[Running]:
    with running(label_studio=studio.url, cvat=True, limits=Limits(requests_per_s=1000)) as server:
        yield server


def post(server: Running, path: str, body: object, **headers: str) -> Any:
    return requests.post(server.url(path), json=body, headers=headers)


def predict(server: Running, image: str, config: str = LABEL_CONFIG) -> Any:
    task = {"id": 7, "data": {"image": image}}
    return post(server, "/label-studio/predict", {"tasks": [task], "label_config": config})


def test_label_studio_connects(helper: Running) -> None:
    assert requests.get(helper.url("/label-studio/health")).json()["status"] == "UP"
    answer = post(helper, "/label-studio/setup", {"project": "1.2", "schema": LABEL_CONFIG, "hostname": "x"})
    assert answer.status_code == 200 and answer.json() == {"model_version": "mediapipe"}
    wrong = post(helper, "/label-studio/setup", {"schema": '<View><Image name="a" value="$a"/></View>'})
    assert wrong.status_code == 400 and "RectangleLabels" in wrong.json()["error"]
    assert post(helper, "/label-studio/webhook", {"action": "ANNOTATION_CREATED"}).status_code == 201


@pytest.mark.parametrize("image", ["/data/upload/1/a.jpg", "{url}/data/local-files/?d=a.jpg", "s3://bucket/a.jpg"])
def test_a_task_gets_a_prediction_with_every_landmark(
    image: str, helper: Running, studio: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    (found,) = predict(helper, image.format(url=studio.url)).json()["results"]
    boxes = {one["id"]: one for one in found["result"] if one["type"] == "rectanglelabels"}
    assert sorted(one["value"]["rectanglelabels"][0] for one in boxes.values()) == ["Left hand", "Right hand"]
    for key, box in boxes.items():
        points = {
            one["value"]["keypointlabels"][0]: one["value"] for one in found["result"] if one.get("parentID") == key
        }
        assert list(points) == NAMES
        value = box["value"]
        for point in points.values():
            assert value["x"] - 0.1 <= point["x"] <= value["x"] + value["width"] + 0.1
            assert value["y"] - 0.1 <= point["y"] <= value["y"] + value["height"] + 0.1
    assert {one["original_width"] for one in found["result"]} == {640}
    if image.startswith("s3"):
        assert studio.asked[-1].startswith("/tasks/7/resolve/?fileuri=")


def test_own_names_of_controls_are_used(
    helper: Running, photo: bytes, studio: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LABEL_CONFIG.replace('"hand"', '"box"').replace('"landmarks"', '"kp"').replace('name="image"', 'name="i"')
    address = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
    (found,) = predict(helper, address, config.replace('toName="image"', 'toName="i"')).json()["results"]
    assert {(one["from_name"], one["to_name"]) for one in found["result"]} == {("box", "i"), ("kp", "i")}


def test_images_come_from_this_label_studio_only(helper: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("http://example.org/a.jpg", "file:///etc/passwd", "//example.org/a.jpg", "a.jpg"):
        answer = predict(helper, address)
        assert answer.status_code == 400 and "only" in answer.json()["error"]
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "wrong")
    refused = predict(helper, "/data/upload/a.jpg")
    assert refused.status_code == 502 and "LABEL_STUDIO_API_KEY" in refused.json()["error"]


def test_cvat_lists_the_function_and_gets_skeletons(helper: Running, photo: bytes) -> None:
    functions = requests.get(helper.url("/api/functions")).json()
    assert functions == {"knuckle": requests.get(helper.url("/api/functions/knuckle")).json()}
    notes = functions["knuckle"]["metadata"]["annotations"]
    (label,) = json.loads(notes["spec"])
    assert notes["type"] == "detector" and label["type"] == "skeleton"
    assert [point["name"] for point in label["sublabels"]] == NAMES
    body = {"image": base64.b64encode(photo).decode(), "threshold": 0.3}
    headers = {"x-nuclio-function-name": "knuckle", "x-nuclio-path": "/"}
    found = post(helper, "/api/function_invocations", body, **headers).json()
    assert sorted(hand["attributes"][0]["value"] for hand in found) == ["left", "right"]
    for hand in found:
        assert (hand["type"], hand["label"]) == ("skeleton", "hand")
        assert [one["label"] for one in hand["elements"]] == NAMES
        assert all(0 <= x <= 640 and 0 <= y <= 480 for x, y in (one["points"] for one in hand["elements"]))
    assert post(helper, "/api/function_invocations", {"image": "%"}).status_code == 400
    assert post(helper, "/api/function_invocations", {}).status_code == 400
    assert requests.get(helper.url("/api/functions/other")).status_code == 404


def test_servers_that_were_not_asked_to_do_not_answer(server: Running) -> None:
    assert requests.get(server.url("/api/functions")).status_code == 404
    assert post(server, "/label-studio/predict", {"tasks": []}).status_code in (404, 405)


def test_a_token_is_the_password_of_label_studio(studio: LabelStudio) -> None:
    token = "a-token-that-is-long"
    with running(label_studio=studio.url, token=token) as server:
        health = server.url("/label-studio/health")
        assert requests.get(health).status_code == 401
        assert requests.get(health, auth=("any", "wrong")).status_code == 401
        assert requests.get(health, auth=("any", token)).status_code == 200
        assert requests.get(health, headers={"Authorization": f"Bearer {token}"}).status_code == 200
