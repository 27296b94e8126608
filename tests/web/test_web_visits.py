"""The first visit to the browser page and later ones without a network, in a real Chromium and a real Firefox."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from servers import Running, running
from visits import PAGE_IS_BUILT, visit, wait_for_hands, wait_until_ready

from knuckle.serve import files
from knuckle.serve.limits import Limits

if not PAGE_IS_BUILT:
    pytest.skip("the page is not built: make web", allow_module_level=True)

# What the page says while it loads.
NOTE_LOADING = """(() => {
    window.said = [];
    document.addEventListener("DOMContentLoaded", () => {
        const loading = document.getElementById("loading");
        const note = () => said.push(loading.textContent);
        new MutationObserver(note).observe(loading, {childList: true, characterData: true, subtree: true});
    });
})()"""

KEPT_MODELS = """caches.open("knuckle-models").then((cache) => cache.keys())
    .then((kept) => kept.map(({url}) => url.split("/models/")[1]))"""


def test_the_first_visit_works_and_later_ones_need_no_network(
    new_tab: Callable[[], Any], photo: bytes, tmp_path: Path
) -> None:
    (tmp_path / "hands.jpg").write_bytes(photo)
    with (
        running(models="knuckle", limits=Limits(requests_per_s=1000)) as server,
        visit(new_tab, server, NOTE_LOADING) as tab,
    ):
        check_progress(tab.evaluate("said"))
        tab.wait_for_text("#offline", "Works offline.")
        tab.wait_for("navigator.serviceWorker.controller?.state === 'activated'")
        assert tab.evaluate("fetch('models/').then((answer) => answer.ok)") is True
        kept = tab.evaluate(KEPT_MODELS)  # exactly what the tracker loads on the CPU
        assert sorted(kept) == ["", "knuckle/bundle.json", "knuckle/hand_int8.tflite", "knuckle/palm_int8.tflite"]
        tab.choose_files("#file", tmp_path / "hands.jpg")
        wait_for_hands(tab, 2)

        server.stop()
        tab.goto(server.url("/"))
        wait_until_ready(tab)
        assert tab.evaluate("crossOriginIsolated") is True
        tab.choose_files("#file", tmp_path / "hands.jpg")
        wait_for_hands(tab, 2)

        # A model that is not in the cache: the one before goes on, and the next visit starts with it.
        first, other = tab.evaluate("[...document.getElementById('models').options].map((option) => option.value)")[:2]
        tab.fill("#models", other)
        tab.wait_for_text("#message", "cannot be fetched")
        tab.wait_for(f"document.getElementById('models').value === {json.dumps(first)}")
        tab.fill("#maxHands", "1")
        wait_for_hands(tab, 1)
        tab.goto(server.url("/"))
        wait_until_ready(tab)
        assert tab.evaluate("document.getElementById('message').hidden")

        # A choice that an earlier version remembered, or whose files the browser has dropped since.
        kept = json.dumps(json.dumps({"models": other}))
        tab.evaluate(f"localStorage.setItem('knuckle.settings', {kept})")
        tab.goto(server.url("/"))
        wait_until_ready(tab)
        tab.wait_for_text("#message", "The default model is used instead")
        tab.choose_files("#file", tmp_path / "hands.jpg")
        wait_for_hands(tab, 2)


def test_a_worker_that_ends_is_replaced(new_tab: Callable[[], Any], server: Running) -> None:
    keep_workers = """window.made = [];
        window.Worker = class extends Worker { constructor(...given) { super(...given); made.push(this); } };"""
    with visit(new_tab, server, keep_workers) as tab:
        tab.click("#controls [data-do=sample]")
        wait_for_hands(tab, 2)
        assert tab.evaluate("made.length") == 1
        tab.evaluate("void made[0].terminate()")  # it ends without a word, as when memory runs out
        tab.wait_for_text("#message", "The tracker crashed and was restarted.")
        tab.evaluate("void (document.getElementById('stage').dataset.hands = 'before')")
        wait_for_hands(tab, 2)
        assert tab.evaluate("made.length") == 2


def check_progress(said: list[str]) -> None:
    """The page told in bytes how much of model and runtime had arrived: never less, up to nearly all."""
    assert said[-1] == "Ready."
    told = [re.fullmatch(r"Loading the model …(?: ([\d.]+) of ([\d.]+) MB)?", text) for text in said[:-1]]
    assert all(told), said
    megabytes = [(float(match[1]), float(match[2])) for match in told if match and match[1]]
    arrived, totals = [one for one, _ in megabytes], {total for _, total in megabytes}
    (runtime,) = files.PAGE.glob("assets/engine-*/wasm/litert_wasm_threaded_internal.wasm")
    assert arrived == sorted(arrived) and len(set(arrived)) > 2
    (total,) = totals
    assert total > runtime.stat().st_size / 1e6 and 0.95 * total < arrived[-1] <= total
