// Sizes of messages that not every client is sent as they are stored: counted, kept in the index, told to each client its own.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { systemFiles } from "../../src/maildir/files/files.ts";
import { SnapshotCache } from "../../src/maildir/list/snapshot-cache.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import { AS_STORED, type Presentation } from "../../src/maildir/presentation.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";
import { session } from "./session.ts";

const UTF8 = Buffer.from("Subject: Grüße\n\nü\n");
const asStored = AS_STORED;
const downgraded: Presentation = { ...AS_STORED, utf8Headers: "surrogate" };
const toldCheckMs = Number.POSITIVE_INFINITY;
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

it("an index of a version that did not look at headers is read; its sizes are looked at, or believed where there is no time", async () => {
  const maildir = three();
  const body = "dewey-pop3.index 1\nsizes\n24 21 c n 1.a.host\n18 15 c n 2.b.host\n12 11 c n 3.c.host\n";
  const index = `${body}end 3 ${crc32(Buffer.from(body)).toString(16).padStart(8, "0")}\n`;
  const write = (): void => writeFileSync(join(maildir.path, "dewey-pop3.index"), index);
  write();
  const believed = await session(maildir, { presentation: downgraded, toldCheckMs: 0 });
  expect(believed).toMatchObject({ octets: { "1.a.host": 24 }, opened: 0, events: [] });
  write();
  const counted = await session(maildir, { presentation: downgraded, toldCheckMs });
  expect(counted).toMatchObject({ octets: { "1.a.host": 44 }, opened: 3, events: [] });
  expect((await session(maildir, { presentation: downgraded, toldCheckMs })).opened).toBe(0);
});

it("what RETR found of a surrogate is what LIST tells from then on", async () => {
  const maildir = three();
  const body = "dewey-pop3.index 1\nsizes\n24 21 d 999 n 1.a.host\n18 15 k n 2.b.host\n12 11 k n 3.c.host\n";
  const index = `${body}end 3 ${crc32(Buffer.from(body)).toString(16).padStart(8, "0")}\n`;
  writeFileSync(join(maildir.path, "dewey-pop3.index"), index);
  const events: MaildropEvent[] = [];
  const opened = await Maildrop.open(maildir.path, {
    presentation: downgraded,
    onEvent: (event) => events.push(event),
  });
  if (opened.kind !== "open") throw new Error(opened.kind);
  const { maildrop } = opened;
  expect(maildrop.octets(0)).toBe(999);
  const found = await maildrop.openMessage(0);
  if (found.kind !== "message") throw new Error(found.kind);
  const counted = await found.file.count("downgraded");
  found.file.close();
  maildrop.correctOctets(0, counted);
  expect(maildrop.octets(0)).toBe(44);
  maildrop.close();
  await maildrop.closed;
  expect(events).toEqual([
    { kind: "size-corrected", uniqueId: maildrop.uniqueId(0), toldOctets: 999, octets: 44 },
  ]);
  expect((await session(maildir, { presentation: downgraded })).octets["1.a.host"]).toBe(44);
});

