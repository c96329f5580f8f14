// Makes a Maildir where there is none yet: an account may log in before its first message arrives. Called by Maildrop in
// the mailbox process, as the mail's owner.
import { codeOf, type Files } from "./files/files.ts";

/** Modes as Postfix and Exim make them: nobody else reads mail. */
const FOLDER_MODE = 0o700;

/**
 * Makes a folder and what is missing above it.
 *
 * @returns the folders made, from the top; none when it was there
 * @throws what mkdir(2) throws
 */
export async function makeFolder(files: Files, path: string): Promise<string[]> {
  try {
    await files.mkdir(path, FOLDER_MODE);
    return [path];
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") return [];
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (code !== "ENOENT" || parent === "") throw error;
    return [...(await makeFolder(files, parent)), ...(await makeFolder(files, path))];
  }
}
