import { describe, expect, it } from "vitest";
import { type Account, formatAccountLine, parseAccountLine } from "../../../src/accounts/account.ts";
import { exportCsv, exportDovecot, exportJson } from "../../../src/accounts/transfer/export.ts";
import { readImport } from "../../../src/accounts/transfer/import.ts";

const lines = [
  'mrose@example.org:$argon2id$v=19$m=64,t=1,p=1$AAAA$geheim:5000:5000:Rose, "M.":/home/m:/bin/sh:nologin scram_sha_256=1,2,3,4 rehash password_changed=2026-01-01 userdb_mail=maildir:/srv/m',
  "joe:!{PLAIN}geheim::::::allow_nets=192.0.2.0/24,local",
];
const accounts: Account[] = lines.map((line, index) => {
  const parsed = parseAccountLine(line, index + 1);
  if (parsed.kind !== "account") throw new Error(JSON.stringify(parsed));
  return parsed.account;
});

describe("exportDovecot", () => {
  it("names every scheme, and keeps what is ours alone to itself", () => {
    expect(exportDovecot(accounts)).toBe(
      'mrose@example.org:{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$AAAA$geheim:5000:5000:Rose, "M.":/home/m:/bin/sh:nologin userdb_mail=maildir:/srv/m\n' +
        "joe:!{PLAIN}geheim::::::allow_nets=192.0.2.0/24,local\n",
    );
  });
});

describe("exportCsv and exportJson", () => {
  it("show no hash unless asked for it", () => {
    expect(exportCsv(accounts, { hashes: false })).toBe(
      "user,uid,gid,name,home,shell,maildir,allow_nets,state,scheme\n" +
        'mrose@example.org,5000,5000,"Rose, ""M.""",/home/m,/bin/sh,/srv/m,,no-login,ARGON2ID\n' +
        'joe,,,,,,,"192.0.2.0/24,local",locked,PLAIN\n',
    );
    const json = exportJson(accounts, { hashes: false });
    expect(json).not.toMatch(/geheim|1,2,3,4/);
    expect(JSON.parse(json)[0]).toMatchObject({ user: "mrose@example.org", extra: { scram_sha_256: true } });
    expect(exportJson(accounts, { hashes: true })).toContain("1,2,3,4");
  });

  it("are read back by import", () => {
    const csv = exportCsv(accounts.slice(1), { hashes: true });
    const { accounts: read, skipped } = readImport(Buffer.from(csv));
    expect(skipped).toEqual([]);
    expect(read.map(formatAccountLine)).toEqual(["joe:!{PLAIN}geheim::::::allow_nets=192.0.2.0/24,local"]);
  });
});
