// RFC 6858 by example, with the corpus, and with a thousand headers that nobody has thought of.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { type AddressObject, type ParsedMail, simpleParser } from "mailparser";
import { describe, expect, it } from "vitest";
import { Downgrade } from "../../src/mime/downgrade.ts";
import { downgraded, surrogateOf } from "./downgraded.ts";
import { messageOf, phrase, word } from "./generated-headers.ts";

describe("a header in UTF-8", () => {
  it("has its addresses replaced, its texts in encoded words, its other fields left out", () => {
    const message = [
      "Return-Path: <пример@пример.example>",
      "Received: from a by b for <пример@пример.example>;",
      "\tMon, 14 Jun 2010 12:00:00 +0000",
      "Received: from c by a; Mon, 14 Jun 2010 12:00:00 +0000",
      "Message-ID: <ü@example.org>",
      "From: Jürgen <jürgen@example.org>, Anna <anna@example.org>",
      'To: "Müller, Max" <max@example.org>',
      "Cc: Gruß: ü@example.org, a@example.org;",
      "Subject: Grüße",
      "Date: Mon, 14 Jun 2010 12:00:00 +0000",
      "X-Mailer: Briefträger 1",
      "",
      "Body: ü",
      "",
    ].join("\n");
    expect(downgraded(message)).toBe(
      [
        "Return-Path: <invalid@internationalized-address.invalid>",
        "Received: from c by a; Mon, 14 Jun 2010 12:00:00 +0000",
        "From: =?UTF-8?Q?J=C3=BCrgen_=28j=C3=BCrgen=40example=2Eorg=29?=",
        ' <invalid@internationalized-address.invalid>, "Anna" <anna@example.org>',
        "To: =?UTF-8?Q?M=C3=BCller=2C_Max?= <max@example.org>",
        "Cc: =?UTF-8?Q?Gru=C3=9F?=: =?UTF-8?Q?=C3=BC=40example=2Eorg?=",
        " <invalid@internationalized-address.invalid>, a@example.org;",
        "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=",
        "Date: Mon, 14 Jun 2010 12:00:00 +0000",
        "X-Mailer: =?UTF-8?Q?Brieftr=C3=A4ger?= 1",
        "",
        "Body: ü",
        "",
      ].join("\n"),
    );
  });

  it("stays as it is in ASCII, in a character set that is no UTF-8, and where there is no field", () => {
    for (const header of ["Subject: =?utf-8?q?=C3=BC?=\nTo: a\n b\n", "From x\nno field ü\nTo: a\n"])
      expect(downgraded(`${header}\nü\n`)).toBe(`${header}\nü\n`);
    const latin1 = Buffer.from("Subject: Gr\xfc\xdfe\n\nbody\n", "latin1");
    expect(surrogateOf(() => new Downgrade(), latin1, 5).equals(latin1)).toBe(true);
  });

  it("may end with the message, or with nothing behind it", () => {
    expect(downgraded("Subject: ü")).toBe("Subject: =?UTF-8?B?w7w=?=\n");
    expect(downgraded("Subject: ü\n\tä\n")).toBe("Subject: =?UTF-8?B?w7wJw6Q=?=\n");
    expect(downgraded("")).toBe("");
    expect(downgraded("\nü")).toBe("\nü");
  });

  it("of any length is sent: what is too long to be rewritten loses what is no ASCII", () => {
    const long = `X-Long: ü${"a".repeat(50_000)}\n ü${"b".repeat(50_000)}\nSubject: ü\n\nü\n`;
    expect(downgraded(long, [1000, 30_000, 40_000])).toBe(
      `X-Long: ??${"a".repeat(50_000)}\n ??${"b".repeat(50_000)}\nSubject: =?UTF-8?B?w7w=?=\n\nü\n`,
    );
    const field = `To: ${"ü@a, ".repeat(5_000)}a\n`;
    const fields = downgraded(`${field.repeat(7)}\n`, [1000]).split(/\n(?! )/);
    expect(fields.map((text) => text.includes("??@a"))).toEqual([
      ...Array<boolean>(4).fill(false),
      ...Array<boolean>(3).fill(true),
      ...[false, false],
    ]);
  });
});

