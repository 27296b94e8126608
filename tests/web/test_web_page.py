"""The browser page in a real Chromium, served by a real `knuckle serve`, with a clip as its camera."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from conftest import two_hands
from PIL import Image as PillowImage
from scene import blank

import knuckle
from knuckle.media import columns
from knuckle.results import Hand

pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no Chromium is installed", allow_module_level=True)

from servers import Running  # noqa: E402
from visits import LABEL_COLOURS, PAGE_IS_BUILT, label_pixels  # noqa: E402

if not PAGE_IS_BUILT:
    pytest.skip("the page is not built: make web", allow_module_level=True)

expect = sync_api.expect
expect.set_options(timeout=90_000)
PATIENCE_MS = 90_000
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SOFTWARE_GL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with sync_api.sync_playwright() as it:
        yield it


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that shows two moving hands, forwards and backwards, so that it loops seamlessly."""
    path = tmp_path_factory.mktemp("camera") / "hands.y4m"
    frames = [two_hands(k / 9) for k in range(10)]
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n")
        for image in (*frames, *reversed(frames)):
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


Launch = Callable[..., Any]


@pytest.fixture(scope="module")
def launch(driver: Any) -> Iterator[Launch]:
    """Starts a Chromium with the given flags."""
    with ExitStack() as stack:

        def start(*flags: str) -> Any:
            browser = driver.chromium.launch(
                executable_path=CHROMIUM, args=[*QUIET, *flags], ignore_default_args=["--enable-unsafe-swiftshader"]
            )
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="module")
def browser(launch: Launch, camera_file: Path) -> Any:
    return launch(*FAKE_CAMERA, f"--use-file-for-fake-video-capture={camera_file}")


@pytest.fixture(scope="module")
def bare_browser(launch: Launch) -> Any:
    """A Chromium without any camera, and without WebGL."""
    return launch("--use-fake-ui-for-media-stream", "--disable-software-rasterizer")


@contextmanager
def opened(browser: Any, server: Running, query: str = "", prepare: Any = None, **options: Any) -> Iterator[Any]:
    """Opens the page in a fresh context and checks afterwards what `checked` checks.

    Without a service worker, which would fetch everything again; test_web_visits.py tests it.
    """
    context = browser.new_context(service_workers="block", **options)
    context.set_default_timeout(PATIENCE_MS)
    try:
        if prepare:
            prepare(context)
        page = context.new_page()
        with checked(page, server):
            page.goto(server.url(f"/{query}"))
            yield page
    finally:
        context.close()


