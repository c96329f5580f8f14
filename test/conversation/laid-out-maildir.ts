// mrose's Maildir, laid out anew for each dialogue: for the targets that read a real one.
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Messages } from "./dialogue.ts";

export interface MaildirOwner {
  readonly uid: number;
  readonly gid: number;
}

export class LaidOutMaildir {
  readonly #path: string;
  readonly #owner: MaildirOwner | undefined;

  /** @param owner whose it is made, where the tests run as root */
  constructor(path: string, owner?: MaildirOwner) {
    this.#path = path;
    this.#owner = process.getuid?.() === 0 ? owner : undefined;
  }

  reset(messages: Messages): void {
    rmSync(this.#path, { recursive: true, force: true });
    for (const folder of ["", "cur", "new", "tmp"]) {
      mkdirSync(join(this.#path, folder), { mode: 0o700 });
      this.#giveAway(join(this.#path, folder));
    }
    for (const [name, content] of messages) {
      const file = join(this.#path, "new", name);
      writeFileSync(file, content, { encoding: "latin1", mode: 0o600 });
      this.#giveAway(file);
    }
  }

  /** What stands in their places behind the session's back is a folder: unlink(2) refuses it, whoever asks. */
  fix(names: readonly string[]): void {
    for (const name of names) {
      const file = join(this.#path, "new", name);
      rmSync(file);
      mkdirSync(file);
    }
  }

  /** Without flags. */
  messageNames(): readonly string[] {
    return ["new", "cur"]
      .flatMap((folder) => readdirSync(join(this.#path, folder)))
      .map((name) => name.split(":")[0] ?? "")
      .sort();
  }

  #giveAway(path: string): void {
    if (this.#owner !== undefined) chownSync(path, this.#owner.uid, this.#owner.gid);
  }
}
