// Puts messages back that UPDATE moved to `.dewey-deleted/`, under their old base names: clients see old unique-ids, and
// fetch nothing twice. Called by `pop3-ctl mailbox undelete` through a process that runs as the mail's owner.
import { baseName } from "../filename.ts";
import { type Failure, failureOf } from "../files/failure.ts";
import { codeOf, entryPath } from "../files/files.ts";
import { renameWhereFree, syncFolder } from "../files/rename-where-free.ts";
import { listFolders } from "../list/folders.ts";
import { acquireLock } from "../lock/acquire-lock.ts";
import { type MaildropOptions, maildropSettings } from "../maildrop-options.ts";
import { KEPT_FOLDER, type KeptMessage, listKept } from "./kept-messages.ts";
import { originalName, removalTimeMs } from "./kept-name.ts";

export interface UndeleteOptions extends MaildropOptions {
  /** Only what was removed at this time, in ms since 1970, or later; all of it when left out. */
  readonly sinceMs?: number | undefined;
}

export type UndeleteResult =
  | {
      readonly kind: "undeleted";
      readonly restored: number;
      /** A message of the same base name is in the maildrop: these stay where they are. */
      readonly occupied: number;
      readonly failed: readonly { readonly path: string; readonly code: string }[];
    }
  /** A session has the maildrop. */
  | { readonly kind: "locked" }
  | Failure;

/**
 * Each message moves by one rename(2), so that a crash leaves it in the one folder or in the other. The quota stays as it
 * is: kept messages count, too.
 *
 * @param path of the Maildir, absolute; this process has its owner's uid
 */
export async function undelete(path: string, options: UndeleteOptions = {}): Promise<UndeleteResult> {
  const { sinceMs = Number.NEGATIVE_INFINITY, ...rest } = options;
  const settings = maildropSettings(rest);
  const { files, onEvent } = settings;
  const failed: { path: string; code: string }[] = [];
  let [restored, occupied] = [0, 0];
  try {
    if ((await listKept(files, path)).length === 0) return { kind: "undeleted", restored, occupied, failed };
    const acquired = await acquireLock(path, settings);
    if (acquired.kind === "locked") return acquired;
    try {
      const { names } = await listFolders(path, settings);
      const inMaildrop = new Set(names.map(baseName));
      const changedFolders = new Set<string>();
      const move = async (message: KeptMessage): Promise<void> => {
        const name = originalName(message.name);
        const base = baseName(name);
        if (inMaildrop.has(base)) {
          occupied++;
          return;
        }
        await renameWhereFree(files, message.path, entryPath(`${path}/${message.folder}`, name));
        inMaildrop.add(base);
        restored++;
        // Where it stands now first: a power failure must not take it from both.
        changedFolders.add(`${path}/${message.folder}`).add(`${path}/${KEPT_FOLDER}/${message.folder}`);
      };
      // Of two with one base name the one that was removed last.
      const kept: { message: KeptMessage; atMs: number }[] = [];
      for (const message of await listKept(files, path)) {
        const atMs = removalTimeMs(message.name) ?? (await files.lstat(message.path)).ctimeMs;
        // Names tell whole seconds.
        if (atMs + 999 >= sinceMs) kept.push({ message, atMs });
      }
      for (const { message } of kept.sort((a, b) => b.atMs - a.atMs)) {
        try {
          await move(message);
        } catch (error) {
          failed.push({ path: String(message.path), code: codeOf(error) });
        }
      }
      for (const folder of changedFolders) {
        const code = await syncFolder(files, folder);
        if (code !== undefined) onEvent({ kind: "not-synced", path: folder, code });
      }
      return { kind: "undeleted", restored, occupied, failed };
    } finally {
      await acquired.lock.release();
    }
  } catch (error) {
    return failureOf(files, "put messages back in", path, error);
  }
}
