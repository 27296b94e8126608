/** Folder of the worker and the runtime, set by the build. */
declare const ENGINE: string;
/** Size of the runtime's WebAssembly, set by the build. */
declare const RUNTIME_BYTES: number;
