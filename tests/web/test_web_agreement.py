"""The browser's pipeline against this one, in headless Chromium without WebGL: same pictures in, same hands out."""

from __future__ import annotations

import base64
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, raw, serve_folders, why_not
from PIL import Image as Picture
from scene import blank, draw_hand

import knuckle
from knuckle.geometry import crop, letterbox
from knuckle.images import Image
from knuckle.models import catalogue
from knuckle.models.bundle import TASK_MEMBERS
from knuckle.models.session import Network, Outputs, Pictures
from knuckle.pipeline.palm import anchors
from knuckle.pipeline.tracker import Networks
from knuckle.results import Hand, Roi
from knuckle.testing import FakeNetwork

sys.path.insert(0, str(WEB.parent / "docs"))

needs_browser = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

HARNESS = """<!doctype html><meta charset="utf-8"><title>tests</title><link rel="icon" href="data:,"><body>
<script type="module">
import * as knuckle from "/lib/index.js";
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const text = (bytes) => {
  let all = "";
  for (let i = 0; i < bytes.length; i += 8192) all += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(all);
};
const image = ({ rgba, width, height }) => new ImageData(new Uint8ClampedArray(bytes(rgba)), width, height);
const create = (options = {}) =>
  knuckle.HandTracker.create({ models: "/models/mediapipe/", wasm: "/lib/wasm/", engine: "cpu", ...options });
// An engine that gives answers that were recorded: its networks are asked in the same order or there is an error.
const replay = async (calls, times, size, options) => {
  const kinds = ["palm", "hand"];
  let answers = [];
  const open = async () => {
    const kind = kinds.shift();
    const run = async () => {
      const next = answers.shift();
      if (next?.kind !== kind) throw new Error(`the ${kind} network was asked, not ${next?.kind ?? "none"}`);
      return Object.fromEntries(Object.entries(next.outputs).map(([k, v]) => [k, new Float32Array(bytes(v).buffer)]));
    };
    return { side: kind === "palm" ? 192 : 224, run, close() {} };
  };
  const engine = { device: "test", threads: 1, open, close() {} };
  const one = await create({ worker: false, engine, ...options });
  const empty = { ...size, data: new Uint8Array(4 * size.width * size.height) };
  const found = [];
  for (const [frame, timeS] of times.entries()) {
    answers = calls[frame];
    const hands = await one.track(empty, timeS);
    if (answers.length) throw new Error(`frame ${frame}: the networks were asked ${answers.length} times too few`);
    found.push(hands.map((hand) => ({ ...knuckle.handToJson(hand), roi: Object.values(hand.roi) })));
  }
  return found;
};
const said = async (call) => {
  try { await call(); return "nothing was refused"; } catch (error) { return `${error.name}: ${error.message}`; }
};
Object.assign(window, { knuckle, bytes, text, image, create, replay, said });
window.tracker = await create();
window.ready = true;
</script>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, networks: Networks) -> Iterator[str]:
    """A server with the library, the models in every shape, and a page to work in."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(HARNESS)
    with zipfile.ZipFile(folder / "stored.task", "w", zipfile.ZIP_STORED) as task:
        task.write(networks.bundle.palm_path, TASK_MEMBERS["palm"])
        task.write(networks.bundle.hand_path, TASK_MEMBERS["hand"])
    (folder / "broken.task").write_bytes((folder / "stored.task").read_bytes()[:100_000])
    models = catalogue.cache_folder()
    with serve_folders({"/lib/": WEB / "dist", "/models/": models, "/": folder}) as address:
        yield address


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Any]:
    with open_browser(*WITHOUT_WEBGL) as browser:
        page = browser.new_page()
        page.requests = []
        page.context.on("request", lambda request: page.requests.append(request.url))
        page.goto(f"{address}/index.html")
        page.wait_for_function("window.ready", timeout=60_000)
        yield page


def floats(text: str) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), np.float32)


