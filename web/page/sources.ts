/** Image sources: cameras, files and the sample. */

/** An open source. */
export interface Source {
  readonly kind: "camera" | "video" | "photo";
  readonly label: string;
  /** Whether the camera faces the user, who then expects a mirror image. */
  readonly facesUser: boolean;
  close(): void;
}

const SMALL = { width: { ideal: 640 }, height: { ideal: 480 } };
const LARGE = { width: { ideal: 1280 }, height: { ideal: 720 } };

/** Show a camera in the video element; the browser asks the user first. `ended` is called if the camera stops. */
export async function openCamera(video: HTMLVideoElement, deviceId: string, ended: () => void): Promise<Source> {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new DOMException("", isSecureContext ? "NotSupportedError" : "InsecureContextError");
  const size = navigator.hardwareConcurrency > 4 ? LARGE : SMALL;
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { ...size, frameRate: { ideal: 30 }, ...which },
  });
  const [track] = stream.getVideoTracks();
  track.addEventListener("ended", ended);
  const close = () => {
    for (const each of stream.getTracks()) each.stop();
    if (video.srcObject === stream) video.srcObject = null;
  };
  try {
    video.srcObject = stream;
    await playing(video);
  } catch (error) {
    close();
    throw error;
  }
  return {
    kind: "camera",
    label: track.label || "camera",
    facesUser: track.getSettings().facingMode !== "environment",
    close,
  };
}

/** Play a video file in the video element, in a loop. */
export async function openVideo(video: HTMLVideoElement, file: Blob | string, label: string): Promise<Source> {
  const address = typeof file === "string" ? file : URL.createObjectURL(file);
  const close = () => {
    video.removeAttribute("src");
    video.load();
    if (typeof file !== "string") URL.revokeObjectURL(address);
  };
  video.srcObject = null;
  video.src = address;
  video.loop = true;
  try {
    await playing(video);
  } catch (error) {
    close();
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new DOMException(label, "EncodingError");
  }
  return { kind: "video", label, facesUser: false, close };
}

/** Draw a photo on the canvas, rotated as its EXIF orientation says. */
export async function openPhoto(canvas: HTMLCanvasElement, file: Blob, label: string): Promise<Source> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new DOMException(label, "EncodingError");
  }
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { kind: "photo", label, facesUser: false, close: () => {} };
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
