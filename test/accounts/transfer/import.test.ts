import { describe, expect, it } from "vitest";
import { formatAccountLine } from "../../../src/accounts/account.ts";
import { type ImportFormat, readImport } from "../../../src/accounts/transfer/import.ts";

function read(content: string, format?: ImportFormat, passwd?: string) {
  const result = readImport(Buffer.from(content), {
    format,
    passwd: passwd === undefined ? undefined : Buffer.from(passwd),
  });
  return { ...result, accounts: result.accounts.map(formatAccountLine) };
}

describe("readImport", () => {
  it("takes a Dovecot passwd-file over, extra fields too", () => {
    const content = `# Dovecot
mrose:{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO:5000:5000::/home/mrose::userdb_quota_rule=*:storage=1G
joe:$6$salt$hash
`;
    expect(read(content)).toEqual({
      format: "passwd-file",
      accounts: [
        "mrose:{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO:5000:5000::/home/mrose::userdb_quota_rule=*:storage=1G",
        "joe:$6$salt$hash::::::",
      ],
      skipped: [],
    });
  });

  it("names the lines that are no account here, and takes the others", () => {
    const content = "a:x:0\nb c:x\nd\ne:!\nf:{NOPE}x\ng:{PLAIN}x\ng:{PLAIN}y\n";
    expect(read(content)).toEqual({
      format: "passwd-file",
      accounts: ["g:{PLAIN}x::::::"],
      skipped: [
        { lineNumber: 1, reason: "uid 0 is not allowed" },
        { lineNumber: 2, reason: "the user name holds whitespace" },
        { lineNumber: 3, reason: "d has no password" },
        { lineNumber: 4, reason: "e has no password" },
        { lineNumber: 5, reason: "f: the scheme NOPE is not known" },
        { lineNumber: 7, reason: "g stands in an earlier line" },
      ],
    });
  });

  const shadow = `root:$y$j9T$salt$hash:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
mrose:$y$j9T$salt$hash:19000:0:99999:7:::
joe:!$6$salt$hash:19000:0:99999:7::20000:
`;

  it("sees from its lines that a file is /etc/shadow, and never takes a date for a uid", () => {
    expect(read(shadow)).toEqual({
      format: "shadow",
      accounts: ["root:$y$j9T$salt$hash::::::", "mrose:$y$j9T$salt$hash::::::", "joe:!$6$salt$hash::::::"],
      skipped: [{ lineNumber: 2, reason: "daemon has no password" }],
    });
  });

  it("takes uid, gid and home from the passwd file beside it", () => {
    const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
mrose:x:1000:100:Marshall T. Rose,,,:/home/mrose:/bin/bash
`;
    expect(read(shadow, undefined, passwd)).toEqual({
      format: "shadow",
      accounts: ["mrose:$y$j9T$salt$hash:1000:100:Marshall T. Rose,,,:/home/mrose:/bin/bash:"],
      skipped: [
        { lineNumber: 1, reason: "root: uid 0 is not allowed" },
        { lineNumber: 2, reason: "daemon has no password" },
        { lineNumber: 4, reason: "joe is not in the passwd file" },
      ],
    });
  });

  it("is told the format where lines could be either", () => {
    const content = "mrose:$6$salt$hash:1000:100:::::\n";
    expect(read(content).accounts).toEqual(["mrose:$6$salt$hash:1000:100::::"]);
    expect(read(content, "shadow").accounts).toEqual(["mrose:$6$salt$hash::::::"]);
    expect(read("mrose:$6$s$h:19000:0:99999:7:::\n", "passwd-file").skipped).toHaveLength(1);
  });

  it("reads an empty file as nothing", () => {
    expect(read("\n# nobody\n")).toEqual({ format: "passwd-file", accounts: [], skipped: [] });
  });

  it("takes Courier's userdb over", () => {
    const content =
      "# userdb\njoe@example.org\thome=/home/joe|uid=1000|gid=1001|systempw=$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/|mail=/srv/joe\n" +
      "sue\tuid=1002|home=/home/sue|mail=./Maildir|systempw={PLAIN}a|pop3pw={PLAIN}b|gecos=Sue\nann\tuid=1003\n";
    expect(read(content)).toEqual({
      format: "userdb",
      accounts: [
        "joe@example.org:$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/:1000:1001::/home/joe::userdb_mail=maildir:/srv/joe",
        "sue:{PLAIN}b:1002::Sue:/home/sue::",
      ],
      skipped: [{ lineNumber: 4, reason: "ann has no password" }],
    });
    expect(read("joe no tab\n", "userdb").skipped).toEqual([
      { lineNumber: 1, reason: "there is no tab behind the user name" },
    ]);
  });

  it("takes a CSV table over, and gives plain passwords to be hashed", () => {
    const content =
      '\uFEFFEmail;Password;Hash;Name;Home;Maildir\r\njoe@example.org;"a;b""c";;"Joe, Q.";/home/joe;\r\n\r\n' +
      "sue;;{PLAIN}x;;;/srv/sue\r\nann;;;;;\r\nbob;x;{PLAIN}x;;;\r\ntim;x\r\njoe@example.org;x;;;;\r\nroot:x;x;;;;\r\n";
    const result = readImport(Buffer.from(content));
    expect(result.format).toBe("csv");
    expect(
      result.accounts.map(({ plainPassword, ...account }) => [formatAccountLine(account), plainPassword]),
    ).toEqual([
      ["joe@example.org::::Joe, Q.:/home/joe::", 'a;b"c'],
      ["sue:{PLAIN}x::::::userdb_mail=maildir:/srv/sue", undefined],
    ]);
    expect(result.skipped).toEqual([
      { lineNumber: 5, reason: "ann has no password" },
      { lineNumber: 6, reason: "has both a password and a hash" },
      { lineNumber: 7, reason: "has 2 columns, the head has 6" },
      { lineNumber: 8, reason: "joe@example.org stands in an earlier line" },
      { lineNumber: 9, reason: 'the user name holds "/" or ":"' },
    ]);
  });

  it.each([
    ["user,pasword\nmrose,x\n", 'the column "pasword" is not known'],
    ["login,password\nmrose,x\n", "no column is called user"],
    ['user,password\nmrose,"x\n', "Quote Not Closed"],
  ])("refuses a CSV table it cannot understand: %j", (content, reason) => {
    const result = read(content, "csv");
    expect(result.accounts).toEqual([]);
    expect(result.skipped).toEqual([
      { lineNumber: expect.any(Number), reason: expect.stringContaining(reason) },
    ]);
  });

  it("takes the day of the last change over from shadow when asked to", () => {
    const content = Buffer.from("joe:$6$salt$hash:20000:0:99999:7:::\n");
    const [account] = readImport(content, { isDated: true }).accounts;
    expect(account?.extra).toEqual(new Map([["password_changed", "2024-10-04"]]));
    expect(readImport(content).accounts[0]?.extra.size).toBe(0);
  });
});