def drawn() -> Image:
    image = blank(640, 480)
    draw_hand(image, 180, 240, 200, 0.2)
    return draw_hand(image, 460, 250, 170, -0.3, right=True)


def assert_same(ours: list[Hand], theirs: list[dict[str, Any]], pixels: float) -> None:
    assert [hand.handedness for hand in ours] == [hand["handedness"] for hand in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs(one.landmarks - np.array(other["landmarks"])).max() < pixels
        assert np.abs(one.world - np.array(other["world"])).max() < 1e-3 * max(pixels / 0.5, 1)
        assert abs(one.presence - other["presence"]) < 0.01 * max(pixels / 0.5, 1)


def test_constants_are_those_of_the_python_code() -> None:
    import make_web_constants

    assert make_web_constants.TARGET.read_text() == make_web_constants.constants(), "python docs/make_web_constants.py"


@needs_browser
def test_anchors_are_the_same(page: Any) -> None:
    for side, strides in ((192, ((8, 2), (16, 6))), (256, ((8, 1), (16, 2), (32, 3)))):
        theirs = page.evaluate("([side, strides]) => [...knuckle.anchors(side, strides)]", [side, strides])
        assert np.array_equal(np.array(theirs, np.float32).reshape(-1, 2), anchors(side, strides))


@needs_browser
@pytest.mark.parametrize("width, height", [(640, 480), (517, 389), (120, 333), (1280, 720), (97, 97)])
def test_pictures_of_the_networks_are_the_same(page: Any, width: int, height: int) -> None:
    rng = np.random.default_rng(width)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    rois = [Roi(*rng.uniform(-0.2, 1.2, 2) * (width, height), rng.uniform(5, 1.5 * width), rng.uniform(-7, 7))]
    rois += [Roi(width / 2, height / 2, height / 2, 0.3), Roi(-900, 40, 80, 1.0)]
    theirs = page.evaluate(
        """([raw, rois]) => {
          const { data, width, height } = image(raw);
          const pixels = { data, stride: 4 * width, left: 0, top: 0, width, height };
          const box = new Float32Array(192 * 192 * 3);
          knuckle.letterbox(pixels, 192, box);
          const crops = rois.map((roi) => {
            const out = new Float32Array(224 * 224 * 3);
            knuckle.crop(pixels, knuckle.cropArea(roi, width, height), roi, 224, out);
            return text(Uint8Array.from(out, (value) => Math.round(value * 255)));
          });
          return [text(Uint8Array.from(box, (value) => Math.round(value * 255))), ...crops];
        }""",
        [raw(image), [{"x": roi.x, "y": roi.y, "size": roi.size, "angleRad": roi.angle_rad} for roi in rois]],
    )
    ours = [letterbox(image, 192), *(crop(image, roi, 224) for roi in rois)]
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.ravel(), np.frombuffer(base64.b64decode(other), np.uint8))


@needs_browser
def test_a_still_gives_the_same_hands_from_every_source(page: Any) -> None:
    ours = knuckle.detect(drawn(), "mediapipe")
    assert len(ours) == 2
    theirs = page.evaluate(
        """async (raw) => {
          const data = image(raw);
          const canvas = new OffscreenCanvas(data.width, data.height);
          canvas.getContext("2d").putImageData(data, 0, 0);
          const file = await canvas.convertToBlob();
          const photo = new Image();
          photo.src = URL.createObjectURL(file);
          await photo.decode();
          const sources = { data, canvas, file, photo, bitmap: await createImageBitmap(data) };
          sources.plain = { data: data.data, width: data.width, height: data.height };
          sources.frame = new VideoFrame(canvas, { timestamp: 0 });
          const here = await create({ worker: false });
          const found = { "no worker": await here.detect(data) };
          here.close();
          for (const [name, source] of Object.entries(sources)) found[name] = await tracker.detect(source);
          return Object.fromEntries(Object.entries(found).map(([k, hands]) => [k, hands.map(knuckle.handToJson)]));
        }""",
        raw(drawn()),
    )
    assert len(theirs) == 8
    for hands in theirs.values():
        assert_same(ours, hands, 0.5)
        assert np.allclose([hand["palm_score"] for hand in hands], [hand.palm_score for hand in ours], atol=1e-3)


