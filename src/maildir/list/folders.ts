// Which files stand in new/ and cur/, told without gaps although other programs rename, add and remove meanwhile. Used by
// Maildrop in the mailbox process.
import type { BigIntStats } from "node:fs";
import { baseName } from "../filename.ts";
import { codeOf, type EntryType, type Files } from "../files/files.ts";

export const NEW = 0;
export const CUR = 1;
export type Folder = typeof NEW | typeof CUR;
export const FOLDER_NAMES = ["new", "cur"] as const;
export type FolderName = (typeof FOLDER_NAMES)[number];

/** What changes when anything in a folder changes. Missing folders have none. */
export interface FolderStamp {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;
}
export type FolderStamps = readonly [FolderStamp | undefined, FolderStamp | undefined];

export interface IgnoredEntry {
  readonly folder: Folder;
  readonly name: string;
  readonly type: EntryType;
}

export interface FolderListing {
  /** Names as byte strings, in no order; `folders` says where each stands. A base name may stand there twice. */
  readonly names: readonly string[];
  readonly folders: readonly Folder[];
  /** What is no regular file. */
  readonly ignored: readonly IgnoredEntry[];
  readonly stamps: FolderStamps;
  /** False when the folders went on changing: a base name that stands twice may be one file, renamed meanwhile. */
  readonly isStable: boolean;
  /** True when nothing can have changed unseen up to `stamps`: as long as they stay, the listing is exact. */
  readonly isExact: boolean;
}

/**
 * How old a folder's time must be to be trusted. A file system's clock moves in ticks (4 ms on most kernels, 2 s on the
 * coarsest file systems): a change in the tick of the one before leaves the same time.
 */
export const TRUSTED_AGE_MS = 2_500;

/**
 * On shared storage the folder's time is by its server's clock, and its age by this host's, which may be a minute ahead of it.
 * One that is behind takes a folder for younger than it is, and lists it once more.
 */
const SHARED_TRUSTED_AGE_MS = TRUSTED_AGE_MS + 60_000;

const MAX_PASSES = 6;

/**
 * Lists new/, then cur/: a message that is moved to cur/ meanwhile is seen at least once. A rename within a folder can
 * hide a file from readdir(3), so that a folder that changed while it was read is read again, and what any of the
 * passes saw is there; of two names of one message the later seen counts.
 *
 * @param settings `now`: the host's clock, ms
 * @throws what readdir(3) throws, but for folders that are missing
 */
export async function listFolders(
  maildir: string,
  { files, now, sharedStorage }: ListSettings,
): Promise<FolderListing> {
  const trustedAgeMs = sharedStorage ? SHARED_TRUSTED_AGE_MS : TRUSTED_AGE_MS;
  const seen = new Map<string, Place>();
  for (let pass = 1; ; pass++) {
    const startedAtMs = now();
    const before = await stampFolders(files, maildir);
    const listing = await listOnce(files, maildir);
    const stamps = await stampFolders(files, maildir);
    const isStable = sameStamps(before, stamps);
    const isExact = isStable && areOld(stamps, startedAtMs - trustedAgeMs);
    if (isExact) return { ...listing, stamps, isStable, isExact };
    // Stable twice, each time read whole: a rename that hid a file would have to fall into the tick of a stamp twice.
    if ((isStable && pass > 1) || pass === MAX_PASSES) {
      for (const name of listing.names) seen.delete(baseName(name));
      for (const { name, folder } of seen.values()) {
        listing.names.push(name);
        listing.folders.push(folder);
      }
      return { ...listing, stamps, isStable, isExact };
    }
    listing.names.forEach((name, position) => {
      seen.set(baseName(name), { name, folder: listing.folders[position]! });
    });
  }
}

interface ListSettings {
  readonly files: Files;
  readonly now: () => number;
  readonly sharedStorage: boolean;
}

interface Place {
  readonly name: string;
  readonly folder: Folder;
}

/** Two stat(2) calls. @throws but for folders that are missing */
export async function stampFolders(files: Files, maildir: string): Promise<FolderStamps> {
  return Promise.all([stampOf(files, `${maildir}/new`), stampOf(files, `${maildir}/cur`)]);
}

export function sameStamps(a: FolderStamps, b: FolderStamps): boolean {
  return sameStamp(a[NEW], b[NEW]) && sameStamp(a[CUR], b[CUR]);
}

/** Whether these are still the same two folders, whatever happened in them: a Maildir made anew shares no message. */
export function areSameFolders(a: FolderStamps, b: FolderStamps): boolean {
  return [NEW, CUR].every((folder) => {
    const [one, other] = [a[folder], b[folder]];
    if (one === undefined || other === undefined) return false;
    return one.ino === other.ino && one.dev === other.dev && one.birthtimeNs === other.birthtimeNs;
  });
}

async function stampOf(files: Files, folder: string): Promise<FolderStamp | undefined> {
  let stats: BigIntStats;
  try {
    stats = await files.stat(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  // The change time too: a restore sets a folder's modification time back to what it was.
  return {
    dev: stats.dev,
    ino: stats.ino,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    birthtimeNs: stats.birthtimeNs,
  };
}

function sameStamp(a: FolderStamp | undefined, b: FolderStamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.ino === b.ino && a.dev === b.dev;
}

function areOld(stamps: FolderStamps, atMs: number): boolean {
  return stamps.every((stamp) => {
    if (stamp === undefined) return false;
    return [stamp.mtimeNs, stamp.ctimeNs].every((ns) => Number(ns / 1_000_000n) <= atMs);
  });
}

interface Pass {
  readonly names: string[];
  readonly folders: Folder[];
  readonly ignored: IgnoredEntry[];
}

async function listOnce(files: Files, maildir: string): Promise<Pass> {
  const found: Pass = { names: [], folders: [], ignored: [] };
  for (const folder of [NEW, CUR] as const) {
    for (const { name, type } of await listIfThere(files, `${maildir}/${FOLDER_NAMES[folder]}`)) {
      // The Maildir specification: names that begin with a dot are not messages.
      if (name.startsWith(".")) continue;
      if (type === "file") {
        found.names.push(name);
        found.folders.push(folder);
      } else {
        found.ignored.push({ folder, name, type });
      }
    }
  }
  return found;
}

async function listIfThere(files: Files, folder: string): Promise<Awaited<ReturnType<Files["list"]>>> {
  try {
    return await files.list(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
