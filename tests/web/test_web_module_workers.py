"""The browser library inside a module worker, in a real Chromium and a real Firefox."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chromium import WEB, raw, serve_folders
from scene import blank, draw_hand
from test_web_workers import HARNESS, MODULE_WORKER

from knuckle.models import catalogue

pytestmark = pytest.mark.skipif(not (WEB / "dist" / "index.js").is_file(), reason="web/dist is not built: make web")


def test_a_module_worker_tracks_in_its_own_thread(new_tab: Callable[[], Any], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(HARNESS)
    (tmp_path / "module.js").write_text(MODULE_WORKER)
    drawn = draw_hand(draw_hand(blank(640, 480), 180, 240, 200, 0.2), 460, 250, 170, -0.3, right=True)
    tab = new_tab()
    with serve_folders({"/lib/": WEB / "dist", "/models/": catalogue.cache_folder(), "/": tmp_path}) as address:
        tab.goto(f"{address}/index.html")
        tab.wait_for("window.ready")
        tab.evaluate(f"void (window.picture = image({json.dumps(raw(drawn))}))")
        for threads in (1, 2):
            found = tab.evaluate(
                f"""new Promise((resolve) => {{
                  const worker = new Worker("/module.js", {{ type: "module" }});
                  worker.onmessage = ({{ data }}) => {{ worker.terminate(); resolve(data); }};
                  worker.postMessage({{ threads: {threads}, picture }});
                }})"""
            )
            assert found == [threads, found[1]], found
            assert sorted(found[1]) == ["Left", "Right"]
        tab.close()
