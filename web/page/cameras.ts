/** The list of cameras, and switching between them. */
import type { Player } from "./player.js";
import { element } from "./report.js";
import type { Settings } from "./settings.js";
import { type CameraChoice, cameraShape, listCameras, openCamera } from "./sources.js";

export class Cameras {
  private readonly list = element<HTMLSelectElement>("camera");
  private choice: CameraChoice = { deviceId: "", facing: "user", size: "auto", rate: null };

  /** @param ended called if the camera stops. */
  constructor(
    private readonly player: Player,
    private readonly settings: () => Settings,
    private readonly ended: () => void,
  ) {
    this.list.addEventListener("change", () => {
      const { value } = this.list;
      if (value) void this.use({ deviceId: value === "any" ? "" : value, facing: "user" });
    });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.fill());
  }

  /** Track a camera. If it cannot be opened, the one before goes on. */
  async use(which: Pick<CameraChoice, "deviceId" | "facing">): Promise<void> {
    const { player } = this;
    const before = player.source?.kind === "camera" ? this.choice : null;
    // Phones open one camera at a time.
    if (before) player.source?.close();
    const wanted = { ...which, ...this.shape() };
    if (await this.open(wanted)) this.choice = wanted;
    else if (before && player.source?.kind === "camera") {
      const trouble = element("message").textContent;
      if (await this.open(before)) Object.assign(element("message"), { textContent: trouble, hidden: false });
      else await player.close();
    }
    await this.fill();
  }

  /** The camera on the other side of a phone, or the next one in the list. */
  async switch(): Promise<void> {
    const track = this.track();
    if (track?.getSettings().facingMode) {
      const facing = track.getSettings().facingMode === "environment" ? "user" : "environment";
      return this.use({ deviceId: "", facing });
    }
    const ids = [...this.list.options].map((option) => option.value).filter((id) => id && id !== "any");
    const next = ids[(ids.indexOf(this.list.value) + 1) % ids.length];
    await this.use({ deviceId: next ?? "", facing: this.choice.facing });
  }

  /** Ask the running camera for the settings' size and rate. */
  async reshape(): Promise<void> {
    this.choice = { ...this.choice, ...this.shape() };
    await this.track()?.applyConstraints(cameraShape(this.choice));
  }

  /** Fill the list; cameras have names once the user has allowed one. */
  async fill(): Promise<void> {
    const cameras = await listCameras();
    const choices = cameras.map(({ id, name }) => new Option(name, id || "any"));
    this.list.replaceChildren(new Option(cameras.length ? "Choose a camera" : "No camera found", ""), ...choices);
    this.list.value = this.track()?.getSettings().deviceId ?? "";
    if (this.list.selectedIndex < 0) this.list.value = "";
    element("switch").hidden = !this.track() || cameras.length < 2;
  }

  private open(choice: CameraChoice): Promise<boolean> {
    return this.player.open("the camera", () => openCamera(choice, this.ended));
  }

  private shape(): Pick<CameraChoice, "size" | "rate"> {
    const { cameraSize, rate } = this.settings();
    return { size: cameraSize, rate };
  }

  private track(): MediaStreamTrack | null {
    if (this.player.source?.kind !== "camera") return null;
    const { srcObject } = element<HTMLVideoElement>("video");
    return srcObject instanceof MediaStream ? srcObject.getVideoTracks()[0] : null;
  }
}
