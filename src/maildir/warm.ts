// Makes a Maildir's index before its owner logs in, so that the first login of 100,000 messages need not count them. Called
// by `pop3-ctl warm` through a process that runs as the mail's owner.
import type { Failure } from "./files/failure.ts";
import { codeOf, type Files, systemFiles } from "./files/files.ts";
import { whenFree } from "./lock/when-free.ts";
import { Maildrop } from "./maildrop.ts";
import type { MaildropOptions } from "./maildrop-options.ts";

export interface WarmOptions extends MaildropOptions {
  /** How long to wait for a session that has the maildrop, in ms; 0 skips it at once. */
  readonly lockWaitMs?: number;
  /** Ends it early; what was counted is kept, and the next run goes on from there. */
  readonly signal?: AbortSignal;
}

/** How far it is. Sizes that were known before are neither counted nor read. */
export interface WarmProgress {
  /** In the maildrop. */
  readonly messages: number;
  /** Whose sizes were unknown at the beginning. */
  readonly toCount: number;
  readonly counted: number;
  /** As stored, of those counted. */
  readonly bytes: number;
}

export type WarmResult =
  | ({ readonly kind: "warm" } & WarmProgress)
  /** By `signal`. */
  | ({ readonly kind: "stopped" } & WarmProgress)
  /** There is no Maildir, and none is made: its account has never had a message. */
  | { readonly kind: "missing" }
  /** A session has the maildrop: it counts what it needs itself. */
  | { readonly kind: "locked" }
  | Failure;

/**
 * Counts the sizes that nobody knows, a few messages at a time, and writes the index.
 *
 * @param path of the Maildir, absolute; this process has its owner's uid
 * @param onProgress called at the beginning and after each message
 */
export async function warmIndex(
  path: string,
  { lockWaitMs = 0, signal, ...options }: WarmOptions = {},
  onProgress: (progress: WarmProgress) => void = () => {},
): Promise<WarmResult> {
  if (await isMissing(path, options.files ?? systemFiles)) return { kind: "missing" };
  const opened = await whenFree(
    () => Maildrop.open(path, { parallel: PARALLEL_READS, ...options }),
    lockWaitMs,
    options.now ?? Date.now,
    signal,
  );
  if (opened.kind !== "open") return opened;
  const { maildrop } = opened;
  const toCount = maildrop.uncountedCount;
  let progress: WarmProgress = { messages: maildrop.count, toCount, counted: 0, bytes: 0 };
  const stop = (): void => maildrop.close();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    onProgress(progress);
    if (signal?.aborted !== true) {
      await maildrop.measure((bytes) => {
        progress = { ...progress, counted: progress.counted + 1, bytes: progress.bytes + bytes };
        onProgress(progress);
      });
    }
    return { kind: maildrop.measured ? "warm" : "stopped", ...progress };
  } finally {
    signal?.removeEventListener("abort", stop);
    maildrop.close();
    await maildrop.closed;
  }
}

async function isMissing(path: string, files: Files): Promise<boolean> {
  return files.stat(path).then(
    () => false,
    // Whatever else is wrong, opening it tells.
    (error: unknown) => codeOf(error) === "ENOENT",
  );
}

/** Reads at one time: enough to keep a disk's queue from running empty, few enough to leave it to the sessions. */
const PARALLEL_READS = 2;
