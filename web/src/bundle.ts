/** Model bundles: a `.task` file, a folder with a `bundle.json`, or two tflite networks; fetched or given as bytes. */
import { DEFAULT_BUNDLE, TASK_MEMBERS } from "./constants.js";
import { countedBytes } from "./downloads.js";
import { BundleError } from "./errors.js";
import { IS_NODE, readFile } from "./node.js";

/** How to use the two networks of a bundle. */
export interface Bundle {
  readonly palmSide: number;
  readonly handSide: number;
  /** (stride in pixels, anchors per cell) of each output grid of the palm network. */
  readonly palmStrides: readonly (readonly [number, number])[];
  /** Names of the outputs: boxes and key points in pixels, logits. */
  readonly palmOutputs: { readonly boxes: string; readonly scores: string };
  /** Names of the outputs. Handedness is the probability of "Left" in a mirrored image. */
  readonly handOutputs: {
    readonly landmarks: string;
    readonly presence: string;
    readonly handedness: string;
    readonly world: string;
    readonly visibility?: string | null;
  };
  /** Values of the options of the same names where the user sets none; see `TrackerOptions`. */
  readonly minPalmScore: number;
  readonly minPresence: number;
  readonly secondLook: boolean;
  readonly faintPalms: number;
  /**
   * What the score of its palm and both presences of a newly found hand must add up to (`confidence`), where the user
   * sets no `minPresence`.
   */
  readonly minNewConfidence: number;
  /** The same if the palm scored less than `minPalmScore`. */
  readonly minFaintConfidence: number;
}

/** A bundle with the bytes of its networks. */
export interface LoadedBundle {
  readonly bundle: Bundle;
  readonly palm: Uint8Array;
  readonly hand: Uint8Array;
}

/** An address, or the bytes of the file. */
export type FileSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** The two networks of a bundle, and the same with 8-bit arithmetic, where there are such. */
export interface Forms<File> {
  readonly palm: File;
  readonly hand: File;
  readonly palmInt8?: File | null;
  readonly handInt8?: File | null;
}

/** The two networks to run: the int8 form if it is wanted, where there is one. */
export function inForm<File>(files: Forms<File>, int8: boolean): Forms<File> {
  if (!int8) return { palm: files.palm, hand: files.hand };
  return { palm: files.palmInt8 ?? files.palm, hand: files.handInt8 ?? files.hand };
}

/** A `.task` file, the address of a folder with a `bundle.json`, or two tflite networks. */
export type Models = FileSource | (Forms<FileSource> & { readonly bundle?: Partial<Bundle> });

/**
 * Load a bundle.
 *
 * @param int8 load the int8 form of each network; one without such a form is loaded in its only form.
 * @throws BundleError if it is damaged or cannot be fetched.
 */
export async function loadBundle(models: Models, int8 = false): Promise<LoadedBundle> {
  if (isPair(models)) {
    const wanted = inForm(models, int8);
    const [palm, hand] = await Promise.all([bytesOf(wanted.palm), bytesOf(wanted.hand)]);
    return {
      bundle: { ...DEFAULT_BUNDLE, ...models.bundle },
      palm: network(palm, "palm"),
      hand: network(hand, "hand"),
    };
  }
  if (isAddress(models) && /(\/|\/bundle\.json)$/.test(new URL(models).pathname))
    return loadFolder(new URL(models), int8);
  const name = String(isAddress(models) ? models : "the .task file");
  let members = unzip(await bytesOf(models), name);
  if (members.has(LANDMARKER)) members = unzip(await members.read(LANDMARKER), `${LANDMARKER} of ${name}`);
  const [palm, hand] = await Promise.all([members.read(TASK_MEMBERS.palm), members.read(TASK_MEMBERS.hand)]);
  return { bundle: DEFAULT_BUNDLE, palm: network(palm, TASK_MEMBERS.palm), hand: network(hand, TASK_MEMBERS.hand) };
}

function isPair(models: Models): models is Extract<Models, { palm: unknown }> {
  return typeof models === "object" && "palm" in models;
}

function isAddress(source: unknown): source is string | URL {
  return typeof source === "string" || source instanceof URL;
}

async function loadFolder(address: URL, int8: boolean): Promise<LoadedBundle> {
  const json = new URL("bundle.json", address);
  const text = new TextDecoder().decode(await bytesOf(json));
  const { bundle, ...files } = parseBundle(text, String(json));
  const wanted = inForm(files, int8);
  const [palm, hand] = await Promise.all(
    [wanted.palm, wanted.hand].map(async ({ file, sha256 }) =>
      verified(network(await bytesOf(new URL(file, json)), file), sha256, file),
    ),
  );
  return { bundle, palm, hand };
}

