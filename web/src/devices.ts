/** What networks can run on here, and in which form. It is found out without loading the runtime. */

/** "auto" is WebGPU if the browser has a hardware GPU, else WebAssembly on the CPU. */
export type Device = "auto" | "cpu" | "webgpu";

/** The form of the networks; "auto" is int8 where that is faster and the bundle has it. */
export type Precision = "auto" | "float" | "int8";

/** The devices to try, in order. A GPU that is emulated in software is left out. */
export async function devicesOf(device: Device): Promise<("webgpu" | "cpu")[]> {
  if (device !== "auto") return [device];
  const adapter = await (globalThis.navigator as { gpu?: GPU } | undefined)?.gpu?.requestAdapter().catch(() => null);
  return adapter && !adapter.info.isFallbackAdapter ? ["webgpu", "cpu"] : ["cpu"];
}

/**
 * The number of threads to use: at most 4 where a caller wants no other number, since more gain nothing on networks this
 * small; and never more than the runtime has started, one per core. Firefox starts no others while the runtime waits for them.
 */
export function threadsFor(wanted: number | null): number {
  return globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, wanted ?? 4) : 1;
}

/** A module with relaxed SIMD instructions, for `WebAssembly.validate`. */
const RELAXED_SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
];

/** Whether this browser multiplies 8-bit vectors in one instruction. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(Uint8Array.from(RELAXED_SIMD));
}

/** Whether to run the int8 form on a device, or on an engine of the caller's own. It is faster on the CPU. */
export function isInt8(precision: Precision, device: unknown): boolean {
  return precision === "int8" || (precision === "auto" && device === "cpu");
}
