/** Tracks hands in every frame of a video file, faster or slower than real time, and makes a table and a video of them. */
import {
  BufferTarget,
  CanvasSource,
  getFirstEncodableVideoCodec,
  Mp4OutputFormat,
  Output,
  WebMOutputFormat,
} from "mediabunny";
import type { Frames, VideoFrameOfFile } from "./frames.js";
import { mirrored } from "./mirror.js";
import type { Picture } from "./picture.js";
import { type Download, dataFiles, type Row, stem } from "./record.js";
import { element } from "./report.js";
import type { Found } from "./tracking.js";

/** How far the work is. */
export interface Progress {
  readonly frames: number;
  readonly count: number;
  readonly timeS: number;
  readonly durationS: number;
  /** Seconds of video per second of work. */
  readonly pace: number;
}

/** What the work needs of the page. */
export interface Job {
  readonly frames: Frames;
  readonly label: string;
  readonly overlay: boolean;
  readonly stop: AbortSignal;
  track(frame: VideoFrameOfFile): Promise<Found>;
  progress(now: Progress): void;
}

/** Process a video up to its end, or until it is stopped or a frame is damaged; gives the files made so far. */
export async function processVideo(picture: Picture, job: Job): Promise<{ files: Download[]; error: unknown }> {
  const { frames, label, stop } = job;
  const rows: Row[] = [];
  const writer = await openWriter(frames.width, frames.height);
  const startMs = performance.now();
  let error: unknown = null;
  try {
    for await (const frame of frames.read()) {
      if (stop.aborted) break;
      const found = await job.track(frame);
      if (stop.aborted) break;
      const row = { timeS: frame.timeS, width: frames.width, height: frames.height, ...found };
      rows.push(picture.flip ? mirrored(row) : row);
      picture.showFrame(frame.image, found);
      if (writer) {
        picture.drawInto(writer.ctx, frame.image, job.overlay);
        await writer.add(frame);
      }
      const pace = frame.timeS / Math.max(0.001, (performance.now() - startMs) / 1000);
      const { count, durationS } = frames;
      job.progress({ frames: rows.length, count, timeS: frame.timeS, durationS, pace });
    }
  } catch (failure) {
    error = failure;
  }
  const video = (await writer?.finish(`${stem(label)}_hands`)) ?? null;
  const data = rows.length ? dataFiles(rows, label) : [];
  return { files: video && rows.length ? [video, ...data] : data, error };
}

interface Writer {
  readonly ctx: CanvasRenderingContext2D;
  add(frame: VideoFrameOfFile): Promise<void>;
  finish(name: string): Promise<Download | null>;
}

/** A writer of MP4 or WebM, whichever the browser can encode; null if it can encode neither. */
async function openWriter(width: number, height: number): Promise<Writer | null> {
  if (typeof VideoEncoder === "undefined") return null;
  // H.264 encoders accept even sizes only.
  const canvas = Object.assign(document.createElement("canvas"), { width: width & ~1, height: height & ~1 });
  const ctx = canvas.getContext("2d", { alpha: false });
  const bitrate = Math.max(2_000_000, 6 * width * height);
  const codec = await getFirstEncodableVideoCodec(["avc", "vp9", "vp8", "av1"], { ...sizeOf(canvas), bitrate });
  if (!codec || !ctx) return null;
  const webm = codec === "vp8";
  const target = new BufferTarget();
  const output = new Output({ format: webm ? new WebMOutputFormat() : new Mp4OutputFormat(), target });
  const source = new CanvasSource(canvas, { codec, bitrate });
  output.addVideoTrack(source);
  await output.start();
  let frames = 0;
  return {
    ctx,
    async add({ timeS, durationS }) {
      frames++;
      await source.add(Math.max(0, timeS), durationS);
    },
    async finish(name) {
      if (!frames) {
        await output.cancel();
        return null;
      }
      await output.finalize();
      const type = webm ? "video/webm" : "video/mp4";
      const blob = new Blob([target.buffer as ArrayBuffer], { type });
      return { name: `${name}.${webm ? "webm" : "mp4"}`, what: "Video", blob };
    },
  };
}

function sizeOf({ width, height }: HTMLCanvasElement): { width: number; height: number } {
  return { width, height };
}

/** Show how far the work is. */
export function showProgress({ frames, count, pace }: Progress): void {
  const bar = element<HTMLProgressElement>("work-bar");
  bar.value = frames / count;
  element("work-text").textContent =
    `Frame ${frames} of ${Math.max(count, frames)}, ${pace.toFixed(pace < 10 ? 1 : 0)}× real time`;
}
