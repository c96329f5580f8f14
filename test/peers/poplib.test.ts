// Python's poplib fetches what Postfix delivered: once leaving it there, once deleting it.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runOrThrow } from "../support/program.ts";
import { type MailHost, password, startMailHost } from "./support/mail-host.ts";
import { asSent, readMaildir } from "./support/maildir.ts";
import { generatedMessages } from "./support/messages.ts";

interface Seen {
  readonly capa: readonly string[];
  readonly stat: readonly [number, number];
  readonly list: readonly string[];
  readonly uidl: readonly string[];
  readonly messages: readonly {
    readonly list: string;
    readonly uidl: string;
    readonly header: readonly string[];
    readonly top: readonly string[];
    readonly whole: readonly string[];
  }[];
  readonly error: string | null;
  readonly stat_after_rset: readonly [number, number];
  readonly quit: string;
}

const script = fileURLToPath(new URL("./support/poplib-session.py", import.meta.url));
let host: MailHost;

beforeAll(async () => {
  host = await startMailHost({ virtualUsers: ["mrose"] });
});
afterAll(async () => await host?.stop());

async function fetchAll(options: { readonly delete: boolean }): Promise<Seen> {
  const task = { port: host.server.port, user: "mrose", password, ...options };
  const { stdout } = await runOrThrow("python3", [script], { input: JSON.stringify(task) });
  return JSON.parse(stdout.toString()) as Seen;
}

/** poplib takes line ends and byte-stuffing away; with CRLF put back this is the message as it was sent. */
function joined(lines: readonly string[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [Buffer.from(line, "base64"), Buffer.from("\r\n")]));
}

/** The header, the empty line and the first lines of the body (RFC 1939 §7). */
function top(message: Buffer, bodyLines: number): Buffer {
  const lines = message.toString("latin1").split("\r\n");
  const end = lines.indexOf("");
  return Buffer.from(
    lines
      .slice(0, Math.min(end + 1 + bodyLines, lines.length - 1))
      .map((line) => `${line}\r\n`)
      .join(""),
    "latin1",
  );
}

describe("Python's poplib", () => {
  it("sees every message as it stands in the Maildir, with stat, list, uidl, top and retr", async () => {
    const files = await host.deliver(
      "mrose",
      generatedMessages().map(({ bytes }) => bytes),
    );
    const seen = await fetchAll({ delete: false });
    expect(seen.capa).toEqual(expect.arrayContaining(["UIDL", "TOP", "USER"]));
    expect(seen.stat).toEqual([
      files.length,
      files.reduce((sum, { bytes }) => sum + asSent(bytes).length, 0),
    ]);
    expect(seen.stat_after_rset).toEqual(seen.stat);
    expect(seen.error).toMatch(/^-ERR /);
    expect(seen.list).toHaveLength(files.length);
    for (const [index, message] of seen.messages.entries()) {
      const uniqueId = message.uidl.split(" ")[2];
      const file = files.find(({ baseName }) => baseName === uniqueId);
      if (file === undefined) throw new Error(`unique-id ${uniqueId} names no file`);
      const octets = asSent(file.bytes);
      expect(message.uidl).toBe(`+OK ${seen.uidl[index]}`);
      expect(seen.list[index]).toBe(`${index + 1} ${octets.length}`);
      expect(message.list).toBe(`+OK ${seen.list[index]}`);
      expect(joined(message.whole).equals(octets), `${uniqueId} unchanged`).toBe(true);
      expect(joined(message.header).equals(top(octets, 0)), `TOP 0 of ${uniqueId}`).toBe(true);
      expect(joined(message.top).equals(top(octets, 2)), `TOP 2 of ${uniqueId}`).toBe(true);
    }
    expect(seen.quit).toBe(`+OK dewey POP3 server signing off (${files.length} messages left)`);
    const after = readMaildir(host.maildir("mrose"));
    expect(new Set(after.map(({ folder, flags }) => `${folder} ${flags}`))).toEqual(new Set(["cur S"]));
    expect(after.map(({ baseName }) => baseName)).toEqual(files.map(({ baseName }) => baseName));
  });

  it("sees the same messages again, and leaves an empty Maildir after deleting them", async () => {
    const before = readMaildir(host.maildir("mrose"));
    const seen = await fetchAll({ delete: true });
    expect(seen.messages.map(({ uidl }) => uidl.split(" ")[2]).sort()).toEqual(
      before.map(({ baseName }) => baseName),
    );
    expect(seen.quit).toBe("+OK dewey POP3 server signing off (maildrop empty)");
    expect(readMaildir(host.maildir("mrose"))).toEqual([]);
  });
});
