// Maildirs as the tests see them: laid out by the test itself, read back file by file, copied with owner and times.
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MailOwner } from "../../support/mail-owner.ts";
import { runOrThrow } from "../../support/program.ts";

export interface MaildirFile {
  readonly folder: "new" | "cur";
  /** The name up to the info part: what stays the same while flags change. */
  readonly baseName: string;
  /** The flags after `:2,`, in the order they stand; empty in new/. */
  readonly flags: string;
  /** As stored. */
  readonly bytes: Buffer;
}

/** All messages, by base name. */
export function readMaildir(maildir: string): readonly MaildirFile[] {
  return (["new", "cur"] as const)
    .flatMap((folder) =>
      readdirSync(join(maildir, folder)).map((name): MaildirFile => {
        const [baseName, info = ""] = name.split(":", 2) as [string, string?];
        const flags = info.startsWith("2,") ? info.slice(2) : "";
        return { folder, baseName, flags, bytes: readFileSync(join(maildir, folder, name)) };
      }),
    )
    .sort((a, b) => (a.baseName < b.baseName ? -1 : 1));
}

/** The Maildir's messages counted; 0 while it does not exist. */
export function countMessages(maildir: string): number {
  const count = (folder: string): number => {
    try {
      return readdirSync(join(maildir, folder)).length;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
      throw error;
    }
  };
  return count("new") + count("cur");
}

/** "base name + flags" of every message: a Maildir's state where new/ and cur/ don't matter. */
export function namesAndFlags(maildir: string): readonly string[] {
  return readMaildir(maildir).map(({ baseName, flags }) => `${baseName} ${flags}`);
}

/** Makes home and Maildir, and writes the given files: relative path such as `new/1.a` → content. */
export function layOutMaildir(
  home: string,
  owner: MailOwner,
  files: ReadonlyMap<string, Buffer> = new Map(),
): string {
  const maildir = join(home, "Maildir");
  const own = (path: string): void => chownSync(path, owner.uid, owner.gid);
  mkdirSync(home, { recursive: true });
  own(home);
  for (const folder of [maildir, ...["new", "cur", "tmp"].map((name) => join(maildir, name))]) {
    mkdirSync(folder, { mode: 0o700 });
    own(folder);
  }
  for (const [path, bytes] of files) {
    writeFileSync(join(maildir, path), bytes, { mode: 0o600 });
    own(join(maildir, path));
  }
  return maildir;
}

/** A copy with owners, modes and times, as another server on another day would find it. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await runOrThrow("cp", ["-a", "--", from, to]);
}

/** Octets as POP3 sends them: every LF that no CR precedes becomes CRLF, and the last line has an end. */
export function asSent(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1").replace(/(?<!\r)\n/g, "\r\n");
  return Buffer.from(text === "" || text.endsWith("\r\n") ? text : `${text}\r\n`, "latin1");
}
