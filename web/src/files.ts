/** Where files are: in this package, wherever a bundler put them, or at addresses that a caller gives. */
import { type BundleFile, inForm, type Models, parseBundle } from "./bundle.js";
import { hasRelaxedSimd } from "./devices.js";
import { EngineError } from "./errors.js";
import { IS_NODE, workingFolder } from "./node.js";
import { BUNDLE, FILES, HERE, OWN_NAME } from "./packaged.js";

/** The runtime: the address of its folder, which ends with a slash, or the address of each of its files by name. */
export type RuntimeFiles = string | Readonly<Record<string, string>>;

/** The address of a file of the runtime. @throws EngineError if there is no such file. */
export function runtimeFile(files: RuntimeFiles, name: string): string {
  const address = typeof files === "string" ? files + name : files[name];
  if (!address) throw new EngineError(`${name} is not among the files of the runtime; pass the address of its folder`);
  return address;
}

/** The runtime of this package. The build with threads is not embedded. @throws EngineError from the sources. */
export async function packagedRuntime(): Promise<RuntimeFiles> {
  const kind = hasRelaxedSimd() ? "internal" : "compat_internal";
  const names = Object.keys(FILES).filter((name) => name.startsWith("wasm/"));
  const used = isLeftBehind() ? names.filter((name) => name.startsWith(`wasm/litert_wasm_${kind}.`)) : names;
  if (!used.length) throw new EngineError("this build has no runtime; pass the address of its folder as `wasm`");
  const addresses = used.map(async (name) => [name.slice("wasm/".length), await packagedFile(name)] as const);
  return Object.fromEntries(await Promise.all(addresses));
}

/**
 * The networks of this package. Embedded ones are downloaded here, so then it is one form only.
 *
 * @param int8 which form that is.
 */
export async function packagedModels(int8: boolean): Promise<Models> {
  const { bundle, ...files } = parseBundle(BUNDLE, "bundle.json");
  const { palm, hand, palmInt8, handInt8 } = isLeftBehind() ? inForm(files, int8) : files;
  const address = ({ file }: BundleFile) => packagedFile(`models/${file}`);
  return {
    palm: await address(palm),
    hand: await address(hand),
    palmInt8: palmInt8 && (await address(palmInt8)),
    handInt8: handInt8 && (await address(handInt8)),
    bundle,
  };
}

/** The address of a file of this package. @throws EngineError if the package does not have it. */
export async function packagedFile(name: string): Promise<string> {
  const file = FILES[name];
  if (!file) throw new EngineError(`this build has no ${name}; pass its address`);
  if (isInPlace()) return new URL(name, HERE).href;
  if (file.address && areFilesMoved()) return absolute(file.address()); // Turbopack gives an address without a host
  if (!file.embedded) throw new EngineError(`the bundler left ${name} behind; pass its address`);
  const base64 = (await file.embedded()).default;
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const type = name.endsWith(".wasm") ? "application/wasm" : "text/javascript";
  return URL.createObjectURL(new Blob([await new Response(plain).arrayBuffer()], { type }));
}

/** Whether no bundler moved this module, so that the other files are beside it. webpack keeps the address of the source. */
function isInPlace(): boolean {
  return !!HERE && HERE.startsWith("file:") === IS_NODE && new URL(HERE).pathname.endsWith(`/${OWN_NAME}`);
}

/** Whether the other files can be had from embedded modules only. */
function isLeftBehind(): boolean {
  return !isInPlace() && !areFilesMoved();
}

/** Whether a bundler moved the files and wrote their new addresses. esbuild and Rollup do not, so they get embedded files. */
function areFilesMoved(): boolean {
  return Object.entries(FILES).some(([name, { address }]) => HERE && address && address() !== new URL(name, HERE).href);
}

/** Addresses relative to the page, because a worker would resolve them relative to itself. Other sources stay as they are. */
export function absolute<T>(source: T): T {
  if (typeof source === "string" || source instanceof URL) return new URL(source, base()).href as T;
  if (typeof source === "object" && source !== null && "palm" in source && "hand" in source)
    return Object.fromEntries(
      Object.entries(source).map(([key, value]) => [key, key === "bundle" ? value : absolute(value)]),
    ) as T;
  return source;
}

/** The address of a folder, with a slash at its end. */
export function folder(source: string | URL): string {
  const href = absolute(String(source));
  return href.endsWith("/") ? href : `${href}/`;
}

/** A script that a worker may start from: of this origin, or a copy of it, since workers do not start from others. */
export async function ownScript(address: string): Promise<string> {
  const url = new URL(address);
  if (IS_NODE) return address;
  if (url.protocol === "blob:" || url.origin === self.location.origin) return address;
  const answer = await fetch(url);
  if (!answer.ok) throw new EngineError(`${address} cannot be fetched: ${answer.status} ${answer.statusText}`);
  return URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type: "text/javascript" }));
}

function base(): string {
  if (IS_NODE) return workingFolder();
  return typeof document === "undefined" ? self.location.href : document.baseURI;
}
