import { describe, expect, it } from "vitest";
import { accountsByAddress, type DeliverySettings } from "../../../src/accounts/mta/delivery.ts";
import { mtaLookup } from "../../../src/accounts/mta/mta-lookup.ts";
import { accountsOf } from "../accounts-of.ts";

const settings: DeliverySettings = {
  maildir: "~/Maildir",
  owner: undefined,
  localDomains: ["local.example"],
  source: "passwd-file",
  findUser: (name) => ({ vmail: { uid: 5000, gid: 5000 } })[name],
  findGid: (name) => ({ vmail: 5000 })[name],
};

const accounts = accountsOf(
  "MRose@Example.org:x:1001:1002::/home/mrose::",
  "carol:!x:vmail:vmail::/home/carol/::nologin",
  "lost@example.org:x",
  "gone@example.org:x:nobody-here:1::/home/gone::",
);
const byAddress = await accountsByAddress(accounts, settings.localDomains);
const look = (map: string, key: string, more: Partial<DeliverySettings> = {}) =>
  mtaLookup(map, key, byAddress, { ...settings, ...more });

describe("mtaLookup", () => {
  it("says where and whose the mail is", () => {
    const found = (value: string) => ({ kind: "found", value });
    expect(look("recipient", "mrose@example.org")).toEqual(found("OK"));
    expect(look("mailbox", "mrose@example.org")).toEqual(found("/home/mrose/Maildir/"));
    expect(look("uid", "mrose@example.org")).toEqual(found("1001"));
    expect(look("gid", "mrose@example.org")).toEqual(found("1002"));
    expect(look("uid", "carol")).toEqual(found("5000"));
  });

  it("takes keys and names without regard to case, and gives the login name as it stands in the file", () => {
    expect(look("sender-login", "MROSE@EXAMPLE.ORG")).toEqual({ kind: "found", value: "MRose@Example.org" });
  });

  it("finds a name without domain by itself and in the local domains, and nowhere else", () => {
    expect(look("sender-login", "carol@local.example")).toEqual({ kind: "found", value: "carol" });
    expect(look("recipient", "carol")).toEqual({ kind: "found", value: "OK" });
    expect(look("recipient", "carol@example.org")).toEqual({ kind: "not-found" });
  });

  it("lets who is locked or may not log in receive mail", () => {
    expect(look("mailbox", "carol@local.example")).toEqual({ kind: "found", value: "/home/carol//Maildir/" });
  });

  it("gives everybody the one owner of all mail where there is one", () => {
    const owner = { uid: 7, gid: 8 };
    expect(look("uid", "mrose@example.org", { owner })).toEqual({ kind: "found", value: "7" });
    expect(look("gid", "carol", { owner })).toEqual({ kind: "found", value: "8" });
  });

  it("names the line that lacks something, so that mail waits", () => {
    expect(look("recipient", "lost@example.org")).toEqual({ kind: "found", value: "OK" });
    expect(look("mailbox", "lost@example.org")).toMatchObject({ kind: "unusable", lineNumber: 3 });
    expect(look("uid", "gone@example.org")).toEqual({
      kind: "unusable",
      reason: "its uid nobody-here cannot be used on this host",
      lineNumber: 4,
    });
  });

  it("tells an unknown map from an unknown key, also for names that objects have by birth", () => {
    expect(look("recipient", "nobody@example.org")).toEqual({ kind: "not-found" });
    expect(look("recipient", "")).toEqual({ kind: "not-found" });
    expect(look("recipients", "mrose@example.org")).toEqual({
      kind: "no-such-map",
      reason: "no such map, there are: recipient, mailbox, uid, gid, sender-login",
    });
    expect(look("constructor", "mrose@example.org").kind).toBe("no-such-map");
  });
});

describe("accountsByAddress", () => {
  it("gives an address that two names have to the first line", async () => {
    const twins = await accountsByAddress(
      accountsOf("a@b.example:x", "A@b.example:x", "c:x", "c@local.example:x"),
      ["local.example"],
    );
    expect(twins.get("a@b.example")?.lineNumber).toBe(1);
    expect(twins.get("c@local.example")?.lineNumber).toBe(3);
  });
});
