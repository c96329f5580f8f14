// Sizes of messages that not every client is sent as they are stored: counted, kept in the index, told to each client its own.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, it } from "vitest";
import { AS_STORED, type Presentation } from "../../src/maildir/presentation.ts";
import { SnapshotCache } from "../../src/maildir/snapshot-cache.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";
import { session } from "./session.ts";

const UTF8 = Buffer.from("Subject: Grüße\n\nü\n");
const asStored = AS_STORED;
const downgraded: Presentation = { ...AS_STORED, utf8Headers: "surrogate" };
const wrapped: Presentation = { ...downgraded, surrogate: "wrapped" };

function three(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a.host", UTF8);
  maildir.write("new", "2.b.host", Buffer.from("Subject: a\n\nü\n"));
  maildir.write("new", "3.c.host", "Subject: a\n");
  return maildir;
}

const indexText = (maildir: ScratchMaildir): string =>
  readFileSync(join(maildir.path, "dewey-pop3.index"), "latin1");

it("each client is told its own sizes, of one reading, and the index keeps them", async () => {
  const maildir = three();
  expect(await session(maildir, { presentation: downgraded })).toMatchObject({
    octets: { "1.a.host": 44, "2.b.host": 18, "3.c.host": 12 },
    opened: 3,
  });
  expect(indexText(maildir)).toMatch(
    /\n24 21 d 44 n 1\.a\.host\n18 15 k n 2\.b\.host\n12 11 K n 3\.c\.host\n/,
  );
  expect(await session(maildir, { presentation: asStored })).toMatchObject({
    octets: { "1.a.host": 24, "2.b.host": 18, "3.c.host": 12 },
    opened: 0,
  });
  const workarounds = ["missing-end-of-headers"] as const;
  expect(await session(maildir, { presentation: { ...downgraded, workarounds } })).toMatchObject({
    octets: { "1.a.host": 44, "2.b.host": 18, "3.c.host": 14 },
    opened: 0,
  });
});

it("another kind of surrogate is counted anew, and nothing else", async () => {
  const maildir = three();
  const snapshots = new SnapshotCache();
  await session(maildir, { presentation: downgraded });
  const first = await session(maildir, { presentation: wrapped, snapshots });
  expect(first.opened).toBe(1);
  expect(first.octets["1.a.host"]).toBeGreaterThan(500);
  expect(indexText(maildir)).toMatch(/\n24 21 w [0-9]+ n 1\.a\.host\n/);
  expect(await session(maildir, { presentation: wrapped })).toMatchObject({
    octets: first.octets,
    opened: 0,
  });
  // A client that said UTF8 asks for neither.
  expect((await session(maildir, { presentation: asStored })).opened).toBe(0);
  expect((await session(maildir, { presentation: downgraded, snapshots })).octets["1.a.host"]).toBe(44);
});

it("an index of a version that did not look at headers is read; a few of its sizes are counted again, many are believed", async () => {
  const maildir = three();
  const body = "dewey-pop3.index 1\nsizes\n24 21 c n 1.a.host\n18 15 c n 2.b.host\n12 11 c n 3.c.host\n";
  const index = `${body}end 3 ${crc32(Buffer.from(body)).toString(16).padStart(8, "0")}\n`;
  const write = (): void => writeFileSync(join(maildir.path, "dewey-pop3.index"), index);
  write();
  const believed = await session(maildir, { presentation: downgraded, countedThoughTold: 2 });
  expect(believed).toMatchObject({ octets: { "1.a.host": 24 }, opened: 0, events: [] });
  write();
  const counted = await session(maildir, { presentation: downgraded, countedThoughTold: 3 });
  expect(counted).toMatchObject({ octets: { "1.a.host": 44 }, opened: 3, events: [] });
  expect((await session(maildir, { presentation: downgraded, countedThoughTold: 3 })).opened).toBe(0);
});

it.each([
  "24 21 d n 1.a.host",
  "24 21 d x n 1.a.host",
  "24 21 d 1234567890123456 n 1.a.host",
  "24 21 x n 1.a.host",
])("an index with %j is made anew", async (entry) => {
  const maildir = three();
  const body = `dewey-pop3.index 1\nsizes\n${entry}\n`;
  const index = `${body}end 1 ${crc32(Buffer.from(body)).toString(16).padStart(8, "0")}\n`;
  writeFileSync(join(maildir.path, "dewey-pop3.index"), index);
  const { opened, events } = await session(maildir, { presentation: downgraded });
  expect(opened).toBe(3);
  expect(events.map(({ kind }) => kind)).toEqual(["index-unusable"]);
});

it("a message larger than one read is counted in both forms", async () => {
  const maildir = ScratchMaildir.make();
  const large = Buffer.concat([
    Buffer.from('Content-Type: multipart/mixed; boundary="b"\n\n'),
    Buffer.alloc(300_000, "preamble\n"),
    Buffer.from("\n--b\nContent-Disposition: attachment; filename=ü\n\nü\n--b--\n"),
  ]);
  maildir.write("new", "1.a.host", large);
  const stored = await session(maildir, { presentation: asStored });
  const shown = await session(maildir, { presentation: downgraded });
  const difference = "filename*0*=utf-8''%C3%BC".length - "filename=ü".length - 1;
  expect(shown.octets["1.a.host"]).toBe(stored.octets["1.a.host"]! + difference);
  expect(shown.opened).toBe(0);
});
