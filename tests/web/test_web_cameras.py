"""Cameras, recordings and what phones need, in a real Chromium and a real Firefox."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_tab import BrowserTab
from conftest import two_hands

import knuckle
from knuckle.images import Image
from knuckle.results import Hand

pytest.importorskip("uvicorn")

from servers import Running
from visits import (
    HANDS,
    LABEL_COLOURS,
    PAGE_IS_BUILT,
    STAGE,
    address_of,
    files_after,
    label_pixels,
    video_of,
    visit,
    wait_for_hands,
)

if not PAGE_IS_BUILT:
    pytest.skip("the page is not built: make web", allow_module_level=True)

TRACK = "document.getElementById('video').srcObject?.getVideoTracks()[0]"
VIDEO_WIDTH = "document.getElementById('video').videoWidth"
PRESSED = "document.getElementById('flip').getAttribute('aria-pressed')"
MARK = (20, 160, 60)

# Two cameras as a phone has them: one at a time, each with a side, and pictures that turn with the phone.
PHONE_CAMERAS = """(() => {
    const pictures = PICTURES;
    const canvases = {};
    for (const [side, address] of Object.entries(pictures)) {
        const image = Object.assign(new Image(), {src: address});
        const canvas = Object.assign(document.createElement("canvas"), {width: 640, height: 480});
        canvases[side] = canvas;
        setInterval(() => {
            const scale = Math.min(canvas.width / 640, canvas.height / 480);
            const ctx = canvas.getContext("2d");
            ctx.fillStyle = "#808080";
            ctx.fillRect(0, 0, canvas.width, canvas.height);
            ctx.drawImage(image, 0, 0, 640 * scale, 480 * scale);
        }, 50);
    }
    window.turn = (width, height) => {
        for (const canvas of Object.values(canvases)) Object.assign(canvas, {width, height});
        return true;
    };
    window.asked = [];
    let live = null;
    navigator.mediaDevices.getUserMedia = async ({video}) => {
        const side = video.deviceId?.exact ?? video.facingMode;
        if (live?.readyState === "live") throw new DOMException("", "NotReadableError");
        const stream = canvases[side].captureStream(20);
        [live] = stream.getVideoTracks();
        const settings = live.getSettings.bind(live);
        live.getSettings = () => ({...settings(), facingMode: side, deviceId: side});
        window.asked.push(side);
        return stream;
    };
    navigator.mediaDevices.enumerateDevices = async () => Object.keys(pictures).map(
        (side) => ({kind: "videoinput", deviceId: side, label: `${side} camera`}));
})()"""
NOTE_LOCKS = """(() => {
    window.locks = [];
    const request = navigator.wakeLock.request.bind(navigator.wakeLock);
    navigator.wakeLock.request = async (kind) => {
        const lock = await request(kind);
        locks.push("on");
        lock.addEventListener("release", () => locks.push("off"));
        return lock;
    };
})()"""
OFFER_TO_INSTALL = """(() => {
    const offer = Object.assign(new Event("beforeinstallprompt", {cancelable: true}), {
        prompt: async () => { window.prompted = true; },
        userChoice: Promise.resolve({outcome: "accepted"}),
    });
    window.dispatchEvent(offer);
    return offer.defaultPrevented;
})()"""


def marked(image: Image) -> Image:
    """An image with a green square in its upper left corner, by which a mirror image is known."""
    image[10:50, 10:50] = MARK
    return image


def mark_is_left(image: Image) -> bool:
    left, right = (np.abs(image[10:50, span].astype(int) - MARK).mean() for span in (slice(10, 50), slice(-50, -10)))
    assert min(left, right) < 30 < max(left, right)
    return bool(left < right)


def pictures() -> dict[str, Image]:
    """The front camera sees two hands, the one at the back sees one."""
    back = two_hands(0.9)
    back[:, 320:] = back[:, :1]
    return {"user": marked(two_hands(0.9)), "environment": marked(back)}


@pytest.fixture(scope="module")
def phone(new_tab: Callable[[], Any], server: Running) -> Iterator[BrowserTab]:
    """The page on a phone with two cameras; the tests of this file share it."""
    addresses = json.dumps({side: address_of(image) for side, image in pictures().items()})
    with visit(new_tab, server, PHONE_CAMERAS.replace("PICTURES", addresses)) as tab:
        tab.click("#welcome [data-do=camera]")
        wait_for_hands(tab, 2)
        yield tab


@pytest.fixture
def front(phone: BrowserTab) -> BrowserTab:
    """The page with the front camera of an upright phone, and the settings that it starts with."""
    phone.evaluate("turn(640, 480)")
    if phone.evaluate("asked.at(-1)") != "user":
        phone.click("#switch")
    phone.click("#settings button[type=reset]")
    wait_for_hands(phone, 2)
    phone.wait_for(f"{PRESSED} === 'true'")
    return phone


def record(tab: BrowserTab, folder: Path, meanwhile: Callable[[], None] | None = None, count: int = 3) -> Any:
    """A recording of several frames: its video frames, its rows, and its tables by name."""

    def frames_at_three_times() -> None:
        for _ in range(3):
            before = tab.text("#recorded")  # the newest frame changes it, a second after the last change
            tab.wait_for(f"document.getElementById('recorded').textContent !== '{before}'")

    def press() -> None:
        tab.click("#record")
        frames_at_three_times()
        if meanwhile:
            meanwhile()
            frames_at_three_times()
        tab.click("#record")

    offered = files_after(tab, press, count)
    frames = [frame.image for frame in knuckle.read(video_of(offered, folder))]
    rows = [json.loads(line) for line in offered["_hands.jsonl"].splitlines()]
    tables = {
        name: list(csv.DictReader(io.StringIO(data.decode()))) for name, data in offered.items() if ".csv" in name
    }
    return frames, rows, tables


def assert_points_lie_on(image: Image, row: Any) -> None:
    """The points of a row are where the hands of a picture are."""
    found = [hand.landmarks[:, :2] for hand in knuckle.detect(image, "mediapipe")]
    for hand in (Hand.from_dict(each).landmarks[:, :2] for each in row["hands"]):
        assert min(np.abs(hand - other).mean() for other in found) < 4


def test_a_recording_shows_what_the_mirror_shows_and_its_points_too(front: BrowserTab, tmp_path: Path) -> None:
    frames, rows, _ = record(front, tmp_path)
    assert len(rows) >= 3 and all(len(row["hands"]) == 2 for row in rows)
    assert not mark_is_left(frames[-1]) and all(label_pixels(frames[-1], colour) > 200 for colour in LABEL_COLOURS)

    front.switch("[name=recordHands]", False)
    frames, rows, _ = record(front, tmp_path)
    assert not mark_is_left(frames[-1]) and not any(label_pixels(frames[-1], colour) for colour in LABEL_COLOURS)
    assert_points_lie_on(frames[-1], rows[-1])
    mirrored = {hand["handedness"]: np.mean(hand["landmarks"], axis=0)[0] for hand in rows[-1]["hands"]}
    assert mirrored["Left"] > 320 > mirrored["Right"]  # sides stay those of the person

    front.click("#flip")
    frames, rows, _ = record(front, tmp_path)
    assert mark_is_left(frames[-1])
    assert_points_lie_on(frames[-1], rows[-1])
    front.click("#flip")


def test_hands_stay_in_the_table_when_palms_are_shown_for_a_while(front: BrowserTab, tmp_path: Path) -> None:
    def show_palms() -> None:
        front.switch("[name=palmsOnly]", True)
        front.wait_for(f"{STAGE}.palms === '2'")
        front.switch("[name=palmsOnly]", False)
        wait_for_hands(front, 2)

    _, rows, tables = record(front, tmp_path, show_palms, count=4)
    kinds = ["palms" if "palms" in row else "hands" for row in rows]
    first, last = kinds.index("palms"), len(kinds) - kinds[::-1].index("palms")
    assert first > 0 and "hands" in kinds[last:]
    for name in ("hands", "palms"):
        expected = [str(row["frame"]) for row in rows for _ in row.get(name, [])]
        assert [line["frame"] for line in tables[f"_{name}.csv"]] == expected


def test_one_tap_switches_between_front_and_back_camera(front: BrowserTab, tmp_path: Path) -> None:
    before = front.evaluate("asked.length")
    front.click("#switch")
    front.wait_for(f"{HANDS} === '1' && {PRESSED} === 'false'")
    assert front.evaluate("document.getElementById('camera').value") == "environment"
    frames, _, _ = record(front, tmp_path)
    assert mark_is_left(frames[-1])
    front.click("#switch")
    front.wait_for(f"{HANDS} === '2' && {PRESSED} === 'true'")
    assert front.evaluate(f"asked.slice({before})") == ["environment", "user"]
    assert front.text("#message") == ""


def test_a_camera_that_turns_keeps_overlay_shape_and_data_right(front: BrowserTab, tmp_path: Path) -> None:
    def turn() -> None:
        front.evaluate("turn(480, 640)")
        front.wait_for("/^0\\.75/.test(document.getElementById('stage').style.getPropertyValue('--ratio'))")
        wait_for_hands(front, 2)

    frames, rows, _ = record(front, tmp_path, turn)
    sizes = [(row["width"], row["height"]) for row in rows]
    assert sorted(set(sizes)) == [(480, 640), (640, 480)] and sizes == sorted(sizes, reverse=True)
    wide, high = ([row for row in rows if row["width"] == width and len(row["hands"]) == 2] for width in (640, 480))
    points = [np.array([hand["landmarks"] for hand in found[-1]["hands"]])[..., :2] for found in (wide, high)]
    centres = [np.sort(each.mean(axis=1), axis=0) for each in points]
    np.testing.assert_allclose(centres[1], 0.75 * centres[0], atol=8)  # as the camera scales its picture
    assert {frame.shape for frame in frames} == {(480, 640, 3)}


def test_a_file_that_cannot_be_opened_leaves_the_camera_running(front: BrowserTab, tmp_path: Path) -> None:
    before = front.evaluate(f"{TRACK}.id")
    for name in ("broken.mp4", "broken.jpg"):
        (tmp_path / name).write_bytes(b"nothing to see")
        front.choose_files("#file", tmp_path / name)
        front.wait_for_text("#message", f"{name} cannot be opened")
    assert front.evaluate(f"{STAGE}.source") == "camera"
    assert front.evaluate(f"[{TRACK}.id, {TRACK}.readyState]") == [before, "live"]
    front.evaluate(f"{STAGE}.hands = 'before'")
    wait_for_hands(front, 2)


def test_the_browsers_own_camera_takes_size_and_rate_and_keeps_the_screen_on(
    new_tab: Callable[[], Any], server: Running
) -> None:
    with visit(new_tab, server, NOTE_LOCKS) as tab:
        tab.fill("#cameraSize", "1280x720")
        tab.fill("#rate", "15")
        tab.click("#welcome [data-do=camera]")
        tab.wait_for(f"{VIDEO_WIDTH} === 1280")
        tab.wait_for("/^1\\.77/.test(document.getElementById('stage').style.getPropertyValue('--ratio'))")
        assert tab.evaluate(f"{TRACK}.getSettings().frameRate") <= 15
        if tab.evaluate("document.getElementById('camera').options.length") > 2:  # Firefox draws one camera only
            check_list_of_cameras(tab)
        tab.wait_for("locks.at(-1) === 'on'")
        tab.click("#pause")
        tab.wait_for("locks.at(-1) === 'off'")
        tab.press(" ")
        tab.wait_for("locks.at(-1) === 'on'")
        check_full_screen(tab)

        assert tab.evaluate("document.getElementById('install').hidden")
        assert tab.evaluate(OFFER_TO_INSTALL)
        tab.click("#install")
        tab.wait_for("window.prompted && document.getElementById('install').hidden")


def check_list_of_cameras(tab: BrowserTab) -> None:
    """The running camera follows the settings; another one is a tap away; the list says which one runs."""
    tab.fill("#cameraSize", "640x480")
    tab.wait_for(f"{VIDEO_WIDTH} === 640")
    tab.wait_for(f"{TRACK}?.readyState === 'live'")  # the page opens the camera again
    first = tab.evaluate(f"{TRACK}.getSettings().deviceId")
    tab.click("#switch")
    tab.wait_for(f"{TRACK} && {TRACK}.getSettings().deviceId !== {json.dumps(first)}")
    tab.wait_for(f"document.getElementById('camera').value === {TRACK}?.getSettings().deviceId")
    tab.wait_for(f"{VIDEO_WIDTH} === 640")


def check_full_screen(tab: BrowserTab) -> None:
    """The image fills the screen, or the page where the browser has no full screen for pages, as on iPhones."""
    fills = "Math.round(document.getElementById('stage').getBoundingClientRect().width) === innerWidth"
    for is_allowed in (True, False):
        if not is_allowed:
            tab.evaluate("!!Object.defineProperty(document, 'fullscreenEnabled', {value: false})")
        tab.click("#full")
        tab.wait_for(f"{fills} && !!document.fullscreenElement === {str(is_allowed).lower()}")
        assert tab.evaluate("document.getElementById('full').getAttribute('aria-label')") == "Leave full screen"
        tab.press("f")
        tab.wait_for(f"!({fills}) && !document.fullscreenElement")
