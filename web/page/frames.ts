/** Reads every frame of a video file: with the browser's decoder if it has one for the file, else by seeking. */
import { ALL_FORMATS, BlobSource, CanvasSink, Input } from "mediabunny";

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
  /** The number of frames; null if it is only known at the end. */
  readonly count: number | null;
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

/** Steps through the file in a hidden video element. The frame rate is measured on its first frames. */
async function seek(file: Blob, label: string): Promise<Frames> {
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
    count: null,
    async *read() {
      const stepS = await frameInterval(video);
      let before = -1;
      for (let at = stepS / 2; at < durationS; at += stepS) {
        const timeS = await shownAt(video, at);
        if (timeS <= before) continue;
        before = timeS;
        ctx?.drawImage(video, 0, 0);
        yield { image, timeS, durationS: stepS };
      }
    },
    close,
  };
}

/** The shortest step between the first frames of a video, seconds. */
async function frameInterval(video: HTMLVideoElement): Promise<number> {
  let [shortest, before] = [1 / 30, Number.NaN];
  if (!("requestVideoFrameCallback" in video)) return shortest;
  const steps: number[] = [];
  for (let at = 0; at < Math.min(0.4, video.duration); at += 1 / 130) {
    const now = await shownAt(video, at);
    if (now > before) steps.push(now - before);
    before = now;
  }
  if (steps.length) shortest = Math.min(...steps);
  return Math.max(shortest, 1 / 240);
}

/** Seek, and give the time of the frame that is shown then. */
async function shownAt(video: HTMLVideoElement, timeS: number): Promise<number> {
  const seeked = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
  const presented =
    "requestVideoFrameCallback" in video
      ? new Promise<number>((resolve) => video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)))
      : null;
  video.currentTime = timeS;
  await seeked;
  // A frame that is shown already is not presented again.
  const late = new Promise<number>((resolve) => setTimeout(() => resolve(Number.NaN), 60));
  const mediaTime = presented ? await Promise.race([presented, late]) : timeS;
  return Number.isNaN(mediaTime) ? -1 : mediaTime;
}
