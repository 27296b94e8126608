/** The settings form, and its storage in the browser. */
import type { Device, TrackerOptions } from "../src/index.js";

/** The user's settings. */
export interface Settings {
  maxHands: number;
  /** Null for the threshold of the bundle. */
  minPalmScore: number | null;
  minPresence: number | null;
  searchEvery: number | null;
  mirrored: boolean;
  smooth: boolean;
  palmsOnly: boolean;
  labels: boolean;
  /** Show the frame that was tracked instead of the newest one. */
  exact: boolean;
  models: string;
  engine: Device;
  /** "auto", or width and height as in "1280x720". */
  cameraSize: string;
  /** At most this many frames per second are tracked; null for all. */
  rate: number | null;
  /** Draw the hands into recordings. */
  recordHands: boolean;
}

/** Confidence thresholds of a bundle. */
export interface Thresholds {
  readonly minPalmScore: number;
  readonly minPresence: number;
}

const KEY = "knuckle.settings";

/** Restore the stored settings, then call `changed` on every change. */
export function watchSettings(form: HTMLFormElement, changed: (now: Settings, name: string) => void): Settings {
  restore(form);
  showValues(form);
  form.addEventListener("input", (event) => {
    showValues(form);
    keep(form);
    changed(readSettings(form), (event.target as HTMLInputElement).name);
  });
  form.addEventListener("reset", () => {
    // The fields have their default values only after this event.
    setTimeout(() => {
      showValues(form);
      keep(form);
      changed(readSettings(form), "");
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  return readSettings(form);
}

export function readSettings(form: HTMLFormElement): Settings {
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  const every = field("searchEvery").value;
  return {
    maxHands: Number(field("maxHands").value),
    minPalmScore: threshold(field("minPalmScore")),
    minPresence: threshold(field("minPresence")),
    searchEvery: every ? Number(every) : null,
    mirrored: field("mirrored").checked,
    smooth: field("smooth").checked,
    palmsOnly: field("palmsOnly").checked,
    labels: field("labels").checked,
    exact: field("exact").checked,
    models: field("models").value,
    engine: field("engine").value as Device,
    cameraSize: field("cameraSize").value,
    rate: field("rate").value ? Number(field("rate").value) : null,
    recordHands: field("recordHands").checked,
  };
}

/** The tracker's options. A camera's image is never mirrored; the mirror button changes the display only. */
export function trackerOptions(settings: Settings, isCamera: boolean): Partial<TrackerOptions> {
  const { maxHands, minPalmScore, minPresence, searchEvery, mirrored, smooth } = settings;
  return { maxHands, minPalmScore, minPresence, searchEvery, smooth, mirrored: mirrored && !isCamera };
}

/** Make a bundle's thresholds the defaults of their sliders; sliders that the user has moved stay where they are. */
export function useThresholds(form: HTMLFormElement, thresholds: Thresholds): void {
  for (const name of ["minPalmScore", "minPresence"] as const) {
    const slider = form.elements.namedItem(name) as HTMLInputElement;
    const chosen = threshold(slider);
    slider.value = String(thresholds[name]);
    slider.defaultValue = slider.value; // as the slider rounds it
    if (chosen !== null) slider.value = String(chosen);
  }
  showValues(form);
}

/** The value of a slider; null if it stands at its default. */
function threshold(slider: HTMLInputElement): number | null {
  return slider.value === slider.defaultValue ? null : Number(slider.value);
}

function showValues(form: HTMLFormElement): void {
  for (const range of form.querySelectorAll<HTMLInputElement>("input[type=range]")) {
    const output = form.querySelector<HTMLOutputElement>(`output[for=${range.id}]`);
    if (output) output.value = Number(range.step) < 1 ? Number(range.value).toFixed(2) : range.value;
  }
}

function fields(form: HTMLFormElement): HTMLInputElement[] {
  return ([...form.elements] as HTMLInputElement[]).filter((field) => field.name);
}

/** Store the settings in the browser. */
export function keep(form: HTMLFormElement): void {
  const changed = fields(form).filter((field) => field.type !== "range" || threshold(field) !== null);
  const values = changed.map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(values)));
  } catch {
    // Private windows may not allow storage; the settings then last until the page is closed.
  }
}

function restore(form: HTMLFormElement): void {
  let kept: Record<string, unknown>;
  try {
    kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return;
  }
  for (const field of fields(form)) {
    const value = kept[field.name];
    if (typeof value === "boolean") field.checked = value;
    else if (typeof value === "string" && hasOption(field, value)) field.value = value;
  }
}

function hasOption(field: HTMLElement, value: string): boolean {
  return !(field instanceof HTMLSelectElement) || [...field.options].some((option) => option.value === value);
}
