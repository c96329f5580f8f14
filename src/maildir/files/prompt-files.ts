// The calls that open a maildrop anew or change it, made without leaving the thread: its folders were asked for a short
// while ago, so the kernel answers from memory, at a twentieth of what the thread pool costs. Nothing here waits for the
// disk to write, as fsync(2) does. Used by Maildrop in the mailbox process.
import * as fs from "node:fs";
import { type Files, systemFiles } from "./files.ts";
import type { QuickReads } from "./quick-reads.ts";
import { Turns } from "./turns.ts";

/** Like `systemFiles`, but for calls that stay in the thread as long as `quickReads` allows it. */
export function promptFiles(quickReads: QuickReads): Files {
  const turns = new Turns();
  const promptly = async <T>(call: () => T, otherwise: () => Promise<T>): Promise<T> => {
    // Ten thousand messages are removed in turns with other sessions: the thread pool keeps nobody waiting.
    if (turns.isOver) void turns.next();
    if (turns.isAwaited || !quickReads.allows()) return otherwise();
    const begin = performance.now();
    try {
      return call();
    } finally {
      quickReads.took(performance.now() - begin);
    }
  };
  return {
    ...systemFiles,
    open: (path, flags, mode = 0) =>
      promptly(
        () => fs.openSync(path, flags, mode),
        () => systemFiles.open(path, flags, mode),
      ),
    stat: (path) =>
      promptly(
        () => fs.statSync(path, { bigint: true }),
        () => systemFiles.stat(path),
      ),
    lstat: (path) =>
      promptly(
        () => fs.lstatSync(path),
        () => systemFiles.lstat(path),
      ),
    unlink: (path) =>
      promptly(
        () => fs.unlinkSync(path),
        () => systemFiles.unlink(path),
      ),
    rename: (from, to) =>
      promptly(
        () => fs.renameSync(from, to),
        () => systemFiles.rename(from, to),
      ),
  };
}