@contextmanager
def checked(page: Any, server: Running) -> Iterator[None]:
    """Checks that the page raises no errors and sends requests to its own server only."""
    asked: set[str] = set()
    problems: list[str] = []
    listeners = {
        "request": lambda request: asked.add(request.url),
        "websocket": lambda socket: asked.add(socket.url),
        "pageerror": lambda error: problems.append(str(error)),
        "console": lambda m: problems.append(m.text) if "Content Security Policy" in m.text else None,
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert problems == []
    hosts = {urlsplit(url).netloc for url in asked if urlsplit(url).scheme not in ("blob", "data")}
    assert hosts <= {f"127.0.0.1:{server.port}"}


@pytest.fixture(scope="module")
def start_page(browser: Any, server: Running) -> Iterator[Any]:
    """The freshly opened page, shared by tests that change nothing, because loading it takes most of their time."""
    with opened(browser, server) as page:
        wait_until_ready(page)
        yield page


@pytest.fixture(scope="module")
def kept_page(browser: Any, server: Running) -> Iterator[Any]:
    with opened(browser, server) as page:
        yield page


@pytest.fixture
def page(kept_page: Any, server: Running) -> Iterator[Any]:
    """The page as on a first visit, but with everything in the browser's cache, which halves the time to open it."""
    kept_page.evaluate("localStorage.clear()")
    with checked(kept_page, server):
        kept_page.goto(server.url("/"))
        yield kept_page


def wait_until_ready(page: Any) -> None:
    expect(page.locator("#loading")).to_have_text("Ready.", timeout=PATIENCE_MS)


def expect_hands(page: Any, count: int) -> None:
    expect(page.locator("#stage")).to_have_attribute("data-hands", str(count), timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "two hands.png"
    PillowImage.fromarray(two_hands(0.9)).save(path)
    return path


def saved(page: Any) -> dict[str, bytes]:
    """Downloads the files that the page offers: an image or video and two data files; returns them by suffix."""
    expect(page.locator("#downloads a")).to_have_count(3)
    found = {}
    for link in page.locator("#downloads a").all():
        with page.expect_download() as download:
            link.click()
        path = Path(download.value.path())
        found[Path(download.value.suggested_filename).suffix] = path.read_bytes()
    return found


# Sources


def test_a_photo_gives_the_same_hands_as_python(page: Any, photo_file: Path) -> None:
    expected = knuckle.detect(np.asarray(PillowImage.open(photo_file)), "mediapipe")
    page.set_input_files("#file", photo_file)
    expect_hands(page, len(expected))
    page.click("#record")
    offered = saved(page)
    row = json.loads(offered[".jsonl"])
    assert (row["width"], row["height"], row["source"]) == (640, 480, "two hands.png")
    for given, hand in zip(row["hands"], expected, strict=True):
        assert set(given) == set(hand.to_dict()) - {"landmark_std"}  # browsers do not read this output
        assert Hand.from_dict(given).handedness == hand.handedness
        np.testing.assert_allclose(Hand.from_dict(given).landmarks, hand.landmarks, atol=0.5)
        np.testing.assert_allclose(Hand.from_dict(given).world, hand.world, atol=0.002)
    table = list(csv.DictReader(io.StringIO(offered[".csv"].decode())))
    assert list(table[0]) == columns.hand_schema().names
    assert float(table[0]["wrist_x_px"]) == pytest.approx(row["hands"][0]["landmarks"][0][0])
    assert PillowImage.open(io.BytesIO(offered[".png"])).size == (640, 480)


def test_a_camera_shows_two_hands_with_ids_and_speed(page: Any) -> None:
    page.click("#welcome [data-do=camera]")
    expect_hands(page, 2)
    rows = page.locator("#hands tbody tr")
    expect(rows).to_have_count(2)
    # Hands that were gone for seconds, as they are to a busy computer, get new ids.
    expect(rows.locator("td:nth-child(1)")).to_have_text([re.compile(r"^\d+$")] * 2)
    sides = rows.locator("td:nth-child(2)").all_inner_texts()
    assert sorted(sides) == ["Left", "Right"]
    said = f"2 hands: {sides[0].lower()}, {sides[1].lower()}"
    expect(page.locator("#announcer")).to_have_text(said, timeout=PATIENCE_MS)
    expect(page.locator("#overlay")).to_have_attribute("aria-label", said)
    expect(page.locator("#fps")).not_to_have_text("–")
    expect(page.locator("#engine-now")).to_contain_text("CPU")
    expect(page.locator("#flip")).to_have_attribute("aria-pressed", "true")  # as a mirror
    page.click("#nodes summary")
    names = page.locator("#nodes tbody td:first-child")
    expect(names.filter(has_text="tracked_hands")).to_have_count(1)
    assert page.locator("#camera option").count() >= 2
    page.evaluate("document.getElementById('video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_contain_text("The camera stopped")
    expect(page.locator("#welcome")).to_be_visible()


def threads(page: Any) -> int:
    return page.evaluate("crossOriginIsolated ? navigator.hardwareConcurrency : 1")


def test_the_page_is_isolated_so_that_threads_work(start_page: Any) -> None:
    assert start_page.evaluate("crossOriginIsolated") is True


def test_a_video_file_loops_and_pauses(page: Any, clip: Path) -> None:
    page.set_input_files("#file", clip)
    expect_hands(page, 2)
    loops = """new Promise((resolve) => {
        const video = document.getElementById("video");
        video.addEventListener("seeking", resolve, {once: true});
    })"""
    page.evaluate(loops)  # back to its beginning
    expect_hands(page, 2)
    assert not page.locator("#message").is_visible()
    page.click("#pause")
    expect(page.locator("#pause")).to_have_text("Resume")
    assert page.evaluate("document.getElementById('video').paused")
    page.keyboard.press("Space")
    expect(page.locator("#pause")).to_have_text("Pause")


def test_a_file_can_be_dropped(page: Any, photo_file: Path) -> None:
    wait_until_ready(page)
    drop = """async ({bytes, name, type}) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type}));
        document.body.dispatchEvent(new DragEvent("dragover", {dataTransfer: data, bubbles: true}));
        const hinted = !document.getElementById("drop").hidden;
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        return hinted;
    }"""
    given = {"bytes": list(photo_file.read_bytes()), "name": "dropped.png", "type": "image/png"}
    assert page.evaluate(drop, given) is True
    expect_hands(page, 2)


def test_a_model_file_can_be_opened(page: Any, photo_file: Path, tmp_path: Path) -> None:
    bundle = knuckle.load("mediapipe").bundle
    task = tmp_path / "mine.task"
    with zipfile.ZipFile(task, "w") as archive:
        archive.write(bundle.palm_path, "hand_detector.tflite")
        archive.write(bundle.hand_path, "hand_landmarks_detector.tflite")
    page.set_input_files("#file", photo_file)
    page.set_input_files("#file", task)
    expect(page.locator("#models")).to_have_value("file")
    expect_hands(page, 2)
    task.write_bytes(b"no zip")
    page.set_input_files("#file", task)
    expect(page.locator("#message")).to_contain_text("not a zip archive")
    page.get_by_label("Max hands").fill("1")  # the networks of before go on
    expect_hands(page, 1)


def test_a_busy_sign_stays_while_a_photo_is_opened(page: Any, photo_file: Path) -> None:
    wait_until_ready(page)
    page.evaluate(
        """() => {
            const open = createImageBitmap;
            window.createImageBitmap = async (...given) => {
                window.createImageBitmap = open;
                await new Promise((resolve) => { window.goOn = resolve; });
                return open(...given);
            };
        }"""
    )
    page.set_input_files("#file", photo_file)
    expect(page.locator("#busy")).to_have_text("Opening two hands.png …")
    expect(page.locator("#busy")).to_be_visible()
    page.evaluate("goOn()")
    expect_hands(page, 2)
    expect(page.locator("#busy")).to_be_hidden()


def test_the_speed_starts_again_with_every_source(page: Any, clip: Path, photo_file: Path) -> None:
    page.click("#nodes summary")
    steps = page.locator("#nodes tbody td:first-child")
    page.set_input_files("#file", clip)
    expect(steps.filter(has_text="tracked_hands")).to_have_count(1)
    page.set_input_files("#file", photo_file)
    expect(page.locator("#fps")).to_have_text("–")
    expect(page.locator("#ms")).not_to_have_text("–")
    page.set_input_files("#file", clip)
    expect(page.locator("#fps")).not_to_have_text("–")


def overlay_of(page: Any) -> Any:
    """What is drawn over the image, RGBA."""
    address = page.evaluate("document.getElementById('overlay').toDataURL()")
    return np.asarray(PillowImage.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGBA")).astype(int)


def test_labels_cover_no_hand(page: Any, photo_file: Path) -> None:
    page.set_input_files("#file", photo_file)
    expect_hands(page, 2)
    labelled = overlay_of(page)
    page.get_by_label("Show labels").uncheck()
    rows, columns = np.nonzero(np.abs(labelled - overlay_of(page)).max(axis=2) > 20)
    assert len(rows) > 1000
    image = np.asarray(PillowImage.open(photo_file)).astype(int)
    is_skin = np.abs(image - blank(640, 480)).max(axis=2) > 20
    for hand in knuckle.detect(image.astype(np.uint8), "mediapipe"):
        is_skin[int(hand.landmarks[0, 1]) :, np.abs(np.arange(640) - hand.landmarks[0, 0]) < 80] = False  # the forearm
    assert is_skin.sum() > 10_000
    scale = 640 / labelled.shape[1]
    assert not is_skin[(rows * scale).astype(int), (columns * scale).astype(int)].any()


# Settings


def test_palms_only_shows_palms_and_no_hands(page: Any, photo_file: Path) -> None:
    page.set_input_files("#file", photo_file)
    expect_hands(page, 2)
    page.get_by_label("Palms only").check()
    expect(page.locator("#stage")).to_have_attribute("data-palms", "2")
    expect_hands(page, 0)
    expect(page.locator("#no-hands")).to_contain_text("2 palms")
    page.click("#record")
    offered = saved(page)
    palms = json.loads(offered[".jsonl"])["palms"]
    expected = knuckle.detect_palms(np.asarray(PillowImage.open(photo_file)), "mediapipe")
    for given, palm in zip(palms, expected, strict=True):
        np.testing.assert_allclose(given["box"], palm.box, atol=1)
    assert next(csv.reader(io.StringIO(offered[".csv"].decode()))) == columns.palm_schema().names


def test_settings_change_what_is_found_and_are_kept(page: Any, photo_file: Path) -> None:
    page.set_input_files("#file", photo_file)
    expect_hands(page, 2)
    page.get_by_label("Max hands").fill("1")
    expect_hands(page, 1)
    page.get_by_label("Min presence").fill("0.95")
    page.reload()
    expect(page.get_by_label("Max hands")).to_have_value("1")
    expect(page.locator("output[for=minPresence]")).to_have_text("0.95")
    page.set_input_files("#file", photo_file)
    expect_hands(page, 1)
    page.get_by_role("button", name="Reset to defaults").click()
    expect_hands(page, 2)


def test_the_sliders_start_at_the_thresholds_of_the_bundle(browser: Any, server: Running) -> None:
    listed = httpx.get(server.url("/models/")).json()
    first, second = (dict(bundle) for bundle in listed["bundles"][:2])
    first["min_palm_score"], second["min_palm_score"] = 0.7, 0.35
    listed = {"default": first["name"], "bundles": [second, first]}

    def change(context: Any) -> None:
        context.route("**/models/", lambda route: route.fulfill(json=listed))

    with opened(browser, server, prepare=change) as page:
        wait_until_ready(page)
        slider, shown = page.get_by_label("Min palm score"), page.locator("output[for=minPalmScore]")
        expect(shown).to_have_text("0.70")
        page.select_option("#models", second["name"])
        expect(shown).to_have_text("0.35")
        slider.fill("0.6")
        page.select_option("#models", first["name"])
        expect(shown).to_have_text("0.60")  # the user's own choice stays
        page.get_by_role("button", name="Reset to defaults").click()
        expect(shown).to_have_text("0.70")


def test_every_bundle_that_the_server_has_can_be_chosen(page: Any, photo_file: Path) -> None:
    page.set_input_files("#file", photo_file)
    expect_hands(page, 2)
    for name in page.locator("#models option").all_inner_texts():
        page.select_option("#models", name)
        expect(page.locator("#engine-now")).to_contain_text("CPU")
        expect_hands(page, 2)


# Recording


def test_a_recording_can_be_read_by_python(page: Any, tmp_path: Path) -> None:
    page.click("#controls [data-do=sample]")
    expect_hands(page, 2)
    page.click("#record")
    expect(page.locator("#recording")).to_be_visible()
    for _ in range(3):
        before = page.locator("#recorded").inner_text()  # the newest frame changes it, a second after the last change
        expect(page.locator("#recorded")).not_to_have_text(before)
    page.click("#record")
    offered = saved(page)
    rows = [json.loads(line) for line in offered.pop(".jsonl").splitlines()]
    times = [row["time_s"] for row in rows]
    assert len(rows) >= 3 and times[0] == 0 and all(np.diff(times) > 0)
    assert [row["frame"] for row in rows] == list(range(len(rows)))
    assert len({hand["track_id"] for row in rows for hand in row["hands"]}) == 2
    table = list(csv.DictReader(io.StringIO(offered.pop(".csv").decode())))
    assert len(table) == sum(len(row["hands"]) for row in rows)
    ((suffix, video),) = offered.items()
    (tmp_path / f"recorded{suffix}").write_bytes(video)
    frames = list(knuckle.read(tmp_path / f"recorded{suffix}"))
    assert len(frames) >= 3 and frames[0].image.shape == (400, 640, 3)
    assert all(label_pixels(frames[len(frames) // 2].image, colour) > 200 for colour in LABEL_COLOURS)


# Trouble


def test_a_denied_camera_is_reported(launch: Launch, server: Running) -> None:
    denying = launch("--use-fake-device-for-media-stream", "--deny-permission-prompts")
    with opened(denying, server) as page:
        page.click("#welcome [data-do=camera]")
        expect(page.get_by_role("alert")).to_contain_text("Camera access is blocked")
        expect(page.locator("#welcome")).to_be_visible()
        page.click("#controls [data-do=sample]")
        expect_hands(page, 2)
        assert not page.get_by_role("alert").is_visible()


def test_a_missing_camera_is_reported(bare_browser: Any, server: Running) -> None:
    with opened(bare_browser, server) as page:
        page.click("#welcome [data-do=camera]")
        expect(page.get_by_role("alert")).to_contain_text("No camera was found")
        expect(page.locator("#camera option").first).to_have_text("No camera found")


def test_missing_webgpu_is_reported_and_the_cpu_works(start_page: Any) -> None:
    expect(start_page.locator("#engine-note")).to_contain_text("WebGPU is not available")
    expect(start_page.locator("#engine-now")).to_contain_text("CPU")
    assert start_page.locator("option[value=webgpu]").is_disabled()


def test_an_old_browser_gets_a_message(browser: Any, server: Running) -> None:
    def age(context: Any) -> None:
        context.add_init_script("delete globalThis.OffscreenCanvas")

    with opened(browser, server, prepare=age) as page:
        expect(page.get_by_role("alert")).to_contain_text("does not support OffscreenCanvas")


def test_an_unreadable_file_is_reported(page: Any, tmp_path: Path) -> None:
    for name in ("broken.jpg", "broken.mp4"):
        (tmp_path / name).write_bytes(b"nothing to see")
        page.set_input_files("#file", tmp_path / name)
        expect(page.get_by_role("alert")).to_contain_text(f"{name} cannot be opened")
    page.click("#controls [data-do=sample]")
    expect_hands(page, 2)


def test_a_crashed_worker_is_restarted(browser: Any, server: Running) -> None:
    def count(context: Any) -> None:
        context.add_init_script(
            "window.made = 0; window.Worker = class extends Worker { constructor(url) { super(url); made++; } }"
        )

    with opened(browser, server, prepare=count) as page:
        page.click("#controls [data-do=sample]")
        expect_hands(page, 2)
        assert page.evaluate("made") == 1
        page.workers[0].evaluate("setTimeout(() => { throw new Error('a fault of its own') })")
        expect(page.get_by_role("alert")).to_contain_text("was restarted")
        page.evaluate("document.getElementById('stage').dataset.hands = 'before'")
        expect_hands(page, 2)
        assert page.evaluate("made") == 2


# Graphics


def test_it_works_without_webgl_and_the_3d_view_turns(bare_browser: Any, server: Running, photo_file: Path) -> None:
    with opened(bare_browser, server) as page:
        assert page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
        page.set_input_files("#file", photo_file)
        expect_hands(page, 2)
        space = page.locator("#space")
        expect(space).to_have_attribute("data-renderer", "plain")
        check_turning(page, space)


def test_three_dimensions_by_webgl(launch: Launch, server: Running, photo_file: Path) -> None:
    with opened(launch(*SOFTWARE_GL), server, "?webgl=software") as page:
        page.set_input_files("#file", photo_file)
        expect_hands(page, 2)
        space = page.locator("#space")
        expect(space).to_have_attribute("data-renderer", "webgl", timeout=PATIENCE_MS)
        check_turning(page, space)


def check_turning(page: Any, space: Any) -> None:
    expect(space).to_have_attribute("data-hands", "2")
    page.wait_for_timeout(200)
    before, yaw = space.screenshot(), float(space.get_attribute("data-yaw"))
    assert np.asarray(PillowImage.open(io.BytesIO(before)).convert("RGB")).std() > 4  # hands, not an empty plane
    for _ in range(4):
        space.press("ArrowRight")
    page.wait_for_timeout(200)
    assert float(space.get_attribute("data-yaw")) > yaw
    assert space.screenshot() != before
    space.press("Home")
    expect(space).to_have_attribute("data-yaw", "0.000")


def test_the_page_draws_smoothly_while_tracking(page: Any) -> None:
    """Tracking runs in a worker, so the page's own thread stays free to draw."""
    page.click("#controls [data-do=sample]")
    expect_hands(page, 2)
    gaps = page.evaluate(
        """() => new Promise((resolve) => {
            const at = [];
            const tick = (now) => { at.push(now); at.length > 60 ? resolve(at) : requestAnimationFrame(tick); };
            requestAnimationFrame(tick);
        })"""
    )
    assert np.median(np.diff(gaps)) < 1000 / 20


def test_a_first_visit_is_small(browser: Any, server: Running) -> None:
    """At most 8.5 MB with the default bundle, without what the service worker caches afterwards."""
    finished: list[Any] = []

    def watch(context: Any) -> None:
        context.on("requestfinished", lambda request: finished.append(request))

    with opened(browser, server, prepare=watch) as page:
        wait_until_ready(page)
        sizes = {request.url: max(0, request.sizes()["responseBodySize"]) for request in finished}
    assert any(url.endswith(".wasm") for url in sizes) and sum(url.endswith(".tflite") for url in sizes) == 2
    assert sum(sizes.values()) < 8_500_000


# People


def test_it_fits_a_phone(browser: Any, server: Running) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
    with opened(browser, server, **phone) as page:
        wait_until_ready(page)
        page.locator("#welcome [data-do=sample]").tap()
        expect_hands(page, 2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator("button:visible, select:visible").all():
            box = button.bounding_box()
            assert box["height"] >= 36 and box["x"] >= 0 and box["x"] + box["width"] <= 390
        for button in page.locator("#controls button:visible").all():
            assert button.bounding_box()["height"] >= 44


def test_every_control_has_a_name_and_is_reached_by_keyboard_in_order(start_page: Any) -> None:
    names = start_page.evaluate(
        """() => [...document.querySelectorAll("button, select, input:not([type=file]), canvas, summary")]
            .map((e) => e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim() || e.textContent.trim()
                 || (e.hidden && "hidden"))"""
    )
    assert len(names) > 20 and all(names)
    seen = []
    start_page.locator("body").press("Tab")
    for _ in range(40):
        focused = start_page.evaluate(
            "(({id, className, name, dataset}) => id || name || dataset.do || className)(document.activeElement)"
        )
        seen.append(focused)
        start_page.keyboard.press("Tab")
    order = ["skip", "flip", "space", "maxHands", "engine", "smooth"]
    assert [name for name in seen if name in order][: len(order)] == order


def test_the_footer_leads_to_help_source_and_licences(start_page: Any, server: Running) -> None:
    addresses = start_page.locator("footer a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    answers = {address: httpx.get(server.url(f"/{address}")) for address in addresses}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert "Use it" in answers["help.html"].text and "three" in answers["licences.txt"].text
    with zipfile.ZipFile(io.BytesIO(answers["source.zip"].content)) as source:
        assert b"The page" in source.read("web/page/main.ts")
    assert re.search(r"Knuckle \d+\.\d+", start_page.locator("footer").inner_text())


WIDTH_OF_IMAGE = """(src) => new Promise((resolve, reject) => {
    const image = Object.assign(new Image(), {src, onload: () => resolve(image.naturalWidth), onerror: reject});
})"""


def test_it_can_be_installed(start_page: Any) -> None:
    manifest = start_page.evaluate("fetch(document.querySelector('link[rel=manifest]').href).then((r) => r.json())")
    assert {"name", "start_url", "display", "icons"} <= set(manifest)
    for icon in manifest["icons"]:
        size = start_page.evaluate(WIDTH_OF_IMAGE, icon["src"])
        assert icon["sizes"] == "any" or f"{size}x{size}" == icon["sizes"]
    errors = start_page.context.new_cdp_session(start_page).send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [e["errorId"] for e in errors if e["errorId"] != "in-incognito"] == []
