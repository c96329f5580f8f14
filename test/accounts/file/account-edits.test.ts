import { describe, expect, it } from "vitest";
import {
  accountFault,
  addAccount,
  changeDetails,
  type DetailField,
  deleteAccount,
  deleteDomain,
  findAccount,
  importAccounts,
  inTurn,
  lockAccount,
  type NewAccount,
  setPassword,
  unlockAccount,
  usersOfDomain,
} from "../../../src/accounts/file/account-edits.ts";
import type { EditChange } from "../../../src/accounts/file/edit.ts";
import { joinLines, splitLines } from "../../../src/accounts/file/passwd-lines.ts";

const lines = (content: string) => splitLines(Buffer.from(content));

function written(change: EditChange): string {
  if (change.kind !== "write") throw new Error(JSON.stringify(change));
  return Buffer.from(joinLines(change.lines)).toString();
}

const newAccount = (user: string, password = "{PLAIN}x"): NewAccount => ({
  user,
  password,
  gecos: "",
  extra: new Map(),
});

describe("findAccount", () => {
  it("finds the first sound line", () => {
    const found = findAccount(lines("# mrose:c\nmrose:a:0\nmrose:b\nmrose:c\n"), "mrose");
    expect(found).toMatchObject({ kind: "found", index: 2, account: { password: "b", lineNumber: 3 } });
  });

  it("says that there is none, or only a bad line", () => {
    expect(findAccount(lines("mrose2:x\n"), "mrose")).toEqual({
      kind: "missing",
      reason: "no such user: mrose",
    });
    expect(findAccount(lines("a:x\nmrose:x:0\n"), "mrose")).toEqual({
      kind: "missing",
      reason: "line 2 of mrose cannot be used: uid 0 is not allowed",
    });
  });
});

describe("addAccount", () => {
  it("appends a line with all its fields", () => {
    const account = {
      ...newAccount("joe"),
      uid: "5000",
      home: "/home/joe",
      extra: new Map([["nodelay", true as const]]),
    };
    expect(written(addAccount(lines("mrose:x\n"), account))).toBe(
      "mrose:x\njoe:{PLAIN}x:5000:::/home/joe::nodelay\n",
    );
  });

  it("refuses a user who exists, even in a line that is bad", () => {
    expect(addAccount(lines("a:x\nmrose:x\n"), newAccount("mrose"))).toEqual({
      kind: "refuse",
      reason: "mrose exists already, in line 2",
    });
    expect(addAccount(lines("mrose:x:0\n"), newAccount("mrose")).kind).toBe("refuse");
  });

  it("takes a user who stands in a comment for new", () => {
    expect(written(addAccount(lines("#mrose:x\n"), newAccount("mrose")))).toContain("\nmrose:{PLAIN}x:");
  });
});

describe("setPassword", () => {
  it("changes the second field of that line alone", () => {
    const before = "# accounts\r\n\nmrose:old:1:1:M:/home/m:/bin/sh:a=b c\nbad line:0\njoe:x";
    expect(written(setPassword(lines(before), "mrose", { field: "new" }))).toBe(before.replace("old", "new"));
    expect(written(setPassword(lines(before), "joe", { field: "new" }))).toBe(
      before.replace("joe:x", "joe:new"),
    );
  });

  it("leaves a locked account locked", () => {
    expect(written(setPassword(lines("mrose:!old\n"), "mrose", { field: "new" }))).toBe("mrose:!new\n");
    expect(written(setPassword(lines("mrose:*\n"), "mrose", { field: "new" }))).toBe("mrose:!new\n");
  });

  it("refuses an unknown user", () => {
    expect(setPassword(lines(""), "mrose", { field: "new" })).toEqual({
      kind: "refuse",
      reason: "no such user: mrose",
    });
  });
});

describe("lockAccount and unlockAccount", () => {
  it("put the mark there and take it away", () => {
    const locked = written(lockAccount(lines("mrose:{PLAIN}x:1\n"), "mrose"));
    expect(locked).toBe("mrose:!{PLAIN}x:1\n");
    expect(written(unlockAccount(lines(locked), "mrose"))).toBe("mrose:{PLAIN}x:1\n");
  });

  it("change nothing that is so already", () => {
    expect(lockAccount(lines("mrose:!x\n"), "mrose")).toEqual({ kind: "keep" });
    expect(unlockAccount(lines("mrose:x\n"), "mrose")).toEqual({ kind: "keep" });
  });

  it("take both of Red Hat's marks away", () => {
    expect(written(unlockAccount(lines("mrose:!!$6$s$h\n"), "mrose"))).toBe("mrose:$6$s$h\n");
  });

  it("refuse to unlock what has no password behind the lock", () => {
    expect(unlockAccount(lines("mrose:!\n"), "mrose")).toEqual({
      kind: "refuse",
      reason: "mrose has no password behind the lock",
    });
  });
});

describe("deleteAccount", () => {
  it("deletes every line of the user, so that no duplicate comes to life", () => {
    expect(written(deleteAccount(lines("a:x\nmrose:1\n#mrose:c\nmrose:2:0\nb:x"), "mrose"))).toBe(
      "a:x\n#mrose:c\nb:x",
    );
  });

  it("refuses an unknown user", () => {
    expect(deleteAccount(lines("a:x\n"), "mrose")).toEqual({ kind: "refuse", reason: "no such user: mrose" });
  });
});

