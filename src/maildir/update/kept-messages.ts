// `mail.keep_deleted`: removed messages go to the folder `.dewey-deleted/` of their Maildir, and are removed for good when
// they are old enough. A Maildir++ folder, so that quota and other programs understand it. Used by UPDATE, in the mailbox
// process, under the maildrop's lock.
import { constants } from "node:fs";
import { codeOf, entryPath, type FilePath, type Files } from "../files/files.ts";
import { forEachParallel } from "../files/parallel.ts";
import { renameWhereFree } from "../files/rename-where-free.ts";
import { FOLDER_NAMES, type FolderName } from "../list/folders.ts";
import type { MessagePlace } from "../list/message-places.ts";
import { makeFolder } from "../maildir-folders.ts";
import { keptName, removalTimeMs } from "./kept-name.ts";
import type { QuotaChange } from "./quota.ts";

export const KEPT_FOLDER = ".dewey-deleted";

export interface KeptMessage {
  readonly folder: FolderName;
  readonly name: string;
  readonly path: FilePath;
}

/** What UPDATE moves there, in one session. */
export class KeptMessages {
  readonly #files: Files;
  readonly #folder: string;
  readonly #atSeconds: number;
  #made: Promise<readonly string[]> | undefined;

  constructor(files: Files, maildir: string, nowMs: number) {
    this.#files = files;
    this.#folder = `${maildir}/${KEPT_FOLDER}`;
    this.#atSeconds = Math.floor(nowMs / 1000);
  }

  /**
   * Moves a message by one rename(2): it is in the one folder or in the other, whatever happens. It still counts for the
   * quota: Maildir++ counts all folders.
   *
   * @returns folders whose change has to be made durable
   * @throws what mkdir(2) and rename(2) throw; ENOENT when the message is not at `path`
   */
  async keep(path: FilePath, { folder, name }: MessagePlace): Promise<readonly string[]> {
    this.#made ??= this.#make();
    const made = await this.#made;
    const target = `${this.#folder}/${FOLDER_NAMES[folder]}`;
    for (let atSeconds = this.#atSeconds; ; atSeconds++) {
      try {
        await renameWhereFree(this.#files, path, entryPath(target, keptName(name, atSeconds)));
      } catch (error) {
        // Another file of this base name, removed in the same second.
        if (codeOf(error) === "EEXIST") continue;
        if (codeOf(error) !== "ENAMETOOLONG") throw error;
        // Its age is then that of the file's last change: the rename.
        await renameWhereFree(this.#files, path, entryPath(target, name));
      }
      return [...made, target];
    }
  }

  /** Whatever a crash left out is made up for by the next session. */
  async #make(): Promise<readonly string[]> {
    const made = await makeFolder(this.#files, this.#folder);
    if (!(await isRealFolder(this.#files, this.#folder))) throw notAFolder(this.#folder);
    for (const name of ["tmp", ...FOLDER_NAMES])
      made.push(...(await makeFolder(this.#files, `${this.#folder}/${name}`)));
    // Maildir++: this file says that the folder is part of the Maildir above it.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    this.#files.close(await this.#files.open(`${this.#folder}/maildirfolder`, flags, 0o600));
    const parents = made.map((path) => path.slice(0, path.lastIndexOf("/")));
    return made.length === 0 ? [] : [...new Set([...parents, this.#folder])];
  }
}

/**
 * Removes for good what was removed before a time.
 *
 * @param quota is told: it no longer counts
 * @returns how many were removed, where, and when the oldest one that is left was removed (Infinity: none is left)
 */
export async function pruneKept(
  files: Files,
  maildir: string,
  beforeMs: number,
  parallel: number,
  quota: QuotaChange | undefined,
): Promise<Pruned> {
  let [removed, oldestMs] = [0, Number.POSITIVE_INFINITY];
  const changedFolders = new Set<string>();
  const failed: { path: string; code: string }[] = [];
  await forEachParallel(await listKept(files, maildir), parallel, async ({ folder, name, path }) => {
    try {
      const atMs = removalTimeMs(name) ?? (await files.lstat(path)).ctimeMs;
      if (atMs >= beforeMs) {
        oldestMs = Math.min(oldestMs, atMs);
        return;
      }
      const bytes = await quota?.bytesOf(name, path);
      await files.unlink(path);
      quota?.removed(name, bytes ?? 0);
      changedFolders.add(`${maildir}/${KEPT_FOLDER}/${folder}`);
      removed++;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      // Tried again at the next UPDATE.
      oldestMs = 0;
      failed.push({ path: String(path), code: codeOf(error) });
    }
  });
  return { removed, oldestMs, changedFolders, failed };
}

export interface Pruned {
  readonly removed: number;
  readonly oldestMs: number;
  readonly changedFolders: ReadonlySet<string>;
  readonly failed: readonly { readonly path: string; readonly code: string }[];
}

/** What is kept; nothing where the folder is missing. @throws what readdir(3) throws */
export async function listKept(files: Files, maildir: string): Promise<KeptMessage[]> {
  const kept: KeptMessage[] = [];
  if (!(await isRealFolder(files, `${maildir}/${KEPT_FOLDER}`))) return kept;
  for (const folder of FOLDER_NAMES) {
    const path = `${maildir}/${KEPT_FOLDER}/${folder}`;
    // A link in its place would have us remove what stands elsewhere, such as in the Maildir itself.
    if (!(await isRealFolder(files, path))) continue;
    for (const { name, type } of await files.list(path)) {
      if (type === "file" && !name.startsWith(".")) kept.push({ folder, name, path: entryPath(path, name) });
    }
  }
  return kept;
}

async function isRealFolder(files: Files, path: string): Promise<boolean> {
  try {
    return (await files.lstat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function notAFolder(path: string): Error {
  return Object.assign(new Error(`ENOTDIR: ${path}`), { code: "ENOTDIR" });
}
