// The messages of a Maildir with whatever is known of their sizes, read from no message: first part of opening a
// maildrop, under its lock. Called by Maildrop in the mailbox process.
import type { Failure } from "../files/failure.ts";
import { codeOf } from "../files/files.ts";
import { makeFolder } from "../maildir-folders.ts";
import type { MaildropEvent } from "../maildrop-event.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import {
  areSameFolders,
  FOLDER_NAMES,
  type FolderListing,
  listFolders,
  sameStamps,
  stampFolders,
} from "./folders.ts";
import { INDEX_FILE, readIndex, readListing } from "./index-file.ts";
import { inherit } from "./inherit.ts";
import { sameInherited, stampInherited } from "./inherited-file.ts";
import { MessageList } from "./message-list.ts";
import type { Snapshot } from "./snapshot-cache.ts";
import { learnToldSizes } from "./told-sizes.ts";

export interface Listed extends Omit<Snapshot, "quickReads"> {
  /** Something is known that `dewey-pop3.index` does not say. */
  readonly isIndexStale: boolean;
}

export type Listing = ({ readonly kind: "listed" } & Listed) | Failure;

/**
 * The messages, by the cheapest way that is exact: from memory, or listed anew with the sizes that are known.
 *
 * @param guard whether a maildrop is refused that has lost its inherited unique-ids
 */
export async function listMessages(
  path: string,
  settings: MaildropSettings,
  guard: "with their unique-ids" | "whatever their unique-ids" = "with their unique-ids",
): Promise<Listing> {
  const { files, onEvent, snapshots } = settings;
  const stamps = await stampFolders(files, path);
  const remembered = snapshots?.take(path);
  const snapshot = remembered && areSameFolders(remembered.stamps, stamps) ? remembered : undefined;
  if (snapshot?.isExact && sameStamps(snapshot.stamps, stamps))
    return { kind: "listed", isIndexStale: false, ...snapshot };
  const housekeeping = { oldestKeptMs: snapshot?.oldestKeptMs, tmpCleanedAtMs: snapshot?.tmpCleanedAtMs };
  const listed = snapshot === undefined ? await readListing(files, path, stamps) : undefined;
  const inheritedStamp = await stampInherited(files, path);
  if (listed !== undefined && sameInherited(listed.inheritedStamp, inheritedStamp))
    return { kind: "listed", list: listed, stamps, isExact: true, isIndexStale: false, ...housekeeping };
  if (!settings.readOnly) {
    await makeMissingFolders(
      path,
      stamps.map((stamp) => stamp !== undefined),
      settings,
    );
  }
  const listing = await listFolders(path, settings);
  const list = MessageList.fromListing(listing.names, listing.folders);
  // The next process need not list these; few are listed as quickly as they are read.
  let isIndexStale = listing.isExact && list.count >= LARGE_MAILDROP;
  if (snapshot !== undefined) list.learnFrom(snapshot.list);
  let older = snapshot?.list;
  let isIndexLost = false;
  // For a few new messages the whole index is not worth reading: they are not in it, or soon counted.
  if (list.sizes.unknownCount > (snapshot === undefined ? 0 : FEW_MESSAGES)) {
    const index = await readIndex(files, path, 2 * list.count + SPARE_ENTRIES);
    if (index.kind === "index") {
      list.learnFrom(index.list);
      older ??= index.list;
    }
    if (index.kind === "unusable") {
      isIndexLost = index.hadInherited;
      isIndexStale = list.count > 0;
      onEvent({ kind: "index-unusable", path: `${path}/${INDEX_FILE}`, reason: index.reason });
    }
  }
  list.learnFromNames();
  // One of a hundred is counted sooner than a whole list is read.
  if (list.sizes.unknownCount * 100 > list.count && (await learnToldSizes(path, list, settings)))
    isIndexStale = true;
  const context = { maildir: path, settings, older, stamp: inheritedStamp, isIndexLost };
  const inherited = await inherit(list, context);
  if (inherited.kind === "failed" && guard === "with their unique-ids") return inherited;
  const served = inherited.kind === "list" ? inherited.list : list;
  tellOddities(path, listing, served, onEvent);
  return {
    kind: "listed",
    list: served,
    stamps: listing.stamps,
    isExact: listing.isExact,
    isIndexStale: isIndexStale || (inherited.kind === "list" && inherited.isNew),
    ...housekeeping,
  };
}

const FEW_MESSAGES = 100;
const LARGE_MAILDROP = 1_000;
/** An index may have as many entries more than the maildrop has messages, and once again as many as it has. */
const SPARE_ENTRIES = 10_000;
const MAX_EXAMPLES = 5;

async function makeMissingFolders(
  path: string,
  isThere: readonly boolean[],
  { files, onEvent }: MaildropSettings,
): Promise<void> {
  let firstError: unknown;
  let missing = 0;
  for (const [folder, name] of [...FOLDER_NAMES, "tmp"].entries()) {
    if (isThere[folder] === true) continue;
    const folderPath = `${path}/${name}`;
    try {
      for (const made of await makeFolder(files, folderPath)) onEvent({ kind: "made-folder", path: made });
    } catch (error) {
      firstError ??= error;
      if (folder < FOLDER_NAMES.length) missing++;
      onEvent({ kind: "folder-not-made", path: folderPath, code: codeOf(error) });
    }
  }
  if (missing === FOLDER_NAMES.length) throw firstError;
}

function tellOddities(
  path: string,
  { ignored, isStable }: FolderListing,
  list: MessageList,
  onEvent: (event: MaildropEvent) => void,
): void {
  const pathTo = (folder: number, name: string) => `${path}/${FOLDER_NAMES[folder]}/${name}`;
  if (ignored.length > 0) {
    const examples = ignored
      .slice(0, MAX_EXAMPLES)
      .map(({ folder, name, type }) => ({ path: pathTo(folder, name), type }));
    onEvent({ kind: "ignored-entries", count: ignored.length, examples });
  }
  if (!isStable) return;
  for (const { index, folder, name } of list.duplicates.slice(0, MAX_EXAMPLES)) {
    onEvent({ kind: "duplicate", path: pathTo(folder, name), uniqueId: list.uniqueId(index) });
  }
}
