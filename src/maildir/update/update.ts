// The UPDATE state's work on the files (RFC 1939 §6): removes marked messages and flags retrieved ones, wherever other
// programs have put them meanwhile. Called by Maildrop in the mailbox process.
import { hasFlag, withFlag } from "../filename.ts";
import { codeOf, entryPath, type FilePath, type Files } from "../files/files.ts";
import { forEachParallel } from "../files/parallel.ts";
import { renameWhereFree, syncFolder } from "../files/rename-where-free.ts";
import { CUR, FOLDER_NAMES } from "../list/folders.ts";
import type { MessageList } from "../list/message-list.ts";
import { type MessagePlace, type MessagePlaces, pathOf, whereverItStands } from "../list/message-places.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { expiredMessages } from "./expiry.ts";
import { KEPT_FOLDER, KeptMessages, pruneKept } from "./kept-messages.ts";
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
  /** Marked ones that are still there. */
  readonly failed: readonly { readonly index: number; readonly code: string }[];
  /** Not marked, but older than the account keeps them. */
  readonly expired: number;
}

/** What UPDATE works on. */
export interface UpdateContext {
  readonly list: MessageList;
  readonly places: MessagePlaces;
  readonly settings: MaildropSettings;
  /** When the oldest message that is kept for an undo was removed; undefined while that is not known. */
  readonly oldestKeptMs: number | undefined;
  /** A file was removed: the list is not what is in the folders any more. */
  onRemoved(): void;
  onPruned(oldestKeptMs: number): void;
}

/** A message that fails does not keep the others from being removed. */
export async function updateMaildir(
  context: UpdateContext,
  { deleted, retrieved }: UpdateRequest,
): Promise<UpdateResult> {
  const { list, places, settings } = context;
  const { files, parallel, onEvent } = settings;
  const { maildir } = places;
  const changedFolders = new Set<string>();
  // Here and not before numbers are given out: a client that comes after a long time can still fetch them, in this very
  // session, and its message numbers stay what they are. RFC 2449 §6.7 promises the least time, not the longest.
  const old = await expiredMessages(list, places, settings, deleted);
  const isPruneDue = settings.keepDeletedMs > 0 && isDue(context);
  const changesQuota = deleted.size > 0 || old.size > 0 || isPruneDue;
  if (!changesQuota && retrieved.size === 0) return NOTHING_DONE;
  const quota = changesQuota ? await QuotaChange.open(files, maildir) : undefined;
  const marked = await removeAll(context, deleted, quota, changedFolders);
  const expired = await removeAll(context, old, quota, changedFolders);
  const [notExpired] = expired.failed;
  if (notExpired !== undefined) {
    const uniqueId = list.uniqueId(notExpired.index);
    onEvent({ kind: "not-expired", count: expired.failed.length, uniqueId, code: notExpired.code });
  }
  if (isPruneDue) await prune(context, quota, changedFolders);
  const quotaCode = await quota?.finish();
  if (quotaCode !== undefined) onEvent({ kind: "quota-not-updated", path: maildir, code: quotaCode });
  if (settings.markSeen)
    await markAllSeen(
      context,
      [...retrieved].filter((index) => !deleted.has(index) && !old.has(index)),
    );
  await forEachParallel(changedFolders, parallel, async (path) => {
    const code = await syncFolder(files, path);
    if (code !== undefined) onEvent({ kind: "not-synced", path, code });
  });
  return { ...marked, expired: expired.removed };
}

/** What a client that only looked for new mail costs. */
const NOTHING_DONE: UpdateResult = { removed: 0, alreadyGone: 0, failed: [], expired: 0 };

/** Removes messages, or moves them to where they are kept for a while. */
async function removeAll(
  { list, places, settings, onRemoved }: UpdateContext,
  indexes: ReadonlySet<number>,
  quota: QuotaChange | undefined,
  changedFolders: Set<string>,
): Promise<Omit<UpdateResult, "expired">> {
  const { files, parallel, now, keepDeletedMs } = settings;
  const { maildir } = places;
  const kept = keepDeletedMs > 0 ? new KeptMessages(files, maildir, now()) : undefined;
  const failed: { index: number; code: string }[] = [];
  let removed = 0;
  let alreadyGone = 0;
  await forEachParallel(indexes, parallel, async (index) => {
    const removal = await whereverItStands(places, index, async (path, place) => {
      const bytes = kept === undefined ? await quota?.bytesOf(place.name, path) : undefined;
      const duplicates = list.duplicates.filter((duplicate) => duplicate.index === index);
      // The twins first: a failure in between leaves the message as it was.
      for (const twin of await twinsOf(files, maildir, path, duplicates)) await files.unlink(twin);
      if (kept === undefined) {
        await files.unlink(path);
        quota?.removed(place.name, bytes ?? 0);
      } else {
        for (const folder of await kept.keep(path, place)) changedFolders.add(folder);
      }
      onRemoved();
      changedFolders.add(`${maildir}/${FOLDER_NAMES[place.folder]}`);
    });
    if (removal.kind === "done") removed++;
    else if (removal.kind === "already-gone") alreadyGone++;
    else failed.push({ index, code: removal.code });
  });
  return { removed, alreadyGone, failed: failed.sort((a, b) => a.index - b.index) };
}

/** A client that polls every minute must not have its kept messages listed each time. */
function isDue({ settings, oldestKeptMs = 0 }: UpdateContext): boolean {
  return oldestKeptMs < settings.now() - settings.keepDeletedMs;
}

async function prune(
  { places: { maildir }, settings, onPruned }: UpdateContext,
  quota: QuotaChange | undefined,
  changedFolders: Set<string>,
): Promise<void> {
  const { files, now, keepDeletedMs, parallel, onEvent } = settings;
  try {
    const pruned = await pruneKept(files, maildir, now() - keepDeletedMs, parallel, quota);
    for (const folder of pruned.changedFolders) changedFolders.add(folder);
    onPruned(Math.min(pruned.oldestMs, now()));
    const [first] = pruned.failed;
    if (first !== undefined) onEvent({ kind: "not-pruned", count: pruned.failed.length, ...first });
  } catch (error) {
    onEvent({ kind: "not-pruned", count: 1, path: `${maildir}/${KEPT_FOLDER}`, code: codeOf(error) });
  }
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
  const { dev, ino } = await files.identity(path);
  const twins: FilePath[] = [];
  for (const candidate of candidates) {
    const twin = pathOf(maildir, candidate);
    try {
      const other = await files.identity(twin);
      if (other.dev === dev && other.ino === ino) twins.push(twin);
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
    await renameWhereFree(files, path, entryPath(`${places.maildir}/cur`, seenName));
    places.moved(index, { folder: CUR, name: seenName });
  });
  return result.kind === "failed" ? result.code : undefined;
}
