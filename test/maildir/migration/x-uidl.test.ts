import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Maildrop } from "../../../src/maildir/maildrop.ts";
import { importUniqueIds } from "../../../src/maildir/migration/import-unique-ids.ts";
import { xUidlOf } from "../../../src/maildir/migration/x-uidl.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";

async function uniqueIds(maildir: ScratchMaildir): Promise<string[]> {
  const opened = await Maildrop.open(maildir.path);
  if (opened.kind !== "open") throw new Error(opened.kind);
  const { maildrop } = opened;
  const ids = Array.from({ length: maildrop.count }, (_, index) => maildrop.uniqueId(index));
  maildrop.close();
  await maildrop.closed;
  return ids;
}

it.each([
  ["Subject: a\nX-UIDL: 3f1a!9\n\nbody\n", "3f1a!9"],
  ["x-uidl:\r\n 3f1a\r\nSubject: a\r\n\r\nbody\r\n", "3f1a"],
  ["X-UIDL: first\nX-UIDL: second\n\n", "first"],
  ["X-UIDL:\n\n", undefined],
  ["Subject: X-UIDL: no\n\nX-UIDL: in the body\n", undefined],
  ["X-UIDL-Other: no\n\n", undefined],
  ["", undefined],
])("the field's value in %j is %j", (message, expected) => {
  expect(xUidlOf(message)).toBe(expected);
});

function fromQpopper(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("cur", "1.a:2,S", "X-UIDL: one\n\n");
  maildir.write("new", "2.b", "X-UIDL: two\n\n");
  maildir.write("new", "3.c", "Subject: came later\n\n");
  maildir.write("new", "4.d", "X-UIDL: one\n\n");
  maildir.write("new", "5.e", "X-UIDL: not allowed\n\n");
  return maildir;
}

it("import --from x-uidl keeps what the headers tell; what has none, another's or a wrong one gets ours", async () => {
  const maildir = fromQpopper();
  expect(await importUniqueIds(maildir.path, { from: "x-uidl" })).toMatchObject({
    kind: "imported",
    from: "x-uidl",
    messages: 5,
    inherited: 2,
    invalid: 1,
    duplicate: 1,
  });
  expect(await uniqueIds(maildir)).toEqual(["one", "two", "3.c", "4.d", "5.e"]);
  expect(await importUniqueIds(maildir.path, { from: "x-uidl" })).toMatchObject({ kind: "unchanged" });
});

it("in the order of Dovecot's list, where it made the Maildir of an mbox", async () => {
  const maildir = fromQpopper();
  writeFileSync(maildir.file("dovecot-uidlist"), "3 V5 N6\n1 :3.c\n2 :2.b\n3 :1.a\n");
  await importUniqueIds(maildir.path, { from: "x-uidl" });
  expect(await uniqueIds(maildir)).toEqual(["3.c", "two", "one", "4.d", "5.e"]);
});

it("Dovecot's pop3_reuse_xuidl: saved ones first, then the header, then the format", async () => {
  const maildir = fromQpopper();
  writeFileSync(maildir.file("dovecot-uidlist"), "3 V5 N6\n1 Psaved :1.a\n2 :2.b\n3 :3.c\n");
  await importUniqueIds(maildir.path, { from: "dovecot", reusesXUidl: true });
  expect((await uniqueIds(maildir)).slice(0, 3)).toEqual(["saved", "two", "0000000300000005"]);
});

it("refuses where no message has the field", async () => {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a");
  expect(await importUniqueIds(maildir.path, { from: "x-uidl" })).toMatchObject({
    kind: "failed",
    reason: expect.stringMatching(/^no message with an X-UIDL header in /),
  });
});
