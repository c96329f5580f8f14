// Keeps the files of mta.postfix_maps as the passwd file is. Runs in the auth process, which alone reads that file.
import { createHash } from "node:crypto";
import type { Account } from "../../accounts/account.ts";
import { writePostfixMaps } from "../../accounts/mta/postfix-map-files.ts";
import { type PostfixMaps, postfixMaps } from "../../accounts/mta/postfix-maps.ts";
import type { Log } from "../../log/log.ts";
import type { AuthSettings } from "../settings.ts";
import { deliverySettings } from "./mta-lookups.ts";

export class PostfixMapKeeper {
  readonly #log: Log;
  #settings: AuthSettings | undefined;
  #accounts: ReadonlyMap<string, Account> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #changedAtMs: number | undefined;
  #running: Promise<void> = Promise.resolve();
  #writtenDigest: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes new settings and writes the maps anew, whatever stands in the folder. */
  configure(settings: AuthSettings): void {
    this.#settings = settings;
    this.#writtenDigest = undefined;
    if (this.#accounts !== undefined) this.changed(this.#accounts);
  }

  /** The passwd file was read, and holds these accounts now. */
  changed(accounts: ReadonlyMap<string, Account>): void {
    this.#accounts = accounts;
    this.#changedAtMs ??= Date.now();
    const longestMs = this.#changedAtMs + LONGEST_WAIT_MS - Date.now();
    this.#writeAfter(Math.max(0, Math.min(SETTLE_MS, longestMs)));
  }

  /** Resolves when nothing is being written. */
  async close(): Promise<void> {
    this.#settings = undefined;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #writeAfter(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#running.then(() => this.#write());
    }, delayMs);
  }

  async #write(): Promise<void> {
    this.#changedAtMs = undefined;
    const files = this.#settings?.postfixMaps;
    if (this.#settings === undefined || files === undefined || this.#accounts === undefined) return;
    const { folder } = files;
    const maps = await postfixMaps(this.#accounts.values(), deliverySettings(this.#settings));
    const digest = digestOf(maps);
    // A new password changes nothing here, and each change makes Postfix's daemons start anew.
    if (digest === this.#writtenDigest) {
      this.#log.debug({ folder }, "Postfix maps are as they were");
      return;
    }
    const result = await writePostfixMaps(maps, files);
    if (result.kind === "failed") {
      this.#log.error(
        { folder, reason: result.reason, retryInMs: RETRY_MS },
        "Postfix maps cannot be written, the old ones stay",
      );
      this.#writeAfter(RETRY_MS);
      return;
    }
    this.#writtenDigest = digest;
    this.#log.info({ folder, accounts: maps.accounts }, "Postfix maps written");
    this.#tellLeftOut(maps);
  }

  #tellLeftOut({ leftOut }: PostfixMaps): void {
    if (leftOut.length === 0) return;
    const first = leftOut
      .slice(0, MAX_NAMED)
      .map(({ lineNumber, reason }) => `line ${lineNumber}: ${reason}`);
    this.#log.warn({ accounts: leftOut.length, first }, "accounts left out of the Postfix maps");
  }
}

/**
 * An editor that writes in place empties the file first: maps of what is read in that moment would bounce mail. PasswdFile
 * looks again within 250 ms.
 */
const SETTLE_MS = 400;
/** However often the file changes. */
const LONGEST_WAIT_MS = 1_000;
const RETRY_MS = 30_000;
const MAX_NAMED = 5;

function digestOf({ files }: PostfixMaps): string {
  const hash = createHash("sha256");
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`);
  return hash.digest("base64");
}
