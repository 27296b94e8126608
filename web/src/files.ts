/** Where files are: beside this library, or at addresses that a caller gives. */

/** The address of the folder with the runtime beside this library. */
export function runtimeFolder(): string {
  // Put together as text: bundlers such as Turbopack refuse to build a `new URL` of a folder beside the module.
  return import.meta.url.replace(/[^/]*([?#].*)?$/, "wasm/");
}

/** Addresses relative to the page, because a worker would resolve them relative to itself. Other sources stay as they are. */
export function absolute<T>(source: T): T {
  if (typeof source === "string" || source instanceof URL) return new URL(source, base()).href as T;
  if (typeof source === "object" && source !== null && "palm" in source && "hand" in source)
    return { ...source, palm: absolute(source.palm), hand: absolute(source.hand) };
  return source;
}

/** The address of a folder, with a slash at its end. */
export function folder(source: string | URL): string {
  const href = absolute(String(source));
  return href.endsWith("/") ? href : `${href}/`;
}

function base(): string {
  return typeof document === "undefined" ? self.location.href : document.baseURI;
}
