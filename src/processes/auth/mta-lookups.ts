// What the MTA's lookups are answered from: the passwd file as it is at that moment. Runs in the auth process.
import type { Account } from "../../accounts/account.ts";
import type { PasswdFile } from "../../accounts/file/passwd-file.ts";
import { accountsByAddress, type DeliverySettings } from "../../accounts/mta/delivery.ts";
import { mtaLookup } from "../../accounts/mta/mta-lookup.ts";
import type { SocketmapReply } from "../../auth/socketmap.ts";
import { findGroup, findUser } from "../../host/user-database.ts";
import type { Log } from "../../log/log.ts";
import type { AuthSettings } from "../settings.ts";

type Accounts = Pick<PasswdFile, "path" | "refresh" | "accounts" | "isLoaded" | "isReadable">;

export class MtaLookups {
  readonly #log: Log;
  readonly #passwdFile: () => Accounts;
  readonly #settings: () => AuthSettings;
  #index: Index | undefined;

  /** Both are asked at each lookup: a reload may change them. */
  constructor(log: Log, passwdFile: () => Accounts, settings: () => AuthSettings) {
    this.#log = log;
    this.#passwdFile = passwdFile;
    this.#settings = settings;
  }

  async lookup(map: string, key: string): Promise<SocketmapReply> {
    const file = this.#passwdFile();
    await file.refresh();
    const { byAddress, delivery } = this.#indexOf(file.accounts);
    const answer = mtaLookup(map, key, await byAddress, delivery);
    switch (answer.kind) {
      case "found":
        return { kind: "OK", data: answer.value };
      case "not-found":
        // Whoever was added to a file that cannot be read must not be taken for unknown: their mail would bounce.
        return file.isReadable
          ? { kind: "NOTFOUND" }
          : { kind: "TEMP", reason: "the passwd file cannot be read" };
      case "unusable":
        this.#log.error(
          { path: file.path, line: answer.lineNumber, map, reason: answer.reason },
          "account cannot be delivered to",
        );
        return { kind: "TEMP", reason: `line ${answer.lineNumber} of the passwd file: ${answer.reason}` };
      case "no-such-map":
        this.#log.error({ map, reason: answer.reason }, "the MTA asked for a map that is not served");
        return { kind: "PERM", reason: answer.reason };
      default:
        return answer satisfies never;
    }
  }

  #indexOf(accounts: ReadonlyMap<string, Account>): Index {
    const settings = this.#settings();
    if (this.#index?.accounts !== accounts || this.#index.settings !== settings) {
      this.#index = {
        accounts,
        settings,
        byAddress: accountsByAddress(accounts.values(), settings.localDomains),
        delivery: deliverySettings(settings),
      };
    }
    return this.#index;
  }
}

interface Index {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly settings: AuthSettings;
  readonly byAddress: Promise<ReadonlyMap<string, Account>>;
  readonly delivery: DeliverySettings;
}

/** Asks the host for each name of a user or group once a minute; make new ones when the accounts have changed. */
export function deliverySettings({
  maildir,
  mailOwner,
  localDomains,
  accountsSource,
}: AuthSettings): DeliverySettings {
  return {
    maildir,
    owner: mailOwner,
    localDomains,
    source: accountsSource,
    findUser: onceAMinute(findUser),
    findGid: onceAMinute(findGroup),
  };
}

/** The host's users may be an LDAP server's, and change without a sign. */
function onceAMinute<T>(find: (name: string) => T): (name: string) => T {
  const known = new Map<string, { readonly found: T; readonly untilMs: number }>();
  return (name) => {
    const answer = known.get(name);
    if (answer !== undefined && Date.now() < answer.untilMs) return answer.found;
    const found = find(name);
    known.set(name, { found, untilMs: Date.now() + 60_000 });
    return found;
  };
}
