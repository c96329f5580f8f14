// The UPDATE state's work on the files (RFC 1939 §6): removes marked messages and flags retrieved ones, wherever other
// programs have put them meanwhile. Called by Maildrop in the mailbox process.
import { constants } from "node:fs";
import { hasFlag, withFlag } from "./filename.ts";
import { codeOf, entryPath, type FilePath, type Files } from "./files.ts";
import { CUR, FOLDER_NAMES, type Folder } from "./folders.ts";

/** A file's place as last seen. */
export interface MessagePlace {
  readonly folder: Folder;
  readonly name: string;
}

/** Where the messages stand; `refind` looks again after one was not where it was. */
export interface MessagePlaces {
  readonly maildir: string;
  place(index: number): MessagePlace;
  /** False when the message is gone. */
  refind(index: number): Promise<boolean>;
  moved(index: number, place: MessagePlace): void;
}

export type Removal =
  | { readonly kind: "removed" }
  | { readonly kind: "already-gone" }
  | { readonly kind: "failed"; readonly code: string };

/** How often a message that others keep renaming is looked for. */
const MAX_ATTEMPTS = 5;

/** Works on a file wherever it stands now. `act` throws ENOENT when it is not there. */
export async function whereverItStands(
  places: MessagePlaces,
  index: number,
  act: (path: FilePath, place: MessagePlace) => Promise<void>,
): Promise<Removal> {
  for (let attempt = 1; ; attempt++) {
    const place = places.place(index);
    try {
      await act(pathOf(places.maildir, place), place);
      return { kind: "removed" };
    } catch (error) {
      const code = codeOf(error);
      if (code !== "ENOENT" || attempt === MAX_ATTEMPTS) return { kind: "failed", code };
    }
    try {
      if (!(await places.refind(index))) return { kind: "already-gone" };
    } catch (error) {
      return { kind: "failed", code: codeOf(error) };
    }
  }
}

/**
 * Other names of the very file at `path`, among files with its base name: what a move by link(2) and unlink(2) leaves
 * behind when it is cut short. Different files of one base name are different messages.
 */
export async function twinsOf(
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
export async function markSeen(
  files: Files,
  places: MessagePlaces,
  index: number,
): Promise<string | undefined> {
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
export async function syncFolder(files: Files, folder: string): Promise<string | undefined> {
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

/** Runs `work` for every item, at most `parallel` at a time. */
export async function forEachParallel<T>(
  items: Iterable<T>,
  parallel: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

export function pathOf(maildir: string, { folder, name }: MessagePlace): FilePath {
  return entryPath(`${maildir}/${FOLDER_NAMES[folder]}`, name);
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
