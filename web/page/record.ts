/** Results as files: JSON lines and CSV in the formats of the Python package, and images with hands drawn. */
import { type Hand, handToJson, LANDMARK_NAMES, type Palm, palmToJson } from "../src/index.js";
import { HAND_COLUMNS, HANDS_FORMAT, PALM_COLUMNS, PALMS_FORMAT } from "./columns.js";

const VIDEO_TYPES = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/** One frame and its hands or palms. */
export interface Row {
  readonly timeS: number;
  readonly width: number;
  readonly height: number;
  readonly hands: readonly Hand[] | null;
  readonly palms: readonly Palm[] | null;
}

/** A file that the user can download. */
export interface Download {
  readonly name: string;
  readonly what: string;
  readonly blob: Blob;
}

/** Rows as JSON lines; times start at 0. */
export function toJsonLines(rows: readonly Row[], source: string): string {
  const start = rows[0]?.timeS ?? 0;
  return rows
    .map(({ timeS, width, height, hands, palms }, frame) => {
      const found = palms ? { palms: palms.map(palmToJson) } : { hands: (hands ?? []).map(handToJson) };
      return `${JSON.stringify({ frame, time_s: rounded(timeS - start, 6), source, width, height, ...found })}\n`;
    })
    .join("");
}

/** The hands of rows as CSV: one line per hand and frame, with the columns of docs/formats.md. */
export function handsToCsv(rows: readonly Row[], source: string): string {
  return toCsv(rows, source, HAND_COLUMNS, HANDS_FORMAT, ({ hands }) => hands?.map(handValues) ?? []);
}

/** The palms of rows as CSV: one line per palm and frame. */
export function palmsToCsv(rows: readonly Row[], source: string): string {
  return toCsv(rows, source, PALM_COLUMNS, PALMS_FORMAT, ({ palms }) => palms?.map(palmValues) ?? []);
}

function toCsv(
  rows: readonly Row[],
  source: string,
  columns: readonly string[],
  format: string,
  values: (row: Row) => readonly string[],
): string {
  const start = rows[0]?.timeS ?? 0;
  const lines = [columns.join(",")];
  for (const [frame, row] of rows.entries()) {
    const head = [format, quoted(source), frame, rounded(row.timeS - start, 6), row.width, row.height].join(",");
    for (const [index, each] of values(row).entries()) lines.push(`${head},${index},${each}`);
  }
  return `${lines.join("\r\n")}\r\n`;
}

function palmValues(palm: Palm): string {
  const { box, keypoints, score } = palmToJson(palm);
  return [score, ...box, ...keypoints.flat()].join(",");
}

function handValues(hand: Hand): string {
  const json = handToJson(hand);
  return [
    json.track_id ?? "",
    json.handedness,
    json.handedness_score,
    json.presence,
    json.palm_score ?? "",
    ...json.landmarks.flat(),
    ...json.world.flat(),
    ...(json.visibility ?? LANDMARK_NAMES.map(() => "")),
    json.gesture ?? "",
    json.gesture_score ?? "",
  ].join(",");
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

/** A recording: collects rows, and records what is drawn on its canvas. */
export class Recording {
  readonly canvas = document.createElement("canvas");
  readonly ctx: CanvasRenderingContext2D | null;
  readonly startedMs = performance.now();
  private readonly rows: Row[] = [];
  private readonly chunks: Blob[] = [];
  private readonly recorder: MediaRecorder | null;

  constructor(
    width: number,
    height: number,
    private readonly source: string,
  ) {
    // H.264 encoders accept even sizes only.
    this.canvas.width = width & ~1;
    this.canvas.height = height & ~1;
    this.ctx = this.canvas.getContext("2d", { alpha: false });
    this.recorder = startRecorder(this.canvas, this.chunks);
  }

  add(row: Row): void {
    this.rows.push(row);
  }

  /** Stop recording and return the files, the video first. */
  async stop(): Promise<Download[]> {
    const files = dataFiles(this.rows, this.source);
    if (!this.recorder) return files;
    const { recorder } = this;
    await new Promise((resolve) => {
      recorder.addEventListener("stop", resolve, { once: true });
      recorder.stop();
    });
    const type = recorder.mimeType.split(";")[0];
    const blob = new Blob(this.chunks, { type });
    if (!blob.size) return files;
    const name = `${stem(this.source)}_hands.${type === "video/mp4" ? "mp4" : "webm"}`;
    return [{ name, what: "Video", blob }, ...files];
  }
}

function startRecorder(canvas: HTMLCanvasElement, chunks: Blob[]): MediaRecorder | null {
  if (typeof MediaRecorder === "undefined" || !canvas.captureStream) return null;
  const mimeType = VIDEO_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType, videoBitsPerSecond: 6_000_000 });
  recorder.addEventListener("dataavailable", ({ data }) => {
    if (data.size) chunks.push(data);
  });
  recorder.start(1000);
  return recorder;
}

/** The rows as a JSON lines file, and as CSV: a file of hands, a file of palms, or both if both were looked for. */
export function dataFiles(rows: readonly Row[], source: string): Download[] {
  const name = stem(source);
  const palms = rows.some((row) => row.palms);
  const hands = !palms || rows.some((row) => row.hands?.length);
  const csv = (text: string) => new Blob([text], { type: "text/csv" });
  const files: Download[] = [
    {
      name: `${name}_hands.jsonl`,
      what: "JSON lines",
      blob: new Blob([toJsonLines(rows, source)], { type: "application/jsonl" }),
    },
  ];
  if (hands) files.push({ name: `${name}_hands.csv`, what: "CSV", blob: csv(handsToCsv(rows, source)) });
  if (palms)
    files.push({
      name: `${name}_palms.csv`,
      what: hands ? "CSV of palms" : "CSV",
      blob: csv(palmsToCsv(rows, source)),
    });
  return files;
}

/** A source's name without folder and suffix, safe for file names. */
export function stem(source: string): string {
  const last = source.split(/[\\/]/).pop() ?? "";
  return last.replace(/\.[^.]{1,5}$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "_") || "hands";
}
