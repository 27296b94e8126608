import { InputError } from "./errors.js";
import { finish, finishNow, isWork, type Work, wait } from "./work.js";

/** What an observer learns about one node in one call. */
export interface Step {
  /** Names from the outermost graph to the node's output, as `["hand_tracking", "palms", …]`. */
  readonly path: readonly string[];
  /** Run time; 0 if it was skipped. */
  readonly seconds: number;
  /** Whether it was skipped because of `when`. */
  readonly skipped: boolean;
}

/** Called after every node of every call, for nodes of nested graphs first. */
export type Observer = (step: Step) => void;

/** One step of a graph. */
export interface Node {
  /** A function, which may return a promise or `Work`, or another graph. */
  readonly run: Graph | ((...values: never[]) => unknown);
  /** Names of its arguments, in order. */
  readonly inputs: readonly string[];
  /** Name of its result. */
  readonly output: string;
  /** Name of a value; the node is skipped if that is empty or false. */
  readonly when?: string;
  /** The result of a skipped node; default: an empty list. */
  readonly otherwise?: unknown;
}

interface Description {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly nodes: readonly Node[];
  readonly output: string;
  /** Values from the previous call, by name: the name of the value that each takes, and its value in the first call. */
  readonly feedback?: Readonly<Record<string, readonly [string, unknown]>>;
}

const NOTHING: readonly unknown[] = [];

/**
 * An ordered list of nodes. A node calls a function on named values and names the result. Nodes run in the order of the
 * list, so a value must be produced above the line that uses it; this is checked when the graph is built. `when` skips a
 * node. `feedback` carries a value from one call to the next; it is the only state.
 */
export class Graph {
  private state: Record<string, unknown> = {};

  /** @throws InputError if a name is used before it is produced, or produced twice, or never. */
  constructor(readonly description: Description) {
    this.check();
    this.reset();
  }

  /** Forget all earlier calls. `changes` replaces first values of feedback. */
  reset(changes: Record<string, unknown> = {}): void {
    const feedback = Object.entries(this.description.feedback ?? {});
    this.state = { ...Object.fromEntries(feedback.map(([name, [, first]]) => [name, first])), ...changes };
    for (const { run } of this.description.nodes) if (run instanceof Graph) run.reset();
  }

  /** The values that the next call takes from the last one. */
  get memory(): Readonly<Record<string, unknown>> {
    return this.state;
  }

  /** Run on one value per input. A call that throws does not change the feedback. */
  run(inputs: readonly unknown[], observe?: Observer | null): Promise<unknown> {
    return finish(this.work(inputs, observe));
  }

  /** The same at once. @throws InputError if a node has to wait. */
  runNow(inputs: readonly unknown[], observe?: Observer | null): unknown {
    return finishNow(this.work(inputs, observe));
  }

  /** The same as work. @internal */
  *work(inputs: readonly unknown[], observe?: Observer | null, above: readonly string[] = []): Work<unknown> {
    const { name, inputs: names, nodes, output, feedback = {} } = this.description;
    const values: Record<string, unknown> = { ...this.state };
    names.forEach((input, i) => {
      values[input] = inputs[i];
    });
    const path = observe ? [...above, name] : above;
    for (const node of nodes) {
      const start = observe ? performance.now() : 0;
      const skipped = node.when !== undefined && isEmpty(values[node.when]);
      values[node.output] = skipped ? (node.otherwise ?? NOTHING) : yield* workOf(node, values, observe, path);
      const seconds = skipped || !observe ? 0 : (performance.now() - start) / 1000;
      observe?.({ path: [...path, node.output], seconds, skipped });
    }
    this.state = Object.fromEntries(Object.entries(feedback).map(([key, [source]]) => [key, values[source]]));
    return values[output];
  }

  private check(): void {
    const { name, inputs, nodes, output, feedback = {} } = this.description;
    const known = new Set([...inputs, ...Object.keys(feedback)]);
    const need = (names: readonly string[], who: string) => {
      const missing = names.filter((needed) => !known.has(needed));
      if (missing.length) throw new InputError(`${who} needs ${missing.join(", ")}, which no node above it produces`);
    };
    for (const node of nodes) {
      need([...node.inputs, ...(node.when === undefined ? [] : [node.when])], `${name}.${node.output}`);
      if (known.has(node.output)) throw new InputError(`${name}: ${node.output} is produced twice`);
      known.add(node.output);
    }
    need([output, ...Object.values(feedback).map(([source]) => source)], name);
  }
}

function* workOf(
  node: Node,
  values: Record<string, unknown>,
  observe: Observer | null | undefined,
  path: readonly string[],
): Work<unknown> {
  const given = node.inputs.map((name) => values[name]);
  if (node.run instanceof Graph) return yield* node.run.work(given, observe, path);
  const result = (node.run as (...inputs: unknown[]) => unknown)(...given);
  return isWork(result) ? yield* result : yield* wait(result);
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : !value;
}
