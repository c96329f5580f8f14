// Exclusive access to a maildrop for the length of a session (RFC 1939 §4). Taken and freed by Maildrop in the mailbox
// process; `mail.lock` says which kind.

export const LOCK_FILE = "dewey-pop3.lock";

export type LockMode = "flock" | "dotlock" | "none";

export interface MaildropLock {
  /** When the lock file was last changed, in ms: tmp/ was cleaned then. Undefined where there is no lasting file. */
  readonly changedAtMs: number | undefined;
  /** Remembers that tmp/ was cleaned now. */
  touch(nowMs: number): Promise<void>;
  /** False when somebody took a lock file for stale and broke it. */
  isHeld(): Promise<boolean>;
  /** Frees it, at once where the kernel holds it. Again is harmless. */
  release(): Promise<void> | undefined;
}

export type LockResult =
  /** `substitute`: why the lock file could not be used, and the folder itself is locked instead. */
  | { readonly kind: "acquired"; readonly lock: MaildropLock; readonly substitute?: string }
  | { readonly kind: "locked" };

/** Why a lock file cannot be made or opened for good; another code may be gone the next time. */
export const SUBSTITUTABLE: ReadonlySet<string> = new Set([
  "EROFS",
  "ENOSPC",
  "EDQUOT",
  "EACCES",
  "EPERM",
  "ELOOP",
  "EISDIR",
  "ENXIO",
]);

/** `mail.lock = "none"`: somebody else sees to it that there is one session at a time. */
export const noLock: MaildropLock = {
  changedAtMs: undefined,
  touch: async () => {},
  isHeld: async () => true,
  release: () => undefined,
};
