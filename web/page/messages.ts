/** Error messages for the user: what went wrong and what to do. */
import { KnuckleError } from "../src/index.js";

const TEXTS: Record<string, string> = {
  NotAllowedError:
    "Camera access is blocked. Allow it in the browser's settings for this site, then choose the camera again.",
  NotFoundError: "No camera was found. Connect one, or open a photo or video.",
  OverconstrainedError: "That camera is no longer available. Choose another one.",
  NotReadableError: "Another program is using the camera. Close it, then choose the camera again.",
  NotSupportedError: "This browser does not support cameras. Photos and videos work.",
  InsecureContextError: "Browsers allow cameras on https pages and on localhost only. Photos and videos work here.",
  AbortError: "The camera stopped while starting. Choose it again.",
};

/** An error as one or two sentences for the user. */
export function explain(error: unknown): string {
  if (error instanceof DOMException && error.name === "EncodingError")
    return `${error.message} cannot be opened. The browser does not support its format, or the file is damaged.`;
  if (error instanceof DOMException && TEXTS[error.name]) return TEXTS[error.name];
  if (error instanceof KnuckleError) return sentence(error.message);
  return sentence(error instanceof Error ? error.message : String(error));
}

/** A message that names the required features that this browser lacks, or null. */
export function missingFeature(): string | null {
  const needed: [string, boolean][] = [
    ["WebAssembly", typeof WebAssembly === "object"],
    ["workers", typeof Worker === "function"],
    ["createImageBitmap", typeof createImageBitmap === "function"],
    ["OffscreenCanvas", typeof OffscreenCanvas === "function"],
  ];
  const missing = needed.filter(([, supported]) => !supported).map(([name]) => name);
  if (!missing.length) return null;
  return `This browser does not support ${missing.join(" and ")}. The page needs Chrome or Edge 91, Firefox 105, Safari 16.4 or newer.`;
}

function sentence(text: string): string {
  const trimmed = text.trim() || "Something went wrong";
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
