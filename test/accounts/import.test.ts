import { describe, expect, it } from "vitest";
import { formatAccountLine } from "../../src/accounts/account.ts";
import { type ImportFormat, readImport } from "../../src/accounts/import.ts";

function read(content: string, format?: ImportFormat, passwd?: string) {
  const result = readImport(
    Buffer.from(content),
    format,
    passwd === undefined ? undefined : Buffer.from(passwd),
  );
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
});
