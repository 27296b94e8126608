/** Base class of the errors that Knuckle throws. Messages say what arrived, what was expected and what to do. */
export class KnuckleError extends Error {
  override name = "KnuckleError";
}

/** An image, option, region or time stamp cannot be used. */
export class InputError extends KnuckleError {
  override name = "InputError";
}

/** A model bundle is missing or damaged, or cannot be fetched. */
export class BundleError extends KnuckleError {
  override name = "BundleError";
}

/** An inference engine or device is missing, refuses the network or failed. */
export class EngineError extends KnuckleError {
  override name = "EngineError";
}

const KINDS = { KnuckleError, InputError, BundleError, EngineError };

/** An error as it is sent from a worker to the page. */
export interface SentError {
  name: string;
  message: string;
}

/** @internal */
export function send(error: unknown): SentError {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}

/** The inverse of `send`. @internal */
export function receive(sent: SentError): Error {
  const Kind = KINDS[sent.name as keyof typeof KINDS];
  return Kind ? new Kind(sent.message) : Object.assign(new Error(sent.message), { name: sent.name });
}
