// A Maildir in which four programs work at once, as on a host with an IMAP server, mutt and a busy MTA: one delivers, one
// changes flags, one moves from new to cur, one deletes. What each did is known afterwards.
import { chownSync } from "node:fs";
import { readdir, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { MailOwner } from "../../support/mail-owner.ts";

/** Messages that wait at most: the sessions have to keep up. */
const MAX_WAITING = 150;

export class BusyMaildir {
  /** Base names. */
  readonly delivered = new Set<string>();
  /** By the deleting program. */
  readonly deleted = new Set<string>();
  readonly #path: string;
  readonly #owner: MailOwner;
  #isOver = false;
  readonly #writers: Promise<void>[];
  #renames = 0;

  constructor(path: string, owner: MailOwner) {
    this.#path = path;
    this.#owner = owner;
    const writers = [() => this.#deliver(), () => this.#flag(), () => this.#move(), () => this.#delete()];
    this.#writers = writers.map(async (write) => {
      while (!this.#isOver) {
        await write();
        await delay(Math.random() * 3);
      }
    });
  }

  /** By the flagging and the moving program. */
  get renames(): number {
    return this.#renames;
  }

  /** Ends the four programs. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#writers);
  }

  async #deliver(): Promise<void> {
    const waiting = await Promise.all((["new", "cur"] as const).map((folder) => this.#names(folder)));
    if (waiting.flat().length > MAX_WAITING) return;
    for (let i = 0; i < 5; i++) {
      const name = `${Math.floor(Date.now() / 1000)}.M${this.delivered.size}P1Q${this.delivered.size}.busy`;
      const temporary = join(this.#path, "tmp", name);
      await writeFile(temporary, `X-Name: ${name}\n\n`, { mode: 0o600 });
      chownSync(temporary, this.#owner.uid, this.#owner.gid);
      this.delivered.add(name);
      await rename(temporary, join(this.#path, "new", name));
    }
  }

  async #flag(): Promise<void> {
    for (const name of pick(await this.#names("cur"), 10)) {
      const [base, flags = ""] = name.split(":2,") as [string, string?];
      const flag = "DFRS"[Math.floor(Math.random() * 4)]!;
      const changed = flags.includes(flag) ? flags.replace(flag, "") : [...flags, flag].sort().join("");
      await this.#rename(join("cur", name), join("cur", `${base}:2,${changed}`));
    }
  }

  async #move(): Promise<void> {
    for (const name of pick(await this.#names("new"), 5))
      await this.#rename(join("new", name), join("cur", `${name}:2,`));
  }

  async #delete(): Promise<void> {
    if (Math.random() > 0.1) return;
    const [name] = pick(await this.#names("cur"), 1);
    if (name === undefined) return;
    const wasThere = await ifThere(unlink(join(this.#path, "cur", name)));
    if (wasThere) this.deleted.add(name.split(":")[0]!);
  }

  async #rename(from: string, to: string): Promise<void> {
    if (await ifThere(rename(join(this.#path, from), join(this.#path, to)))) this.#renames++;
  }

  #names(folder: "new" | "cur"): Promise<string[]> {
    return readdir(join(this.#path, folder));
  }
}

function pick(names: readonly string[], count: number): string[] {
  const begin = Math.floor(Math.random() * Math.max(1, names.length - count));
  return names.slice(begin, begin + count);
}

/** False when somebody else was quicker. */
async function ifThere(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
