// Decides whether user and password belong together. Called by the auth process, for POP3 logins and for the MTA's.
// An answer about an unknown user takes as long as one about a wrong password.
import type { LoginRefusal } from "../log/reasons.ts";
import type { ScramHash, ScramVerifier } from "../sasl/mechanism.ts";
import type { Account } from "./account.ts";
import type { Devices } from "./devices/devices.ts";
import type { PasswdFile } from "./file/passwd-file.ts";
import { mayLogIn } from "./may-log-in.ts";
import { equalSecrets } from "./passwords/digest-schemes.ts";
import { hashCost } from "./passwords/hash-cost.ts";
import {
  type Argon2Cost,
  DEFAULT_ARGON2_COST,
  DEFAULT_VERIFICATION_MEMORY_KIB,
} from "./passwords/hash-policy.ts";
import { decoyField, type Verification, verifyForms, verifyPassword } from "./passwords/password.ts";
import { readPasswordField, verificationCost } from "./passwords/password-field.ts";
import { ScramAccounts } from "./passwords/scram-accounts.ts";
import { scramVerifierOf } from "./passwords/scram-verifier.ts";
import { VerifiedPasswords } from "./verified-passwords.ts";
import { WorkQueue } from "./work-queue.ts";

export type Authentication =
  /**
   * `device` is set when a device's own password was given, not the account's. `asOf`: the same credentials from the same address
   * get the same answer while fileState() of the passwd file is this.
   */
  | { readonly kind: "ok"; readonly account: Account; readonly device?: string; readonly asOf?: string }
  /** For the log alone: the client hears the same for every reason. */
  | { readonly kind: "refused"; readonly reason: LoginRefusal }
  /** No verdict: the passwd file was never read, or nobody waits for one. */
  | { readonly kind: "unavailable" }
  /** The account's entry is at fault, not the password: [SYS/PERM]. The reason names the line, never the hash. */
  | { readonly kind: "unusable"; readonly reason: string; readonly lineNumber: number };

export interface VerifierOptions {
  readonly passwdFile: Pick<PasswdFile, "path" | "refresh" | "lookup" | "accounts" | "isLoaded" | "state">;
  /**
   * How many passwords may be verified at once; the others wait in line. Should stay below libuv's thread pool (4 by default), or
   * file access waits behind the hashes.
   */
  readonly maxParallel: number;
  /** What they may hold together while they are computed; a hash that asks for more alone makes its account unusable. */
  readonly maxMemoryKib?: number;
  /** Passwords of single devices, beside the account's own. */
  readonly devices?: Pick<Devices, "find" | "noteUse">;
  /** What new hashes cost; the decoy's cost as long as no account sets another. */
  readonly argon2Cost?: Argon2Cost;
  /** See ScramAccounts. */
  readonly decoySecret: Uint8Array;
}

/** What a SCRAM exchange came to. */
export interface ScramProof {
  readonly hash: ScramHash;
  readonly verifier: ScramVerifier;
  readonly isRight: boolean;
}

export class Verifier {
  readonly #passwdFile: VerifierOptions["passwdFile"];
  readonly #queue: WorkQueue;
  readonly #memory: WorkQueue;
  readonly #maxMemoryKib: number;
  readonly #devices: VerifierOptions["devices"];
  readonly #fallbackDecoy: string;
  readonly #verified = new VerifiedPasswords();
  readonly #scramAccounts: ScramAccounts;
  /** The file's state that `#verified` belongs to. */
  #verifiedAccounts: ReadonlyMap<string, Account> | undefined;
  #decoy: { readonly accounts: ReadonlyMap<string, Account> | undefined; readonly field: string };

  constructor({
    passwdFile,
    maxParallel,
    maxMemoryKib = DEFAULT_VERIFICATION_MEMORY_KIB,
    devices,
    argon2Cost = DEFAULT_ARGON2_COST,
    decoySecret,
  }: VerifierOptions) {
    this.#devices = devices;
    this.#passwdFile = passwdFile;
    this.#scramAccounts = new ScramAccounts(decoySecret);
    this.#queue = new WorkQueue(maxParallel);
    this.#memory = new WorkQueue(maxMemoryKib);
    this.#maxMemoryKib = maxMemoryKib;
    this.#fallbackDecoy = decoyField(argon2Cost);
    this.#decoy = { accounts: undefined, field: this.#fallbackDecoy };
  }

