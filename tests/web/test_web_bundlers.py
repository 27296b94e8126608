"""Fresh apps with the packed npm package, built by real bundlers without configuration and opened in Chromium.

Vite and esbuild always run, as they are part of web/node_modules. `KNUCKLE_MATRIX=1` adds the others, which are
installed from the registry first (`make matrix`), and writes the versions into web/README.md.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, serve_folders, why_not
from PIL import Image

import knuckle

CLIP = WEB.parent / "examples" / "hands.mp4"
NPM = shutil.which("npm")
INSTALL_S = 600
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
WHOLE_MATRIX = os.environ.get("KNUCKLE_MATRIX") == "1"
pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(NPM is None, reason="npm is not installed"),
]

MAIN = """import { HandTracker } from "knuckle-web";
window.detect = async (url) => {
  const tracker = await HandTracker.create();
  const hands = await tracker.detect(await (await fetch(url)).blob());
  return hands.length;
};
"""
TYPED = """import { type Hand, HandTracker, landmark } from "knuckle-web";
import { Camera } from "knuckle-web/camera_utils";
import { drawConnectors } from "knuckle-web/drawing_utils";
import { HAND_CONNECTIONS, Hands } from "knuckle-web/hands";
import { DrawingUtils, FilesetResolver, GestureRecognizer, HandLandmarker } from "knuckle-web/tasks-vision";

export async function run(video: HTMLVideoElement, context: CanvasRenderingContext2D): Promise<Hand[]> {
  const hands = new Hands({ locateFile: (file) => file });
  hands.onResults((found) => drawConnectors(context, found.multiHandLandmarks[0], HAND_CONNECTIONS));
  new Camera(video, { onFrame: async () => { await hands.send({ image: video }); } });
  const files = await FilesetResolver.forVisionTasks();
  const task = await HandLandmarker.createFromOptions(files, { numHands: 2 });
  new DrawingUtils(context).drawLandmarks(task.detect(video).landmarks[0]);
  const gestures = (await GestureRecognizer.createFromOptions(files, {})).recognize(video).gestures;
  const tracker = await HandTracker.create({ maxHands: gestures.length });
  console.log(landmark((await tracker.track(video))[0], "wrist").x);
  return tracker.detect(video);
}
"""
HTML = '<!doctype html><meta charset="utf-8"><title>app</title><body><script type="module" src="{script}"></script>'
NEXT_PAGE = """"use client";
import { useEffect } from "react";
export default function Page() {
  useEffect(() => { import("../main.js"); }, []);
  return <p>app</p>;
}
"""
NEXT_LAYOUT = "export default ({ children }) => <html><body>{children}</body></html>;\n"


@dataclass(frozen=True)
class App:
    """A bundler: its packages, its files besides main.js, how it builds, and the folder that it writes."""

    packages: tuple[str, ...]
    files: dict[str, str]
    build: str
    out: str


# The first example of the README as a page of its own, which the development server of Vite needs no configuration for.
README = {"readme.js": re.findall(r"```js\n(.*?)```", (WEB / "README.md").read_text(), re.DOTALL)[0]}
CLASSIC = HTML.replace('type="module"', "defer")
APPS = {
    "Vite": App(
        ("vite",),
        {"index.html": HTML.format(script="/main.js"), "readme.html": HTML.format(script="/readme.js"), **README},
        "vite build",
        "dist",
    ),
    "esbuild": App(
        ("esbuild",),
        {"out/index.html": CLASSIC.format(script="app.js")},
        "esbuild main.js --bundle --outfile=out/app.js",
        "out",
    ),
    "esbuild, split": App(
        ("esbuild",),
        {"out/index.html": HTML.format(script="main.js")},
        "esbuild main.js --bundle --format=esm --splitting --outdir=out",
        "out",
    ),
    "webpack": App(
        ("webpack", "webpack-cli"),
        {"dist/index.html": CLASSIC.format(script="main.js")},
        "webpack ./main.js --mode production",
        "dist",
    ),
    "Rollup": App(
        ("rollup", "@rollup/plugin-node-resolve"),
        {"out/index.html": HTML.format(script="main.js")},
        "rollup main.js -d out -p node-resolve",
        "out",
    ),
    "Parcel": App(("parcel",), {"index.html": HTML.format(script="main.js")}, "parcel build index.html", "dist"),
    "Next.js, Turbopack": App(
        ("next", "react", "react-dom"),
        {
            "app/page.js": NEXT_PAGE,
            "app/layout.js": NEXT_LAYOUT,
            "next.config.mjs": "export default { output: 'export' };\n",
        },
        "next build --turbopack",
        "out",
    ),
    "Next.js, webpack": App(
        ("next", "react", "react-dom"),
        {
            "app/page.js": NEXT_PAGE,
            "app/layout.js": NEXT_LAYOUT,
            "next.config.mjs": "export default { output: 'export' };\n",
        },
        "next build --webpack",
        "out",
    ),
}
ALWAYS = ("Vite", "esbuild", "esbuild, split")


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `npm pack` makes it."""
    folder = tmp_path_factory.mktemp("pack")
    run(f"npm pack --silent --pack-destination {folder}", WEB)
    return next(folder.glob("*.tgz"))


