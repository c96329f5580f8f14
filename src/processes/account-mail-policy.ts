// What the passwd file's extra fields say about one account's mail, in place of the config's [mail]: pop3_expire,
// pop3_keep_deleted, pop3_mark_seen, pop3_workarounds. The auth process reads them, the ticket carries them. Pure.
import type { Account } from "../accounts/account.ts";
import {
  EXPIRE_FORM,
  KEEP_DELETED_FORM,
  parseExpireDays,
  parseKeepDeleted,
  parseWorkarounds,
  workaroundsForm,
} from "../config/mail-policy.ts";
import type { Workaround } from "../mime/workarounds.ts";
import type { Retention } from "../pop3/capability.ts";

/** What is left out is as the config says. */
export interface AccountMailPolicy {
  /** Null: never. */
  readonly expireDays?: number | null;
  /** 0: removed at once. */
  readonly keepDeletedMs?: number;
  readonly markSeen?: boolean;
  readonly workarounds?: Workaround[];
}

export type ReadPolicy =
  | { readonly kind: "policy"; readonly policy: AccountMailPolicy }
  /** For the log. Nobody logs in with it: to guess would be to guess which mail may go. */
  | { readonly kind: "unusable"; readonly reason: string };

export function accountMailPolicy({ extra }: Pick<Account, "extra">): ReadPolicy {
  const policy: { -readonly [K in keyof AccountMailPolicy]: AccountMailPolicy[K] } = {};
  const expire = extra.get("pop3_expire");
  if (expire !== undefined) {
    const days = expire === true ? undefined : parseExpireDays(expire);
    if (days === undefined) return unusable("pop3_expire", expire, EXPIRE_FORM);
    policy.expireDays = days;
  }
  const keepDeleted = extra.get("pop3_keep_deleted");
  if (keepDeleted !== undefined) {
    const ms = keepDeleted === true ? undefined : parseKeepDeleted(keepDeleted);
    if (ms === undefined) return unusable("pop3_keep_deleted", keepDeleted, KEEP_DELETED_FORM);
    policy.keepDeletedMs = ms;
  }
  const markSeen = extra.get("pop3_mark_seen");
  if (markSeen !== undefined) {
    if (markSeen !== "yes" && markSeen !== "no")
      return unusable("pop3_mark_seen", markSeen, 'expected "yes" or "no"');
    policy.markSeen = markSeen === "yes";
  }
  const workarounds = extra.get("pop3_workarounds");
  if (workarounds !== undefined) {
    const names = workarounds === true ? undefined : parseWorkarounds(workarounds);
    if (names === undefined)
      return unusable("pop3_workarounds", workarounds, workaroundsForm(String(workarounds)));
    policy.workarounds = [...names];
  }
  return { kind: "policy", policy };
}

/** What CAPA says before login: the least that holds for any account, and whether they differ (RFC 2449 §6.7). */
export function retentionOfAll(
  accounts: Iterable<Pick<Account, "extra">>,
  configDays: number | null,
): Retention {
  const days = new Set<number>();
  for (const account of accounts) {
    const read = accountMailPolicy(account);
    if (read.kind === "policy") days.add(daysOf(read.policy.expireDays, configDays));
  }
  if (days.size === 0) days.add(daysOf(undefined, configDays));
  const least = Math.min(...days);
  return { days: least === FOR_EVER ? undefined : least, perUser: days.size > 1 };
}

const FOR_EVER = Number.POSITIVE_INFINITY;

function daysOf(accountDays: number | null | undefined, configDays: number | null): number {
  return (accountDays === undefined ? configDays : accountDays) ?? FOR_EVER;
}

function unusable(key: string, value: string | true, form: string): ReadPolicy {
  return { kind: "unusable", reason: `${key}${value === true ? "" : `=${value}`}: ${form}` };
}