@needs_browser
def test_palms_and_landmarks_in_given_regions_are_the_same(page: Any) -> None:
    ours, regions = (
        knuckle.detect_palms(drawn(), "mediapipe"),
        [hand.roi for hand in knuckle.detect(drawn(), "mediapipe")] + [Roi(20, 20, 30)],
    )
    sent = [{"x": roi.x, "y": roi.y, "size": roi.size, "angleRad": roi.angle_rad} for roi in regions]
    palms, hands = page.evaluate(
        """async ([raw, rois]) => [
          (await tracker.detectPalms(image(raw))).map(knuckle.palmToJson),
          (await tracker.landmarksIn(image(raw), rois)).map((hand) => hand && knuckle.handToJson(hand)),
        ]""",
        [raw(drawn()), sent],
    )
    assert len(palms) == len(ours)
    for one, other in zip(ours, palms, strict=True):
        assert np.abs(one.box - other["box"]).max() < 0.5
        assert np.abs(one.keypoints - other["keypoints"]).max() < 0.5
    found = knuckle.landmarks_in(drawn(), regions, "mediapipe")
    assert found[-1] is None and hands[-1] is None
    assert_same([hand for hand in found if hand], hands[:-1], 0.5)


@needs_browser
def test_real_photos_give_the_same_hands(page: Any, shared: Path) -> None:
    photos = sorted((shared / "data" / "photos" / "gestures40").glob("*.jpg"))[::2]
    photos += [sorted((shared / "data" / "photos" / name).glob("*.jpg"))[7] for name in ("subhih", "rf100_signers")]
    for photo in photos:
        image = np.asarray(Picture.open(photo).convert("RGB"))
        ours = knuckle.detect(image, "mediapipe")
        theirs = page.evaluate("async (raw) => (await tracker.detect(image(raw))).map(knuckle.handToJson)", raw(image))
        assert_same(ours, theirs, 0.5)


@needs_browser
def test_jpeg_files_give_the_same_hands(page: Any, shared: Path) -> None:
    """The browser's own JPEG decoder rounds otherwise, so this is looser."""
    for photo in sorted((shared / "data" / "photos" / "gestures40").glob("*.jpg"))[1:20:4]:
        code = "async (file) => (await tracker.detect(new Blob([bytes(file)]))).map(knuckle.handToJson)"
        theirs = page.evaluate(code, base64.b64encode(photo.read_bytes()).decode())
        assert_same(knuckle.detect(np.asarray(Picture.open(photo).convert("RGB")), "mediapipe"), theirs, 2)


Answers = list[dict[str, Any]]


def recording(networks: Networks, answers: Answers) -> Networks:
    """The same networks; what they answer is appended to `answers`."""

    def spy(kind: str, network: Network) -> FakeNetwork:
        def run(pictures: Pictures) -> Outputs:
            outputs = network(pictures)
            for row in range(len(pictures)):
                texts = {name: base64.b64encode(values[row].tobytes()).decode() for name, values in outputs.items()}
                answers.append({"kind": kind, "outputs": texts})
            return outputs

        return FakeNetwork(network.side, run)

    return replace(networks, palm=spy("palm", networks.palm), hand=spy("hand", networks.hand))


