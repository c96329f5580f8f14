// The accounts as text maps for the daemons of Postfix that refuse a socketmap (virtual(8)): mailboxes, uids and gids.
// Written by postfix-map-files.ts for the auth process and for `pop3-passwd export postfix`; Exim's lsearch reads them, too.
import type { Account } from "../account.ts";
import { inTurns } from "../in-turns.ts";
import { addressesOf, type DeliverySettings, deliveryOf } from "./delivery.ts";

/** The names are the files' names. Written in this order: a recipient is not accepted before its uid is known. */
export const POSTFIX_MAP_NAMES = ["uids", "gids", "mailboxes"] as const;
export type PostfixMapName = (typeof POSTFIX_MAP_NAMES)[number];

export interface PostfixMaps {
  readonly files: ReadonlyMap<PostfixMapName, string>;
  /** How many accounts stand in the maps. */
  readonly accounts: number;
  /** Who is left out: mail for them is refused as for unknown users. */
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  readonly user: string;
  readonly lineNumber: number;
  readonly reason: string;
}

/**
 * Renders the maps. Keys are whole addresses in lower case; a mailbox is an absolute path with a slash at its end, which
 * makes it a Maildir: `virtual_mailbox_base = /`.
 */
export async function postfixMaps(
  accounts: Iterable<Account>,
  settings: DeliverySettings,
): Promise<PostfixMaps> {
  const lines = { uids: [HEAD], gids: [HEAD], mailboxes: [HEAD] };
  const seen = new Map<string, string>();
  const leftOut: LeftOut[] = [];
  let count = 0;
  await inTurns(accounts, (account) => {
    const { user, lineNumber } = account;
    const delivery = deliveryOf(account, settings);
    const addresses = addressesOf(account, settings.localDomains);
    const twin = addresses.map((address) => seen.get(address)).find((other) => other !== undefined);
    const reason = delivery.kind === "unusable" ? delivery.reason : textFault(user, addresses, twin);
    if (delivery.kind === "unusable" || reason !== undefined) {
      leftOut.push({ user, lineNumber, reason: reason ?? "" });
      return;
    }
    count++;
    for (const address of addresses) {
      seen.set(address, user);
      lines.uids.push(`${address} ${delivery.uid}\n`);
      lines.gids.push(`${address} ${delivery.gid}\n`);
      lines.mailboxes.push(`${address} ${delivery.maildir.replace(/\/*$/, "/")}\n`);
    }
  });
  const files = new Map(POSTFIX_MAP_NAMES.map((name) => [name, lines[name].join("")]));
  return { files, accounts: count, leftOut };
}

const HEAD = "# Written by dewey-pop3 from its passwd file; what is changed here is overwritten.\n";

function textFault(user: string, addresses: readonly string[], twin: string | undefined): string | undefined {
  if (addresses.length === 0) return "its name has no domain, and mta.local_domains names none";
  if (twin !== undefined) return `${twin} has the same address`;
  // postmap(1) takes a key that begins with a quotation mark for a quoted one.
  return user.startsWith('"') ? "its name begins with a quotation mark" : undefined;
}
