// What could not be done with a maildrop, told so that an administrator can mend it: what, which path, why, who tried.
// Used by the Maildir engine in the mailbox process.
import { codeOf, type Files } from "./files.ts";

export interface Failure {
  readonly kind: "failed";
  /** The errno's name, such as EACCES. */
  readonly code: string;
  /** For the log, never for the client: it holds a path. */
  readonly reason: string;
  /** True when trying again cannot help: permissions, or something that is no folder ([SYS/PERM], RFC 3206). */
  readonly permanent: boolean;
}

/** EIO, ESTALE, ENOSPC, EMFILE and all that is unknown count as temporary: a client must not give up on its mail. */
export function isPermanent(code: string): boolean {
  return PERMANENT.has(code);
}

const PERMANENT = new Set(["EACCES", "EPERM", "ELOOP", "ENOTDIR", "EISDIR", "ENAMETOOLONG"]);

/** @param attempt "open the maildrop" */
export async function failureOf(
  files: Files,
  attempt: string,
  path: string,
  error: unknown,
): Promise<Failure> {
  const code = codeOf(error);
  const message = code === "UNKNOWN" ? `: ${String(error)}` : "";
  return {
    kind: "failed",
    code,
    reason: `cannot ${attempt} ${path}: ${code}${message} (uid ${process.geteuid?.()}${await modes(files, path)})`,
    permanent: isPermanent(code),
  };
}

/** Owner and mode of the path, or of the nearest folder above it that can be asked. */
async function modes(files: Files, path: string): Promise<string> {
  for (let place = path; place !== ""; place = place.slice(0, Math.max(place.lastIndexOf("/"), 0))) {
    try {
      const { uid, gid, mode } = await files.lstat(place);
      return `; ${place === path ? "it" : place} belongs to ${uid}:${gid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
    } catch {
      // Not this one: the next one above.
    }
  }
  return "";
}