/** A file that a `bundle.json` names. */
export interface BundleFile {
  readonly file: string;
  readonly sha256: string;
}

/** A `bundle.json` in this library's spelling. */
export interface Description extends Forms<BundleFile> {
  readonly bundle: Bundle;
}

/** Read a `bundle.json`. @throws BundleError if it is damaged. */
export function parseBundle(text: string, name: string): Description {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text);
  } catch (error) {
    throw new BundleError(`${name} cannot be read: ${(error as Error).message}`);
  }
  const { palm, hand, palm_int8: palmInt8 = null, hand_int8: handInt8 = null } = fields as Record<string, BundleFile>;
  for (const [role, entry] of Object.entries({ palm, hand, palm_int8: palmInt8, hand_int8: handInt8 }))
    if (typeof entry?.file !== "string" && !(entry === null && role.endsWith("_int8")))
      throw new BundleError(`${name} does not name a ${role} network`);
  const points = fields.points as { name?: string } | undefined;
  if (points)
    throw new BundleError(
      `${name} has the points of "${points.name}"; networks in the browser give the 21 points only`,
    );
  const bundle: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(DEFAULT_BUNDLE)) bundle[key] = fields[snakeCase(key)] ?? value;
  if (typeof bundle.secondLook !== "boolean") throw new BundleError(`second_look of ${name} must be true or false`);
  for (const key of ["minPalmScore", "minPresence", "minNewConfidence", "minFaintConfidence", "faintPalms"]) {
    const value = bundle[key];
    if (typeof value !== "number" || !(value >= 0 && value <= 1))
      throw new BundleError(`${snakeCase(key)} of ${name} must be a number from 0 to 1`);
  }
  return { bundle: bundle as unknown as Bundle, palm, hand, palmInt8, handInt8 };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The bytes, checked to be a tflite file, which has its type in bytes 4 to 7. */
function network(bytes: Uint8Array, name: string): Uint8Array {
  if (new TextDecoder().decode(bytes.subarray(4, 8)) !== "TFL3")
    throw new BundleError(`${name} is not a tflite network (${bytes.length} bytes)`);
  return bytes;
}

async function verified(bytes: Uint8Array, sha256: string, name: string): Promise<Uint8Array> {
  // Only pages served over https have crypto.subtle.
  if (!globalThis.crypto?.subtle || !sha256) return bytes;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== sha256) throw new BundleError(`${name} is not the file that bundle.json names`);
  return bytes;
}

async function bytesOf(source: FileSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (!isAddress(source)) throw new BundleError(`expected an address or the bytes of a file, got ${typeof source}`);
  if (IS_NODE && String(source).startsWith("file:")) return fileOf(source);
  let answer: Response;
  try {
    answer = await fetch(source);
  } catch (error) {
    throw new BundleError(`${source} cannot be fetched: ${(error as Error).message}`);
  }
  if (!answer.ok) throw new BundleError(`${source} cannot be fetched: ${answer.status} ${answer.statusText}`);
  return countedBytes(answer);
}

function fileOf(address: string | URL): Uint8Array {
  try {
    return readFile(address);
  } catch (error) {
    throw new BundleError(`${address} cannot be read: ${(error as Error).message}`);
  }
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;
/** The landmarker inside a `gesture_recognizer.task`. */
const LANDMARKER = "hand_landmarker.task";

/** The members of a zip by name. */
interface Members {
  has(member: string): boolean;
  /** @throws BundleError if it is missing or damaged. */
  read(member: string): Promise<Uint8Array>;
}

/** The members of a zip by name, read from its central directory (APPNOTE 4.3); stored or deflated. */
export function unzip(bytes: Uint8Array, name: string): Members {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new BundleError(`${name} is not a .task file: it is not a zip archive (${bytes.length} bytes)`);
  const entries = new Map<string, number>();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY_ENTRY) throw new BundleError(`${name} is damaged`);
    const length = view.getUint16(at + 28, true);
    entries.set(new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length)), at);
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  const read = async (member: string) => {
    const entry = entries.get(member);
    if (entry === undefined)
      throw new BundleError(`${name} is not a .task file of a hand landmarker: it has no ${member}`);
    const [method, size, header] = [
      view.getUint16(entry + 10, true),
      view.getUint32(entry + 20, true),
      view.getUint32(entry + 42, true),
    ];
    if (header + 30 > bytes.length) throw new BundleError(`${name} is damaged`);
    const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    const data = bytes.subarray(start, start + size);
    if (data.length !== size) throw new BundleError(`${name} ends within ${member}`);
    if (method === STORED) return data;
    if (method !== DEFLATED)
      throw new BundleError(`${member} of ${name} is compressed in a way that browsers cannot read`);
    const stream = new Blob([data as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  return { has: (member) => entries.has(member), read };
}