def assert_decides_the_same(page: Any, networks: Networks, frames: list[tuple[Image, float]], **options: Any) -> int:
    """Track frames here, then there with the same answers of the networks; gives the number of hands."""
    names = {"max_hands": "maxHands", "search_every": "searchEvery", "predict_motion": "predictMotion"}
    names |= {"vote_handedness": "voteHandedness", "remember_s": "rememberS", "second_look": "secondLook"}
    names |= {"faint_palms": "faintPalms", "min_palm_score": "minPalmScore", "min_presence": "minPresence"}
    answers: Answers = []
    calls, found = list[Answers](), list[list[Hand]]()
    tracker = knuckle.HandTracker(recording(networks, answers), **options)
    for image, time_s in frames:
        found.append(tracker(image, time_s))
        calls.append(list(answers))
        answers.clear()
    height, width = frames[0][0].shape[:2]
    sent = {names.get(name, name): value for name, value in options.items()}
    times = [time_s for _, time_s in frames]
    code = "([calls, times, size, options]) => replay(calls, times, size, options)"
    replayed = page.evaluate(code, [calls, times, {"width": width, "height": height}, sent])
    for ours, theirs in zip(found, replayed, strict=True):
        assert [hand.track_id for hand in ours] == [hand["track_id"] for hand in theirs]
        assert_same(ours, theirs, 0.02)
        for one, other in zip(ours, theirs, strict=True):
            assert np.allclose([one.roi.x, one.roi.y, one.roi.size, one.roi.angle_rad], other["roi"], atol=0.02)
    return sum(map(len, found))


@needs_browser
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_hands": 1},
        {"second_look": True},
        {"second_look": True, "faint_palms": 0.5, "min_palm_score": 0.8, "min_presence": 0.7},
        {"faint_palms": 0.1, "max_hands": 1},
        {"search_every": 3, "smooth": False, "predict_motion": False, "vote_handedness": False, "mirrored": True},
    ],
    ids=str,
)
def test_the_pipeline_decides_the_same_on_a_drawn_clip(
    page: Any, networks: Networks, clip_frames: list[Image], options: dict[str, Any]
) -> None:
    empty = blank(640, 480)
    images = [*clip_frames[:9], empty, empty, *clip_frames[11:15], *[empty] * 3, *clip_frames[20:24]]
    assert assert_decides_the_same(page, networks, [(image, k / 15) for k, image in enumerate(images)], **options) > 10


@needs_browser
@pytest.mark.parametrize("sign", ["bird", "night", "sister", "walk"])
@pytest.mark.parametrize("faint_palms", [None, 0.3])
def test_the_pipeline_decides_the_same_on_real_clips(
    page: Any, networks: Networks, shared: Path, sign: str, faint_palms: float | None
) -> None:
    """With the same answers of the networks: a tracker feeds back, so the rounding of another engine grows."""
    frames = [(f.image, f.time_s) for f in knuckle.read(shared / "data" / "video" / f"asl_{sign}.mkv")]
    assert assert_decides_the_same(page, networks, frames, faint_palms=faint_palms) > 40


@needs_browser
def test_a_clip_keeps_its_ids_with_the_browsers_own_engine(page: Any, clip_frames: list[Image]) -> None:
    tracker, differences = knuckle.HandTracker("mediapipe"), list[float]()
    page.evaluate("tracker.reset()")
    for k, image in enumerate(clip_frames[:16]):
        code = "async ([raw, timeS]) => (await tracker.track(image(raw), timeS)).map(knuckle.handToJson)"
        theirs = page.evaluate(code, [raw(image), k / 15])
        ours = tracker(image, k / 15)
        assert [hand.track_id for hand in ours] == [hand["track_id"] for hand in theirs]
        assert [hand.handedness for hand in ours] == [hand["handedness"] for hand in theirs]
        for one, other in zip(ours, theirs, strict=True):
            differences.append(float(np.abs(one.landmarks - np.array(other["landmarks"]))[:, :2].max()))
    # Each frame's region comes from the last one's landmarks, so rounding grows: noise of 1e-5 in the networks' answers
    # moves a landmark of these hands, 190 pixels high, by up to 1.8 pixels.
    assert len(differences) == 32 and np.median(differences) < 1 and max(differences) < 10


