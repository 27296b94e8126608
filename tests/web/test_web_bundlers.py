"""Fresh apps with the packed npm package, built by real bundlers without configuration and opened in Chromium.

Vite and esbuild always run, as they are part of web/node_modules. `KNUCKLE_MATRIX=1` adds the others, which are
installed from the registry first (`make matrix`), and writes what each row found into the table of web/README.md.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import WEB, WITHOUT_WEBGL, open_browser, serve_folders, why_not
from PIL import Image
from web_apps import ALWAYS, APPS, HTML, MAIN, TYPED, App

import knuckle
from knuckle.models import catalogue

CLIP = WEB.parent / "examples" / "hands.mp4"
NPM = shutil.which("npm")
INSTALL_S = 600
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
WHOLE_MATRIX = os.environ.get("KNUCKLE_MATRIX") == "1"
pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(NPM is None, reason="npm is not installed"),
]


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
    """A folder with hands.png, which shows two hands, and a camera that shows them in motion."""
    folder = tmp_path_factory.mktemp("photo")
    frames = [Image.fromarray(frame.image) for frame in knuckle.read(CLIP) if 60 <= frame.index < 80]
    frames[0].save(folder / "hands.png")
    with (folder / "camera.mjpeg").open("wb") as camera:
        for frame in frames:
            frame.save(camera, "JPEG", quality=95)
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
    if app.example:
        shutil.copyfile(WEB / "examples" / app.example, folder / app.example)
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
    page.wait_for_function("() => !!(window.detect || window.shown)")
    yield page
    page.close()
    local = ("http://127.0.0.1:", "http://localhost:", "data:", "blob:")
    assert all(url.startswith(local) for url in asked), asked


def count_hands(page: Any) -> int:
    return int(page.evaluate("() => detect('/photo/hands.png')"))


def hands_of_all(page: Any) -> str:
    """The hands that the library and both drop-ins find in the photo, which has two."""
    found = [count_hands(page), *page.evaluate("() => dropIns('/photo/hands.png')")]
    assert found == [2, 2, 2]
    return ", ".join(map(str, found))


def run_readme(browser: Any, address: str) -> None:
    """Open a page with the first example of the README, and wait until it says a hand of the camera."""
    page = browser.new_page()
    with page.expect_console_message(lambda said: re.search(r"\d (Left|Right) ", said.text), timeout=120_000):
        page.goto(address)
    page.close()


def test_the_package_has_both_forms_of_the_networks(package: Path) -> None:
    bundle, models = catalogue.find("knuckle"), package / "dist" / "models"
    assert bundle.palm_int8 and bundle.hand_int8
    assert {path.name for path in models.iterdir()} == {"bundle.json", *(network.file for network in bundle.files())}
    for network in bundle.files():
        assert (models / network.file).read_bytes() == (bundle.folder / network.file).read_bytes()
    # What esbuild and Rollup get on the CPU, and what the README says of it.
    names = [f"models_{network.file}" for network in (bundle.palm_int8, bundle.hand_int8)]
    names += ["worker", "wasm_litert_wasm_internal", "wasm_litert_wasm_internal.wasm"]
    scripts = sum((package / "dist" / "embedded" / f"{name}.js").stat().st_size for name in names)
    assert f"scripts of about {scripts / 1e6:.0f} MB in all" in (package / "README.md").read_text()


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
        if app.example:
            page.wait_for_function("() => shown() === 2")
            found = f"2, from the camera by [{app.example}](examples/{app.example})"
        else:
            assert count_hands(page) == 2
            found = hands_of_all(page) if WHOLE_MATRIX else ""
        if (folder / app.out / "readme.html").exists():
            run_readme(browser, f"{address}/readme.html")
    if WHOLE_MATRIX:
        manifest = json.loads((folder / "node_modules" / app.packages[0] / "package.json").read_text())
        size = sum(path.stat().st_size for path in (folder / app.out).rglob("*") if path.suffix != ".map")
        note(name, manifest["version"], found, f"{size / 1e6:.1f} MB")
        shutil.rmtree(folder)


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
            run_readme(browser, f"{address}readme.html")
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
        folder = place.removesuffix("/index.js")
        main = MAIN.replace('"knuckle-web"', f'"{place}"')
        for name in ("hands", "tasks-vision"):
            main = main.replace(f'"knuckle-web/{name}"', f'"{folder}/{name}.js"')
        (tmp_path / "main.js").write_text(main)
        with opened(browser, f"{address}/index.html") as page:
            found = hands_of_all(page)
    if WHOLE_MATRIX:
        note(f"`<script type=module>`, {origin}", "", found, "")


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
    if WHOLE_MATRIX:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        note("Node, single images", version.removeprefix("v"), str(len(found)), "")


# TypeScript 7 has no `moduleResolution: node` any more.
@pytest.mark.parametrize(
    ("version", "resolution"), [*product(("5.0", "latest"), ("bundler", "nodenext")), ("5.0", "node")]
)
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
    name = "app.ts" if resolution == "node" else "app.mts"
    (tmp_path / name).write_text(TYPED)
    module = resolution if resolution == "nodenext" else "esnext"
    flags = f"--strict --target es2022 --module {module} --moduleResolution {resolution} --lib es2022,dom,dom.iterable"
    run(f"{compiler} --noEmit {flags} {name}", tmp_path)
    if WHOLE_MATRIX:
        found = run(f"{compiler} --version", tmp_path).split()[-1]
        note(f"TypeScript, `moduleResolution: {resolution}`", found, "types only", "")


def test_no_file_of_the_package_names_a_developers_folder(package: Path) -> None:
    home = re.compile(rb"/(?:home|root|Users|work|tmp)/[\w.]+/")
    names = [path.relative_to(package) for path in sorted(package.rglob("*")) if path.is_file()]
    assert len(names) > 20
    for name in names:
        if name.suffix in (".js", ".ts", ".json", ".md", ".map"):
            assert not home.search((package / name).read_bytes()), name


def note(name: str, version: str, hands: str, size: str) -> None:
    """Write what a row of the matrix found into the table of web/README.md, in place of what it found before."""
    readme = WEB / "README.md"
    row = f"| {name} | {version} | {hands} | {size} |\n"
    before, table, after = re.split(r"(?<=<!-- matrix -->\n)|(?=<!-- /matrix -->)", readme.read_text())
    same = re.escape(f"| {name} | {version.split('.')[0] if name.startswith('TypeScript') else ''}")
    table, count = re.subn(f"{same}.*\n", lambda _: row, table)
    readme.write_text(before + (table if count else table + row) + after)