  /**
   * @param user as the client sent it
   * @param password octets, any; never kept
   * @param address the client's IP address, undefined for a client on this host without one
   * @param isAwaited asked when its turn has come: a verification that nobody waits for is not begun
   */
  async authenticate(
    user: string,
    password: Uint8Array,
    address: string | undefined,
    isAwaited: () => boolean = () => true,
  ): Promise<Authentication> {
    await this.#passwdFile.refresh();
    if (!this.#passwdFile.isLoaded) return { kind: "unavailable" };
    this.#forgetAfterChange();
    const account = this.#passwdFile.lookup(user);
    if (account !== undefined) {
      if (this.#verified.has(user, account.password, password)) {
        const { state: asOf } = this.#passwdFile;
        const answer = this.#admit(account, address);
        return answer.kind === "ok" && asOf !== undefined ? { ...answer, asOf } : answer;
      }
      const byDevice = await this.#authenticateDevice(account, password, address);
      if (byDevice !== undefined) return byDevice;
    }
    return this.#queue.run(async () => {
      // Whoever hung up while waiting in line costs nothing any more.
      if (!isAwaited()) return { kind: "unavailable" };
      return this.#authenticate(user, password, address);
    });
  }

  /** @returns undefined as long as the passwd file was never read */
  async findScramVerifier(user: string, hash: ScramHash): Promise<ScramVerifier | undefined> {
    await this.#passwdFile.refresh();
    if (!this.#passwdFile.isLoaded) return undefined;
    return this.#scramAccounts.find(this.#passwdFile.accounts, user, hash);
  }

  /** The end of a SCRAM exchange that began with findScramVerifier(). */
  async authenticateByProof(
    user: string,
    { hash, verifier, isRight }: ScramProof,
    address: string | undefined,
  ): Promise<Authentication> {
    await this.#passwdFile.refresh();
    if (!this.#passwdFile.isLoaded) return { kind: "unavailable" };
    const account = this.#passwdFile.lookup(user);
    if (account === undefined) return { kind: "refused", reason: "unknown-user" };
    if (isLocked(account)) return { kind: "refused", reason: "locked" };
    const stored = scramVerifierOf(account, hash);
    if (stored === undefined) return { kind: "refused", reason: "no-verifier" };
    // A password that was changed while its owner's old one was being proven is the old one.
    const isCurrent = equalSecrets(stored.storedKey, verifier.storedKey);
    if (!isRight || !isCurrent) return { kind: "refused", reason: "wrong-password" };
    return this.#admit(account, address);
  }

  /** TLS has told who the client is: an account without a password is one for certificates alone. */
  async authenticateByCertificate(user: string, address: string | undefined): Promise<Authentication> {
    await this.#passwdFile.refresh();
    if (!this.#passwdFile.isLoaded) return { kind: "unavailable" };
    const account = this.#passwdFile.lookup(user);
    if (account === undefined) return { kind: "refused", reason: "unknown-user" };
    if (isLocked(account)) return { kind: "refused", reason: "locked" };
    return this.#admit(account, address);
  }

  /**
   * Before the account's own hash, since it costs one SHA-256, and only for what has a device password's form. A locked account has no
   * devices, nor has one without a password: what shuts the account shuts them. Undefined: go on with the account's own.
   */
  async #authenticateDevice(
    account: Account,
    password: Uint8Array,
    address: string | undefined,
  ): Promise<Authentication | undefined> {
    if (readPasswordField(account.password).kind !== "scheme") return undefined;
    const device = await this.#devices?.find(account.user, password);
    if (device === undefined) return undefined;
    const answer = this.#admit(account, address);
    if (answer.kind !== "ok") return answer;
    this.#devices?.noteUse(device);
    return { ...answer, device: device.name };
  }

  async #authenticate(
    user: string,
    password: Uint8Array,
    address: string | undefined,
  ): Promise<Authentication> {
    // It may have waited in line: what holds now is what counts.
    await this.#passwdFile.refresh();
    this.#forgetAfterChange();
    const account = this.#passwdFile.lookup(user);
    // For everybody, or the first login after a change of the file would tell by its time who is unknown.
    this.#chooseDecoy();
    if (account === undefined) return this.#refuseWithDecoy("unknown-user", password);

    const field = readPasswordField(account.password);
    if (field.kind === "none") return this.#refuseWithDecoy("no-password", password);
    if (field.kind === "locked") return this.#refuseLocked(field.hidden, user, password);

    const verification = await this.#verify(account.password, password, user);
    if (verification === "mismatch") return { kind: "refused", reason: "wrong-password" };
    if (verification === "match") {
      this.#verified.add(user, account.password, password);
      // Asked last, so that the answer to a guess does not tell whether the account is restricted.
      return this.#admit(account, address);
    }
    const { lineNumber } = account;
    return {
      kind: "unusable",
      reason: `${this.#passwdFile.path}:${lineNumber}: ${verification.reason}`,
      lineNumber,
    };
  }

  /** A decoy takes as long as a hash, since the password alone decides how many forms there are. */
  #verify(field: string, password: Uint8Array, user = ""): Promise<Verification> {
    return verifyForms(password, (form) => this.#verifyForm(field, form, user));
  }

  /** In its turn by the memory it takes; what asks for more than there is takes none, being refused before it is computed. */
  #verifyForm(field: string, password: Uint8Array, user: string): Promise<Verification> {
    const hash = readPasswordField(field);
    const memoryKib = hash.kind === "scheme" ? hashCost(hash).memoryKib : 0;
    const weight = memoryKib > this.#maxMemoryKib ? 0 : memoryKib;
    return this.#memory.run(() => verifyPassword(field, password, user, this.#maxMemoryKib), weight);
  }

  #admit(account: Account, address: string | undefined): Authentication {
    return mayLogIn(account, address) ? { kind: "ok", account } : { kind: "refused", reason: "not-allowed" };
  }

  #forgetAfterChange(): void {
    if (this.#verifiedAccounts === this.#passwdFile.accounts) return;
    this.#verifiedAccounts = this.#passwdFile.accounts;
    this.#verified.clear();
  }

  // The hash behind the lock is as good a decoy as any, and it keeps the account's own pace.
  async #refuseLocked(hidden: string, user: string, password: Uint8Array): Promise<Authentication> {
    const isHash = readPasswordField(hidden).kind === "scheme";
    const verification = isHash ? await this.#verify(hidden, password, user) : undefined;
    if (verification === "match" || verification === "mismatch") return { kind: "refused", reason: "locked" };
    return this.#refuseWithDecoy("locked", password);
  }

  async #refuseWithDecoy(reason: LoginRefusal, password: Uint8Array): Promise<Authentication> {
    // The outcome is thrown away: the decoy is another account's hash, and a password that fits it must open nothing.
    const verification = await this.#verify(this.#decoy.field, password);
    if (verification !== "match" && verification !== "mismatch")
      await this.#verify(this.#fallbackDecoy, password);
    return { kind: "refused", reason };
  }

  // A hash of the kind that most accounts of the file have: same scheme, same cost.
  #chooseDecoy(): void {
    const { accounts } = this.#passwdFile;
    if (this.#decoy.accounts === accounts) return;
    this.#decoy = { accounts, field: commonestField(accounts) ?? this.#fallbackDecoy };
  }
}

function isLocked({ password }: Account): boolean {
  return readPasswordField(password).kind === "locked";
}

// Enough to know what most accounts have, and done in a few ms however long the file is.
const MAX_SAMPLE = 1000;

function commonestField(accounts: ReadonlyMap<string, Account>): string | undefined {
  const stride = Math.ceil(accounts.size / MAX_SAMPLE);
  let index = 0;
  const kinds = new Map<string, { count: number; readonly field: string }>();
  for (const account of accounts.values()) {
    if (index++ % stride !== 0) continue;
    const field = readPasswordField(account.password);
    if (field.kind !== "scheme") continue;
    const cost = verificationCost(field);
    const kind = kinds.get(cost) ?? { count: 0, field: account.password };
    kind.count += 1;
    kinds.set(cost, kind);
  }
  let commonest: { readonly count: number; readonly field: string } | undefined;
  for (const kind of kinds.values()) if (kind.count > (commonest?.count ?? 0)) commonest = kind;
  return commonest?.field;
}
