/** Gestures on the page: names beside the hands, gestures in motion as a list of events, and teaching new ones. */
import {
  type Example,
  fitGestures,
  type GestureEvent,
  GestureRecogniser,
  type GestureSetsJson,
  type Hand,
  MotionGestures,
  NONE,
  palmSize,
  type Report,
  reportOf,
  type ShapeNetworkJson,
  SteadyGestures,
  type TaughtJson,
} from "../src/index.js";
import { explain } from "./messages.js";
import { element } from "./report.js";
import type { Tracking } from "./tracking.js";

const PER_TAKE = 10; // hands that one capture from a video takes
const EVERY_S = 0.3;
const [FEWEST, MOST] = [5, 50]; // examples of a gesture
const EVENTS_SHOWN = 5;
const KEPT = "knuckle-gestures"; // taught gestures in the browser's storage

interface Files {
  readonly network: ShapeNetworkJson;
  readonly sets: GestureSetsJson;
}

/** Name the hands of a tracker as the panel says; `changed` is called when the image that is shown should be named anew. */
export function watchGestures(tracking: Tracking, changed: () => void): void {
  const panel = new Panel(changed);
  tracking.named = (hands, timeS) => panel.named(hands, timeS);
  tracking.onReset = () => panel.reset();
}

/** The network and the sets; they are loaded when gestures are first asked for. */
async function loadFiles(): Promise<Files> {
  const [network, sets] = await Promise.all([
    import("../../src/knuckle/gestures/network.json"),
    import("../../src/knuckle/gestures/sets.json"),
  ]);
  return { network: network.default, sets: sets.default };
}

class Panel {
  private readonly choice = element<HTMLSelectElement>("gesture-set");
  private readonly motionWanted = element<HTMLInputElement>("gesture-motion");
  private readonly events = element<HTMLOListElement>("gesture-events");
  private readonly teacher: Teacher;
  private files: Promise<Files> | null = null;
  private recogniser: GestureRecogniser | null = null;
  private steady: SteadyGestures | null = null;
  private motion = new MotionGestures();

  constructor(private readonly changed: () => void) {
    this.teacher = new Teacher(
      () => this.load(),
      () => void this.useTaught(),
    );
    this.choice.addEventListener("change", () => void this.choose());
    this.motionWanted.addEventListener("change", () => {
      this.motion.reset();
      this.events.replaceChildren();
      this.events.hidden = !this.motionWanted.checked;
    });
    if (this.teacher.taught) this.offerTaught();
  }

  /** The hands of a frame with their gestures; the time is null for photos. */
  named(hands: Hand[], timeS: number | null): Hand[] {
    this.teacher.see(hands, timeS);
    if (timeS !== null && this.motionWanted.checked)
      for (const event of this.motion.next(hands, timeS)) this.show(event);
    if (timeS === null || !this.steady) return this.recogniser?.recognise(hands) ?? hands;
    return this.steady.recognise(hands, timeS);
  }

  /** Forget all hands, before another video. */
  reset(): void {
    this.steady?.reset();
    this.motion.reset();
  }

  private load(): Promise<Files> {
    this.files ??= loadFiles();
    this.files.catch(() => {
      this.files = null;
    });
    return this.files;
  }

  private async choose(): Promise<void> {
    const name = this.choice.value;
    this.recogniser = this.steady = null;
    try {
      if (name) {
        const { network, sets } = await this.load();
        if (name !== this.choice.value) return;
        const { taught } = this.teacher;
        this.recogniser =
          name === "taught" && taught
            ? GestureRecogniser.ofTaught(network, taught)
            : GestureRecogniser.ofSet(network, sets, name);
        this.steady = new SteadyGestures(this.recogniser);
      }
    } catch (error) {
      this.choice.value = "";
      this.teacher.say(explain(error));
    }
    this.changed();
  }

  private offerTaught(): void {
    const option = this.choice.querySelector<HTMLOptionElement>("option[value=taught]");
    if (option) option.disabled = false;
  }

  private async useTaught(): Promise<void> {
    this.offerTaught();
    this.choice.value = "taught";
    await this.choose();
  }

  private show(event: GestureEvent): void {
    if (event.phase === "change") return;
    const parts = [event.name.replaceAll("_", " "), event.direction, event.phase === "once" ? null : event.phase];
    const line = Object.assign(document.createElement("li"), { textContent: parts.filter(Boolean).join(" ") });
    line.dataset.name = event.name;
    this.events.prepend(line);
    while (this.events.children.length > EVENTS_SHOWN) this.events.lastElementChild?.remove();
  }
}

/** Collects examples and learns from them. Only landmarks are kept, no images. */
class Teacher {
  taught: TaughtJson | null = restored();
  private examples: Example[] = [];
  private takes = 0;
  private taking: { name: string; group: string; left: number; lastS: number } | null = null;
  private seen: { hand: Hand | null; isPhoto: boolean } = { hand: null, isPhoto: true };

