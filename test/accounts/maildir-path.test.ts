import { describe, expect, it } from "vitest";
import { maildirPath } from "../../src/accounts/maildir-path.ts";

const account = { user: "mrose@dbc.example", home: "/home/mrose" };

describe("maildirPath", () => {
  it.each([
    ["~/Maildir", "/home/mrose/Maildir"],
    ["~", "/home/mrose"],
    ["/var/mail/%u", "/var/mail/mrose@dbc.example"],
    ["/var/mail/%d/%n/", "/var/mail/dbc.example/mrose"],
    ["~/100%%/%n", "/home/mrose/100%/mrose"],
  ])("%s", (template, path) => {
    expect(maildirPath(template, account)).toEqual({ kind: "path", path });
  });

  it("replaces variables only in the template, never in what they stood for", () => {
    expect(maildirPath("~/%n", { user: "%u", home: "/home/%n" })).toEqual({
      kind: "path",
      path: "/home/%n/%u",
    });
  });

  it("needs a home only where the template has one", () => {
    expect(maildirPath("~/Maildir", { user: "mrose" }).kind).toBe("unusable");
    expect(maildirPath("~/Maildir", { user: "mrose", home: "relative" }).kind).toBe("unusable");
    expect(maildirPath("/var/mail/%u", { user: "mrose" }).kind).toBe("path");
  });

  it("is no longer than the kernel takes it, in bytes", () => {
    const home = `/${"ü".repeat(2042)}`;
    expect(maildirPath("~/Maild", { user: "mrose", home: `${home}aaaa` }).kind).toBe("path");
    expect(maildirPath("~/Maildi", { user: "mrose", home: `${home}aaaa` })).toEqual({
      kind: "unusable",
      reason: "mail.maildir gives a path longer than 4095 bytes",
    });
  });

  it("lets no user name climb out of the folder", () => {
    for (const user of ["../root", "a/b", "..", ".hidden", "a@..", "@domain", "a@"]) {
      expect(maildirPath("/var/mail/%d/%n", { user }).kind, user).toBe("unusable");
    }
    expect(maildirPath("/var/mail/%d/%n", { user: "no-domain" }).kind).toBe("unusable");
  });

  it.each([
    ["maildir:/srv/mail/%n", "/srv/mail/mrose"],
    ["maildir:~/mail/:INDEX=/var/indexes", "/home/m/mail"],
    ["~/Maildir", "/home/m/Maildir"],
    ["maildir:~/all:LAYOUT=fs:INBOX=~/inbox", "/home/m/inbox"],
  ])("takes the account's own userdb_mail: %s", (own, path) => {
    const owner = { user: "mrose@example.org", home: "/home/m", extra: new Map([["userdb_mail", own]]) };
    expect(maildirPath("/elsewhere/%u", owner)).toEqual({ kind: "path", path });
  });

  it.each(["mbox:~/mail", "maildir:mail", "maildir:/srv/%{hostname}", "sdbox:~/x", ""])(
    "refuses a userdb_mail that is no Maildir: %j",
    (own) => {
      const owner = { user: "mrose", home: "/home/m", extra: new Map([["userdb_mail", own]]) };
      expect(maildirPath("~/Maildir", owner)).toEqual({
        kind: "unusable",
        reason: "userdb_mail is no Maildir: expected maildir:/path or maildir:~/path",
      });
    },
  );
});