@needs_browser
def test_the_observer_hears_the_same_graph(page: Any, clip_frames: list[Image]) -> None:
    tracker, steps = knuckle.HandTracker("mediapipe"), list[tuple[str, bool]]()
    tracker.observe = lambda step: steps.append(("/".join(step.path), step.skipped))
    for k in range(3):
        tracker(clip_frames[k], k / 15)
    theirs = page.evaluate(
        """async (raws) => {
          const steps = [];
          await tracker.reset();
          tracker.observe = ({ path, seconds, skipped }) =>
            steps.push([path.join("/"), skipped, seconds >= 0 && seconds < 60]);
          for (const [k, raw] of raws.entries()) await tracker.track(image(raw), k / 15);
          tracker.observe = null;
          return steps;
        }""",
        [raw(image) for image in clip_frames[:3]],
    )
    assert [(path, skipped) for path, skipped, _ in theirs] == steps
    assert all(sane for _, _, sane in theirs)


@needs_browser
def test_bundles_load_in_every_shape(page: Any) -> None:
    counts = page.evaluate(
        """async (raw) => {
          const get = async (url) => (await fetch(url)).arrayBuffer();
          const folder = "/models/mediapipe/";
          const [palm, hand] = [`${folder}palm_detection_full.tflite`, await get(`${folder}hand_landmark_full.tflite`)];
          const shapes = ["/stored.task", await get("/stored.task"), new Blob([await get("/stored.task")]),
            `${folder}bundle.json`, { palm, hand }];
          const counts = [];
          for (const models of shapes) {
            const one = await create({ models, threads: 1 });
            counts.push((await one.detect(image(raw))).length);
            one.close();
          }
          return counts;
        }""",
        raw(drawn()),
    )
    assert counts == [2] * 5


@needs_browser
def test_options_change_while_hands_are_held(page: Any, clip_frames: list[Image]) -> None:
    counts = page.evaluate(
        """async (raw) => {
          await tracker.reset();
          const ids = async (timeS) => (await tracker.track(image(raw), timeS)).map((hand) => hand.trackId);
          const before = await ids(0);
          await tracker.setOptions({ maxHands: 1, minPresence: 0.6 });
          const refused = await said(() => tracker.setOptions({ maxHands: 0 }));
          const fewer = (await tracker.detect(image(raw))).length;
          await tracker.setOptions({ maxHands: 2, minPresence: 0.5 });
          return [before, await ids(0.1), fewer, refused];
        }""",
        raw(clip_frames[0]),
    )
    assert counts[:3] == [[1, 2], [1, 2], 1]
    assert counts[3] == "InputError: maxHands must be a whole number of at least 1, got 0"


@needs_browser
def test_bad_input_is_refused_in_one_line_and_the_tracker_stays_usable(page: Any) -> None:
    said = page.evaluate(
        """async (raw) => {
          await tracker.reset();
          const closed = await createImageBitmap(image(raw));
          closed.close();
          const pixels = new Uint8ClampedArray(12);
          const calls = {
            file: () => tracker.detect(new Blob(["no image"])),
            text: () => tracker.detect("hand.jpg"),
            nothing: () => tracker.detect(null),
            closed: () => tracker.detect(closed),
            bytes: () => tracker.detect({ data: pixels, width: 9, height: 9 }),
            region: () => tracker.landmarksIn(image(raw), [{ x: 1, y: 1, size: 0, angleRad: 0 }]),
            time: () => tracker.track(image(raw), NaN),
            option: () => create({ hands: 2 }),
            threads: () => create({ threads: 0 }),
            missing: () => create({ models: "/models/none/" }),
            broken: () => create({ models: "/broken.task" }),
            page: () => create({ models: "/index.html" }),
            runtime: () => create({ wasm: "/nowhere/" }),
            worker: () => create({ worker: "/nowhere.js" }),
            webgpu: () => create({ engine: "webgpu" }),
          };
          const lines = {};
          for (const [name, call] of Object.entries(calls)) lines[name] = await said(call);
          return [lines, (await tracker.detect(image(raw))).length];
        }""",
        raw(drawn()),
    )
    lines, count = said
    assert count == 2
    kinds = {name: line.split(":")[0] for name, line in lines.items()}
    bundles, engines = {"missing", "broken", "page"}, {"runtime", "worker", "webgpu"}
    expected = {n: "BundleError" if n in bundles else "EngineError" if n in engines else "InputError" for n in lines}
    assert kinds == expected, lines
    assert all("\n" not in line for line in lines.values()), lines
    assert max(map(len, lines.values())) < 250, max(lines.values(), key=len)