@pytest.fixture(scope="module")
def package(tarball: Path) -> Path:
    """The contents of the package."""
    shutil.unpack_archive(tarball, tarball.parent, filter="data")
    return tarball.parent / "package"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hands.png, which shows two hands, and a camera that shows the same."""
    folder = tmp_path_factory.mktemp("photo")
    frame = next(frame for frame in knuckle.read(CLIP) if frame.index == 60)
    Image.fromarray(frame.image).save(folder / "hands.png")
    Image.fromarray(frame.image).save(folder / "camera.mjpeg", format="JPEG", quality=95)
    return folder


@pytest.fixture(scope="module")
def browser(photo: Path) -> Iterator[Any]:
    camera = (f"--use-file-for-fake-video-capture={photo / 'camera.mjpeg'}", *FAKE_CAMERA)
    with open_browser(*WITHOUT_WEBGL, *camera) as browser:
        yield browser


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "CI": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, env=environment
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def make_app(app: App, folder: Path, tarball: Path, package: Path) -> None:
    """A folder with the app and its packages: from web/node_modules, or installed from the registry."""
    folder.mkdir()
    (folder / "main.js").write_text(MAIN)
    (folder / "package.json").write_text(json.dumps({"name": "app", "private": True, "version": "1.0.0"}))
    for name, text in app.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if WHOLE_MATRIX:
        run(f"npm install --no-audit --no-fund {tarball} {' '.join(app.packages)}", folder)
        return
    modules = folder / "node_modules"
    modules.mkdir()
    shutil.copytree(package, modules / "knuckle-web")
    for name in (*app.packages, ".bin"):
        (modules / name).symlink_to(WEB / "node_modules" / name)


@contextmanager
def opened(browser: Any, address: str) -> Iterator[Any]:
    """A page whose requests must stay on this machine."""
    page = browser.new_page()
    page.set_default_timeout(120_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_function("() => !!window.detect")
    yield page
    page.close()
    local = ("http://127.0.0.1:", "http://localhost:", "data:", "blob:")
    assert all(url.startswith(local) for url in asked), asked


def count_hands(page: Any) -> int:
    return int(page.evaluate("() => detect('/photo/hands.png')"))


@pytest.mark.parametrize("name", APPS)
def test_a_bundled_app_finds_hands(
    name: str, browser: Any, tarball: Path, package: Path, photo: Path, tmp_path: Path
) -> None:
    if name not in ALWAYS and not WHOLE_MATRIX:
        pytest.skip("only in the whole matrix: make matrix")
    app, folder = APPS[name], tmp_path / "app"
    make_app(app, folder, tarball, package)
    run(f"npx --no-install {app.build}", folder)
    with (
        serve_folders({"/photo/": photo, "/": folder / app.out}) as address,
        opened(browser, f"{address}/index.html") as page,
    ):
        assert count_hands(page) == 2
    if WHOLE_MATRIX:
        note_version(name, folder / "node_modules" / app.packages[0] / "package.json")


def test_the_development_server_of_vite_finds_hands(
    browser: Any, tarball: Path, package: Path, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    make_app(APPS["Vite"], folder, tarball, package)
    shutil.copytree(photo, folder / "public" / "photo")
    command = [str(folder / "node_modules" / ".bin" / "vite"), "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            address = address_in(server)
            with opened(browser, address) as page:
                assert count_hands(page) == 2
            page = browser.new_page()
            with page.expect_console_message(lambda said: re.search(r"\d (Left|Right) ", said.text), timeout=120_000):
                page.goto(f"{address}readme.html")
            page.close()
        finally:
            server.terminate()


def address_in(server: subprocess.Popen[str]) -> str:
    """The address that a server says it has."""
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += re.sub(r"\x1b\[[0-9;]*m", "", line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", said):
            return found[0]
    raise AssertionError(said)


@pytest.mark.parametrize("origin", ["same origin", "another origin"])
def test_a_page_without_a_bundler_finds_hands(
    origin: str, browser: Any, package: Path, photo: Path, tmp_path: Path
) -> None:
    with (
        serve_folders({"/": package / "dist"}, headers={"Access-Control-Allow-Origin": "*"}) as library,
        serve_folders({"/photo/": photo, "/lib/": package / "dist", "/": tmp_path}) as address,
    ):
        place = "/lib/index.js" if origin == "same origin" else f"{library}/index.js"
        (tmp_path / "index.html").write_text(HTML.format(script="main.js"))
        (tmp_path / "main.js").write_text(MAIN.replace("knuckle-web", place))
        with opened(browser, f"{address}/index.html") as page:
            assert count_hands(page) == 2


def test_node_finds_the_hands_of_a_photo(package: Path, tmp_path: Path) -> None:
    image = next(frame.image for frame in knuckle.read(CLIP) if frame.index == 60)
    height, width = image.shape[:2]
    (tmp_path / "image").write_bytes(np.dstack([image, np.full((height, width), 255, np.uint8)]).tobytes())
    (tmp_path / "node_modules").mkdir()
    shutil.copytree(package, tmp_path / "node_modules" / "knuckle-web")
    (tmp_path / "app.mjs").write_text(
        f"""import {{ readFileSync }} from "node:fs";
        import {{ HandTracker, handToJson }} from "knuckle-web";
        const image = {{ data: readFileSync("image"), width: {width}, height: {height} }};
        const float = await HandTracker.create({{ precision: "float" }});
        console.log(JSON.stringify((await float.detect(image)).map(handToJson)));
        console.log((await (await HandTracker.create()).detect(image)).map((hand) => hand.handedness).join());"""
    )
    done = subprocess.run(
        ["node", "app.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=INSTALL_S, check=True
    )
    found, sides = json.loads(done.stdout.splitlines()[0]), done.stdout.splitlines()[1].split(",")
    ours = knuckle.detect(image, knuckle.load("knuckle", precision="float"))
    assert done.stderr == "" and sides == [hand["handedness"] for hand in found] == [hand.handedness for hand in ours]
    for one, other in zip(ours, found, strict=True):
        assert np.abs(one.landmarks - np.array(other["landmarks"])).max() < 0.5


@pytest.mark.parametrize("version", ["5.0", "latest"])
@pytest.mark.parametrize("resolution", ["bundler", "nodenext"])
def test_types_are_found(version: str, resolution: str, package: Path, tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    if version == "latest":
        modules.mkdir()
        compiler = WEB / "node_modules" / ".bin" / "tsc"
    elif WHOLE_MATRIX:
        run(f"npm install --no-audit --no-fund --prefix . typescript@{version}", tmp_path)
        compiler = modules / ".bin" / "tsc"
    else:
        pytest.skip("only in the whole matrix: make matrix")
    shutil.copytree(package, modules / "knuckle-web")
    (tmp_path / "app.mts").write_text(TYPED)
    module = "esnext" if resolution == "bundler" else resolution
    flags = f"--strict --target es2022 --module {module} --moduleResolution {resolution} --lib es2022,dom,dom.iterable"
    run(f"{compiler} --noEmit {flags} app.mts", tmp_path)


def test_no_file_of_the_package_names_a_developers_folder(package: Path) -> None:
    home = re.compile(rb"/(?:home|root|Users|work|tmp)/[\w.]+/")
    names = [path.relative_to(package) for path in sorted(package.rglob("*")) if path.is_file()]
    assert len(names) > 20
    for name in names:
        if name.suffix in (".js", ".ts", ".json", ".md", ".map"):
            assert not home.search((package / name).read_bytes()), name


def note_version(name: str, manifest: Path) -> None:
    """Write the version of a bundler that worked into the table of web/README.md."""
    version = json.loads(manifest.read_text())["version"]
    readme = WEB / "README.md"
    row = f"| {name} | {version} |\n"
    text, count = re.subn(rf"\| {re.escape(name)} \| .* \|\n", row, readme.read_text())
    if not count:
        text = text.replace("| bundler | version |\n|---|---|\n", f"| bundler | version |\n|---|---|\n{row}")
    readme.write_text(text)
