// The passwd file, for the library's user: who may log in, and where their mail is.
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { maildirPath } from "../accounts/maildir-path.ts";
import { PasswdFile } from "../accounts/passwd-file.ts";
import { Verifier } from "../accounts/verifier.ts";

export interface PasswdAccount {
  readonly user: string;
  /** Number or name, as the file has it. */
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly home: string | undefined;
  /** The eighth field: key=value, or true for a key that stands alone. */
  readonly extra: ReadonlyMap<string, string | true>;
  /** Where its Maildir is. @param template as mail.maildir in config.toml. @returns undefined where the account lacks what it needs */
  maildir(template?: string): string | undefined;
}

export class PasswdAccounts {
  readonly #file: PasswdFile;
  readonly #verifier: Verifier;

  /** Reads the file at the first question, and again whenever it has changed. */
  constructor(path: string) {
    this.#file = new PasswdFile({ path, onEvent: () => {} });
    this.#verifier = new Verifier({
      passwdFile: this.#file,
      maxParallel: availableParallelism(),
      decoySecret: randomBytes(32),
    });
  }

  /**
   * Whose credentials these are. An unknown user takes as long as a wrong password.
   *
   * @param address the client's, for accounts with allow_nets
   * @returns undefined when the login is refused
   * @throws Error when nobody can tell: the file cannot be read, or the account's line is at fault
   */
  async authenticate(
    user: string,
    password: string | Uint8Array,
    address?: string,
  ): Promise<PasswdAccount | undefined> {
    const found = await this.#verifier.authenticate(user, Buffer.from(password), address);
    switch (found.kind) {
      case "ok": {
        const { account } = found;
        return {
          user: account.user,
          uid: account.uid,
          gid: account.gid,
          home: account.home,
          extra: account.extra,
          maildir: (template = "~/Maildir") => {
            const place = maildirPath(template, account);
            return place.kind === "path" ? place.path : undefined;
          },
        };
      }
      case "refused":
        return undefined;
      case "unavailable":
        throw new Error(`cannot read ${this.#file.path}`);
      case "unusable":
        throw new Error(`${this.#file.path}:${found.lineNumber}: ${found.reason}`);
      default:
        return found satisfies never;
    }
  }

  /** Names of all accounts. */
  async users(): Promise<readonly string[]> {
    await this.#file.refresh();
    return [...this.#file.accounts.keys()];
  }
}
