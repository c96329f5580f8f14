// The passwd file, for the library's user: who may log in, and where their mail is.
import { availableParallelism } from "node:os";
import type { Account } from "../accounts/account.ts";
import { Devices } from "../accounts/devices/devices.ts";
import { PasswdFile } from "../accounts/file/passwd-file.ts";
import { maildirPath } from "../accounts/maildir-path.ts";
import { decoySecret } from "../accounts/passwords/decoy-secret.ts";
import { scramHashesOf } from "../accounts/passwords/scram-accounts.ts";
import { type Authentication, type ScramProof, Verifier } from "../accounts/verifier.ts";
import type { ScramHash, ScramVerifier } from "../sasl/mechanism.ts";

export interface PasswdAccount {
  readonly user: string;
  /** Number or name, as the file has it. */
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  readonly home: string | undefined;
  /** The device whose own password was given, instead of the account's. */
  readonly device: string | undefined;
  /** The eighth field: key=value, or true for a key that stands alone. */
  readonly extra: ReadonlyMap<string, string | true>;
  /** Where its Maildir is. @param template as mail.maildir in config.toml. @returns undefined where the account lacks what it needs */
  maildir(template?: string): string | undefined;
}

/** Accounts' own passwords, those of single devices (`pop3-passwd device add`), and SCRAM for those who have a verifier. */
export class PasswdAccounts {
  readonly #file: PasswdFile;
  readonly #devices: Devices;
  readonly #verifier: Verifier;

  /** Reads the file at the first question, and again whenever it has changed. */
  constructor(path: string) {
    this.#file = new PasswdFile({ path, onEvent: () => {} });
    // What cannot be read opens nothing.
    this.#devices = new Devices({ passwdFile: path, onFault: () => {} });
    this.#verifier = new Verifier({
      passwdFile: this.#file,
      devices: this.#devices,
      maxParallel: availableParallelism(),
      decoySecret,
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
    return this.#accountOf(await this.#verifier.authenticate(user, Buffer.from(password), address));
  }

  /** For which SCRAM any account has a verifier: what `servePop3` offers. */
  async scramHashes(): Promise<ReadonlySet<ScramHash>> {
    await this.#file.refresh();
    return new Set(scramHashesOf(this.#file.accounts).keys());
  }

  /** What a SCRAM exchange measures this user by; made up for those who have none. @throws Error as `authenticate` */
  async scramVerifier(user: string, hash: ScramHash): Promise<ScramVerifier> {
    const verifier = await this.#verifier.findScramVerifier(user, hash);
    if (verifier === undefined) throw this.#unavailable();
    return verifier;
  }

  /** The end of that exchange. @throws Error as `authenticate` */
  async authenticateByProof(
    user: string,
    proof: ScramProof,
    address?: string,
  ): Promise<PasswdAccount | undefined> {
    return this.#accountOf(await this.#verifier.authenticateByProof(user, proof, address));
  }

  /** Names of all accounts. */
  async users(): Promise<readonly string[]> {
    await this.#file.refresh();
    return [...this.#file.accounts.keys()];
  }

  /** Notes when devices' passwords were last used, which else happens a little later. */
  close(): Promise<void> {
    return this.#devices.close();
  }

  #accountOf(found: Authentication): PasswdAccount | undefined {
    switch (found.kind) {
      case "ok":
        return passwdAccount(found.account, found.device);
      case "refused":
        return undefined;
      case "unavailable":
        throw this.#unavailable();
      case "unusable":
        throw new Error(`${this.#file.path}:${found.lineNumber}: ${found.reason}`);
      default:
        return found satisfies never;
    }
  }

  #unavailable(): Error {
    return new Error(`cannot read ${this.#file.path}`);
  }
}

function passwdAccount(account: Account, device: string | undefined): PasswdAccount {
  const { user, uid, gid, home, extra } = account;
  return {
    ...{ user, uid, gid, home, extra, device },
    maildir: (template = "~/Maildir") => {
      const place = maildirPath(template, account);
      return place.kind === "path" ? place.path : undefined;
    },
  };
}
