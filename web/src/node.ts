/** Node: files are read instead of fetched, and scripts run instead of being loaded. Browsers use nothing of this. */

interface NodeProcess {
  cwd(): string;
  getBuiltinModule(name: "fs"): { readFileSync(file: URL): Uint8Array<ArrayBuffer> };
  getBuiltinModule(name: "module"): { createRequire(file: string | URL): unknown };
  getBuiltinModule(name: "url"): { pathToFileURL(path: string): URL };
  getBuiltinModule(name: "vm"): { compileFunction(code: string, names: string[]): (...given: unknown[]) => void };
}

const scope = globalThis as unknown as { process?: NodeProcess; window?: unknown; self?: unknown };

/** Whether this is Node. Bundlers see no import of Node's modules, which they could not resolve. */
export const IS_NODE: boolean = typeof scope.process?.getBuiltinModule === "function" && !scope.window;
if (IS_NODE) scope.self ??= globalThis; // LiteRT.js keeps its state there

/** The address of the working directory, which other addresses are relative to. */
export function workingFolder(): string {
  const process = scope.process as NodeProcess;
  return process.getBuiltinModule("url").pathToFileURL(`${process.cwd()}/`).href;
}

/** The bytes of a file. @throws the error of the file system. */
export function readFile(address: string | URL): Uint8Array<ArrayBuffer> {
  return (scope.process as NodeProcess).getBuiltinModule("fs").readFileSync(new URL(address));
}

/** Run a classic script and return what it exports. */
export function runScript(address: string): unknown {
  const process = scope.process as NodeProcess;
  const code = new TextDecoder().decode(readFile(address));
  const module = { exports: {} };
  const require = process.getBuiltinModule("module").createRequire(new URL(address));
  const names = ["module", "exports", "require", "__filename", "__dirname"];
  process.getBuiltinModule("vm").compileFunction(code, names)(module, module.exports, require, address, ".");
  return module.exports;
}
