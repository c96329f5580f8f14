import { simpleParser } from "mailparser";
import { describe, expect, it } from "vitest";
import { Wrapping } from "../../src/mime/wrapping.ts";
import { surrogateOf } from "./downgraded.ts";

describe("a message that is wrapped", () => {
  const message = `From: пример@example.org\nTo: a@example.org\nSubject: Grüße\nX-Other: ü\n\nKörper\n${"x".repeat(100)}\n.\nend`;
  const wrapped = (text: string, pieceBytes: number): Buffer =>
    surrogateOf(() => new Wrapping(), Buffer.from(text), pieceBytes);

  it("is attached whole, behind the fields that people know it by, all in ASCII", async () => {
    const whole = wrapped(message, 10_000);
    expect(whole.toString("latin1")).toMatch(/^[\t\r\n\x20-\x7e]*$/);
    const parsed = await simpleParser(whole);
    expect(parsed.subject).toBe("Grüße");
    expect(parsed.from?.value[0]?.address).toBe("invalid@internationalized-address.invalid");
    expect(parsed.headers.has("x-other")).toBe(false);
    expect(parsed.attachments).toHaveLength(1);
    expect(parsed.attachments[0]).toMatchObject({ contentType: "message/global", filename: "message.u8msg" });
    expect(parsed.attachments[0]?.content.toString()).toBe(`${message.replaceAll("\n", "\r\n")}\r\n`);
    expect(parsed.text).toContain("It is attached as it was sent.");
  });

  it("is the same however it is cut, with CRLF line ends, and without a body", () => {
    for (const text of [message, message.replaceAll("\n", "\r\n"), "Subject: ü", "Subject: ü\n\n", ""]) {
      const whole = wrapped(text, 10_000);
      for (const pieceBytes of [1, 2, 3, 56, 57, 58])
        expect(wrapped(text, pieceBytes).equals(whole)).toBe(true);
    }
    expect(wrapped(message.replaceAll("\n", "\r\n"), 1000).equals(wrapped(message, 1000))).toBe(true);
  });

  it("may have a header longer than is waited for", async () => {
    const long = `Subject: ü\n${"X: y\n".repeat(30_000)}\nbody\n`;
    const parsed = await simpleParser(wrapped(long, 4096));
    expect(parsed.subject).toBe("ü");
    expect(parsed.attachments[0]?.content.toString()).toBe(long.replaceAll("\n", "\r\n"));
  });
});
