/** Speed of the tracker: results per second, time per frame, and time of each step of the graph. */
import type { Step } from "../src/index.js";

const WINDOW = 60;

interface Node {
  /** Milliseconds in each of the last `WINDOW` frames; null if the step was skipped. */
  times: (number | null)[];
}

/** Collects times from the tracker's observer and from the page. */
export class Speed {
  private results: number[] = [];
  private frames: number[] = [];
  private readonly nodes = new Map<string, Node>();

  /** Add one step of one frame; steps inside subgraphs count as part of their subgraph. */
  note(step: Step): void {
    if (step.path.length !== 2) return;
    const name = step.path[1];
    const node = this.nodes.get(name) ?? { times: [] };
    this.nodes.set(name, node);
    node.times.push(step.skipped ? null : 1000 * step.seconds);
    if (node.times.length > WINDOW) node.times.shift();
  }

  /** Add a frame that was finished at `now` after `ms` milliseconds. */
  done(now: number, ms: number): void {
    this.results.push(now);
    this.frames.push(ms);
    while (now - this.results[0] > 2000) this.results.shift();
    if (this.frames.length > WINDOW) this.frames.shift();
  }

  reset(): void {
    this.results = [];
    this.frames = [];
    this.nodes.clear();
  }

  /** Results per second over the last two seconds; null if there are too few. */
  fps(now: number): number | null {
    const recent = this.results.filter((at) => now - at < 2000);
    if (recent.length < 3) return null;
    return (1000 * (recent.length - 1)) / (recent[recent.length - 1] - recent[0]);
  }

  /** Median time from a frame to its result, in milliseconds. */
  ms(): number | null {
    return this.frames.length ? median(this.frames) : null;
  }

  /** For each step, the median time of its runs and the share of frames in which it ran. */
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
