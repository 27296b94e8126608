/** The page: connects sources, tracker, image and panels. */
import { EngineError } from "../src/index.js";
import { onFile } from "./files.js";
import { Loop } from "./loop.js";
import { explain, missingFeature } from "./messages.js";
import { NOTHING, Picture } from "./picture.js";
import { Announcer, describe, element, showHands, showSpeed } from "./report.js";
import { Saving } from "./saving.js";
import {
  keep,
  readSettings,
  type Settings,
  type Thresholds,
  trackerOptions,
  useThresholds,
  watchSettings,
} from "./settings.js";
import { listCameras, openCamera, openPhoto, openVideo, type Source } from "./sources.js";
import { PlainRenderer, placeHands, Space } from "./space.js";
import { Speed } from "./speed.js";
import { type Found, listModels, type Models, Tracking } from "./tracking.js";

const SPEED_EVERY_MS = 400;
const DEFAULT_THRESHOLDS: Thresholds = { minPalmScore: 0.5, minPresence: 0.5 }; // of `.task` files

const video = element<HTMLVideoElement>("video");
const photo = element<HTMLCanvasElement>("photo");
const overlay = element<HTMLCanvasElement>("overlay");
const stage = element("stage");
const form = element<HTMLFormElement>("settings");
const cameraList = element<HTMLSelectElement>("camera");

const speed = new Speed();
const tracking = new Tracking((step) => speed.note(step));
const picture = new Picture(stage, video, photo, overlay);
const space = new Space(element<HTMLCanvasElement>("space"));
const announcer = new Announcer(element("announcer"), overlay);
const saving = new Saving(picture, (what) => announcer.say(`${what} ready to download`));

let settings: Settings;
let bundles: ReadonlyMap<string, Thresholds> = new Map();
let openedModel: File | null = null;
let loop: Loop | null = null;
let opening = 0;
let started: Promise<void> | null = null;

function showMessage(text: string): void {
  const message = element("message");
  message.textContent = text;
  message.hidden = text === "";
}

function modelList(): HTMLSelectElement {
  return form.elements.namedItem("models") as HTMLSelectElement;
}

// ---------------------------------------------------------------- tracker

function models(): Models {
  if (openedModel && settings.models === "file") return openedModel;
  return new URL(`models/${settings.models}/`, document.baseURI).href;
}

function options(): ReturnType<typeof trackerOptions> {
  return trackerOptions(settings, picture.source?.kind === "camera");
}

/** Load the model and engine of the settings; returns false on failure, and the previous ones stay in use. */
async function prepare(): Promise<boolean> {
  const [loading, engine] = [element("loading"), element("engine-now")];
  const before = loading.textContent;
  loading.textContent = "Loading the model …";
  stage.setAttribute("aria-busy", "true");
  try {
    const { device, threads } = await tracking.prepare(models(), settings, options());
    engine.textContent = device === "cpu" ? `CPU, ${threads} ${threads === 1 ? "thread" : "threads"}` : "WebGPU";
    loading.textContent = "Ready.";
    return true;
  } catch (error) {
    loading.textContent = before === "Ready." ? before : "";
    showMessage(explain(error));
    return false;
  } finally {
    stage.removeAttribute("aria-busy");
  }
}

