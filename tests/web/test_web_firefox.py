"""The browser page in a real Firefox, served by a real `knuckle serve`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from firefox import FIREFOX, Tab, open_firefox

pytest.importorskip("uvicorn")
if not FIREFOX:
    pytest.skip("no Firefox is installed", allow_module_level=True)

from servers import running

from knuckle.serve import files
from knuckle.serve.limits import Limits

if not (files.PAGE / "index.html").is_file():
    pytest.skip("the page is not built: make web", allow_module_level=True)

HANDS = "document.getElementById('stage').dataset.hands"


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with open_firefox(tmp_path / "profile") as tab:
        yield tab


def text(name: str) -> str:
    return f"document.getElementById('{name}').textContent"


def test_the_first_visit_works_and_the_next_one_needs_no_network(tab: Tab, photo: bytes) -> None:
    # A photo, because not every Firefox can decode the H.264 of the sample.
    drop = f"""(() => {{
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array({list(photo)})], "hands.jpg", {{type: "image/jpeg"}}));
        document.body.dispatchEvent(new DragEvent("drop", {{dataTransfer: data, bubbles: true}}));
    }})()"""
    with running(limits=Limits(requests_per_s=1000)) as server:
        tab.goto(server.url("/"))
        tab.wait_for(f"{text('loading')} === 'Ready.'")
        tab.wait_for(f"{text('offline')} === 'Works offline.'")
        tab.wait_for("navigator.serviceWorker.controller?.state === 'activated'")
        assert tab.evaluate("fetch('models/').then((answer) => answer.ok)") is True
        tab.evaluate(drop)
        tab.wait_for(f"{HANDS} === '2'")
        server.stop()
        tab.goto(server.url("/"))
        tab.wait_for(f"{text('loading')} === 'Ready.'")
        tab.evaluate(drop)
        tab.wait_for(f"{HANDS} === '2'")
