/** Results as files: JSON lines and CSV in the formats of the Python package, and images with hands drawn. */
import { type Hand, handToJson, LANDMARK_NAMES, type Palm, palmToJson } from "../src/index.js";
import { HAND_COLUMNS, HANDS_FORMAT, PALM_COLUMNS, PALMS_FORMAT } from "./columns.js";

const FORMAT = { hands: HANDS_FORMAT, palms: PALMS_FORMAT };
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

/** Rows as CSV: one line per hand (or palm) and frame, with the columns of docs/formats.md. */
export function toCsv(rows: readonly Row[], source: string): string {
  const palms = rows.some((row) => row.palms);
  const start = rows[0]?.timeS ?? 0;
  const lines = [(palms ? PALM_COLUMNS : HAND_COLUMNS).join(",")];
  rows.forEach((row, frame) => {
    const head = (kind: "hands" | "palms", index: number) =>
      [FORMAT[kind], quoted(source), frame, rounded(row.timeS - start, 6), row.width, row.height, index].join(",");
    row.hands?.forEach((hand, index) => {
      if (!palms) lines.push(`${head("hands", index)},${handValues(hand)}`);
    });
    row.palms?.forEach((palm, index) => {
      const { box, keypoints, score } = palmToJson(palm);
      lines.push(`${head("palms", index)},${[score, ...box, ...keypoints.flat()].join(",")}`);
    });
  });
  return `${lines.join("\r\n")}\r\n`;
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

/** The rows as a JSON lines file and a CSV file. */
export function dataFiles(rows: readonly Row[], source: string): Download[] {
  const name = `${stem(source)}_hands`;
  return [
    {
      name: `${name}.jsonl`,
      what: "JSON lines",
      blob: new Blob([toJsonLines(rows, source)], { type: "application/jsonl" }),
    },
    { name: `${name}.csv`, what: "CSV", blob: new Blob([toCsv(rows, source)], { type: "text/csv" }) },
  ];
}

/** A source's name without folder and suffix, safe for file names. */
export function stem(source: string): string {
  const last = source.split(/[\\/]/).pop() ?? "";
  return last.replace(/\.[^.]{1,5}$/, "").replace(/[^\p{L}\p{N}._-]+/gu, "_") || "hands";
}
