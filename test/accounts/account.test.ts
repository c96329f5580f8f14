import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Account,
  formatAccountLine,
  parseAccountLine,
  userNameFault,
} from "../../src/accounts/account.ts";

function account(line: Uint8Array | string): Account {
  const parsed = parseAccountLine(line, 7);
  if (parsed.kind !== "account") throw new Error(JSON.stringify(parsed));
  return parsed.account;
}

describe("parseAccountLine", () => {
  it("reads all eight fields", () => {
    expect(
      account(
        "mrose:{PLAIN}secret:5000:vmail:Marshall T. Rose:/srv/mail/mrose:/bin/sh:nodelay allow_nets=10.0.0.0/8",
      ),
    ).toEqual({
      user: "mrose",
      password: "{PLAIN}secret",
      uid: "5000",
      gid: "vmail",
      gecos: "Marshall T. Rose",
      home: "/srv/mail/mrose",
      shell: "/bin/sh",
      extra: new Map<string, string | true>([
        ["nodelay", true],
        ["allow_nets", "10.0.0.0/8"],
      ]),
      lineNumber: 7,
    });
  });

  it("takes missing and empty fields for not set", () => {
    const bare = { user: "mrose", password: "", gecos: "", extra: new Map(), lineNumber: 7 };
    expect(account("mrose")).toEqual(bare);
    expect(account("mrose:::::::")).toEqual(bare);
    expect(account("mrose:x")).toEqual({ ...bare, password: "x" });
  });

  it("keeps the spaces of a password", () => {
    expect(account("mrose:{PLAIN} two  spaces ").password).toBe("{PLAIN} two  spaces ");
  });

  it("drops the carriage return of a CRLF file", () => {
    expect(account("mrose:{PLAIN}secret\r").password).toBe("{PLAIN}secret");
  });

  it("joins the extra fields behind the seventh colon again", () => {
    expect(account("mrose:x::::::userdb_mail=maildir:~/Maildir  proxy").extra).toEqual(
      new Map<string, string | true>([
        ["userdb_mail", "maildir:~/Maildir"],
        ["proxy", true],
      ]),
    );
  });

  it("knows Dovecot's oldest form, an empty field before the mail location", () => {
    expect(account("mrose:x:1:1::/home/m:::maildir:~/Maildir").extra).toEqual(
      new Map([["userdb_mail", "maildir:~/Maildir"]]),
    );
  });

  it("keeps names of extra fields out of any object", () => {
    expect(account("mrose:x::::::__proto__=1").extra.get("__proto__")).toBe("1");
  });

  it.each(["", "   ", "\r", "# mrose:x", "#", ":x:1:1"])("skips %j", (line) => {
    expect(parseAccountLine(line, 1)).toEqual({ kind: "blank" });
  });

  it.each([
    ["mrose:x:0:5000", "uid 0 is not allowed"],
    ["mrose:x:5000:0", "gid 0 is not allowed"],
    ["mrose:x:000:1", "uid 000 is not allowed"],
    ["mrose:x:root:1", "uid root is not allowed"],
    ["mrose:x:4294967295:1", "uid 4294967295 is not allowed"],
    ["mrose:x:-1:1", "uid is neither a number nor a name"],
    ["mrose:x:5000x:1", "uid is neither a number nor a name"],
    ["mrose:x:1:1::Maildir", "home is not an absolute path"],
    ["mrose:x:1:1::/home/\0x", "home holds a control character"],
    ["mrose:x\ty:1:1", "the password field holds a control character"],
    ["m rose:x", "the user name holds whitespace"],
    ["mrose\u2028:x", "the user name holds whitespace"],
    ["\ufeffmrose:x", "the user name holds whitespace"],
    ["m\x1brose:x", "the user name holds a control character"],
    ["../mrose:x", 'the user name holds "/" or ":"'],
    [".:x", 'the user name or its domain begins with "."'],
    ["..:x", 'the user name or its domain begins with "."'],
    [".mrose:x", 'the user name or its domain begins with "."'],
    ["mrose@..:x", 'the user name or its domain begins with "."'],
    ["mrose@:x", 'the user name has nothing before or behind "@"'],
    ["@dbc.example:x", 'the user name has nothing before or behind "@"'],
    [`${"x".repeat(256)}:x`, "the user name is longer than 255 bytes"],
    [`${"ä".repeat(128)}:x`, "the user name is longer than 255 bytes"],
    ["a\u200eb:x", "the user name holds what SASLprep (RFC 4013) forbids in names"],
    ["a\uff0fb:x", 'the user name holds "/" or ":"'],
    [`mrose:${"x".repeat(8190)}`, "longer than 8192 bytes"],
  ])("refuses %j", (line, reason) => {
    expect(parseAccountLine(line, 1)).toEqual({ kind: "invalid", reason });
  });

  it("refuses a user name that is not UTF-8, and lives with a Latin-1 gecos", () => {
    expect(parseAccountLine(Buffer.from("m\xfcller:x", "latin1"), 1)).toEqual({
      kind: "invalid",
      reason: "not valid UTF-8",
    });
    const line = Buffer.from("mueller:x:1:1:M\xfcller:/home/m", "latin1");
    expect(account(line)).toMatchObject({ user: "mueller", home: "/home/m", gecos: "M\uFFFDller" });
    expect(parseAccountLine(Buffer.from("mueller:x:1:1:M:/home/m\xfc", "latin1"), 1).kind).toBe("invalid");
  });

  it("never throws and never shows the password in a reason", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        parseAccountLine(bytes, 1);
        const parsed = parseAccountLine(Buffer.concat([Buffer.from("a b:geheim:0:0:"), bytes]), 1);
        expect(JSON.stringify(parsed)).not.toContain("geheim");
      }),
    );
  });
});

describe("formatAccountLine", () => {
  it("gives back what was read", () => {
    const line =
      "mrose:{PLAIN}secret:5000:5000:M. Rose:/srv/mail/mrose:/bin/sh:nodelay allow_nets=10.0.0.0/8";
    expect(formatAccountLine(account(line))).toBe(line);
    expect(formatAccountLine(account("mrose:x"))).toBe("mrose:x::::::");
  });
});

describe("userNameFault", () => {
  it.each(["mrose", "mrose@dbc.example", "Jörg", "a.b-c_d+tag@x", "a@b@c", "ä".repeat(127)])(
    "allows %j",
    (user) => {
      expect(userNameFault(user)).toBeUndefined();
    },
  );

  it.each(["", "#mrose", "a:b", "\ud800"])("refuses %j", (user) => {
    expect(userNameFault(user)).toBeTypeOf("string");
  });
});
