// Asking at a terminal is looked at from outside, in test/peers: it takes a pseudo-terminal.
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { askPassword } from "../../src/accounts/ask-password.ts";

async function fromPipe(...chunks: readonly (string | Buffer)[]) {
  const input = new PassThrough();
  for (const chunk of chunks) input.write(chunk);
  input.end();
  const asked = await askPassword(["Password:", "Once more:"], input as unknown as NodeJS.ReadStream);
  return asked.kind === "password" ? asked.password.toString("latin1") : asked;
}

describe("askPassword from a pipe", () => {
  it.each([
    [["secret\n"], "secret"],
    [["secret"], "secret"],
    [["secret\r\n"], "secret"],
    [["  two words  \nsecond line\n"], "  two words  "],
    [["sec", "ret", "\nx"], "secret"],
    [["secret\r", "\n"], "secret"],
    [[Buffer.from("p\xe4ss\n", "latin1")], "p\xe4ss"],
  ])("%j gives its first line", async (chunks, password) => {
    expect(await fromPipe(...chunks)).toBe(password);
  });

  it.each([
    [[], "the password is empty"],
    [["\n"], "the password is empty"],
    [["\r\nsecret\n"], "the password is empty"],
    [["sec\0ret\n"], "the password holds a NUL"],
  ])("%j is refused", async (chunks, reason) => {
    expect(await fromPipe(...chunks)).toEqual({ kind: "refused", reason });
  });

  it("takes 4096 bytes and no more", async () => {
    const longest = "x".repeat(4096);
    expect(await fromPipe(longest, "\r\n")).toBe(longest);
    for (const chunk of [`${longest}x\n`, "x".repeat(100_000)]) {
      expect(await fromPipe(chunk)).toEqual({
        kind: "refused",
        reason: "the password is longer than 4096 bytes",
      });
    }
  });

  it("does not wait for the end of the pipe", async () => {
    const input = new PassThrough();
    input.write("secret\n");
    const asked = await askPassword(["Password:"], input as unknown as NodeJS.ReadStream);
    expect(asked).toMatchObject({ kind: "password" });
  });
});
