/** What went wrong, in words that say what to do. */
import { KnuckleError } from "../src/index.js";

const TEXTS: Record<string, string> = {
  NotAllowedError: "The camera is blocked. Allow it in the browser's settings of this site, then choose it again.",
  NotFoundError: "No camera was found. Plug one in, or open a photo or a video.",
  OverconstrainedError: "That camera is no longer there. Choose another one.",
  NotReadableError: "The camera is in use by another program. Close that one, then choose the camera again.",
  NotSupportedError: "This browser opens no cameras. Photos and videos work.",
  InsecureContextError: "Browsers open cameras on https pages and on localhost only. Photos and videos work here.",
  AbortError: "The camera stopped while it was starting. Choose it again.",
};

/** One or two sentences for the person at the screen. */
export function explain(error: unknown): string {
  if (error instanceof DOMException && error.name === "EncodingError")
    return `${error.message} cannot be shown: this browser does not know the format, or the file is damaged.`;
  if (error instanceof DOMException && TEXTS[error.name]) return TEXTS[error.name];
  if (error instanceof KnuckleError) return sentence(error.message);
  return sentence(error instanceof Error ? error.message : String(error));
}

/** What this browser lacks that the page cannot do without, or null. */
export function missingFeature(): string | null {
  const needed: [string, boolean][] = [
    ["WebAssembly", typeof WebAssembly === "object"],
    ["workers", typeof Worker === "function"],
    ["createImageBitmap", typeof createImageBitmap === "function"],
    ["OffscreenCanvas", typeof OffscreenCanvas === "function"],
  ];
  const missing = needed.filter(([, there]) => !there).map(([name]) => name);
  if (!missing.length) return null;
  return `This browser lacks ${missing.join(" and ")}. The page needs Chrome or Edge 91, Firefox 105, Safari 16.4 or newer.`;
}

function sentence(text: string): string {
  const trimmed = text.trim() || "Something went wrong";
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
