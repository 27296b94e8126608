/** Reads every frame of a video file: with the browser's decoder if it has one for the file, else by seeking. */
import { ALL_FORMATS, BlobSource, CanvasSink, EncodedPacketSink, Input } from "mediabunny";

/** One frame. The image is valid until the next frame is asked for. */
export interface VideoFrameOfFile {
  readonly image: HTMLCanvasElement | OffscreenCanvas;
  readonly timeS: number;
  readonly durationS: number;
}

/** The frames of a file, in order. */
export interface Frames {
  readonly width: number;
  readonly height: number;
  readonly durationS: number;
  readonly count: number;
  read(): AsyncGenerator<VideoFrameOfFile, void>;
  close(): void;
}

/** Open a video file. @throws DOMException "EncodingError" if the browser cannot read it in any way. */
export async function openFrames(file: Blob, label: string): Promise<Frames> {
  return (await decode(file).catch(() => null)) ?? (await seek(file, label));
}

/** The mean time from frame to frame of a file, seconds; null if its format is not known. */
export async function frameIntervalOf(file: Blob): Promise<number | null> {
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    const track = await input.getPrimaryVideoTrack();
    const rate = (await track?.computePacketStats(120))?.averagePacketRate;
    return rate ? 1 / rate : null;
  } catch {
    return null;
  } finally {
    input.dispose();
  }
}

/** Frames by WebCodecs; null if the browser has no decoder for the file. */
async function decode(file: Blob): Promise<Frames | null> {
  if (typeof VideoDecoder === "undefined") return null;
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  const track = await input.getPrimaryVideoTrack();
  if (!track || !(await track.canDecode())) {
    input.dispose();
    return null;
  }
  const [{ packetCount }, durationS] = [await track.computePacketStats(), await track.computeDuration()];
  const sink = new CanvasSink(track, { poolSize: 1 });
  return {
    width: await track.getDisplayWidth(),
    height: await track.getDisplayHeight(),
    durationS,
    count: packetCount,
    async *read() {
      for await (const { canvas, timestamp, duration } of sink.canvases())
        yield { image: canvas, timeS: timestamp, durationS: duration };
    },
    close: () => input.dispose(),
  };
}

/** Steps through the file in a hidden video element, which shows one frame after the other. */
async function seek(file: Blob, label: string): Promise<Frames> {
  const times = await frameTimes(file).catch(() => []);
  const video = Object.assign(document.createElement("video"), { muted: true, preload: "auto", playsInline: true });
  const address = URL.createObjectURL(file);
  const close = () => {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  };
  try {
    await new Promise((resolve, reject) => {
      video.addEventListener("loadeddata", resolve);
      video.addEventListener("error", reject);
      video.src = address;
    });
    if (!times.length) throw new Error("the times of its frames are not known");
  } catch {
    close();
    throw new DOMException(label, "EncodingError");
  }
  const { videoWidth: width, videoHeight: height, duration: durationS } = video;
  const image = Object.assign(document.createElement("canvas"), { width, height });
  const ctx = image.getContext("2d", { alpha: false, willReadFrequently: true });
  return {
    width,
    height,
    durationS,
    count: times.length,
    async *read() {
      for (const [i, timeS] of times.entries()) {
        const stepS = Math.max(0.001, (times[i + 1] ?? durationS) - timeS);
        const seeked = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
        video.currentTime = timeS + stepS / 2; // browsers round times, so aim at the middle of the frame
        await seeked;
        ctx?.drawImage(video, 0, 0);
        yield { image, timeS, durationS: stepS };
      }
    },
    close,
  };
}

/** When each frame of a file is shown, seconds: its container says so, also where the browser has no decoder to lend. */
async function frameTimes(file: Blob): Promise<number[]> {
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    const track = await input.getPrimaryVideoTrack();
    if (!track) return [];
    const times: number[] = [];
    const packets = new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true });
    for await (const { timestamp } of packets) times.push(timestamp);
    return times.filter((timeS) => timeS >= 0).sort((a, b) => a - b);
  } finally {
    input.dispose();
  }
}