async function trackFrame(from: HTMLVideoElement, timeS: number): Promise<void> {
  const start = performance.now();
  try {
    const waits = settings.exact || saving.recordsNow;
    const { width, height } = picture.size;
    const found = await tracking.follow(waits ? picture.keepFrame() : from, timeS, settings.palmsOnly);
    // A camera that turned in the meantime has frames of another shape.
    if (!picture.source || picture.size.width !== width || picture.size.height !== height) return;
    speed.done(performance.now(), performance.now() - start);
    picture.showKept(waits);
    show(found);
    if (waits) saving.add(timeS);
  } catch (error) {
    if (!picture.source) return;
    showMessage(error instanceof EngineError ? "The tracker crashed and was restarted." : explain(error));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function detectPhoto(): Promise<void> {
  if (picture.source?.kind !== "photo") return;
  const start = performance.now();
  try {
    const found = await tracking.find(photo, settings.palmsOnly);
    speed.reset();
    speed.done(performance.now(), performance.now() - start);
    show(found);
    showSpeed(speed, performance.now());
  } catch (error) {
    showMessage(explain(error));
  }
}

function show(found: Found): void {
  picture.show(found);
  showHands(found);
  space.show(placeHands(found.hands ?? [], picture.flip));
  announcer.say(describe(found));
}

// ---------------------------------------------------------------- sources

/** Close the current source and open another one; of several calls, the last one wins. */
async function open(make: () => Promise<Source>): Promise<void> {
  const turn = ++opening;
  await started;
  await closeSource();
  showMessage("");
  let opened: Source | null = null;
  try {
    opened = await make();
  } catch (error) {
    if (turn === opening) showMessage(explain(error));
  }
  if (turn !== opening) return opened?.close();
  showSource(opened);
  if (!opened) return;
  speed.reset();
  if (!(await prepare()) || turn !== opening) return;
  await tracking.setOptions(options());
  await tracking.reset();
  if (opened.kind === "photo") await detectPhoto();
  else loop = new Loop(video, opened.kind === "camera", trackFrame);
}

async function closeSource(): Promise<void> {
  await saving.stop();
  loop?.stop();
  loop = null;
  picture.source?.close();
  picture.source = null;
  show(NOTHING);
}

function showSource(source: Source | null): void {
  picture.open(source);
  setFlip(source?.facesUser ?? false);
  saving.showState();
  element("welcome").hidden = source !== null;
  const pause = element<HTMLButtonElement>("pause");
  pause.disabled = source === null || source.kind === "photo";
  pause.textContent = "Pause";
  if (source?.kind !== "camera") cameraList.value = "";
}

function openFile(file: File): void {
  if (/\.task$/i.test(file.name)) void useModels(file);
  else if (file.type.startsWith("image/")) void open(() => openPhoto(photo, file, file.name));
  else void open(() => openVideo(video, file, file.name));
}

async function useModels(file: File): Promise<void> {
  await started;
  openedModel = file;
  modelList().querySelector("[value=file]")?.remove();
  modelList().add(new Option(file.name, "file", false, true));
  await changed(readSettings(form), "models");
}

async function chooseCamera(deviceId: string): Promise<void> {
  await open(() => openCamera(video, deviceId, () => void onCameraEnded()));
  await fillCameras();
}

async function onCameraEnded(): Promise<void> {
  opening++;
  await closeSource();
  showSource(null);
  showMessage("The camera stopped. It was unplugged, or its permission was revoked.");
}

async function fillCameras(): Promise<void> {
  const cameras = await listCameras();
  const current = picture.source?.kind === "camera" ? (video.srcObject as MediaStream | null) : null;
  const choices = cameras.map(({ id, name }) => new Option(name, id || "any"));
  cameraList.replaceChildren(new Option(cameras.length ? "Choose a camera" : "No camera found", ""), ...choices);
  cameraList.value = current?.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  if (cameraList.selectedIndex < 0) cameraList.value = "";
}

function setFlip(flip: boolean): void {
  picture.setFlip(flip);
  element("flip").setAttribute("aria-pressed", String(flip));
}

function togglePause(): void {
  if (video.hidden) return;
  if (video.paused) void video.play();
  else video.pause();
  element("pause").textContent = video.paused ? "Resume" : "Pause";
}

// ---------------------------------------------------------------- settings

/** Set the sliders' defaults for the chosen model. */
function useModelThresholds(): void {
  useThresholds(form, bundles.get(settings.models) ?? DEFAULT_THRESHOLDS);
  settings = readSettings(form);
}

async function changed(now: Settings, name: string): Promise<void> {
  const before = settings;
  settings = now;
  if (before.models !== now.models) useModelThresholds();
  picture.labels = now.labels;
  picture.draw();
  if (name === "labels") return;
  showMessage("");
  if ((before.models !== now.models || before.engine !== now.engine || name === "models") && !(await prepare())) {
    for (const field of ["models", "engine"] as const)
      (form.elements.namedItem(field) as HTMLSelectElement).value = before[field];
    settings = readSettings(form);
    useModelThresholds();
    keep(form); // else the next visit would start with what cannot be loaded
    return;
  }
  try {
    await tracking.setOptions(options());
  } catch (error) {
    return showMessage(explain(error));
  }
  if (name === "palmsOnly") speed.reset();
  await detectPhoto();
}

/** Disable WebGPU in the settings if the browser does not offer it. */
async function checkWebGpu(): Promise<void> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  const choice = form.querySelector<HTMLOptionElement>("option[value=webgpu]");
  if (adapter || !choice) return;
  const note = element("engine-note");
  note.textContent = "WebGPU is not available in this browser; the CPU is used.";
  note.hidden = false;
  choice.disabled = true;
}

async function restoreSettings(): Promise<void> {
  try {
    bundles = await listModels();
    modelList().replaceChildren(...[...bundles.keys()].map((name) => new Option(name, name)));
  } catch (error) {
    showMessage(explain(error));
  }
  settings = watchSettings(form, (now, name) => void changed(now, name));
  useModelThresholds();
  picture.labels = settings.labels;
}

// ---------------------------------------------------------------- 3D view

/** Use three.js if WebGL runs in hardware; in software it would slow down the tracker. */
async function startSpace(): Promise<void> {
  const canvas = element<HTMLCanvasElement>("space");
  const software = new URLSearchParams(location.search).get("webgl") === "software";
  if (hasWebGl(software)) {
    const { GlRenderer } = await import("./space_gl.js");
    space.use(new GlRenderer(canvas));
    canvas.dataset.renderer = "webgl";
  } else {
    space.use(new PlainRenderer(canvas));
    canvas.dataset.renderer = "plain";
  }
}

function hasWebGl(software: boolean): boolean {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: !software });
  if (!gl) return false;
  const which = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
  const name = String(gl.getParameter(which));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return software || !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

