/**
 * Work that may have to wait, written once as a generator: `finish` waits for its promises, `finishNow` allows none. So
 * one pipeline serves `HandTracker`, which waits, and calls that return their result at once.
 */
import { InputError } from "./errors.js";

/** Yields the promises that it waits for and receives their values. */
export type Work<T> = Generator<PromiseLike<unknown>, T, unknown>;

/** The value, or that of a promise: `const outputs = yield* wait(network.run(picture))`. */
export function* wait<T>(value: T | PromiseLike<T>): Work<T> {
  return isPromise(value) ? ((yield value) as T) : value;
}

/** Run the work to its end. */
export async function finish<T>(work: Work<T>): Promise<T> {
  let step = work.next();
  while (!step.done) {
    let value: unknown;
    try {
      value = await step.value;
    } catch (error) {
      step = work.throw(error);
      continue;
    }
    step = work.next(value);
  }
  return step.value;
}

/** Run the work to its end without waiting. @throws InputError if it has to wait. */
export function finishNow<T>(work: Work<T>): T {
  const step = work.next();
  if (step.done) return step.value;
  Promise.resolve(step.value).catch(() => {}); // nobody waits for it
  work.return(undefined as never);
  throw new InputError("this image or engine takes time, and this call cannot wait; use the calls of HandTracker");
}

/** Whether a value is work: a generator that a node of a graph returned. */
export function isWork(value: unknown): value is Work<unknown> {
  return Object.prototype.toString.call(value) === "[object Generator]";
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null)?.then === "function";
}
