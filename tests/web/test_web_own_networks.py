"""Our own networks in headless Chromium: LiteRT.js reads their files as LiteRT does, and the same hands come out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, raw, serve_folders, why_not

import knuckle
from knuckle.models import catalogue

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

CLIP = Path(__file__).resolve().parents[2] / "examples" / "hands.mp4"
PAGE = """<!doctype html><meta charset="utf-8"><title>own networks</title><link rel="icon" href="data:,">
<script type="module">
import { HandTracker, handToJson } from "/lib/index.js";
window.detect = async ({ rgba, width, height }) => {
  const bytes = Uint8ClampedArray.from(atob(rgba), (c) => c.charCodeAt(0));
  const tracker = await HandTracker.create({ models: "/own/", engine: "cpu" });
  return (await tracker.detect(new ImageData(bytes, width, height))).map(handToJson);
};
</script>"""


@pytest.mark.parametrize("name", catalogue.PACKAGED)
def test_a_photo_gives_the_same_hands_as_here(name: str, tmp_path: Path) -> None:
    bundle, own = catalogue.find(name), tmp_path / "own"
    own.mkdir()
    (own / "bundle.json").write_text(bundle.to_json())
    for path in (bundle.palm_path, bundle.hand_path):
        shutil.copyfile(path, own / path.name)
    (tmp_path / "index.html").write_text(PAGE)
    image = next(frame.image for frame in knuckle.read(CLIP) if frame.index == 60)
    ours = knuckle.detect(image, knuckle.load(name, precision="float"))  # as the browser runs them
    assert len(ours) == 2
    with (
        serve_folders({"/lib/": WEB / "dist", "/own/": own, "/": tmp_path}) as address,
        open_browser(*WITHOUT_WEBGL) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{address}/index.html")
        page.wait_for_function("() => !!window.detect")
        theirs = page.evaluate("(raw) => detect(raw)", raw(image))
    assert [hand.handedness for hand in ours] == [hand["handedness"] for hand in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs(one.landmarks - np.array(other["landmarks"])).max() < 0.5
        assert np.abs(one.world - np.array(other["world"])).max() < 1e-3
        assert abs(one.presence - other["presence"]) < 0.01
