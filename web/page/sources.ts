/** Image sources: cameras, files and the sample. A source is opened first and shown afterwards, so that one that cannot be opened changes nothing. */

/** The elements that show images. */
export interface Screen {
  readonly video: HTMLVideoElement;
  readonly photo: HTMLCanvasElement;
}

/** An open source. */
export interface Source {
  readonly kind: "camera" | "video" | "photo";
  readonly label: string;
  /** Whether the camera faces the user, who then expects a mirror image. */
  readonly facesUser: boolean;
  /** The file of a video, to read it frame by frame; null for other sources. */
  readonly file: (() => Promise<Blob>) | null;
  /** Show it; a video starts to play. */
  show(screen: Screen): Promise<void>;
  close(): void;
}

/** Which camera, and how. */
export interface CameraChoice {
  /** Empty for the one that faces the user or the other way, as `facing` says. */
  readonly deviceId: string;
  readonly facing: "user" | "environment";
  /** "1280x720"; "auto" is 640x480 on small machines and 1280x720 on others. */
  readonly size: string;
  /** Frames per second; null for the camera's own rate, at most 30. */
  readonly rate: number | null;
}

/** The size and rate to ask of a camera. */
export function cameraShape({ size, rate }: Pick<CameraChoice, "size" | "rate">): MediaTrackConstraints {
  const chosen = size === "auto" ? (navigator.hardwareConcurrency > 4 ? "1280x720" : "640x480") : size;
  const [width, height] = chosen.split("x").map(Number);
  return { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: rate ?? 30 } };
}

/** Open a camera; the browser asks the user first. `ended` is called if the camera stops. */
export async function openCamera(choice: CameraChoice, ended: () => void): Promise<Source> {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new DOMException("", isSecureContext ? "NotSupportedError" : "InsecureContextError");
  const which = choice.deviceId ? { deviceId: { exact: choice.deviceId } } : { facingMode: choice.facing };
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { ...cameraShape(choice), ...which },
  });
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", ended);
  let shownIn: HTMLVideoElement | null = null;
  return {
    kind: "camera",
    label: track.label || "camera",
    facesUser: track.getSettings().facingMode !== "environment",
    file: null,
    async show({ video }) {
      shownIn = video;
      video.srcObject = stream;
      await playing(video);
    },
    close() {
      for (const each of stream.getTracks()) each.stop();
      if (shownIn?.srcObject === stream) shownIn.srcObject = null;
    },
  };
}

/** Open a video file, which is shown in a loop. */
export async function openVideo(file: Blob | string, label: string): Promise<Source> {
  const address = typeof file === "string" ? file : URL.createObjectURL(file);
  let shownIn: HTMLVideoElement | null = null;
  const close = () => {
    shownIn?.removeAttribute("src");
    shownIn?.load();
    if (typeof file !== "string") URL.revokeObjectURL(address);
  };
  try {
    await canPlay(address);
  } catch {
    close();
    throw new DOMException(label, "EncodingError");
  }
  return {
    kind: "video",
    label,
    facesUser: false,
    file: async () => (typeof file === "string" ? (await fetch(file)).blob() : file),
    async show({ video }) {
      shownIn = video;
      video.srcObject = null;
      video.src = address;
      video.loop = true;
      await playing(video);
    },
    close,
  };
}

/** Open the sample video, in a format that the browser can decode. */
export function openSample(): Promise<Source> {
  const hasH264 = document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"') !== "";
  const name = hasH264 ? "sample.mp4" : "sample.webm";
  return openVideo(name, name);
}

/** Wait until the browser has decoded the first frame of a video. */
async function canPlay(address: string): Promise<void> {
  const probe = document.createElement("video");
  probe.muted = true;
  probe.preload = "auto";
  await new Promise((resolve, reject) => {
    probe.addEventListener("loadeddata", resolve);
    probe.addEventListener("error", reject);
    probe.src = address;
    probe.load();
  });
  const { videoWidth } = probe;
  probe.removeAttribute("src");
  probe.load();
  if (!videoWidth) throw new Error("there is no picture in it");
}

/** Open a photo, rotated as its EXIF orientation says. */
export async function openPhoto(file: Blob, label: string): Promise<Source> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new DOMException(label, "EncodingError");
  }
  return {
    kind: "photo",
    label,
    facesUser: false,
    file: null,
    async show({ photo }) {
      photo.width = bitmap.width;
      photo.height = bitmap.height;
      photo.getContext("2d")?.drawImage(bitmap, 0, 0);
      bitmap.close();
    },
    close: () => bitmap.close(),
  };
}

/** The cameras with id and name; browsers hide the names until the user has allowed one. */
export async function listCameras(): Promise<{ id: string; name: string }[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter((device) => device.kind === "videoinput");
  return cameras.map((device, i) => ({
    id: device.deviceId,
    name: device.label.replace(/ \([0-9a-f]{4}:[0-9a-f]{4}\)$/, "") || `Camera ${i + 1}`,
  }));
}

async function playing(video: HTMLVideoElement): Promise<void> {
  await video.play();
  if (!video.videoWidth) await new Promise((resolve) => video.addEventListener("resize", resolve, { once: true }));
}
