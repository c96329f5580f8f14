// A Maildir of a test's own, removed after the test, and what tests do to it behind the server's back.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export type FolderName = "new" | "cur" | "tmp";

export class ScratchMaildir {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** With new, cur and tmp. */
  static make(): ScratchMaildir {
    const maildir = ScratchMaildir.missing();
    for (const folder of ["new", "cur", "tmp"]) mkdirSync(join(maildir.path, folder), { recursive: true });
    return maildir;
  }

  /** A path below an empty folder, with nothing there yet. */
  static missing(): ScratchMaildir {
    const home = mkdtempSync(join(tmpdir(), "dewey-maildir-"));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    return new ScratchMaildir(join(home, "Maildir"));
  }

  /** @param name as a byte string (latin1) */
  write(folder: FolderName, name: string, content: string | Buffer = "Subject: a\n\nbody\n"): void {
    writeFileSync(
      this.bytesPath(folder, name),
      typeof content === "string" ? Buffer.from(content, "latin1") : content,
    );
  }

  rename(from: FolderName, name: string, to: FolderName, newName: string): void {
    renameSync(this.bytesPath(from, name), this.bytesPath(to, newName));
  }

  remove(folder: FolderName, name: string): void {
    rmSync(this.bytesPath(folder, name));
  }

  /** Byte strings, sorted. */
  names(folder: FolderName): string[] {
    return readdirSync(join(this.path, folder), { encoding: "latin1" }).sort();
  }

  file(name: string): string {
    return join(this.path, name);
  }

  setTime(name: string, timeMs: number): void {
    utimesSync(this.file(name), timeMs / 1000, timeMs / 1000);
  }

  bytesPath(folder: FolderName, name: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.path}/${folder}/`), Buffer.from(name, "latin1")]);
  }
}