  constructor(
    private readonly files: () => Promise<Files>,
    private readonly done: () => void,
  ) {
    const file = element<HTMLInputElement>("gesture-file");
    const actions: Record<string, () => void> = {
      capture: () => this.capture(),
      train: () => void this.learn(),
      clear: () => this.clear(),
      download: () => this.download(),
      load: () => file.click(),
    };
    for (const [name, run] of Object.entries(actions)) element(`gesture-${name}`).addEventListener("click", run);
    file.addEventListener("change", () => {
      if (file.files?.[0]) void this.open(file.files[0]);
      file.value = "";
    });
    this.refresh();
  }

  say(text: string): void {
    element("gesture-status").textContent = text;
  }

  /** Take an example of a frame, if a capture is under way. */
  see(hands: readonly Hand[], timeS: number | null): void {
    const hand = hands.reduce<Hand | null>((a, b) => (a && palmSize(a) >= palmSize(b) ? a : b), null);
    this.seen = { hand, isPhoto: timeS === null };
    if (!this.taking || !hand || timeS === null || timeS - this.taking.lastS < EVERY_S) return;
    this.taking.lastS = timeS;
    this.take(hand);
  }

  private capture(): void {
    const name = element<HTMLInputElement>("gesture-name").value.trim();
    const { hand, isPhoto } = this.seen;
    const left = isPhoto ? 1 : PER_TAKE;
    if (!name) this.say("Give the gesture a name first.");
    else if (this.countOf(name) >= MOST) this.say(`${MOST} examples of ${name} are enough.`);
    else if (isPhoto && !hand) this.say("No hand is in view.");
    else {
      this.taking = { name, group: `take ${++this.takes}`, left, lastS: Number.NEGATIVE_INFINITY };
      if (isPhoto && hand) this.take(hand);
      else this.say(`Hold ${name}: ${left} to go`);
    }
  }

  private take(hand: Hand): void {
    if (!this.taking) return;
    const { name, group } = this.taking;
    this.examples.push({ name, group, hand: { ...hand, visibility: null } });
    this.taking.left -= 1;
    const finished = this.taking.left <= 0 || this.countOf(name) >= MOST;
    this.say(finished ? `${this.countOf(name)} examples of ${name}.` : `Hold ${name}: ${this.taking.left} to go`);
    if (finished) this.taking = null;
    this.refresh();
  }

  private countOf(name: string): number {
    return this.examples.filter((one) => one.name === name).length;
  }

  private async learn(): Promise<void> {
    try {
      const { network } = await this.files();
      this.taught = fitGestures(network, this.examples);
      const report = reportOf(network, this.examples, this.taught.directed);
      showReport(report);
      const takes = new Set(this.examples.map(({ group }) => group)).size;
      const few = this.taught.names.filter((name) => this.countOf(name) < FEWEST);
      const notes = [
        `${report.right} of ${report.total} hands right, each by gestures learned without its take.`,
        few.length ? `${FEWEST} or more examples are better: ${few.join(", ")}.` : "",
        takes <= this.taught.names.length ? "Capture each gesture again to know how well this works." : "",
      ];
      this.say(notes.filter(Boolean).join(" "));
      this.keep();
    } catch (error) {
      this.say(explain(error));
    }
  }

  private async open(file: File): Promise<void> {
    try {
      const taught: TaughtJson = JSON.parse(await file.text());
      const { network } = await this.files();
      GestureRecogniser.ofTaught(network, taught);
      this.taught = taught;
      this.say(`${file.name}: ${taught.names.join(", ")}`);
      this.keep();
    } catch (error) {
      this.say(`${file.name} cannot be used: ${explain(error)}`);
    }
  }

  private keep(): void {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.taught));
    } catch {} // without storage the gestures last until the page closes
    this.refresh();
    this.done();
  }

  private clear(): void {
    this.examples = [];
    this.taking = null;
    element("gesture-report").hidden = true;
    this.say("");
    this.refresh();
  }

  private download(): void {
    const blob = new Blob([JSON.stringify(this.taught)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(blob),
      download: "gestures.json",
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  private refresh(): void {
    const names = [...new Set(this.examples.map(({ name }) => name))].sort();
    const line = (name: string) =>
      Object.assign(document.createElement("li"), { textContent: `${name}: ${this.countOf(name)}` });
    element("gesture-examples").replaceChildren(...names.map(line));
    element<HTMLButtonElement>("gesture-train").disabled = !names.some((name) => name !== NONE);
    element<HTMLButtonElement>("gesture-clear").disabled = names.length === 0;
    element<HTMLButtonElement>("gesture-download").disabled = this.taught === null;
  }
}

/** Gestures that were taught on an earlier visit. */
function restored(): TaughtJson | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

function showReport({ confusion }: Report): void {
  const table = element<HTMLTableElement>("gesture-report");
  const rows = Object.entries(confusion).map(([name, said]) => {
    const total = Object.values(said).reduce((sum, count) => sum + count, 0);
    const wrong = Object.entries(said).filter(([other]) => other !== name);
    const taken = wrong.map(([other, count]) => `${other} ${count}`).join(", ");
    return [name, `${said[name] ?? 0} of ${total}`, taken || "–"];
  });
  const body = table.tBodies[0];
  body.replaceChildren();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const text of cells) row.insertCell().textContent = text;
  }
  table.hidden = false;
}