// ---------------------------------------------------------------- wiring

const ACTIONS: Record<string, () => void> = {
  camera: () => void chooseCamera(""),
  file: () => element<HTMLInputElement>("file").click(),
  sample: () => void open(() => openVideo(video, "sample.mp4", "sample.mp4")),
  flip: () => setFlip(!picture.flip),
  pause: togglePause,
  record: () => void saving.toggle(),
};
const KEYS: Record<string, string> = { " ": "pause", m: "flip", r: "record" };

function wire(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-do]");
    if (button) ACTIONS[button.dataset.do ?? ""]?.();
  });
  stage.addEventListener("keydown", (event) => {
    const action = event.target === stage && !event.ctrlKey && !event.metaKey && KEYS[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    ACTIONS[action]();
  });
  cameraList.addEventListener("change", () => {
    if (cameraList.value) void chooseCamera(cameraList.value === "any" ? "" : cameraList.value);
  });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => void fillCameras());
  window.setInterval(() => loop && showSpeed(speed, performance.now()), SPEED_EVERY_MS);
  onFile(openFile);
}

/** Cache the page for offline use, once the tracker has loaded everything. */
async function enableOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    const { threads } = await tracking.ready;
    await navigator.serviceWorker.register(`sw.js?threads=${threads}`);
    await navigator.serviceWorker.ready;
    element("offline").textContent = "Works offline.";
  } catch {
    element("offline").textContent = "This browser cannot keep the page for offline use.";
  }
}

async function start(): Promise<void> {
  const missing = missingFeature();
  if (missing) {
    element("loading").textContent = "";
    return showMessage(missing);
  }
  started = restoreSettings();
  wire();
  showHands(NOTHING);
  void startSpace();
  await started;
  void checkWebGpu();
  void fillCameras();
  if ((await prepare()) || (await prepareDefault())) await enableOffline();
}

/** Load the server's default model on the default engine in place of a stored choice that cannot be loaded. */
async function prepareDefault(): Promise<boolean> {
  const [list, engine] = [modelList(), form.elements.namedItem("engine") as HTMLSelectElement];
  if (list.selectedIndex <= 0 && engine.value === "auto") return false;
  const reason = element("message").textContent;
  list.selectedIndex = 0;
  engine.value = "auto";
  settings = readSettings(form);
  useModelThresholds();
  if (!(await prepare())) return false;
  keep(form);
  showMessage(`${reason} The default model is used instead.`);
  return true;
}

void start();
