// The maps that an MTA may ask for, by name: what each says of one address. Pure. Called by the auth process for the
// socketmap.
import type { Account } from "../account.ts";
import { type Delivery, type DeliverySettings, deliveryOf, foldedAddress } from "./delivery.ts";

export type MtaAnswer =
  /** Not empty. */
  | { readonly kind: "found"; readonly value: string }
  | { readonly kind: "not-found" }
  /** The account is there, but its line lacks something: mail for it must wait, not bounce. */
  | { readonly kind: "unusable"; readonly reason: string; readonly lineNumber: number }
  | { readonly kind: "no-such-map"; readonly reason: string };

/**
 * @param key a whole address, or a name without a domain; case does not matter
 * @param byAddress from `accountsByAddress`
 */
export function mtaLookup(
  map: string,
  key: string,
  byAddress: ReadonlyMap<string, Account>,
  settings: DeliverySettings,
): MtaAnswer {
  const answer = MAPS.get(map);
  if (answer === undefined) {
    return { kind: "no-such-map", reason: `no such map, there are: ${[...MAPS.keys()].join(", ")}` };
  }
  const account = byAddress.get(foldedAddress(key));
  return account === undefined ? { kind: "not-found" } : answer(account, settings);
}

type Answer = (account: Account, settings: DeliverySettings) => MtaAnswer;

const MAPS: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ["recipient", () => found("OK")],
  // With the slash at its end, which makes it a Maildir: virtual_mailbox_base = /
  ["mailbox", delivered(({ maildir }) => maildir.replace(/\/*$/, "/"))],
  ["uid", delivered(({ uid }) => `${uid}`)],
  ["gid", delivered(({ gid }) => `${gid}`)],
  // The login name that may send from this address: its own.
  ["sender-login", ({ user }) => found(user)],
]);

function delivered(value: (delivery: Extract<Delivery, { kind: "delivery" }>) => string): Answer {
  return (account, settings) => {
    const delivery = deliveryOf(account, settings);
    if (delivery.kind === "delivery") return found(value(delivery));
    return { kind: "unusable", reason: delivery.reason, lineNumber: account.lineNumber };
  };
}

function found(value: string): MtaAnswer {
  return { kind: "found", value };
}
