// The UPDATE state's work on the files (RFC 1939 §6): removes marked messages and flags retrieved ones, wherever other
// programs have put them meanwhile. Called by Maildrop in the mailbox process.
import { constants } from "node:fs";
import { hasFlag, withFlag } from "./filename.ts";
import { codeOf, entryPath, type FilePath, type Files } from "./files.ts";
import { CUR, FOLDER_NAMES } from "./folders.ts";
import type { MaildropSettings } from "./maildrop-options.ts";
import type { MessageList } from "./message-list.ts";
import { type MessagePlace, type MessagePlaces, pathOf, whereverItStands } from "./message-places.ts";
import { forEachParallel } from "./parallel.ts";
import { QuotaChange } from "./quota.ts";

export interface UpdateRequest {
  /** Indexes of messages marked as deleted. */
  readonly deleted: ReadonlySet<number>;
  /** Indexes of messages that the client has got whole. */
  readonly retrieved: ReadonlySet<number>;
}

export interface UpdateResult {
  readonly removed: number;
  /** Marked ones that another program had removed. */
  readonly alreadyGone: number;
  readonly failed: readonly { readonly index: number; readonly code: string }[];
}

/** What UPDATE works on. */
export interface UpdateContext {
  readonly list: MessageList;
  readonly places: MessagePlaces;
  readonly settings: MaildropSettings;
  /** A file was removed: the list is not what is in the folders any more. */
  onRemoved(): void;
}

/** A message that fails does not keep the others from being removed. */
export async function updateMaildir(
  context: UpdateContext,
  { deleted, retrieved }: UpdateRequest,
): Promise<UpdateResult> {
  const { list, places, settings, onRemoved } = context;
  const { files, parallel, onEvent } = settings;
  const { maildir } = places;
  const failed: { index: number; code: string }[] = [];
  const changedFolders = new Set<string>();
  const quota = deleted.size > 0 ? await QuotaChange.open(files, maildir) : undefined;
  let removed = 0;
  let alreadyGone = 0;
  await forEachParallel(deleted, parallel, async (index) => {
    const removal = await whereverItStands(places, index, async (path, { folder, name }) => {
      const bytes = await quota?.bytesOf(name, path);
      const duplicates = list.duplicates.filter((duplicate) => duplicate.index === index);
      // The twins first: a failure in between leaves the message as it was.
      for (const twin of await twinsOf(files, maildir, path, duplicates)) await files.unlink(twin);
      await files.unlink(path);
      onRemoved();
      quota?.removed(name, bytes ?? 0);
      changedFolders.add(`${maildir}/${FOLDER_NAMES[folder]}`);
    });
    if (removal.kind === "done") removed++;
    else if (removal.kind === "already-gone") alreadyGone++;
    else failed.push({ index, code: removal.code });
  });
  const quotaCode = await quota?.finish();
  if (quotaCode !== undefined) onEvent({ kind: "quota-not-updated", path: maildir, code: quotaCode });
  if (settings.markSeen)
    await markAllSeen(
      context,
      [...retrieved].filter((index) => !deleted.has(index)),
    );
  await forEachParallel(changedFolders, parallel, async (path) => {
    const code = await syncFolder(files, path);
    if (code !== undefined) onEvent({ kind: "not-synced", path, code });
  });
  return { removed, alreadyGone, failed: failed.sort((a, b) => a.index - b.index) };
}

async function markAllSeen(
  { list, places, settings }: UpdateContext,
  indexes: readonly number[],
): Promise<void> {
  const { files, parallel, onEvent } = settings;
  const failures: { index: number; code: string }[] = [];
  await forEachParallel(indexes, parallel, async (index) => {
    const code = await markSeen(files, places, index);
    if (code !== undefined) failures.push({ index, code });
  });
  const [first] = failures;
  if (first === undefined) return;
  const uniqueId = list.uniqueId(first.index);
  onEvent({ kind: "seen-not-marked", count: failures.length, uniqueId, code: first.code });
}

/**
 * Other names of the very file at `path`, among files with its base name: what a move by link(2) and unlink(2) leaves
 * behind when it is cut short. Different files of one base name are different messages.
 */
async function twinsOf(
  files: Files,
  maildir: string,
  path: FilePath,
  candidates: readonly MessagePlace[],
): Promise<FilePath[]> {
  if (candidates.length === 0) return [];
  const { dev, ino } = await files.lstat(path);
  const twins: FilePath[] = [];
  for (const candidate of candidates) {
    const twin = pathOf(maildir, candidate);
    try {
      const stats = await files.lstat(twin);
      if (stats.dev === dev && stats.ino === ino) twins.push(twin);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }
  return twins;
}

/** Moves a message to cur/ with the flag S (seen), never over another file. Returns the errno's name on failure. */
async function markSeen(files: Files, places: MessagePlaces, index: number): Promise<string | undefined> {
  const result = await whereverItStands(places, index, async (path, { folder, name }) => {
    if (folder === CUR && hasFlag(name, "S")) return;
    const seenName = withFlag(name, "S");
    const target = entryPath(`${places.maildir}/cur`, seenName);
    // rename(2) would replace what stands there. Nobody else makes files of this base name, so that nothing can come
    // between the question and the move but the very move that we are about to make.
    if (await exists(files, target)) throw Object.assign(new Error(`EEXIST: ${target}`), { code: "EEXIST" });
    await files.rename(path, target);
    places.moved(index, { folder: CUR, name: seenName });
  });
  return result.kind === "failed" ? result.code : undefined;
}

/** Makes names that were removed or changed in a folder durable. Returns the errno's name on failure. */
async function syncFolder(files: Files, folder: string): Promise<string | undefined> {
  try {
    const fd = await files.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await files.fsync(fd);
    } finally {
      files.close(fd);
    }
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

async function exists(files: Files, path: FilePath): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}
