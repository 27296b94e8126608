/** The page: connects sources, tracker, image and panels. */
import { Busy, loadingText } from "./busy.js";
import { Cameras } from "./cameras.js";
import { EveryFrame } from "./every_frame.js";
import { onFile } from "./files.js";
import { watchGestures } from "./gestures.js";
import { onKeys } from "./keys.js";
import { explain, missingFeature } from "./messages.js";
import { offerInstall, toggleFullScreen, WakeLock, watchFullScreen } from "./phone.js";
import { NOTHING, Picture } from "./picture.js";
import { Player, type Stage } from "./player.js";
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
import { openPhoto, openSample, openVideo, type Source } from "./sources.js";
import { placeHands, Space, startSpace } from "./space.js";
import { Speed } from "./speed.js";
import { type Found, type Listed, listModels, type Models, Tracking } from "./tracking.js";
import { VideoBar } from "./video_bar.js";

const SPEED_EVERY_MS = 400;
const DEFAULT_THRESHOLDS: Thresholds = { minPalmScore: 0.5, minPresence: 0.5 }; // of `.task` files

const video = element<HTMLVideoElement>("video");
const overlay = element<HTMLCanvasElement>("overlay");
const stageElement = element("stage");
const form = element<HTMLFormElement>("settings");

const speed = new Speed();
const busy = new Busy();
const tracking = new Tracking((step) => speed.note(step));
const picture = new Picture(stageElement, video, element<HTMLCanvasElement>("photo"), overlay);
const space = new Space(element<HTMLCanvasElement>("space"));
const announcer = new Announcer(element("announcer"), overlay);
const saving = new Saving(picture, (what) => announcer.say(`${what} ready to download`));
const wakeLock = new WakeLock();

let settings: Settings;
let bundles: ReadonlyMap<string, Listed> = new Map();
let openedModel: File | null = null;
let started: Promise<void> | null = null;

const stage: Stage = {
  picture,
  tracking,
  saving,
  speed,
  busy,
  settings: () => settings,
  async prepare() {
    await started;
    if (!(await prepare())) return false;
    await tracking.setOptions(options());
    return true;
  },
  found: show,
  async leaving() {
    await everyFrame.cancel();
    await saving.stop();
  },
  message: showMessage,
  changed: showSource,
};
const player = new Player(stage);
const videoBar = new VideoBar(player);
const everyFrame = new EveryFrame(stage, player, videoBar);
const cameras = new Cameras(
  player,
  () => settings,
  () => void onCameraEnded(),
);

function showMessage(text: string): void {
  const message = element("message");
  message.textContent = text;
  message.hidden = text === "";
}

/** Show what was found in a frame. */
function show(found: Found): void {
  picture.show(found);
  showHands(found);
  space.show(placeHands(found.hands ?? [], picture.flip));
  announcer.say(describe(found));
  if (!player.plays) showSpeed(speed, performance.now());
}

// ---------------------------------------------------------------- tracker

function modelList(): HTMLSelectElement {
  return form.elements.namedItem("models") as HTMLSelectElement;
}

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
  const size = settings.models === "file" ? null : (bundles.get(settings.models)?.bytes ?? null);
  const showLoaded = (bytes: number) => {
    loading.textContent = loadingText(bytes, size && size + RUNTIME_BYTES);
    busy.say(loading.textContent);
  };
  stageElement.setAttribute("aria-busy", "true");
  try {
    const making = tracking.prepare(models(), settings, options(), showLoaded);
    if (tracking.isLoading) showLoaded(0);
    const { device, threads } = await busy.during(loadingText(0, null), making);
    engine.textContent = device === "cpu" ? `CPU, ${threads} ${threads === 1 ? "thread" : "threads"}` : "WebGPU";
    loading.textContent = "Ready.";
    return true;
  } catch (error) {
    loading.textContent = before === "Ready." ? before : "";
    showMessage(explain(error));
    return false;
  } finally {
    stageElement.removeAttribute("aria-busy");
  }
}

// ---------------------------------------------------------------- sources

