// The calls that open a maildrop anew, made without leaving the thread: its folders were asked for a short while ago,
// so the kernel answers from memory, at a twentieth of what the thread pool costs. Used by Maildrop in the mailbox process.
import * as fs from "node:fs";
import { type Files, systemFiles } from "./files.ts";
import type { QuickReads } from "./quick-reads.ts";

/** Like `systemFiles`; `open` and `stat` do not leave the thread as long as `quickReads` allows it. */
export function promptFiles(quickReads: QuickReads): Files {
  return {
    ...systemFiles,
    open: (path, flags, mode = 0) =>
      quickReads.allows()
        ? promptly(quickReads, () => fs.openSync(path, flags, mode))
        : systemFiles.open(path, flags, mode),
    stat: (path) =>
      quickReads.allows()
        ? promptly(quickReads, () => fs.statSync(path, { bigint: true }))
        : systemFiles.stat(path),
  };
}

async function promptly<T>(quickReads: QuickReads, call: () => T): Promise<T> {
  const begin = performance.now();
  try {
    return call();
  } finally {
    quickReads.took(performance.now() - begin);
  }
}
