"""The page as files of an app finds hands, with what docs/mobile.md asks of the app: headers, and a list of bundles."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from chromium import open_browser, serve_folders, why_not

from knuckle.serve import files

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.mark.skipif(not (files.PAGE / "index.html").is_file(), reason="the page is not built: make web")
def test_the_page_starts_from_the_files_of_an_app(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_page", ROOT / "mobile" / "make_page.py")
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.make_page(tmp_path)
    with serve_folders({"/": tmp_path}) as address, open_browser() as browser:
        page = browser.new_context(service_workers="block").new_page()
        page.set_default_timeout(120_000)
        page.route(f"{address}/models/", lambda route: route.fulfill(path=tmp_path / "models" / "index.json"))
        page.goto(f"{address}/index.html")
        page.wait_for_function("() => document.getElementById('loading').textContent === 'Ready.'")
        assert page.locator("select[name=models]").input_value() == "knuckle"
