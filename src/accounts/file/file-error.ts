// What the kernel said about a file, in words an administrator reads. For edit.ts, passwd-file.ts and pop3-passwd.

/** "ENOENT" …; undefined for an error that is no system call's. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/**
 * "permission denied", or the code itself where it is rare.
 *
 * @throws the error again if it is no system call's: then the fault is ours, not the file's
 */
export function describeFileError(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined) throw error;
  return describeErrorCode(code);
}

export function describeErrorCode(code: string): string {
  return WORDS.get(code) ?? code;
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["EACCES", "permission denied"],
  ["EPERM", "operation not permitted"],
  ["ENOENT", "no such file or directory"],
  ["ENOTDIR", "not a directory"],
  ["EISDIR", "is a directory"],
  ["ENOSPC", "no space left on device"],
  ["EDQUOT", "disk quota exceeded"],
  ["EROFS", "read-only file system"],
  ["ELOOP", "too many symbolic links"],
  ["EFBIG", "too large"],
]);
