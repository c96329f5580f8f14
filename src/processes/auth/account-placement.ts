// Which mailbox process an account's session goes to, and which Maildir it opens there. Runs in auth, after the account
// has proved who it is; where mail belongs to users of the host, it has master start the process.
import type { Account } from "../../accounts/account.ts";
import { type DeliverySettings, deliveryOf } from "../../accounts/mta/delivery.ts";
import { placeOf, sharedPlace } from "../placement.ts";
import type { AuthSettings } from "../settings.ts";
import { deliverySettings } from "./mta-lookups.ts";
import type { PlaceRequests } from "./place-requests.ts";

export type AccountPlace =
  | { readonly kind: "placed"; readonly place: string; readonly maildir: string }
  /** For the log: what has to be mended before this account can be served. */
  | { readonly kind: "unusable"; readonly reason: string }
  /** No process at the moment; master has said why. */
  | { readonly kind: "unavailable" };

export class AccountPlacement {
  readonly #requests: PlaceRequests;
  readonly #settings: () => AuthSettings;
  #current: { readonly settings: AuthSettings; readonly delivery: DeliverySettings } | undefined;

  /** @param settings asked at each login: a reload may change them */
  constructor(requests: PlaceRequests, settings: () => AuthSettings) {
    this.#requests = requests;
    this.#settings = settings;
  }

  /** Resolves when the process that the account's session goes to serves. */
  async place(account: Account): Promise<AccountPlace> {
    const settings = this.#settings();
    if (this.#current?.settings !== settings)
      this.#current = { settings, delivery: deliverySettings(settings) };
    const delivery = deliveryOf(account, this.#current.delivery);
    if (delivery.kind === "unusable") return delivery;
    const { maildir, uid, gid } = delivery;
    if (settings.mailOwner !== undefined) {
      return { kind: "placed", place: sharedPlace(account.user, settings.mailboxProcesses), maildir };
    }
    const answer = await this.#requests.ask({ uid, gid });
    switch (answer) {
      case "serves":
        return { kind: "placed", place: placeOf({ uid, gid }), maildir };
      case "not-allowed":
        return {
          kind: "unusable",
          reason: `no mail is served as uid ${uid}, gid ${gid}: master has said why`,
        };
      case "unavailable":
        return { kind: "unavailable" };
      default:
        return answer satisfies never;
    }
  }
}
