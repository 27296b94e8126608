/** The signs that the page is at work: a text and a spinner over the image, and how much of the model is loaded. */
import { element } from "./report.js";

/** Work that takes less time than this needs no sign. */
const PATIENCE_MS = 250;

/** Shows one sign at a time, for the newest work. */
export class Busy {
  private turn = 0;

  /** Show `text` until the work is done. */
  async during<T>(text: string, work: Promise<T>): Promise<T> {
    const turn = ++this.turn;
    const sign = element("busy");
    const timer = window.setTimeout(() => {
      if (turn !== this.turn) return;
      this.say(text);
      sign.hidden = false;
    }, PATIENCE_MS);
    try {
      return await work;
    } finally {
      window.clearTimeout(timer);
      if (turn === this.turn) sign.hidden = true;
    }
  }

  /** Change the text of the sign. */
  say(text: string): void {
    element("busy-text").textContent = text;
  }
}

/** "Loading the model … 3.4 of 12.9 MB". The total is that of the large files, so a little more may arrive. */
export function loadingText(bytes: number, total: number | null): string {
  const loading = "Loading the model …";
  if (!bytes) return loading;
  if (total === null) return `${loading} ${megabytes(bytes)} MB`;
  return `${loading} ${megabytes(Math.min(bytes, total))} of ${megabytes(total)} MB`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
