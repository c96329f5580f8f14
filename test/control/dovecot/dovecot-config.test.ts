import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readDovecotConfig } from "../../../src/control/dovecot/dovecot-config.ts";
import { Refusal } from "../../../src/control/terminal/refusal.ts";

function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "dewey-dovecot-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "conf.d"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

it("reads a folder's dovecot.conf with what it includes, comments and quotes apart", async () => {
  const folder = folderOf({
    "dovecot.conf": "!include conf.d/*.conf\n!include_try local.conf\n",
    "conf.d/20-pop3.conf":
      '#pop3_uidl_format = %u\nprotocol pop3 {\n  pop3_uidl_format = "%v-%u"\n}\nprotocol imap {\n  pop3_uidl_format = %f\n}\n',
    "conf.d/ignored": "pop3_uidl_format = %g\n",
    "local.conf": "pop3_uidl_duplicates = rename # since 2019\n",
  });
  expect(await readDovecotConfig(folder)).toEqual({
    uidlFormat: "%v-%u",
    renamesDuplicates: true,
    reusesXUidl: false,
    controlFolder: undefined,
  });
});

it("reads what doveconf -n printed, where the protocol's own value wins", async () => {
  const folder = folderOf({
    "doveconf-n":
      "# 2.3.19\nmail_location = maildir:~/Maildir:CONTROL=/var/dovecot/%d/%n\npop3_reuse_xuidl = yes\nprotocol pop3 {\n  pop3_uidl_format = %f\n}\npop3_uidl_format = %u\n",
  });
  expect(await readDovecotConfig(join(folder, "doveconf-n"))).toEqual({
    uidlFormat: "%f",
    renamesDuplicates: false,
    reusesXUidl: true,
    controlFolder: "/var/dovecot/%d/%n/.INBOX",
  });
});

it("says which named file it cannot read", async () => {
  await expect(readDovecotConfig("/nowhere/dovecot.conf")).rejects.toThrow(
    new Refusal("cannot read /nowhere/dovecot.conf: no such file or directory"),
  );
});