describe("importAccounts", () => {
  const accounts = [newAccount("mrose", "new"), newAccount("joe", "new")];

  it("adds those who are missing and leaves the others alone", () => {
    const { change, counts } = importAccounts(lines("mrose:old:1\n"), accounts, { replace: false });
    expect(written(change)).toBe("mrose:old:1\njoe:new::::::\n");
    expect(counts).toEqual({ added: 1, replaced: 0, kept: 1 });
  });

  it("replaces in the old place when asked to", () => {
    const { change, counts } = importAccounts(lines("mrose:old:1\r\na:x\r\n"), accounts, { replace: true });
    expect(written(change)).toBe("mrose:new::::::\r\na:x\r\njoe:new::::::\r\n");
    expect(counts).toEqual({ added: 1, replaced: 1, kept: 0 });
  });

  it("writes nothing when there is nothing to do", () => {
    const { change } = importAccounts(lines("mrose:1\njoe:2\n"), accounts, { replace: false });
    expect(change).toEqual({ kind: "keep" });
  });
});

describe("accountFault", () => {
  it.each([
    { user: "a b" },
    { uid: "0" },
    { gid: "-1" },
    { home: "Maildir" },
    { home: "/a:b" },
    { gecos: "a:b" },
    { gecos: "a\nroot:x" },
    { shell: "/bin/sh\n" },
    { password: "a:b" },
    { extra: new Map([["a b", true as const]]) },
    { extra: new Map([["a", "b c"]]) },
    { extra: new Map([["a", "b\n"]]) },
  ])("finds what would not be read back: %j", (part) => {
    expect(accountFault({ ...newAccount("mrose"), ...part })).toBeTypeOf("string");
  });

  it("finds nothing wrong with a colon in an extra field", () => {
    expect(
      accountFault({ ...newAccount("mrose"), extra: new Map([["userdb_mail", "maildir:~/M"]]) }),
    ).toBeUndefined();
  });
});

describe("setPassword with what hangs on a password", () => {
  const before =
    "mrose:old:1:2::/h::nodelay scram_sha_256=old rehash password_changed=2020-01-01 scram_sha_1=old\njoe:x\n";

  it("takes away what was made from the old one, or the old one would go on letting in by SCRAM", () => {
    expect(written(setPassword(lines(before), "mrose", { field: "new", date: "2026-11-25" }))).toBe(
      "mrose:new:1:2::/h::nodelay password_changed=2026-11-25\njoe:x\n",
    );
  });

  it("puts there what was made from the new one", () => {
    const stored = { field: "new", extra: new Map([["scram_sha_256", "new"]]), date: "2026-11-25" };
    expect(written(setPassword(lines("mrose:!old\n"), "mrose", stored))).toBe(
      "mrose:!new::::::scram_sha_256=new\n",
    );
  });
});

describe("changeDetails", () => {
  const change = (fields: [string, string][], extra: [string, string | true | undefined][] = []) =>
    changeDetails(lines("# c\nmrose:x:1:2:M:/home/m:/bin/sh:a=b c\n"), "mrose", {
      fields: new Map(fields) as ReadonlyMap<DetailField, string>,
      extra: new Map(extra),
    });

  it("changes those fields of the line and no other", () => {
    expect(
      written(
        change(
          [
            ["home", "/srv/m"],
            ["gid", "vmail"],
          ],
          [
            ["nologin", true],
            ["c", undefined],
          ],
        ),
      ),
    ).toBe("# c\nmrose:x:1:vmail:M:/srv/m:/bin/sh:a=b nologin\n");
  });

  it.each([
    [[["home", "srv"]], "home is not an absolute path"],
    [[["uid", "0"]], "uid 0 is not allowed"],
    [[["gecos", "a:b"]], 'gecos holds ":" or a control character'],
  ] as [[string, string][], string][])("refuses what readers would refuse: %j", (fields, reason) => {
    expect(change(fields)).toEqual({ kind: "refuse", reason });
  });
});

describe("inTurn", () => {
  it("is one change of all, or the first refusal", () => {
    const both = inTurn(
      lines("mrose:x\njoe:x\n"),
      (before) => setPassword(before, "mrose", { field: "new" }),
      () => ({ kind: "keep" }),
      (before) => lockAccount(before, "joe"),
    );
    expect(written(both)).toBe("mrose:new\njoe:!x\n");
    expect(
      inTurn(
        lines("mrose:x\n"),
        (before) => setPassword(before, "mrose", { field: "new" }),
        (before) => lockAccount(before, "joe"),
      ),
    ).toEqual({ kind: "refuse", reason: "no such user: joe" });
  });
});

describe("deleteDomain", () => {
  const before =
    "a@example.org:x\nb@example.net:x\nc@Example.ORG:x\nd:x\nexample.org:x\na@example.org:bad:0\n";
  it("deletes whom the administrator confirmed", () => {
    const users = usersOfDomain(lines(before), "example.org");
    expect(users).toEqual(["a@example.org", "c@Example.ORG"]);
    expect(written(deleteDomain(lines(before), "example.org", new Set(users)))).toBe(
      "b@example.net:x\nd:x\nexample.org:x\n",
    );
  });

  it("deletes nobody when another account came meanwhile", () => {
    expect(deleteDomain(lines(before), "example.org", new Set(["a@example.org"]))).toEqual({
      kind: "refuse",
      reason: "c@Example.ORG was added meanwhile; nothing is deleted",
    });
  });
});
