import { describe, expect, it } from "vitest";
import { parseAccountLine } from "../../src/accounts/account.ts";
import { accountMailPolicy, retentionOfAll } from "../../src/processes/account-mail-policy.ts";

function account(extra: string) {
  const parsed = parseAccountLine(`mrose:x:5000:5000::/home/mrose::${extra}`, 1);
  if (parsed.kind !== "account") throw new Error(parsed.kind);
  return parsed.account;
}

const read = (extra: string) => {
  const result = accountMailPolicy(account(extra));
  return result.kind === "policy" ? result.policy : result.reason;
};

describe("an account's extra fields", () => {
  it.each([
    ["", {}],
    ["nologin other=1", {}],
    ["pop3_expire=30d", { expireDays: 30 }],
    ["pop3_expire=never", { expireDays: null }],
    ["pop3_expire=48h", { expireDays: 2 }],
    ["pop3_keep_deleted=36h", { keepDeletedMs: 129_600_000 }],
    ["pop3_keep_deleted=off", { keepDeletedMs: 0 }],
    ["pop3_mark_seen=no", { markSeen: false }],
    ["pop3_workarounds=bare-cr,nul", { workarounds: ["nul", "bare-cr"] }],
    ["pop3_workarounds=none", { workarounds: [] }],
    [
      "pop3_workarounds=nul,nuls",
      'pop3_workarounds=nul,nuls: expected some of nul, missing-end-of-headers, bare-cr, or "none"',
    ],
    [
      "pop3_workarounds=oe-ns-eoh,bare-lf",
      'pop3_workarounds=oe-ns-eoh,bare-lf: expected some of nul, missing-end-of-headers, bare-cr, or "none"; ' +
        '"oe-ns-eoh" is "missing-end-of-headers" here; a bare LF is sent as CRLF to every client',
    ],
    [
      "pop3_expire=1d pop3_keep_deleted=7d pop3_mark_seen=yes",
      { expireDays: 1, keepDeletedMs: 604_800_000, markSeen: true },
    ],
    ["pop3_expire=36h", 'pop3_expire=36h: expected whole days such as "30d", or "never"'],
    ["pop3_expire", 'pop3_expire: expected whole days such as "30d", or "never"'],
    ["pop3_expire=0d", 'pop3_expire=0d: expected whole days such as "30d", or "never"'],
    ["pop3_keep_deleted=week", 'pop3_keep_deleted=week: expected a duration such as "7d", or "off"'],
    ["pop3_mark_seen=maybe", 'pop3_mark_seen=maybe: expected "yes" or "no"'],
  ])("%j say what becomes of its mail", (extra, expected) => {
    expect(read(extra)).toEqual(expected);
  });
});

describe("what CAPA says before login", () => {
  it.each([
    [[], null, { days: undefined, perUser: false }],
    [[], 30, { days: 30, perUser: false }],
    [["", ""], 30, { days: 30, perUser: false }],
    [["", "pop3_expire=30d"], 30, { days: 30, perUser: false }],
    [["", "pop3_expire=5d"], 30, { days: 5, perUser: true }],
    [["", "pop3_expire=never"], 30, { days: 30, perUser: true }],
    [["", "pop3_expire=90d"], null, { days: 90, perUser: true }],
    [["pop3_expire=never"], 30, { days: undefined, perUser: false }],
    // Nobody logs in to it.
    [["", "pop3_expire=soon"], 30, { days: 30, perUser: false }],
  ])("is the least of all accounts, %j with %j in the config", (extras, configDays, expected) => {
    expect(retentionOfAll(extras.map(account), configDays)).toEqual(expected);
  });
});
