/** The page's tables of hands and speed, and a live text for screen readers. */
import type { Hand } from "../src/index.js";
import type { Speed } from "./speed.js";
import type { Found } from "./tracking.js";

const QUIET_MS = 1500;
const VISIBLE_FROM = 0.5;

/** An element of the page by its id. */
export function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Fill the table of hands; palms have no rows. */
export function showHands({ hands, palms }: Found): void {
  const body = element<HTMLTableElement>("hands").tBodies[0];
  const rows = (hands ?? []).map((hand) => [
    String(hand.trackId ?? "–"),
    hand.gesture ? `${hand.handedness}, ${gestureName(hand)}` : hand.handedness,
    percent(hand.handednessScore),
    percent(hand.presence),
    visible(hand),
  ]);
  fill(body, rows);
  for (const [i, hand] of (hands ?? []).entries()) body.rows[i].dataset.side = hand.handedness;
  element("hands").hidden = rows.length === 0;
  element("hands").dataset.visibility = hands?.some((hand) => hand.visibility) ? "known" : "unknown";
  const none = element("no-hands");
  none.hidden = rows.length > 0;
  none.textContent = palms ? `${count(palms.length, "palm")} in view. Palms have no landmarks.` : "No hands in view.";
}

/** What is in view, for screen readers: "2 hands: left, right". */
export function describe({ hands, palms }: Found): string {
  if (palms) return palms.length ? count(palms.length, "palm") : "No palms";
  if (!hands?.length) return "No hands";
  return `${count(hands.length, "hand")}: ${hands.map(spoken).join(", ")}`;
}

function spoken(hand: Hand): string {
  const side = hand.handedness.toLowerCase();
  return hand.gesture ? `${side} ${gestureName(hand)}` : side;
}

function gestureName({ gesture }: Hand): string {
  return gesture?.name.replaceAll("_", " ") ?? "";
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function visible({ visibility }: Hand): string {
  return visibility ? `${visibility.filter((value) => value >= VISIBLE_FROM).length} of 21` : "–";
}

function percent(value: number): string {
  return `${Math.round(100 * value)} %`;
}

/** Show the frame rate, the time per frame, and the time of each step. */
export function showSpeed(speed: Speed, now: number): void {
  const [fps, ms] = [speed.fps(now), speed.ms()];
  element("fps").textContent = fps === null ? "–" : fps.toFixed(fps < 10 ? 1 : 0);
  element("ms").textContent = ms === null ? "–" : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  const details = element<HTMLDetailsElement>("nodes");
  if (!details.open) return;
  const rows = speed
    .rows()
    .map(({ name, ms: each, share }) => [
      name,
      each === null ? "–" : `${each.toFixed(each < 1 ? 2 : 1)} ms`,
      percent(share),
    ]);
  fill((details.querySelector("table") as HTMLTableElement).tBodies[0], rows);
}

function fill(body: HTMLTableSectionElement, rows: readonly (readonly string[])[]): void {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    cells.forEach((text, k) => {
      const cell = row.cells[k] ?? row.insertCell();
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

/** Announces what is in view to screen readers, at most every `QUIET_MS`. */
export class Announcer {
  private announced = "";
  private wanted = "";
  private timer = 0;

  constructor(
    private readonly live: HTMLElement,
    private readonly picture: HTMLElement,
  ) {}

  say(text: string): void {
    this.wanted = text;
    if (this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      if (this.wanted === this.announced) return;
      this.announced = this.wanted;
      this.live.textContent = this.announced;
      this.picture.setAttribute("aria-label", this.announced);
    }, QUIET_MS);
  }
}
