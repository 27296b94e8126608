"""Workers of the browser library that fail: threads that do not start, workers that end or hang, and module workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, raw, serve_folders, why_not
from scene import blank, draw_hand

from knuckle.models import catalogue

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PATIENCE_MS = 120_000
# `hurry` makes the page's timers run 20 times as fast, so that the tests need not wait for the limits of time.
HARNESS = """<!doctype html><meta charset="utf-8"><title>tests</title><link rel="icon" href="data:,"><body>
<script type="module">
import * as knuckle from "/lib/index.js";
const [plainTimeout, plainInterval] = [setTimeout, setInterval];
window.hurry = (on) => {
  window.setTimeout = on ? (call, ms) => plainTimeout(call, ms / 20) : plainTimeout;
  window.setInterval = on ? (call, ms) => plainInterval(call, ms / 20) : plainInterval;
};
window.image = ({ rgba, width, height }) =>
  new ImageData(Uint8ClampedArray.from(atob(rgba), (c) => c.charCodeAt(0)), width, height);
window.create = (options = {}) =>
  knuckle.HandTracker.create({ models: "/models/mediapipe/", wasm: "/lib/wasm/", engine: "cpu", ...options });
window.ready = true;
</script>"""
MODULE_WORKER = """
import { HandTracker } from "/lib/index.js";
onmessage = async ({ data: { threads, picture } }) => {
  try {
    const options = { models: "/models/mediapipe/", wasm: "/lib/wasm/", engine: "cpu", worker: false, threads };
    const tracker = await HandTracker.create(options);
    postMessage([tracker.threads, (await tracker.detect(picture)).map((hand) => hand.handedness)]);
  } catch (error) {
    postMessage(String(error));
  }
};"""


class _LosesThreads(chromium._Handler):
    """Answers requests for the scripts of threads only when the test is over, while `lost` is set."""

    lost = False
    over = threading.Event()

    def do_GET(self) -> None:
        is_thread = "threaded_internal.js" in self.path and self.headers.get("Sec-Fetch-Dest") == "worker"
        if is_thread and _LosesThreads.lost:
            self.over.wait(600)
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # else a thread takes the script that the page has loaded
        super().end_headers()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(HARNESS)
    (folder / "module.js").write_text(MODULE_WORKER)
    folders: dict[str, Path] = {"/lib/": WEB / "dist", "/models/": catalogue.cache_folder(), "/": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chromium, "_Handler", _LosesThreads)
        with serve_folders(folders) as address:
            yield address
            _LosesThreads.over.set()


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Any]:
    with open_browser(*WITHOUT_WEBGL) as browser:
        yield browser


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.warnings = []
    page.on("console", lambda message: page.warnings.append(message.text))
    page.goto(f"{address}/index.html")
    page.wait_for_function("window.ready")
    yield page
    context.close()


def drawn() -> dict[str, Any]:
    return raw(draw_hand(draw_hand(blank(640, 480), 180, 240, 200, 0.2), 460, 250, 170, -0.3, right=True))


def test_threads_that_do_not_start_are_left_out(page: Any) -> None:
    _LosesThreads.lost = True
    try:
        found = page.evaluate(
            """async (raw) => {
              hurry(true);
              const tracker = await create({ worker: false, threads: 2 });
              return [tracker.threads, (await tracker.detect(image(raw))).length];
            }""",
            drawn(),
        )
    finally:
        _LosesThreads.lost = False
    assert found == [1, 2]
    assert any("did not start within 10 s; the tracker runs on one thread" in text for text in page.warnings)


@pytest.mark.parametrize("fate", ["close()", "setTimeout(() => { for (;;); })"], ids=["ends", "hangs"])
def test_a_worker_that_ends_or_hangs_is_replaced(page: Any, fate: str) -> None:
    page.evaluate("async (raw) => { window.tracker = await create(); await tracker.track(image(raw), 0); }", drawn())
    (worker,) = (worker for worker in page.workers if worker.url.endswith("/worker.js"))
    worker.evaluate(f"() => {{ {fate} }}")
    error, ids = page.evaluate(
        """async (raw) => {
          hurry(true);
          const error = await tracker.track(image(raw), 1).then(() => "it answered", String);
          hurry(false);
          return [error, (await tracker.track(image(raw), 2)).map((hand) => hand.trackId)];
        }""",
        drawn(),
    )
    assert error.startswith("EngineError: the worker of the tracker failed (it has not answered for 10 s)")
    assert ids == [3, 4]  # ids of lost hands are not given again
