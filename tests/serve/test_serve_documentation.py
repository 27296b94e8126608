"""The OpenAPI description, the page that shows it, and docs/serve.md."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Running, requests

from knuckle.serve.openapi import description

KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "number": (int, float),
    "integer": int,
    "string": str,
    "null": type(None),
}


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Check a value against the parts of JSON Schema that the description uses."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    assert not names or any(isinstance(value, KINDS[name]) for name in names), (value, schema)
    assert value in schema.get("enum", [value])
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for item in value:
            fits(item, schema["items"], schemas)
    if isinstance(value, dict):
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, item in value.items():
            fits(item, schema["properties"][name], schemas)


def test_responses_match_the_description(server: Running, photo: bytes) -> None:
    document = requests.get(server.url("/v1/openapi.json")).json()
    assert document == json.loads(json.dumps(description(False, server.service.limits)))
    schemas = document["components"]["schemas"]
    for query in ("", "?palms_only=true"):
        fits(server.post(photo, query).json(), schemas["Found"], schemas)
    fits(server.post(b"").json(), schemas["Error"], schemas)
    for parameter in document["paths"]["/v1/detect"]["post"]["parameters"]:
        default = str(parameter["schema"].get("default", parameter["schema"].get("enum", [0.5])[0])).lower()
        assert server.post(photo, f"?{parameter['name']}={default}").status_code == 200


def test_the_manual_escapes_what_it_is_given(server: Running) -> None:
    with server.connect() as raw:
        raw.sendall(b"GET /v1 HTTP/1.1\r\nHost: localhost:<script>\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    assert b"<script>" not in answer


def test_the_manual_names_every_option(server: Running) -> None:
    manual = requests.get(server.url("/v1"))
    assert manual.status_code == 200 and not re.search(r"{[{%]", manual.text)
    for parameter in description(False)["paths"]["/v1/detect"]["post"]["parameters"]:
        assert f"<code>{parameter['name']}</code>" in manual.text
    assert requests.get(server.url("/v1/api.css")).headers["content-type"].startswith("text/css")


@pytest.fixture
def examples(
    server: Running, photo: bytes, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[str]]:
    """Gives the examples of docs/serve.md in one language, for this server, in a folder with the files they use."""
    (tmp_path / "hand.jpg").write_bytes(photo)
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    manual = Path(__file__).resolve().parents[2] / "docs" / "serve.md"
    text = manual.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    return lambda language: re.findall(rf"^```{language}(?: {{.no-run}})?\n(.*?)^```$", text, re.S | re.M)


def test_the_manual_s_python_examples_run(
    examples: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    one_image, stream = examples("python")
    exec(one_image, {})
    assert sorted(line.split()[0] for line in capsys.readouterr().out.splitlines()) == ["Left", "Right"]
    exec(stream, {})
    ready, *answers = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready["ready"] and [answer["frame"] for answer in answers] == list(range(30))
    assert all(len(answer["hands"]) == 1 and answer["dropped"] == [] for answer in answers)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_manual_s_commands_run(examples: Callable[[str], list[str]]) -> None:
    (commands,) = (block for block in examples("") if block.startswith("curl"))
    hands, palms = (
        json.loads(subprocess.run(shlex.split(line), capture_output=True, check=True).stdout)
        for line in commands.splitlines()
    )
    assert len(hands["hands"]) == len(palms["palms"]) == 2
