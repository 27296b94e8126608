/** Every error that Knuckle throws on purpose: what arrived, what was expected, what to do. */
export class KnuckleError extends Error {
  override name = "KnuckleError";
}

/** An image, option, region or time stamp that cannot be used. */
export class InputError extends KnuckleError {
  override name = "InputError";
}

/** A model bundle that is missing, damaged or out of reach. */
export class BundleError extends KnuckleError {
  override name = "BundleError";
}

/** An inference engine or device that is not there, refuses the network or broke down. */
export class EngineError extends KnuckleError {
  override name = "EngineError";
}

const KINDS = { KnuckleError, InputError, BundleError, EngineError };

/** An error as it crosses from a worker to the page. */
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

/** The error that `send` took apart. @internal */
export function receive(sent: SentError): Error {
  const Kind = KINDS[sent.name as keyof typeof KINDS];
  return Kind ? new Kind(sent.message) : Object.assign(new Error(sent.message), { name: sent.name });
}
