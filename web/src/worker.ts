/** The worker of `HandTracker`: one `LocalTracker` that answers messages. */

import { onDownload } from "./downloads.js";
import { EngineError, type SentError, send } from "./errors.js";
import type { Step } from "./graph.js";
import { LocalTracker, type Request, type Setup } from "./local_tracker.js";

/** Messages of the page: the setup first, then requests. `beat` asks for a sign of life. */
export type ToWorker =
  | { readonly id: number; readonly setup: Setup }
  | { readonly id: number; readonly request: Request; readonly observe: boolean }
  | { readonly id: number; readonly beat: true };

/** Answers, one for each message; and bytes that were downloaded, while the tracker starts. */
export type FromWorker =
  | { readonly id: number; readonly value: unknown; readonly steps: readonly Step[] }
  | { readonly id: number; readonly error: SentError; readonly broken: boolean }
  | { readonly id: 0; readonly downloaded: number };

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}

const scope = self as unknown as WorkerScope;
let tracker: LocalTracker | null = null;

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage(await answer(data));
  } catch (error) {
    scope.postMessage({ id: data.id, error: send(error), broken: error instanceof EngineError });
  }
};

async function answer(message: ToWorker): Promise<FromWorker> {
  if ("setup" in message) {
    limitPool(message.setup.threads);
    onDownload((bytes) => scope.postMessage({ id: 0, downloaded: bytes }));
    tracker = await LocalTracker.create(message.setup);
    onDownload(null);
    return { id: message.id, value: tracker.about, steps: [] };
  }
  if ("beat" in message) return { id: message.id, value: null, steps: [] };
  if (!tracker) throw new EngineError("the tracker has not been started");
  const steps: Step[] = [];
  const value = await tracker.handle(message.request, message.observe ? (step) => steps.push(step) : null);
  return { id: message.id, value, steps };
}

/** The runtime starts a thread for each core of the machine, even if it uses fewer. So this worker reports fewer cores. */
function limitPool(threads: number | null): void {
  const most = Math.min(navigator.hardwareConcurrency || 1, threads ?? 4);
  Object.defineProperty(navigator, "hardwareConcurrency", { value: most, configurable: true });
}
