import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAccountLine } from "../../../src/accounts/account.ts";
import type { DeliverySettings } from "../../../src/accounts/mta/delivery.ts";
import { postfixMaps } from "../../../src/accounts/mta/postfix-maps.ts";
import { accountsOf } from "../accounts-of.ts";

const settings: DeliverySettings = {
  maildir: "/var/mail/%d/%n",
  owner: { uid: 5000, gid: 5001 },
  localDomains: [],
  source: "passwd-file",
  findUser: () => undefined,
  findGid: () => undefined,
};

/** A map's lines without its comment. */
function lines(text: string | undefined): string[] {
  return (text ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("postfixMaps", () => {
  it("gives each address its Maildir, uid and gid; no hash stands in them", async () => {
    const maps = await postfixMaps(
      accountsOf("MRose@Example.org:{PLAIN}secret", "locked@example.org:!{PLAIN}secret"),
      settings,
    );
    expect(lines(maps.files.get("mailboxes"))).toEqual([
      "mrose@example.org /var/mail/Example.org/MRose/",
      "locked@example.org /var/mail/example.org/locked/",
    ]);
    expect(lines(maps.files.get("uids"))).toEqual(["mrose@example.org 5000", "locked@example.org 5000"]);
    expect(lines(maps.files.get("gids"))).toEqual(["mrose@example.org 5001", "locked@example.org 5001"]);
    expect(maps.accounts).toBe(2);
    expect([...maps.files.values()].join("")).not.toContain("secret");
  });

  it("sends mail where an account's own userdb_mail says", async () => {
    const maps = await postfixMaps(
      accountsOf(
        "mrose@example.org:x::::/h::userdb_mail=maildir:~/in",
        "joe@example.org:x::::::userdb_mail=mbox:/x",
      ),
      settings,
    );
    expect(lines(maps.files.get("mailboxes"))).toEqual(["mrose@example.org /h/in/"]);
    expect(maps.leftOut).toMatchObject([{ user: "joe@example.org", lineNumber: 2 }]);
  });

  it("puts a name without a domain into every local domain", async () => {
    const maps = await postfixMaps(accountsOf("carol:x:7:8::/home/carol"), {
      ...settings,
      maildir: "~/Maildir",
      owner: undefined,
      localDomains: ["a.example", "b.example"],
    });
    expect(lines(maps.files.get("mailboxes"))).toEqual([
      "carol@a.example /home/carol/Maildir/",
      "carol@b.example /home/carol/Maildir/",
    ]);
    expect(lines(maps.files.get("uids"))).toEqual(["carol@a.example 7", "carol@b.example 7"]);
  });

  it("leaves out, and says why, who has no domain, no place, or the address of an earlier line", async () => {
    const { leftOut, accounts } = await postfixMaps(
      accountsOf("a@b.example:x", "carol:x", "A@B.example:x", '"q"@b.example:x'),
      settings,
    );
    expect(accounts).toBe(1);
    expect(leftOut).toEqual([
      expect.objectContaining({ lineNumber: 2, reason: expect.stringContaining("%d") }),
      { user: "A@B.example", lineNumber: 3, reason: "a@b.example has the same address" },
      { user: '"q"@b.example', lineNumber: 4, reason: "its name begins with a quotation mark" },
    ]);
    expect((await postfixMaps(accountsOf("carol:x"), { ...settings, maildir: "/m/%u" })).leftOut).toEqual([
      { user: "carol", lineNumber: 1, reason: "its name has no domain, and mta.local_domains names none" },
    ]);
  });

  it("renders one line an address, with every key once, whatever stands in the passwd file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), async (texts) => {
        const accounts = accountsOf(
          ...texts
            .map((text) => `${text}@b.example:x`)
            .filter((line) => parseAccountLine(line, 1).kind === "account"),
        );
        const maps = await postfixMaps(accounts, settings);
        const keys = lines(maps.files.get("mailboxes")).map((line) => line.split(" ")[0]);
        expect(keys.length).toBe(maps.accounts);
        expect(new Set(keys).size).toBe(keys.length);
        expect(maps.accounts + maps.leftOut.length).toBe(accounts.length);
        for (const line of lines(maps.files.get("mailboxes")))
          expect(line).toMatch(/^\S+@b\.example \/.*\/$/u);
      }),
    );
  });
});
