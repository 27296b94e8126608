/** Counts the bytes of models and runtime that this thread downloads, for those who show progress. */

let count: ((bytes: number) => void) | null = null;

/** Call `listener` with the bytes that were downloaded since the last call; null ends that. */
export function onDownload(listener: ((bytes: number) => void) | null): void {
  count = listener;
}

/** The body of an answer, counted while it arrives. Its bytes are those after decompression. */
export async function countedBytes(answer: Response): Promise<Uint8Array<ArrayBuffer>> {
  if (!count || !answer.body) return new Uint8Array(await answer.arrayBuffer());
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    count?.(value.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
