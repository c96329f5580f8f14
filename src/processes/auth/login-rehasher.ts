// auth.rehash_on_login: replaces a weak hash after a login that showed the password, off the way of the reply. Runs in the
// auth process, which may write the passwd file only where its administrator has let it.
import { constants } from "node:fs";
import { access, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { Account } from "../../accounts/account.ts";
import type { EditOutcome } from "../../accounts/file/edit.ts";
import { describeFileError } from "../../accounts/file/file-error.ts";
import { WorkQueue } from "../../accounts/work-queue.ts";
import type { Log } from "../../log/log.ts";

export interface RehasherOptions {
  readonly path: string;
  /** Why the account's hash should be replaced, or undefined. */
  reasonFor(account: Account): string | undefined;
  /** Under the file's lock, and only if the account still has this hash. */
  replace(account: Account, password: Uint8Array): Promise<EditOutcome>;
  readonly log: Log;
}

/** One for each passwd file and policy: after a reload that changes either, everything is tried anew. */
export class LoginRehasher {
  readonly #options: RehasherOptions;
  /** Names, once each: a file that cannot take the change must not be tried at every poll. */
  readonly #tried = new Set<string>();
  /** One at a time: each replacement writes the whole file. */
  readonly #queue = new WorkQueue(1);
  #canWrite: Promise<boolean> | undefined;

  constructor(options: RehasherOptions) {
    this.#options = options;
  }

  /** @param password found right by the account's hash; copied, and overwritten when it is done with */
  consider(account: Account, password: Uint8Array): void {
    if (this.#tried.has(account.user)) return;
    const reason = this.#options.reasonFor(account);
    if (reason === undefined) return;
    this.#tried.add(account.user);
    const copy = Uint8Array.from(password);
    void this.#queue
      .run(() => this.#replace(account, copy, reason))
      .catch((error: unknown) =>
        this.#options.log.error({ err: error }, "replacing a hash failed for a fault of ours"),
      )
      .finally(() => copy.fill(0));
  }

  async #replace(account: Account, password: Uint8Array, reason: string): Promise<void> {
    const { log, path, replace } = this.#options;
    this.#canWrite ??= this.#checkRights();
    if (!(await this.#canWrite)) return;
    const outcome = await replace(account, password);
    const { user, lineNumber: line } = account;
    switch (outcome.kind) {
      case "written":
        log.info({ user, path, line, reason }, "weak hash replaced after login");
        return;
      case "kept":
        log.info({ user, path, line }, "hash not replaced, the account was changed meanwhile");
        return;
      case "refused":
      case "failed":
        log.error({ user, path, line, reason: outcome.reason }, "hash not replaced");
        // What the file would not take now, it won't take from the next account.
        if (outcome.kind === "failed") this.#canWrite = Promise.resolve(false);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** Before any hash is computed: the file is replaced by a new one beside it, so its folder must take that. */
  async #checkRights(): Promise<boolean> {
    const { log, path } = this.#options;
    try {
      const file = await realpath(path);
      await access(file, constants.R_OK | constants.W_OK);
      await access(dirname(file), constants.W_OK | constants.X_OK);
      return true;
    } catch (error) {
      log.error(
        { path, cause: describeFileError(error) },
        "auth.rehash_on_login has no effect: passwd file and its folder must be writable for server.auth_user, see config.toml",
      );
      return false;
    }
  }
}