describe("the parts of a message", () => {
  const message = (...lines: string[]): string => lines.join("\n");

  it("have their headers downgraded, parameters by RFC 2231, and their bodies left alone", () => {
    const mail = message(
      'Content-Type: multipart/mixed; boundary="a b"',
      "",
      "Preamble: ü",
      "--a b",
      "Content-Type: multipart/alternative; boundary=inner",
      "",
      "--inner",
      "Content-Description: für dich",
      "",
      "Subject: ü",
      "--inner",
      "",
      "--inner nicht: ü",
      "--inner--  ",
      "Epilogue: ü",
      "--a b",
      'Content-Type: application/octet-stream; name="ü.txt"',
      'Content-Disposition: attachment; filename="ü.txt"; size=3',
      "",
      "ü",
      "--a b--",
      "Epilogue: ü",
    );
    expect(downgraded(mail)).toBe(
      mail
        .replace("für dich", "=?UTF-8?Q?f=C3=BCr?= dich")
        .replace('name="ü.txt"', "name*0*=utf-8''%C3%BC.txt")
        .replace('filename="ü.txt"', "filename*0*=utf-8''%C3%BC.txt"),
    );
  });

  it("may be messages: message/rfc822, message/global, a digest's; but not encoded ones", () => {
    const inner = "Subject: ü\n\nSubject: ü";
    const asciiInner = "Subject: =?UTF-8?B?w7w=?=\n\nSubject: ü";
    expect(downgraded(`Content-Type: message/rfc822\n\n${inner}`)).toBe(
      `Content-Type: message/rfc822\n\n${asciiInner}`,
    );
    const global = "Content-Type: message/global\nContent-Transfer-Encoding: 8bit\nSubject: a\n\n";
    expect(downgraded(global + inner)).toBe(global.replace("global", "rfc822") + asciiInner);
    const encoded = "Content-Type: message/global\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogw7wK";
    expect(downgraded(`Subject: ü\n${encoded}`)).toBe(`Subject: =?UTF-8?B?w7w=?=\n${encoded}`);
    expect(downgraded(`Content-Type: multipart/digest; boundary=x\n\n--x\n\n${inner}\n--x--\n`)).toBe(
      `Content-Type: multipart/digest; boundary=x\n\n--x\n\n${asciiInner}\n--x--\n`,
    );
  });

  it("may end within their headers, and a boundary holds only as long as its multipart is open", () => {
    expect(
      downgraded(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nX-A: ü\n--x\nX-B: ü\n\n--x--\n--x\nX-C: ü\n\n",
      ),
    ).toBe(
      "Content-Type: multipart/mixed; boundary=x\n\n--x\nX-A: =?UTF-8?B?w7w=?=\n--x\nX-B: =?UTF-8?B?w7w=?=\n\n--x--\n--x\nX-C: ü\n\n",
    );
  });

  it("are found however deep, up to a depth that nobody needs", () => {
    const nested = (depth: number): string =>
      Array.from(
        { length: depth },
        (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\n\n--b${level}\n`,
      ).join("");
    expect(downgraded(`${nested(49)}Subject: ü\n\n`)).toContain("Subject: =?UTF-8?B?w7w=?=");
    expect(downgraded(`${nested(60)}Subject: ü\n\n`)).toContain("Subject: ü");
  });
});

/** What a reader sees of it. */
function seen({ subject, from, to, attachments, text }: ParsedMail) {
  const people = (field: AddressObject | AddressObject[] | undefined) =>
    [field ?? []].flat().flatMap(({ value }) => value.map(({ name, address }) => ({ name, address })));
  return {
    subject,
    from: people(from),
    to: people(to),
    attachments: attachments.map(({ filename, content }) => [filename, content.toString("utf8")]),
    text,
  };
}

describe("a thousand generated headers", () => {
  it("survive: mailparser reads the same from the downgraded message as from the one in UTF-8", async () => {
    await fc.assert(
      fc.asyncProperty(
        phrase,
        phrase,
        phrase,
        word,
        fc.boolean(),
        async (subject, name, file, local, isCrlf) => {
          const message = messageOf({ subject, name, file, local, lineEnd: isCrlf ? "\r\n" : "\n" });
          const surrogate = surrogateOf(() => new Downgrade(), message, 37);
          const header = surrogate.toString("latin1").split(/\r?\n\r?\n/)[0]!;
          expect(header).toMatch(/^[\t\r\n\x20-\x7e]*$/);
          for (const line of header.split(/\r?\n/)) expect(line.length).toBeLessThanOrEqual(998);
          const [before, after] = [seen(await simpleParser(message)), seen(await simpleParser(surrogate))];
          const isAscii = /^[\x20-\x7e]*$/.test(local);
          expect(after).toEqual(
            isAscii
              ? before
              : {
                  ...before,
                  to: [
                    { name: `${local}@example.org`, address: "invalid@internationalized-address.invalid" },
                  ],
                },
          );
        },
      ),
      // Four headers each.
      { numRuns: 250 },
    );
  }, 120_000);
});

it("whatever the octets are, pieces make what the whole makes, and no header in UTF-8 is left", () => {
  const piece = fc.constantFrom(
    ..."Subject: ü|From: ü <a@b>|Content-Type: multipart/mixed; boundary=x|Content-Type: message/global|--x|--x--|--y".split(
      "|",
    ),
    ...["", "\r", " ", "\t", "ü", "a", ": ", "\0"],
  );
  const end = fc.constantFrom("\n", "\r\n", "", "\n\n");
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, end), { maxLength: 30 }), (parts) => {
      downgraded(parts.flat().join(""));
    }),
  );
});

/** Real messages, beside the checkout where there are any. */
const corpus = fileURLToPath(new URL("../../../shared/corpus", import.meta.url));

it.runIf(existsSync(corpus))("the corpus: what is downgraded once needs it no more, and bodies stay", () => {
  const files = readdirSync(corpus, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".eml"),
  );
  expect(files.length).toBeGreaterThan(90);
  for (const file of files) {
    const message = readFileSync(join(corpus, file));
    const once = surrogateOf(() => new Downgrade(), message, message.length);
    const again = new Downgrade();
    const twice = Buffer.concat([...again.push(once), ...again.finish()]);
    expect(twice.equals(once), file).toBe(true);
    expect(again.hasChanged, file).toBe(false);
  }
});