it.each([
  "24 21 d n 1.a.host",
  "24 21 d x n 1.a.host",
  "24 21 d 1234567890123456 n 1.a.host",
  "24 21 x n 1.a.host",
  "24 21 A n 1.a.host",
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

describe("a size that another server has told", () => {
  const PADDING = "a line of text\n".repeat(8_000);
  /** Its name tells the octets of the stored form, as Dovecot's do. */
  function write(maildir: ScratchMaildir, serial: number, text: string): void {
    const bytes = Buffer.from(text);
    const octets = bytes.length + text.split("\n").length - 1;
    maildir.write("new", `${serial}.a.host,S=${bytes.length},W=${octets}`, bytes);
  }
  const mixed = (field: string): string =>
    `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n${field}\n\na\n--b--\n`;
  const kinds: readonly (readonly [string, string])[] = [
    ["an ASCII header", `Subject: a\n\nü\n${PADDING}`],
    ["a UTF-8 header", `Subject: ü\n\na\n${PADDING}`],
    ["a UTF-8 header behind what one look shows", `${"X-A: a\n".repeat(3_000)}Subject: ü\n\na\n${PADDING}`],
    ["parts in ASCII", mixed(`Content-Description: a\n\n${PADDING}`)],
    ["a part's header in UTF-8", mixed(`Content-Disposition: attachment; filename=ü\n\n${PADDING}`)],
    ["a part's header in UTF-8 far down", mixed(`X: a\n\n${PADDING}--b\nContent-Description: ü`)],
    ["a message within, its header in UTF-8", `Content-Type: message/rfc822\n\nSubject: ü\n\n${PADDING}`],
    ["no body", `Subject: ${"a\n b".repeat(9_000)}`],
  ];
  const short = kinds.map(([name, text]) => [`short, ${name}`, text.replaceAll(PADDING, "")] as const);

  it.each([...kinds, ...short])("is that of what is sent: %s", async (_, text) => {
    const maildir = ScratchMaildir.make();
    write(maildir, 1, text);
    const other = ScratchMaildir.make();
    other.write("new", "1.a.host", Buffer.from(text));
    for (const presentation of [downgraded, wrapped]) {
      const told = await session(maildir, { presentation, toldCheckMs });
      const counted = await session(other, { presentation });
      expect(Object.values(told.octets)).toEqual(Object.values(counted.octets));
    }
  });

  it("is looked at once, and the index keeps that the headers are those of all clients", async () => {
    const maildir = ScratchMaildir.make();
    kinds.forEach(([, text], index) => {
      write(maildir, index + 1, text);
    });
    expect((await session(maildir, { presentation: downgraded, toldCheckMs })).opened).toBe(kinds.length);
    expect(indexText(maildir)).toMatch(/\n[0-9]+ 0 a n 1\.a\.host,.*\n[0-9]+ [0-9]+ d [0-9]+ n 2\.a\.host,/);
    expect((await session(maildir, { presentation: downgraded, toldCheckMs })).opened).toBe(0);
    expect((await session(maildir, { presentation: wrapped, toldCheckMs })).opened).toBe(5);
  });

  it("is counted anew where it cannot be that of the file", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.a.host,W=12", Buffer.from(kinds[0]![1]));
    const { octets } = await session(maildir, { presentation: downgraded, toldCheckMs });
    expect(Object.values(octets)).toEqual([Buffer.byteLength(kinds[0]![1].replaceAll("\n", "\r\n"))]);
  });

  it("is believed for the session when time is up, the newest looked at first; the next session goes on", async () => {
    const maildir = ScratchMaildir.make();
    for (let serial = 1; serial <= 40; serial++) write(maildir, serial, kinds[1]![1]);
    const options = { presentation: downgraded, toldCheckMs: 0.000_1 };
    expect((await session(maildir, options)).opened).toBe(0);
    // The clock moves while the first reads are waited for.
    const slow = {
      ...systemFiles,
      read: async (...read: Parameters<typeof systemFiles.read>) => {
        await setTimeout(30);
        return await systemFiles.read(...read);
      },
    };
    const first = await session(maildir, {
      presentation: downgraded,
      toldCheckMs: 20,
      files: slow,
      parallel: 2,
    });
    expect(first.opened).toBe(2);
    expect(
      indexText(maildir)
        .match(/ [a-z] (?:[0-9]+ )?n [0-9]+\.a\.host/g)
        ?.slice(-3),
    ).toEqual([
      expect.stringMatching(/^ t n 38\./),
      expect.stringMatching(/^ d [0-9]+ n 39\./),
      expect.stringMatching(/^ d [0-9]+ n 40\./),
    ]);
    expect((await session(maildir, { presentation: downgraded, toldCheckMs })).opened).toBe(38);
  });
});
