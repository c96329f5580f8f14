// Puts the Postfix maps into a folder and has postmap(1) index them, so that whoever reads them finds the old or the new
// ones, whole. Called by the auth process, as its user, and by `pop3-passwd export postfix`.
import { execFile } from "node:child_process";
import { chmod, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { POSTFIX_MAP_NAMES, type PostfixMaps } from "./postfix-maps.ts";

/** What each kind of index adds to the map's name; texthash has none. */
const INDEX_SUFFIX = { hash: ".db", btree: ".db", lmdb: ".lmdb", cdb: ".cdb", texthash: undefined } as const;

export type PostfixMapType = keyof typeof INDEX_SUFFIX;

export interface PostfixMapFilesOptions {
  /** Must be writable for who calls this, and belong to nobody else. */
  readonly folder: string;
  readonly type: PostfixMapType;
  /** Program and first arguments, such as `-c` with another instance's configuration. */
  readonly postmap: readonly string[];
}

export type WriteResult =
  | { readonly kind: "written" }
  /** `reason` says what, where and how to mend it. */
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Writes every map. The index comes into its place before its text: Postfix complains of an index that is older than its
 * text, and a text in its place says that its index is there as well. Killed at any point, this leaves maps that are whole.
 */
export async function writePostfixMaps(
  maps: PostfixMaps,
  { folder, type, postmap }: PostfixMapFilesOptions,
): Promise<WriteResult> {
  const suffix = INDEX_SUFFIX[type];
  try {
    for (const name of POSTFIX_MAP_NAMES) {
      const file = join(folder, name);
      const fresh = join(folder, `.${name}.new`);
      await writeFile(fresh, maps.files.get(name) ?? "", { mode: 0o644, flush: true });
      await chmod(fresh, 0o644);
      if (suffix !== undefined) {
        const fault = await run([...postmap, `${type}:${fresh}`]);
        if (fault !== undefined) return { kind: "failed", reason: fault };
        await rename(`${fresh}${suffix}`, `${file}${suffix}`);
      }
      await rename(fresh, file);
    }
    return { kind: "written" };
  } catch (error) {
    return { kind: "failed", reason: fileFault(error as NodeJS.ErrnoException, folder) };
  }
}

/** A postmap that waits for a lock that somebody else holds would wait forever. */
const POSTMAP_TIMEOUT_MS = 60_000;

function run([program, ...args]: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      program!,
      args,
      { cwd: "/", timeout: POSTMAP_TIMEOUT_MS, killSignal: "SIGKILL" },
      (error, _, said) => {
        if (error === null) return resolve(undefined);
        const command = [program, ...args].join(" ");
        resolve(
          error.code === "ENOENT"
            ? `${program} is not there: install Postfix, or set postmap in mta.postfix_maps`
            : `${command} failed: ${said.trim() || error.message}`,
        );
      },
    );
  });
}

function fileFault({ code, message }: NodeJS.ErrnoException, folder: string): string {
  const { uid, gid } = { uid: process.geteuid?.(), gid: process.getegid?.() };
  switch (code) {
    case "ENOENT":
      return `${folder} is not there, make it with: install -d -o ${uid} -g ${gid} -m 755 ${folder}`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `cannot write to ${folder} (${code}): it must belong to uid ${uid} (chown ${uid}:${gid} ${folder}) and be reachable for it`;
    default:
      return `cannot write to ${folder}: ${message}`;
  }
}
