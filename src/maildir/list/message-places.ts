// Where the files of a maildrop's messages stand, although other programs move them: what is not where it was is looked
// for. Used by whatever opens, measures, removes or flags a message, in the mailbox process.
import { codeOf, entryPath, type FilePath } from "../files/files.ts";
import { FOLDER_NAMES, type Folder } from "./folders.ts";

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

export type Visit =
  | { readonly kind: "done" }
  | { readonly kind: "already-gone" }
  | { readonly kind: "failed"; readonly code: string };

/** How often a message that others keep renaming is looked for. */
const MAX_ATTEMPTS = 5;

/** Works on a file wherever it stands now. `act` throws ENOENT when it is not there. */
export async function whereverItStands(
  places: MessagePlaces,
  index: number,
  act: (path: FilePath, place: MessagePlace) => Promise<void>,
): Promise<Visit> {
  for (let attempt = 1; ; attempt++) {
    const place = places.place(index);
    try {
      await act(pathOf(places.maildir, place), place);
      return { kind: "done" };
    } catch (error) {
      const code = codeOf(error);
      // On NFS a file that another host has removed may be stale for a moment before it is missing: the folder knows.
      const isMissing = code === "ENOENT" || code === "ESTALE";
      if (!isMissing || attempt === MAX_ATTEMPTS) return { kind: "failed", code };
    }
    try {
      if (!(await places.refind(index))) return { kind: "already-gone" };
    } catch (error) {
      return { kind: "failed", code: codeOf(error) };
    }
  }
}

export function pathOf(maildir: string, { folder, name }: MessagePlace): FilePath {
  return entryPath(`${maildir}/${FOLDER_NAMES[folder]}`, name);
}
