/** Folder of the worker and the runtime, set by the build. */
declare const ENGINE: string;
