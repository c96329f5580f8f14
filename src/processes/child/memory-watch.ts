// Notices that this process takes more memory than it may. Runs in every child of master: nobody else can see it where a
// unit hides other users' processes.
import { getHeapStatistics } from "node:v8";
import { residentBytes } from "../../host/resident-memory.ts";

export interface Memory {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** V8 ends the process when it needs more. */
  readonly heapLimitBytes: number;
}

export interface MemoryWatchOptions {
  /** As of now. */
  maxBytes(): number;
  /** Called again and again as long as it is true. */
  onOver(rssBytes: number): void;
  /** Undefined: it is not known now. */
  readonly read?: () => Memory | undefined;
}

/** @returns stops it */
export function watchMemory({ maxBytes, onOver, read = readMemory }: MemoryWatchOptions): () => void {
  let wasOver = false;
  const timer = setInterval(() => {
    const memory = read();
    if (memory === undefined) return;
    const isOver = isOverLimit(memory, maxBytes());
    // Twice in a row: what one large listing leaves behind is gone by then.
    if (isOver && wasOver) onOver(memory.rssBytes);
    wasOver = isOver;
  }, EVERY_MS).unref();
  return () => clearInterval(timer);
}

function isOverLimit({ rssBytes, heapBytes, heapLimitBytes }: Memory, maxBytes: number): boolean {
  return rssBytes > maxBytes || heapBytes > HEAP_SHARE * heapLimitBytes;
}

export const EVERY_MS = 1_000;

/** Of what V8 allows, which on a small host may be less than the limit. */
const HEAP_SHARE = 0.85;

function readMemory(): Memory | undefined {
  const rssBytes = residentBytes();
  if (rssBytes === undefined) return undefined;
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return { rssBytes, heapBytes: used_heap_size, heapLimitBytes: heap_size_limit };
}
