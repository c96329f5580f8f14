import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Files, systemFiles } from "../../../src/maildir/files/files.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";
import { session } from "../session.ts";

// As stored 2 bytes, 3 octets as sent; what is told differs, so that it shows who told it.
function three(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a.host", "a\n");
  maildir.write("cur", "2.b.host:2,S", "b\n");
  maildir.write("cur", "3.c.host,S=2:2,", "c\n");
  return maildir;
}

const uidlist = (...records: string[]): string => `3 V1 N9\n${records.join("\n")}\n`;

/** Lists that were opened, in turn. */
async function listsReadBy(maildir: ScratchMaildir): Promise<string[]> {
  const read: string[] = [];
  const files: Files = {
    ...systemFiles,
    open: (path, flags, mode) => {
      const name = String(path).slice(maildir.path.length + 1);
      if (/uidlist|sizelist/.test(name)) read.push(name);
      return systemFiles.open(path, flags, mode);
    },
  };
  await session(maildir, { files });
  return read;
}

it("sizes are taken from Dovecot's list, then from Courier's, and only the rest is counted", async () => {
  const maildir = three();
  writeFileSync(maildir.file("dovecot-uidlist"), uidlist("1 W40 :1.a.host:2,F", "2 :2.b.host"));
  writeFileSync(maildir.file("courierpop3dsizelist"), "/3 4 1\n1.a.host 50 1:1:0\n2.b.host:2, 50 2:1:0\n");
  expect(await session(maildir)).toMatchObject({
    octets: { "1.a.host": 40, "2.b.host": 50, "3.c.host,S=2": 3 },
    opened: 1,
    events: [],
  });
});

it("a size in the name comes before a told one, and one in the index before both", async () => {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a.host,W=30", "a\n");
  maildir.write("new", "2.b.host", "b\n");
  await session(maildir);
  writeFileSync(maildir.file("dovecot-uidlist"), uidlist("1 W40 :1.a.host,W=30", "2 W40 :2.b.host"));
  expect((await session(maildir)).octets).toEqual({ "1.a.host,W=30": 30, "2.b.host": 3 });
});

it("what is told is kept in our own index: the lists are read once, and not at all when nothing is unknown", async () => {
  const maildir = three();
  writeFileSync(
    maildir.file("dovecot-uidlist"),
    uidlist("1 W40 :1.a.host", "2 W40 :2.b.host", "3 W4 :3.c.host,S=2"),
  );
  expect(await listsReadBy(maildir)).toEqual(["dovecot-uidlist"]);
  expect(await listsReadBy(maildir)).toEqual([]);
  expect((await session(maildir)).octets).toEqual({ "1.a.host": 40, "2.b.host": 40, "3.c.host,S=2": 4 });
});

it("a told size that no file of the told or named length can have is not believed", async () => {
  const maildir = three();
  writeFileSync(
    maildir.file("dovecot-uidlist"),
    uidlist("1 S10 W9 :1.a.host", "2 S10 W22 :2.b.host", "3 W900 :3.c.host,S=2"),
  );
  expect((await session(maildir)).octets).toEqual({ "1.a.host": 3, "2.b.host": 3, "3.c.host,S=2": 3 });
});

it.each([
  ["a symbolic link", (path: string) => symlinkSync("/etc/passwd", path), "not a regular file"],
  ["a FIFO", (path: string) => void execFileSync("mkfifo", [path]), "not a regular file"],
  ["far too large", (path: string) => writeFileSync(path, Buffer.alloc(6_000_000)), "too large"],
  ["garbage", (path: string) => writeFileSync(path, "\0garbage\n"), "not a uidlist"],
])("a list that is %s is left alone, and said so", async (_what, make, reason) => {
  const maildir = three();
  make(maildir.file("dovecot-uidlist"));
  expect(await session(maildir)).toMatchObject({
    octets: { "1.a.host": 3, "2.b.host": 3, "3.c.host,S=2": 3 },
    events: [{ kind: "told-sizes-unusable", path: maildir.file("dovecot-uidlist"), reason }],
  });
});
