/** How fast it is: results a second, time per frame, time of each node of the graph. */
import type { Step } from "../src/index.js";

const WINDOW = 60;

interface Node {
  /** Milliseconds of the runs among the last `WINDOW` frames; null where it was skipped. */
  times: (number | null)[];
}

/** Collects what the tracker's observer and the page tell. */
export class Speed {
  private results: number[] = [];
  private frames: number[] = [];
  private readonly nodes = new Map<string, Node>();

  /** One node of one frame; those within subgraphs are part of their subgraph's node. */
  note(step: Step): void {
    if (step.path.length !== 2) return;
    const name = step.path[1];
    const node = this.nodes.get(name) ?? { times: [] };
    this.nodes.set(name, node);
    node.times.push(step.skipped ? null : 1000 * step.seconds);
    if (node.times.length > WINDOW) node.times.shift();
  }

  /** One frame is done, at `now`, after `ms`. */
  done(now: number, ms: number): void {
    this.results.push(now);
    this.frames.push(ms);
    while (now - this.results[0] > 2000) this.results.shift();
    if (this.frames.length > WINDOW) this.frames.shift();
  }

  forget(): void {
    this.results = [];
    this.frames = [];
    this.nodes.clear();
  }

  /** Results a second over the last two seconds, null before there are enough. */
  fps(now: number): number | null {
    const recent = this.results.filter((at) => now - at < 2000);
    if (recent.length < 3) return null;
    return (1000 * (recent.length - 1)) / (recent[recent.length - 1] - recent[0]);
  }

  /** Milliseconds from handing a frame over to its result, median of the last frames. */
  ms(): number | null {
    return this.frames.length ? median(this.frames) : null;
  }

  /** Per node the median of its runs, and the part of the frames in which it ran. */
  rows(): { name: string; ms: number | null; share: number }[] {
    return [...this.nodes].map(([name, { times }]) => {
      const ran = times.filter((time) => time !== null);
      return { name, ms: ran.length ? median(ran) : null, share: ran.length / times.length };
    });
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
