/** The record button: records a video or saves a photo, then offers the files for download. */
import { mirrored } from "./mirror.js";
import type { Picture } from "./picture.js";
import { type Download, dataFiles, Recording, type Row, stem } from "./record.js";
import { element } from "./report.js";

/** Records the image and offers the files. */
export class Saving {
  /** Draw the hands into recorded images. */
  overlay = true;
  private recording: Recording | null = null;

  /** @param offered called when files are ready to download. */
  constructor(
    private readonly picture: Picture,
    private readonly offered: (what: string) => void,
  ) {}

  get recordsNow(): boolean {
    return this.recording !== null;
  }

  async toggle(): Promise<void> {
    const { source } = this.picture;
    if (source?.kind === "photo") return this.savePhoto(source.label);
    if (this.recording) return this.stop();
    if (!source) return;
    const { width, height } = this.picture.size;
    this.recording = new Recording(width, height, source.label);
    this.showState();
  }

  /** Add the current frame and its hands to the recording. */
  add(timeS: number): void {
    const { recording, picture } = this;
    if (!recording?.ctx || !picture.source) return;
    recording.add(this.row(timeS));
    picture.drawInto(recording.ctx, picture.frame, this.overlay);
    const seconds = Math.floor((performance.now() - recording.startedMs) / 1000);
    element("recorded").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  async stop(): Promise<void> {
    const { recording } = this;
    if (!recording) return;
    this.recording = null;
    this.showState();
    this.offer(await recording.stop(), "Recording");
  }

  /** What was found, mirrored if the image is, so that it fits the saved image. */
  row(timeS: number): Row {
    const { picture } = this;
    const row = { timeS, ...picture.size, ...picture.found };
    return picture.flip ? mirrored(row) : row;
  }

  /** Update the button and the recording indicator. */
  showState(): void {
    const button = element<HTMLButtonElement>("record");
    const { source } = this.picture;
    button.disabled = source === null;
    button.textContent = source?.kind === "photo" ? "Save" : this.recordsNow ? "Stop" : "Record";
    button.classList.toggle("on", this.recordsNow);
    element("recording").hidden = !this.recordsNow;
    element("recorded").textContent = "0:00";
  }

  private async savePhoto(label: string): Promise<void> {
    const { picture } = this;
    const canvas = document.createElement("canvas");
    const ctx = canvas.getContext("2d");
    const { width, height } = picture.photo;
    if (!ctx) return;
    Object.assign(canvas, { width, height });
    picture.drawInto(ctx, picture.photo, this.overlay);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    const drawn: Download[] = blob ? [{ name: `${stem(label)}_hands.png`, what: "Image", blob }] : [];
    this.offer([...drawn, ...dataFiles([this.row(0)], label)], "Photo");
  }

  /** Show links to files in place of those of before. */
  offer(files: readonly Download[], title: string): void {
    const list = element("downloads");
    for (const link of list.querySelectorAll("a")) URL.revokeObjectURL(link.href);
    element("saved-title").textContent = title;
    list.replaceChildren(...files.map(linkTo));
    element("saved").hidden = false;
    this.offered(title);
  }
}

function linkTo({ name, what, blob }: Download): HTMLLIElement {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  const size =
    blob.size < 1e6 ? `${Math.max(1, Math.round(blob.size / 1e3))} kB` : `${(blob.size / 1e6).toFixed(1)} MB`;
  link.append(what, Object.assign(document.createElement("small"), { textContent: size }));
  const item = document.createElement("li");
  item.append(link);
  return item;
}