function showSource(source: Source | null): void {
  setFlip(source?.facesUser ?? false);
  saving.showState();
  videoBar.open(source?.kind === "video");
  element("process").hidden = source?.file == null;
  element("welcome").hidden = source !== null;
  const pause = element<HTMLButtonElement>("pause");
  pause.disabled = source === null || source.kind === "photo";
  element<HTMLButtonElement>("full").hidden = source === null;
  if (source?.kind !== "camera") void cameras.fill();
  showSpeed(speed, performance.now());
}

function openFile(file: File): void {
  if (/\.task$/i.test(file.name)) void useModels(file);
  else if (file.type.startsWith("image/")) void player.open(file.name, () => openPhoto(file, file.name));
  else void player.open(file.name, () => openVideo(file, file.name));
}

async function useModels(file: File): Promise<void> {
  await started;
  openedModel = file;
  modelList().querySelector("[value=file]")?.remove();
  modelList().add(new Option(file.name, "file", false, true));
  await changed(readSettings(form), "models");
}

async function onCameraEnded(): Promise<void> {
  await player.close();
  showMessage("The camera stopped. It was unplugged, or its permission was revoked.");
}

function setFlip(flip: boolean): void {
  picture.setFlip(flip);
  element("flip").setAttribute("aria-pressed", String(flip));
  space.show(placeHands(picture.found.hands ?? [], flip));
}

/** Returns false if there is nothing to pause. */
function togglePause(): boolean {
  if (element<HTMLButtonElement>("pause").disabled) return false;
  player.togglePause();
  return true;
}

// ---------------------------------------------------------------- settings

/** Set the sliders' defaults for the chosen model. */
function useModelThresholds(): void {
  useThresholds(form, bundles.get(settings.models) ?? DEFAULT_THRESHOLDS);
  settings = readSettings(form);
}

/** Settings that change what is shown or saved, not what is tracked. */
function applyDisplay(): void {
  picture.labels = settings.labels;
  saving.overlay = settings.recordHands;
  picture.draw();
}

async function changed(now: Settings, name: string): Promise<void> {
  const before = settings;
  settings = now;
  if (before.models !== now.models) useModelThresholds();
  applyDisplay();
  if (name === "labels" || name === "recordHands") return;
  player.setRate(settings.rate);
  if (before.cameraSize !== now.cameraSize || before.rate !== now.rate) await cameras.reshape().catch(() => {});
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
  speed.reset();
  await player.again();
  showSpeed(speed, performance.now());
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
  applyDisplay();
}

// ---------------------------------------------------------------- wiring

const ACTIONS: Record<string, () => unknown> = {
  camera: () => void started?.then(() => cameras.use({ deviceId: "", facing: "user" })),
  switch: () => (element("switch").hidden ? false : void cameras.switch()),
  file: () => element<HTMLInputElement>("file").click(),
  sample: () => void player.open("the sample", openSample),
  flip: () => setFlip(!picture.flip),
  full: () => (element("full").hidden ? false : void toggleFullScreen()),
  pause: togglePause,
  record: () => (element<HTMLButtonElement>("record").disabled ? false : void saving.toggle()),
  process: () => void everyFrame.toggle(),
  back: () => (element("bar").hidden ? false : void videoBar.step(-1)),
  forward: () => (element("bar").hidden ? false : void videoBar.step(1)),
};

function wire(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-do]");
    if (button) ACTIONS[button.dataset.do ?? ""]?.();
  });
  const { pause, flip, record, full, back, forward } = ACTIONS;
  onKeys({ " ": pause, m: flip, r: record, f: full, c: ACTIONS.switch, arrowleft: back, arrowright: forward });
  window.setInterval(() => {
    wakeLock.keep(player.plays);
    if (player.plays) showSpeed(speed, performance.now());
  }, SPEED_EVERY_MS);
  for (const event of ["play", "pause", "emptied"])
    video.addEventListener(event, () => {
      element("pause").textContent =
        video.paused && picture.source?.kind !== "photo" && picture.source ? "Resume" : "Pause";
    });
  watchFullScreen();
  offerInstall();
  onFile(openFile);
  watchGestures(tracking, () => void player.again());
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
  void startSpace(space);
  await started;
  void checkWebGpu();
  void cameras.fill();
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
