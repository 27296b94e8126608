/**
 * The files that are part of the package. `scripts/build.mjs` replaces this module when it builds the library; from the
 * sources, as the page is built, there are none, and callers pass addresses.
 */

/** A file of the package. */
export interface PackagedFile {
  /** Its address: beside the library, or where a bundler moved it. null for scripts, which bundlers would change. */
  readonly address: (() => string) | null;
  /** The same file in a module, as gzip in base64. null: not in one. */
  readonly embedded: (() => Promise<{ readonly default: string }>) | null;
}

/** Name of the file that this module is built into. */
export const OWN_NAME: string = "";

/** Address of the file that this module is in now; undefined in classic scripts. */
export const HERE: string | undefined = undefined;

/** The files by name. */
export const FILES: Readonly<Record<string, PackagedFile>> = {};

/** The `bundle.json` of the networks among them. */
export const BUNDLE: string = "";
