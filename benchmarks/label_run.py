"""The whole way from photos to a better network, driven in Chromium: `python benchmarks/label_run.py --folder FOLDER`.

A script labels photos on the page of `knuckle label` with the keyboard alone. In between it reloads the page, kills the
server and starts it again. Then it downloads the labels, runs `knuckle train hand` with its defaults and `knuckle
export`, and reads before and after of the held-out photos from the same page.

With `--photos`, the developers' folder, these are first-person photos of ti1k, and the tips of thumb and index finger
are moved to where people marked them. Without it the photos are drawn, and the tips are moved up by ten pixels. The
same command goes on where an ended run stopped. Writes results/label_run.json; docs/make_label.py puts it into
docs/label.md.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image as pillow

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "label")]
RESULT = ROOT / "benchmarks" / "results" / "label_run.json"
TIPS, DRAWN = (4, 8), (0, -10)  # of thumb and index finger; how far those of drawn hands are moved
PATIENCE_S = 600
KNUCKLE = [sys.executable, "-m", "knuckle.cli"]


@click.command()
@click.option("--photos", type=click.Path(path_type=Path), help="The developers' folder of photos.")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For photos, labels and the run.")
@click.option("--count", default=20, show_default=True, help="Photos.")
@click.option("--minutes", default=30.0, show_default=True, help="Of training, at most.")
def main(photos: Path | None, folder: Path, count: int, minutes: float) -> None:
    """Label, train, export and compare."""
    from chromium import open_browser
    from keyboard import Keyboard

    images = folder / "photos"
    tips = prepare(images, photos, count)
    result: dict[str, Any] = {"photos": count}
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(1000 * PATIENCE_S)
        keyboard = Keyboard(page)
        labelled = folder / "labelled.json"
        if not labelled.exists():
            began = time.monotonic()
            label(keyboard, images, tips)
            seconds = round(time.monotonic() - began)
            labelled.write_text(json.dumps({"keys": keyboard.keys, "label_s": seconds}))
        result |= json.loads(labelled.read_text())
        began, trained = time.monotonic(), folder / "trained.json"
        run, mine = folder / "run", folder / "mine"
        flags = ["--data", str(images / "labels.jsonl"), "--init", "knuckle", "--out", str(run)]
        subprocess.run([*KNUCKLE, "train", "hand", *flags, "--device", "cpu", "--minutes", str(minutes)], check=True)
        if not trained.exists():
            trained.write_text(json.dumps({"train_min": round((time.monotonic() - began) / 60, 1)}))
        result |= json.loads(trained.read_text())
        subprocess.run(
            [*KNUCKLE, "export", str(run / "checkpoint.pt"), "--format", "fp16", "--out", str(mine)], check=True
        )
        with serving(images, free_port(), "--compare", str(mine), "--run", str(run)) as address:
            page.goto(address)
            result |= keyboard.compared()
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results["ti1k" if photos else "drawn"] = result
    RESULT.write_text(json.dumps(results, indent=2) + "\n")
    click.echo(json.dumps(results, indent=2))


def label(keyboard: Any, images: Path, tips: dict[str, list[list[float]] | None]) -> None:
    """Label all photos: a reload after a third, a kill of the server after two thirds."""
    port, page = free_port(), keyboard.page
    with serving(images, port) as address:
        page.goto(address)
        overview = page.evaluate("() => fetch('/photos').then((answer) => answer.json())")
        names = [photo["name"] for photo in overview["photos"]]
        for number in range(2 * len(names) // 3):
            label_one(keyboard, names, tips)
            if number == len(names) // 3:
                saved(page)
                page.reload()
        keyboard.ready()
    keyboard.press("d")  # the server is dead: the change waits in the page
    page.wait_for_function("() => document.querySelector('#saved').classList.contains('bad')")
    with serving(images, port):
        saved(page)
        for _ in range(len(names) - 2 * len(names) // 3):
            label_one(keyboard, names, tips)
        saved(page)
        with page.expect_download():
            page.locator("#download").select_option("coco")
    rows = (images / "labels.jsonl").read_text().splitlines()
    assert len(rows) == len(names), f"{len(rows)} of {len(names)} photos are in the label file"


def label_one(keyboard: Any, names: list[str], tips: dict[str, list[list[float]] | None]) -> None:
    """Correct the tips of a photo's hand, and accept it."""
    number, page = keyboard.ready(), keyboard.page
    shown = page.evaluate(f"() => fetch('/photos/{number}').then((answer) => answer.json())")
    true = tips[names[number]]
    middle = np.array([shown["width"], shown["height"]]) / 2 if true is None else np.mean(true, axis=0)
    if not shown["hands"]:
        keyboard.add_hand(*middle.tolist(), (shown["width"], shown["height"]))
        shown = page.evaluate(f"() => fetch('/photos/{number}').then((answer) => answer.json())")
    middles = [np.array(hand["landmarks"])[[4, 8], :2].mean(axis=0) for hand in shown["hands"]]
    nearest = int(np.argmin([np.linalg.norm(one - middle) for one in middles]))
    keyboard.press(*["h"] * nearest)
    points = shown["hands"][nearest]["landmarks"]
    offsets = {
        tip: DRAWN if true is None else tuple(np.round(np.array(true[k]) - points[tip][:2]).astype(int).tolist())
        for k, tip in enumerate(TIPS)
    }
    keyboard.move(offsets)
    keyboard.press("Enter")


def saved(page: Any) -> None:
    """Wait until the server has every change."""
    page.wait_for_function("() => document.querySelector('#saved').textContent.startsWith('All changes saved')")


def prepare(images: Path, photos: Path | None, count: int) -> dict[str, list[list[float]] | None]:
    """Put the photos into a folder; for each name the true places of the two tips, None for drawn hands."""
    images.mkdir(parents=True, exist_ok=True)
    if photos is None:
        from scene import blank, draw_hand

        for k in range(count):
            image = draw_hand(blank(), 200 + 12 * k, 200 + 3 * k, 200 + 4 * k, 0.03 * (k - 10), right=k % 2 == 1)
            pillow.fromarray(image).save(images / f"{k:02}.jpg", quality=92)
        return {f"{k:02}.jpg": None for k in range(count)}
    rows = [json.loads(line) for line in (photos / "index.jsonl").read_text().splitlines()]
    chosen = [row for row in rows if row.get("source") == "ti1k" and row.get("tips")]
    found: dict[str, list[list[float]] | None] = {}
    for row in chosen[:: max(1, len(chosen) // count)][:count]:
        name = Path(row["image"]).name
        shutil.copy(photos / row["image"], images / name)
        found[name] = [row["tips"]["thumb_tip"], row["tips"]["index_tip"]]
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def serving(images: Path, port: int, *options: str) -> Iterator[str]:
    """The address of a `knuckle label`; it is killed at the end."""
    command = [sys.executable, "-u", "-m", "knuckle.cli", "label", str(images), f"--port={port}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[3]
        finally:
            process.kill()


if __name__ == "__main__":
    main()
