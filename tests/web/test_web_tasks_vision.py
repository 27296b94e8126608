"""The drop-in for `@mediapipe/tasks-vision` beside the package itself, on the same images in one headless Chromium."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import WEB, open_browser, serve_folders, why_not
from PIL import Image as Picture
from scene import blank, draw_hand

import knuckle
from knuckle.models import catalogue
from knuckle.models.bundle import TASK_MEMBERS
from knuckle.pipeline.tracker import Networks

THEIRS = WEB / "node_modules" / "@mediapipe" / "tasks-vision"
PHOTOS = WEB.parent.parent / "shared" / "data" / "photos" / "gestures40"
CLIP = WEB.parent / "examples" / "hands.mp4"
needs_package = pytest.mark.skipif(not THEIRS.is_dir(), reason="@mediapipe/tasks-vision is not installed: make web")
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

PAGE = """<!doctype html><meta charset="utf-8"><title>tasks</title><link rel="icon" href="data:,"><body>
<img id="image"><canvas id="canvas"></canvas>
<script type="module">
const libraries = { ours: "/lib/tasks-vision.js", theirs: "/theirs/vision_bundle.mjs" };
const image = async (name) => {
  const image = new Image();
  image.src = name;
  await image.decode();
  return image;
};
const create = async (who, options = {}, kind = "HandLandmarker") => {
  const library = await import(libraries[who]);
  const vision = await library.FilesetResolver.forVisionTasks("/theirs/wasm");
  const baseOptions = { modelAssetPath: "/hand_landmarker.task", delegate: "CPU" };
  return library[kind].createFromOptions(vision, { baseOptions, ...options });
};
const all = async (who, names, options) => {
  const task = await create(who, { numHands: 2, ...options });
  const found = [];
  for (const [i, name] of names.entries()) {
    const shown = await image(name);
    found.push(options?.runningMode === "VIDEO" ? task.detectForVideo(shown, 100 + i * 33) : task.detect(shown));
  }
  task.close();
  return found;
};
const said = async (call) => {
  try { await call(); return "nothing was refused"; } catch (error) { return `${error.name}: ${error.message}`; }
};
Object.assign(window, { image, create, all, said, ready: true });
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, networks: Networks) -> Path:
    """A folder with the page, MediaPipe's model and a drawn photo."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "index.html").write_text(PAGE)
    bundle = catalogue.find("mediapipe")
    with zipfile.ZipFile(folder / "hand_landmarker.task", "w", zipfile.ZIP_STORED) as task:
        task.write(bundle.palm_path, TASK_MEMBERS["palm"])
        task.write(bundle.hand_path, TASK_MEMBERS["hand"])
    drawn = draw_hand(blank(640, 480), 180, 240, 200, 0.2)
    Picture.fromarray(draw_hand(drawn, 460, 250, 170, -0.3, right=True)).save(folder / "drawn.png")
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Any]:
    folders = {"/lib/": WEB / "dist", "/theirs/": THEIRS, "/photos/": PHOTOS, "/": folder}
    with serve_folders(folders) as address, open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/index.html")
        page.wait_for_function("() => window.ready")
        yield page


def frames_of(folder: Path, first: int, last: int) -> list[str]:
    names = []
    for frame in knuckle.read(CLIP):
        if first <= frame.index < last:
            names.append(f"/frame{frame.index}.png")
            Picture.fromarray(frame.image).save(folder / names[-1][1:])
    return names


def points(landmarks: list[dict[str, float]]) -> Any:
    return np.array([[point["x"], point["y"]] for point in landmarks])


def distance(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> float:
    """Mean distance of landmarks, in lengths from the wrist to the middle MCP."""
    one, other = points(ours), points(theirs)
    palm = float(np.linalg.norm(other[9] - other[0]))
    return float(np.linalg.norm(one - other, axis=1).mean()) / palm


@needs_package
def test_photos_give_the_hands_that_the_package_finds(page: Any) -> None:
    names = ["/drawn.png", *(f"/photos/{path.name}" for path in sorted(PHOTOS.glob("*.jpg")))]
    ours, theirs = (page.evaluate("([who, names]) => all(who, names)", [who, names]) for who in ("ours", "theirs"))
    counts = [[len(found["landmarks"]) for found in side] for side in (ours, theirs)]
    assert sum(counts[1]) >= 2 and abs(sum(counts[0]) - sum(counts[1])) <= 0.02 * sum(counts[1])
    for one, other in zip(ours, theirs, strict=True):
        for hand, its in zip(one["landmarks"], other["landmarks"], strict=True):
            assert distance(hand, its) < 0.01
        assert one["handedness"] == one["handednesses"]
        for (side,), (its_side,) in zip(one["handedness"], other["handedness"], strict=True):
            assert abs(side.pop("score") - its_side.pop("score")) < 0.01
            assert side == its_side
        for world, its in zip(one["worldLandmarks"], other["worldLandmarks"], strict=True):
            assert np.abs(points(world) - points(its)).max() < 1e-3
        assert one["trackIds"] == [None] * len(one["landmarks"])
        if other["landmarks"]:
            assert {*one["landmarks"][0][0]} == {*other["landmarks"][0][0]}, "the fields of a landmark"


@needs_package
def test_a_clip_gives_the_hands_that_the_package_finds_and_their_ids(page: Any, folder: Path) -> None:
    names = frames_of(folder, 60, 72)
    call = "([who, names]) => all(who, names, { runningMode: 'VIDEO' })"
    ours, theirs = (page.evaluate(call, [who, names]) for who in ("ours", "theirs"))
    assert sum(len(found["landmarks"]) for found in theirs) > 20
    for one, other in zip(ours, theirs, strict=True):
        assert len(one["landmarks"]) == len(other["landmarks"])
        for its in other["landmarks"]:
            assert min(distance(hand, its) for hand in one["landmarks"]) < 0.15
    assert [found["trackIds"] for found in ours] == [[1, 2][: len(found["landmarks"])] for found in theirs]


@needs_package
@pytest.mark.parametrize("title", ["Hand Landmarker", "Gesture Recognizer"])
def test_the_example_of_the_package_runs_with_the_import_changed(page: Any, folder: Path, title: str) -> None:
    readme = (THEIRS / "README.md").read_text()
    section = re.search(rf"## {title}\n.*?```\n(.*?)```", readme, re.DOTALL)
    assert section, f"the package's README has no example for {title}"
    code = section[1].replace(" as HTMLImageElement", "")
    asked = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(path=folder / "hand_landmarker.task", headers={"Access-Control-Allow-Origin": "*"})

    page.route("https://storage.googleapis.com/**", answer)
    page.evaluate("document.getElementById('image').src = '/drawn.png'")
    page.evaluate("document.getElementById('image').decode()")
    result = re.search(r"const (\w+) = \w+\.(?:detect|recognize)\(image\)", code)
    assert result, code
    found = page.evaluate(
        f"""async () => {{
          const {{ FilesetResolver, HandLandmarker, GestureRecognizer }} = await import("/lib/tasks-vision.js");
          {code}
          return {result[1]};
        }}"""
    )
    page.unroute("https://storage.googleapis.com/**")
    assert len(found["landmarks"]) == 1 and len(found["landmarks"][0]) == 21
    assert [url.rsplit(".", 1)[1] for url in asked] == ["task"], "nothing but the model comes from elsewhere"


def test_turned_images_give_landmarks_of_the_image_that_was_passed(page: Any) -> None:
    upright, *turned = page.evaluate(
        """async () => {
          const task = await create("ours", { numHands: 2 });
          const whole = await image("/drawn.png");
          const found = [task.detect(whole)];
          for (const degrees of [90, 180, -90]) {
            const [width, height] = degrees === 180 ? [640, 480] : [480, 640];
            const canvas = new OffscreenCanvas(width, height);
            const context = canvas.getContext("2d");
            context.translate(width / 2, height / 2);
            context.rotate((degrees * Math.PI) / 180);
            context.drawImage(whole, -320, -240);
            const result = task.detect(canvas, { rotationDegrees: -degrees });
            const back = ({ x, y }) =>
              degrees === 90 ? { x: y, y: 1 - x } : degrees === 180 ? { x: 1 - x, y: 1 - y } : { x: 1 - y, y: x };
            found.push({ ...result, landmarks: result.landmarks.map((hand) => hand.map(back)) });
          }
          task.close();
          return found;
        }"""
    )
    assert len(upright["landmarks"]) == 2
    for found in turned:
        for one, other in zip(found["landmarks"], upright["landmarks"], strict=True):
            assert distance(one, other) < 0.02
        assert found["handedness"][0][0]["categoryName"] == upright["handedness"][0][0]["categoryName"]


def test_options_hold_from_the_next_call_on_and_wrong_calls_are_refused(page: Any, folder: Path) -> None:
    (name,) = frames_of(folder, 75, 76)
    (folder / name[1:]).rename(folder / "photo.png")
    counts, lines = page.evaluate(
        """async () => {
          const task = await create("ours");
          const whole = await image("/drawn.png");
          const counts = [task.detect(whole).landmarks.length];
          task.setOptions({ numHands: 2 }); // not awaited: it holds at once
          counts.push(task.detect(whole).landmarks.length);
          await task.setOptions({ runningMode: "VIDEO" });
          counts.push(task.detectForVideo(whole, 5).landmarks.length);
          const own = await create("ours", { baseOptions: {} }); // the networks of the package
          counts.push(own.detect(await image("/photo.png")).landmarks.length);
          const refused = {
            mode: () => task.detect(whole),
            region: () => task.detectForVideo(whole, 6, { regionOfInterest: { left: 0, top: 0, right: 1, bottom: 1 } }),
            rotation: () => task.detectForVideo(whole, 7, { rotationDegrees: 45 }),
            empty: () => task.detectForVideo(document.createElement("video"), 8),
            nothing: () => task.detectForVideo(null, 9),
            option: () => task.setOptions({ minHandPresenceConfidence: 2 }),
            both: () => create("ours", { baseOptions: { modelAssetPath: "/a", modelAssetBuffer: new Uint8Array(1) } }),
            missing: () => create("ours", { baseOptions: { modelAssetPath: "/none.task" } }),
          };
          const lines = {};
          for (const [name, call] of Object.entries(refused)) lines[name] = await said(call);
          task.close();
          lines.closed = await said(() => task.detectForVideo(whole, 10));
          return [counts, lines];
        }"""
    )
    assert counts == [1, 2, 2, 1]
    kinds = {name: line.split(":")[0] for name, line in lines.items()}
    assert kinds == {name: "BundleError" if name == "missing" else "InputError" for name in lines}, lines
    assert "'runningMode' must be set to 'IMAGE'" in lines["mode"] and "closed" in lines["closed"]


def test_gestures_are_named_and_options_reject_them(page: Any, folder: Path) -> None:
    (name,) = frames_of(folder, 75, 76)
    named, rejected, bytes_given = page.evaluate(
        """async (name) => {
          const shown = await image(name);
          const task = await create("ours", { numHands: 2 }, "GestureRecognizer");
          const named = task.recognize(shown);
          await task.setOptions({ cannedGesturesClassifierOptions: { scoreThreshold: 1.1 } });
          const rejected = task.recognize(shown);
          const { FilesetResolver, GestureRecognizer } = await import("/lib/tasks-vision.js");
          const vision = await FilesetResolver.forVisionTasks();
          const reader = (await fetch("/hand_landmarker.task")).body.getReader();
          const other = await GestureRecognizer.createFromModelBuffer(vision, reader);
          return [named, rejected, other.recognize(shown)];
        }""",
        name,
    )
    known = {"None", "Closed_Fist", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory", "ILoveYou"}
    assert len(named["gestures"]) == len(named["landmarks"]) == 2
    for (gesture,) in named["gestures"]:
        assert gesture["categoryName"] in known and gesture["index"] == -1 and 0 <= gesture["score"] <= 1
    assert rejected["gestures"] == [[], []]
    assert len(bytes_given["gestures"]) == 1


def test_lines_and_circles_are_drawn_where_the_landmarks_are(page: Any) -> None:
    drawn = page.evaluate(
        """async () => {
          const { DrawingUtils, HandLandmarker } = await import("/lib/tasks-vision.js");
          const canvas = new OffscreenCanvas(200, 100);
          const context = canvas.getContext("2d");
          const drawing = new DrawingUtils(context);
          const points = Array.from({ length: 21 }, (_, i) => ({ x: i / 20, y: 0.5, z: 0, visibility: 0 }));
          drawing.drawConnectors(points, [{ start: 0, end: 20 }], { color: "#00ff00", lineWidth: 2 });
          drawing.drawLandmarks([points[10]], { color: () => "#ff0000", radius: ({ index }) => 5 + index });
          const box = { originX: 10, originY: 10, width: 20, height: 20, angle: 0 };
          drawing.drawBoundingBox(box, { fillColor: "#0000ff" });
          const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];
          return [at(50, 50), at(100, 50), at(20, 20), at(50, 90), DrawingUtils.lerp(0.5, 0, 1, 10, 20),
            DrawingUtils.lerp(7, 0, 1, 10, 20), DrawingUtils.clamp(-1, 3, 0), HandLandmarker.HAND_CONNECTIONS.length];
        }"""
    )
    assert drawn == [[0, 255, 0], [255, 0, 0], [0, 0, 255], [0, 0, 0], 15, 20, 0, 21]
