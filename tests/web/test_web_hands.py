"""The drop-in for the old `@mediapipe/hands`, with its camera loop and drawing, on a camera that is a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, serve_folders, why_not
from PIL import Image as Picture

import knuckle
from knuckle.geometry import iou

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

CLIP = WEB.parent / "examples" / "hands.mp4"
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# The loop of the package's documents: only the imports are other ones.
PAGE = """<!doctype html><meta charset="utf-8"><title>hands</title><link rel="icon" href="data:,"><body>
<video class="input_video" muted playsinline></video>
<canvas class="output_canvas" width="640" height="480"></canvas>
<script type="module">
import { Camera } from "/lib/camera_utils.js";
import { drawConnectors, drawLandmarks } from "/lib/drawing_utils.js";
import { Hands, HAND_CONNECTIONS } from "/lib/hands.js";

const videoElement = document.getElementsByClassName("input_video")[0];
const canvasElement = document.getElementsByClassName("output_canvas")[0];
const canvasCtx = canvasElement.getContext("2d", { willReadFrequently: true });

function onResults(results) {
  canvasCtx.save();
  canvasCtx.clearRect(0, 0, canvasElement.width, canvasElement.height);
  canvasCtx.drawImage(results.image, 0, 0, canvasElement.width, canvasElement.height);
  if (results.multiHandLandmarks) {
    for (const landmarks of results.multiHandLandmarks) {
      drawConnectors(canvasCtx, landmarks, HAND_CONNECTIONS, { color: "#00FF00", lineWidth: 5 });
      drawLandmarks(canvasCtx, landmarks, { color: "#FF0000", lineWidth: 2 });
    }
  }
  canvasCtx.restore();
  const { image, ...rest } = results;
  window.results.push({ ...rest, width: image.width, height: image.height });
}

const hands = new Hands({ locateFile: (file) => `https://cdn.jsdelivr.net/npm/@mediapipe/hands/${file}` });
hands.setOptions({ maxNumHands: 2, modelComplexity: 1, minDetectionConfidence: 0.5, minTrackingConfidence: 0.5 });
hands.onResults(onResults);
const camera = new Camera(videoElement, {
  onFrame: async () => { await hands.send({ image: videoElement }); },
  width: 640,
  height: 480,
});
Object.assign(window, { camera, canvasCtx, results: [] });
</script>"""


@pytest.fixture(scope="module")
def image() -> Any:
    return next(frame.image for frame in knuckle.read(CLIP) if frame.index == 75)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, image: Any) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("hands")
    (folder / "index.html").write_text(PAGE)
    camera = folder / "camera.mjpeg"
    for name in (camera, folder / "frame.png"):
        Picture.fromarray(image).save(name, format="PNG" if name.suffix == ".png" else "JPEG", quality=95)
    flags = (*WITHOUT_WEBGL, *FAKE_CAMERA, f"--use-file-for-fake-video-capture={camera}")
    with serve_folders({"/lib/": WEB / "dist", "/": folder}) as address, open_browser(*flags) as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/index.html")
        page.wait_for_function("() => !!window.camera")
        yield page


def boxes(found: dict[str, Any], size: Any) -> Any:
    points = np.array([[[p["x"], p["y"]] for p in hand] for hand in found["multiHandLandmarks"]]) * size
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)


def test_the_loop_of_the_documents_finds_the_hands_of_a_camera(page: Any, image: Any) -> None:
    page.evaluate("() => camera.start()")
    page.wait_for_function("() => results.length >= 3 && results.at(-1).multiHandLandmarks.length === 2")
    page.evaluate("() => camera.stop()")
    found = page.evaluate("() => results.at(-1)")
    ours = knuckle.detect(image, knuckle.load("knuckle", precision="float"), mirrored=True)
    size = (image.shape[1], image.shape[0])
    theirs = np.array([[*hand.landmarks[:, :2].min(axis=0), *hand.landmarks[:, :2].max(axis=0)] for hand in ours])
    assert len(ours) == 2 and (found["width"] / found["height"]) == pytest.approx(size[0] / size[1], rel=0.01)
    for box, side in zip(boxes(found, size), found["multiHandedness"], strict=True):
        overlaps = iou(box, theirs)
        assert overlaps.max() > 0.7
        label = ours[int(overlaps.argmax())].handedness
        assert side["label"] == label and side["index"] == ["Left", "Right"].index(label), "as in a mirror"
    # On a busy computer seconds pass between two frames, and hands that were gone for so long get new ids.
    assert len({*found["trackIds"]}) == 2 and min(found["trackIds"]) >= 1
    assert [len(hand) for hand in found["multiHandWorldLandmarks"]] == [21, 21]
    green = page.evaluate(
        """() => {
          const { data } = canvasCtx.getImageData(0, 0, 640, 480);
          return data.filter((value, i) => i % 4 === 1 && value === 255 && !data[i - 1] && !data[i + 1]).length;
        }"""
    )
    assert green > 100, "lines are drawn"


def test_selfie_mode_mirrors_image_and_landmarks_and_one_hand_can_be_asked_for(page: Any) -> None:
    plain, mirrored, one, closed = page.evaluate(
        """async () => {
          const image = new Image();
          image.src = "/frame.png";
          await image.decode();
          const { Hands } = await import("/lib/hands.js");
          const hands = new Hands();
          let found;
          hands.onResults(({ image, ...rest }) => { found = rest; });
          const send = async (options) => {
            hands.setOptions(options);
            hands.reset();
            await hands.send({ image });
            return found;
          };
          const all = [await send({}), await send({ selfieMode: true })];
          all.push(await send({ selfieMode: false, maxNumHands: 1 }));
          await hands.close();
          const empty = await hands.send({ image: document.createElement("video") }).catch((error) => error.name);
          await hands.close();
          return [...all, empty];
        }"""
    )
    assert len(plain["multiHandLandmarks"]) == len(mirrored["multiHandLandmarks"]) == 2
    assert len(one["multiHandLandmarks"]) == 1
    first, second = boxes(plain, (1, 1)), boxes(mirrored, (-1, 1)) + np.array([1, 0, 1, 0])
    for box in first:
        assert iou(box, second).max() > 0.8
    labels = [sorted(side["label"] for side in found["multiHandedness"]) for found in (plain, mirrored)]
    assert labels == [["Left", "Right"]] * 2
    assert closed == "InputError"
