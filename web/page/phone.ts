/** What phones need: the screen stays on, the image fills it, and the page can be installed. */
import { element } from "./report.js";

/** Keeps the screen on while a video plays. */
export class WakeLock {
  private lock: Promise<WakeLockSentinel | null> = Promise.resolve(null);
  private wanted = false;

  constructor() {
    // Browsers release the lock when the page is hidden.
    document.addEventListener("visibilitychange", () => {
      if (this.wanted && document.visibilityState === "visible") this.request();
    });
  }

  keep(on: boolean): void {
    if (on === this.wanted) return;
    this.wanted = on;
    document.documentElement.dataset.awake = String(on);
    if (on) this.request();
    else void this.lock.then((lock) => lock?.release());
  }

  private request(): void {
    this.lock = (navigator.wakeLock?.request("screen") ?? Promise.resolve(null)).catch(() => null);
  }
}

/** Fill the screen with the image, or stop that. iPhones have no full screen for pages: there it fills the page. */
export async function toggleFullScreen(): Promise<void> {
  const root = document.documentElement;
  if (document.fullscreenElement) return document.exitFullscreen();
  if (root.classList.contains("filled")) return setFilled(false);
  if (document.fullscreenEnabled) await root.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
  setFilled(true);
}

/** Follow the browser's own way out of full screen: Escape, or a gesture. */
export function watchFullScreen(): void {
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) setFilled(false);
  });
}

function setFilled(filled: boolean): void {
  document.documentElement.classList.toggle("filled", filled);
  const button = element("full");
  button.setAttribute("aria-pressed", String(filled));
  button.setAttribute("aria-label", filled ? "Leave full screen" : "Full screen");
}

interface InstallEvent extends Event {
  prompt(): Promise<void>;
  readonly userChoice: Promise<{ outcome: string }>;
}

/** Show the button to install the page when the browser allows it. */
export function offerInstall(): void {
  const button = element("install");
  let offer: InstallEvent | null = null;
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event as InstallEvent;
    button.hidden = false;
  });
  window.addEventListener("appinstalled", () => {
    button.hidden = true;
  });
  button.addEventListener("click", async () => {
    await offer?.prompt();
    await offer?.userChoice;
    offer = null;
    button.hidden = true;
  });
}
