// A second opinion on downgraded messages: Python's email package reads in them what it reads in the messages themselves,
// field by field, parts' headers too. Real messages where there are any beside the checkout, and generated ones.
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Downgrade } from "../../src/mime/downgrade.ts";
import { REPLACEMENT } from "../../src/mime/header-field.ts";
import { surrogateOf } from "../mime/downgraded.ts";
import { runOrThrow } from "../support/program.ts";
import { corpusMessages } from "./support/messages.ts";

const script = fileURLToPath(new URL("./support/read-headers.py", import.meta.url));

type Seen = string | readonly (readonly [string, string])[] | readonly [string, unknown];
type Field = readonly [name: string, seen: Seen];
type Entity = readonly Field[];

async function read(messages: readonly Buffer[]): Promise<readonly (readonly Entity[])[]> {
  const input = JSON.stringify(messages.map((message) => message.toString("base64")));
  const { stdout } = await runOrThrow("python3", [script], { input });
  return JSON.parse(stdout.toString()) as readonly (readonly Entity[])[];
}

const ADDRESS_FIELDS = new Set(["from", "to", "cc", "sender", "reply-to"]);

/** What RFC 6858 §2.1 makes of an address that is no ASCII. */
function expected([name, seen]: Field): Field {
  if (!ADDRESS_FIELDS.has(name) || !Array.isArray(seen)) return [name, seen];
  return [
    name,
    (seen as readonly (readonly [string, string])[]).map(([displayName, address]) =>
      /^[\x20-\x7e]*$/.test(address)
        ? ([displayName, address] as const)
        : ([displayName === "" ? address : `${displayName} (${address})`, REPLACEMENT] as const),
    ),
  ];
}

async function expectSameRead(messages: readonly Buffer[], names: readonly string[]): Promise<number> {
  const copies = messages.map((message) => surrogateOf(() => new Downgrade(), message, 1000));
  const [before, after] = [await read(messages), await read(copies)];
  for (const [index, entities] of before.entries())
    expect(after[index], names[index]).toEqual(entities.map((fields) => fields.map(expected)));
  return copies.filter((copy, index) => !copy.equals(messages[index]!)).length;
}

const corpus = corpusMessages().filter(({ name }) => /(?:^|\/)(?:rfc6532|multi_charset)\//.test(name));

it.runIf(corpusMessages().length > 0)(
  "reads the same in the corpus's messages in every language",
  async () => {
    expect(corpus.length).toBeGreaterThanOrEqual(5);
    const changed = await expectSameRead(
      corpus.map(({ bytes }) => bytes),
      corpus.map(({ name }) => name),
    );
    expect(changed).toBeGreaterThan(0);
  },
);

describe("generated messages", () => {
  const letter = fc.constantFrom(
    ..."abcXYZ019",
    ..."äöüßéñçøåæœŁžřİığşőű",
    ..."примерпочтыЁЖЩ",
    ..."例え日本語テスト中文한국어",
    ..."مثالעברית",
    ..."😀🇩🇪",
  );
  const word = fc.array(letter, { minLength: 1, maxLength: 25 }).map((letters) => letters.join(""));
  const text = fc
    .array(fc.oneof(word, fc.constantFrom("a", "(b)", "c,", "d:", "=", "?", "_x_")), {
      minLength: 1,
      maxLength: 12,
    })
    .map((words) => words.join(" "));
  const name = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));
  const message = fc
    .record({ subject: text, comment: text, name, local: word, other: name, file: text })
    .map((words) =>
      Buffer.from(
        [
          `Subject: ${words.subject}`,
          `X-Comment: ${words.comment}`,
          `From: "${words.name}" <a@example.org>`,
          `To: ${words.local}@example.org, "${words.other}" <${words.local}@example.org>, c@example.org`,
          "MIME-Version: 1.0",
          "Content-Type: multipart/mixed; boundary=b",
          "",
          "--b",
          `Content-Description: ${words.comment}`,
          `Content-Type: application/octet-stream; name="${words.file}"`,
          `Content-Disposition: attachment; filename="${words.file}"`,
          "",
          "Inhalt",
          "--b",
          "Content-Type: message/rfc822",
          "",
          `Subject: ${words.subject}`,
          "",
          "Körper",
          "--b--",
          "",
        ].join("\n"),
      ),
    );

  it("are read the same, their parts' headers and those of messages within them, too", async () => {
    const messages = fc.sample(message, 250);
    const changed = await expectSameRead(
      messages,
      messages.map((octets) => octets.toString()),
    );
    expect(changed).toBeGreaterThan(200);
  });
});
