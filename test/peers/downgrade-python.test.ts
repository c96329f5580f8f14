// A second reader's opinion of downgraded messages (RFC 6858): Python's email package sees in the copy what it sees in the message
// in UTF-8. mailparser's is in test/mime/downgrade.test.ts.
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Downgrade } from "../../src/mime/downgrade.ts";
import { surrogateOf } from "../mime/downgraded.ts";
import { messageOf, phrase, word } from "../mime/generated-headers.ts";
import { runOrThrow } from "../support/program.ts";
import { corpusMessages } from "./support/messages.ts";

const reader = fileURLToPath(new URL("./support/read-headers.py", import.meta.url));

interface Seen {
  readonly subject: string;
  readonly from: readonly (readonly [name: string, address: string])[];
  readonly to: readonly (readonly [name: string, address: string])[];
  readonly files: readonly (string | null)[];
  readonly types: readonly string[];
  readonly bodies: readonly string[];
}

async function python(messages: readonly Buffer[]): Promise<readonly Seen[]> {
  const input = JSON.stringify(messages.map((message) => ({ octets: message.toString("base64") })));
  const { stdout } = await runOrThrow("python3", [reader], { input });
  return JSON.parse(stdout.toString()) as Seen[];
}

/** RFC 6858 §2.1: an address that this client could not answer to goes into the name. */
function inCopy({ from, to, ...others }: Seen): Seen {
  const people = (list: Seen["from"]) =>
    list.map(([name, address]) => {
      if (/^[\x20-\x7e]*$/.test(address)) return [name, address] as const;
      const told = name === "" ? address : `${name} (${address})`;
      return [told, "invalid@internationalized-address.invalid"] as const;
    });
  return { ...others, from: people(from), to: people(to) };
}

const downgrade = (message: Buffer): Buffer => surrogateOf(() => new Downgrade(), message, 4096);

describe("Python's email package reads the downgraded copy as it reads the message", () => {
  const real = corpusMessages().filter(({ name }) => /\b(rfc6532|multi_charset)\//.test(name));

  it.runIf(corpusMessages().length > 0)("real ones", async () => {
    expect(real.length).toBeGreaterThanOrEqual(5);
    const messages = real.map(({ bytes }) => bytes);
    const before = await python(messages);
    const after = await python(messages.map(downgrade));
    for (const [index, { name }] of real.entries())
      expect(after[index], name).toEqual(inCopy(before[index]!));
  });

  describe("500 generated ones", () => {
    const headers = fc.sample(
      fc.record({
        subject: phrase,
        name: phrase,
        file: phrase,
        local: word,
        lineEnd: fc.constantFrom("\n" as const, "\r\n" as const),
      }),
      { numRuns: 500, seed: 6858 },
    );
    let before: readonly Seen[];
    let after: readonly Seen[];
    beforeAll(async () => {
      const messages = headers.map(messageOf);
      before = await python(messages);
      after = await python(messages.map(downgrade));
    });

    it("of which it reads all", () => {
      expect(after).toHaveLength(500);
    });

    it("subject, names, files and bodies", () => {
      for (const [index, seen] of before.entries())
        expect(after[index], JSON.stringify(headers[index])).toEqual(inCopy(seen));
    });
  });
});