@needs_browser
def test_a_worker_that_breaks_down_is_replaced(page: Any) -> None:
    before = page.evaluate(
        """async (raw) => {
          window.fragile = await create();
          return (await fragile.track(image(raw), 1)).map((hand) => hand.trackId);
        }""",
        raw(drawn()),
    )
    assert before == [1, 2]
    worker = [worker for worker in page.workers if worker.url.endswith("/worker.js")][-1]
    waiting = "async (raw) => { window.pending = said(() => fragile.track(image(raw), 2)); return 1 }"
    worker.evaluate("() => { setTimeout(() => { throw new Error('out of memory') }) }")
    page.wait_for_timeout(200)
    page.evaluate(waiting, raw(drawn()))
    after = page.evaluate(
        """async (raw) => {
          await pending;
          const ids = (await fragile.track(image(raw), 3)).map((hand) => hand.trackId);
          fragile.close();
          return [ids, await said(() => fragile.track(image(raw), 4))];
        }""",
        raw(drawn()),
    )
    assert after == [[3, 4], "InputError: this tracker is closed"], "ids of lost hands are not given again"


@needs_browser
def test_nothing_but_this_machine_is_asked_and_webgl_is_not_there(page: Any, address: str) -> None:
    assert page.evaluate("document.createElement('canvas').getContext('webgl')") is None
    assert page.evaluate("crossOriginIsolated && tracker.threads === Math.min(navigator.hardwareConcurrency, 4)")
    asked = [url for url in page.requests if not url.startswith(("data:", "blob:"))]
    assert len(asked) > 8 and all(url.startswith(address) for url in asked)


@needs_browser
def test_a_gpu_that_fails_leaves_the_work_to_the_cpu(page: Any) -> None:
    device, count, refused = page.evaluate(
        """async (raw) => {
          const adapter = { info: { isFallbackAdapter: false }, features: new Set(), limits: {} };
          adapter.requestDevice = async () => { throw new Error("lost"); };
          const gpu = { value: { requestAdapter: async () => adapter }, configurable: true };
          Object.defineProperty(navigator, "gpu", gpu);
          const one = await create({ engine: "auto", worker: false });
          const count = (await one.detect(image(raw))).length;
          one.close();
          Object.defineProperty(navigator, "gpu", gpu);
          const refused = await said(() => create({ engine: "webgpu", worker: false }));
          delete navigator.gpu;
          return [one.device, count, refused];
        }""",
        raw(drawn()),
    )
    assert (device, count) == ("cpu", 2)
    assert refused == 'EngineError: this browser has no WebGPU device; use engine "cpu" or "auto"'


@needs_browser
def test_webgpu_gives_the_same_hands(page: Any, address: str) -> None:
    with open_browser("--disable-gpu", "--enable-unsafe-webgpu", beside=page.context.browser) as browser:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}/index.html")
        page.wait_for_function("window.ready")
        device, theirs = page.evaluate(
            """async (raw) => {
              const one = await create({ engine: "webgpu" });
              return [one.device, (await one.detect(image(raw))).map(knuckle.handToJson)];
            }""",
            raw(drawn()),
        )
    assert device == "webgpu"
    assert_same(knuckle.detect(drawn(), "mediapipe"), theirs, 0.5)
