"""The apps of the matrix: what each bundler or framework is given. test_web_bundlers.py makes and opens them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chromium import WEB

# What every app does: the hands of a photo, by the library and by both drop-ins.
MAIN = """import { HandTracker } from "knuckle-web";
import { Hands } from "knuckle-web/hands";
import { FilesetResolver, HandLandmarker } from "knuckle-web/tasks-vision";
window.detect = async (url) => {
  const tracker = await HandTracker.create();
  const hands = await tracker.detect(await (await fetch(url)).blob());
  return hands.length;
};
window.dropIns = async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const task = await HandLandmarker.createFromOptions(await FilesetResolver.forVisionTasks(), { numHands: 2 });
  const hands = new Hands();
  const found = new Promise((resolve) => hands.onResults((results) => resolve(results.multiHandLandmarks.length)));
  await hands.send({ image });
  return [task.detect(image).landmarks.length, await found];
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
import {{ useEffect }} from "react";
export default function Page() {{
  useEffect(() => {{ import("{script}"); }}, []);
  return <p>app</p>;
}}
"""
NEXT_LAYOUT = "export default ({ children }) => <html><body>{children}</body></html>;\n"


# The examples of the package in an app of their framework; each shows what it finds in the camera.
REACT = """import { createElement, StrictMode, useEffect, useRef } from "react";
import { createRoot } from "react-dom/client";
import { useHands } from "./useHands.tsx";
function App() {
  const video = useRef(null);
  const hands = useHands(video);
  useEffect(() => {
    navigator.mediaDevices.getUserMedia({ video: true }).then((stream) => { video.current.srcObject = stream; });
  }, []);
  window.shown = () => hands.length;
  return createElement("video", { ref: video, autoPlay: true, muted: true, playsInline: true });
}
const main = document.body.appendChild(document.createElement("main"));
createRoot(main).render(createElement(StrictMode, null, createElement(App)));
"""
SHOWN = "window.shown = () => document.querySelectorAll('circle').length / 5;\n"
SVELTE = f"""import {{ mount }} from "svelte";
import Hands from "./Hands.svelte";
mount(Hands, {{ target: document.body }});
{SHOWN}"""
VUE = f"""import {{ createApp }} from "vue";
import Hands from "./Hands.vue";
createApp(Hands).mount(document.body.appendChild(document.createElement("main")));
{SHOWN}"""


@dataclass(frozen=True)
class App:
    """A bundler or framework: its packages, its files besides main.js, how it builds, and the folder that it writes.

    Attributes:
        example: its file in web/examples; the app shows the hands of the camera with it.
    """

    packages: tuple[str, ...]
    files: dict[str, str]
    build: str
    out: str
    example: str = ""


# The first example of the README as a page of its own, which the development server of Vite needs no configuration for.
README = {"readme.js": re.findall(r"```js\n(.*?)```", (WEB / "README.md").read_text(), re.DOTALL)[0]}
CLASSIC = HTML.replace('type="module"', "defer")
NEXT = {
    "app/page.js": NEXT_PAGE.format(script="../main.js"),
    "app/readme/page.js": NEXT_PAGE.format(script="../../readme.js"),
    "app/layout.js": NEXT_LAYOUT,
    "next.config.mjs": "export default { output: 'export' };\n",
    **README,
}
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
        NEXT,
        "next build --turbopack",
        "out",
    ),
    "Next.js, webpack": App(
        ("next", "react", "react-dom"),
        NEXT,
        "next build --webpack",
        "out",
    ),
    "React": App(
        ("react", "react-dom", "vite"),
        {"index.html": HTML.format(script="/main.js"), "main.js": REACT},
        "vite build",
        "dist",
        "useHands.tsx",
    ),
    "Svelte": App(
        ("svelte", "vite", "@sveltejs/vite-plugin-svelte"),
        {
            "index.html": HTML.format(script="/main.js"),
            "main.js": SVELTE,
            "vite.config.js": (
                'import { svelte } from "@sveltejs/vite-plugin-svelte";\nexport default { plugins: [svelte()] };\n'
            ),
        },
        "vite build",
        "dist",
        "Hands.svelte",
    ),
    "Vue": App(
        ("vue", "vite", "@vitejs/plugin-vue"),
        {
            "index.html": HTML.format(script="/main.js"),
            "main.js": VUE,
            "vite.config.js": 'import vue from "@vitejs/plugin-vue";\nexport default { plugins: [vue()] };\n',
        },
        "vite build",
        "dist",
        "Hands.vue",
    ),
}
ALWAYS = ("Vite", "esbuild", "esbuild, split")
