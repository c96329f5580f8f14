import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemFiles } from "../../../src/maildir/files/files.ts";
import { MessageFile } from "../../../src/maildir/message.ts";
import { AS_STORED, type Presentation } from "../../../src/maildir/presentation.ts";
import { Connection } from "../../../src/net/connection.ts";
import { CHUNK_BYTES } from "../../../src/net/output-buffer.ts";
import { LineReader } from "../../../src/pop3/line-reader.ts";
import { english } from "../../../src/pop3/texts/english.ts";
import { type SendResult, sendMessage } from "../../../src/processes/mailbox/message-sender.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-sender-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(content: Buffer, counted?: number): MessageFile {
  const path = join(folder, "message");
  writeFileSync(path, content);
  const known =
    counted === undefined ? undefined : { octets: counted, bytes: content.length, traits: undefined };
  return new MessageFile(systemFiles, openSync(path, "r"), content.length, known);
}

/** A client's end that keeps every write as it came. */
class Recorder extends Duplex {
  readonly writes: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(Buffer.from(chunk));
    setImmediate(done);
  }
}

async function send(
  file: MessageFile,
  bodyLines?: number,
  presentation: Presentation = AS_STORED,
): Promise<{ writes: string[]; result: SendResult }> {
  const recorder = new Recorder({ highWaterMark: 1024 });
  const connection = new Connection(recorder, new LineReader(), {
    onLine: () => undefined,
    onClose: () => {},
    onFault: (error) => {
      throw error;
    },
  });
  const result = await sendMessage(connection, file, {
    messageNumber: 1,
    bodyLines,
    presentation,
    texts: english,
  });
  await connection.flush();
  file.close();
  return { writes: recorder.writes.map((octets) => octets.toString("latin1")), result };
}

describe("sendMessage", () => {
  it("sends a short message with its status line and termination in one write", async () => {
    const { writes, result } = await send(open(Buffer.from("A: 1\n\none\n.two\n")));
    expect(writes).toEqual(["+OK 19 octets\r\nA: 1\r\n\r\none\r\n..two\r\n.\r\n"]);
    expect(result).toEqual({ kind: "sent", octets: 19, counted: { octets: 19, traits: undefined } });
  });

  // Thunderbird stalls when CRLF.CRLF comes in two packets.
  it.each([-1, 0, 1, 5])(
    "ends a message of some chunks%i with a write that has the whole termination",
    async (more) => {
      for (const chunks of [1, 2, 3]) {
        const content = Buffer.alloc(chunks * CHUNK_BYTES + more, "0123456789012345678901234567890\n");
        const { writes, result } = await send(open(content));
        const sent = writes.join("");
        const body = content.toString("latin1").replaceAll("\n", "\r\n");
        const octets = body.endsWith("\n") ? body.length : body.length + 2;
        expect(result).toMatchObject({ kind: "sent", octets, counted: { octets } });
        expect(sent).toBe(`+OK ${octets} octets\r\n${body}${body.endsWith("\n") ? "" : "\r\n"}.\r\n`);
        expect(writes.at(-1)?.endsWith("\r\n.\r\n")).toBe(true);
        expect(writes.at(-1)?.length).toBeGreaterThan(5);
      }
    },
  );

  it("announces what is there, not what was counted in a file of another size", async () => {
    const content = Buffer.alloc(2 * CHUNK_BYTES, "a\n");
    const path = join(folder, "message");
    writeFileSync(path, content);
    const file = new MessageFile(systemFiles, openSync(path, "r"), content.length, {
      octets: 7,
      bytes: 5,
      traits: undefined,
    });
    const { writes } = await send(file);
    expect(writes[0]?.startsWith(`+OK ${3 * CHUNK_BYTES} octets\r\n`)).toBe(true);
  });

  it.each([10, 2 * CHUNK_BYTES])(
    "announces what takes the message's place now, not what another version counted (%i bytes)",
    async (bytes) => {
      const content = Buffer.concat([Buffer.from("Subject: ü\n\n"), Buffer.alloc(bytes, "a\n")]);
      const path = join(folder, "message");
      writeFileSync(path, content);
      const octets = content.length + 2 + bytes / 2;
      const surrogate = { kind: "downgraded", octets: 7 } as const;
      const known = { octets, bytes: content.length, traits: { surrogate, isHeaderOpen: false } };
      const presentation: Presentation = { ...AS_STORED, utf8Headers: "surrogate" };
      const file = new MessageFile(systemFiles, openSync(path, "r"), content.length, known);
      const { writes, result } = await send(file, undefined, presentation);
      const sent = octets + "=?UTF-8?B?w7w=?=".length - "ü".length - 1;
      expect(writes[0]?.startsWith(`+OK ${sent} octets\r\nSubject: =?UTF-8?B?w7w=?=\r\n`)).toBe(true);
      expect(result).toMatchObject({
        octets: sent,
        counted: { octets, traits: { surrogate: { octets: sent } } },
      });
    },
  );

  it("TOP stops reading where the lines end", async () => {
    const head = `A: 1\n\n${"line\n".repeat(3)}`;
    const file = open(Buffer.concat([Buffer.from(head), Buffer.alloc(50 * CHUNK_BYTES, "x\n")]));
    const { writes, result } = await send(file, 2);
    expect(writes.join("")).toBe("+OK\r\nA: 1\r\n\r\nline\r\nline\r\n.\r\n");
    expect(result).toEqual({ kind: "sent", octets: 20, counted: undefined });
    expect(file.position).toBeLessThan(5 * CHUNK_BYTES);
  });

  it("says that the client is gone, and when the file cannot be read", async () => {
    const recorder = new Recorder();
    const connection = new Connection(recorder, new LineReader(), {
      onLine: () => undefined,
      onClose: () => {},
      onFault: () => {},
    });
    const file = open(Buffer.alloc(3 * CHUNK_BYTES, "a\n"));
    const options = { messageNumber: 1, bodyLines: undefined, presentation: AS_STORED, texts: english };
    recorder.destroy();
    expect(await sendMessage(connection, file, options)).toEqual({
      kind: "client-gone",
    });
    file.close();
    const failing = new MessageFile(
      { ...systemFiles, read: () => Promise.reject(Object.assign(new Error(), { code: "EIO" })) },
      0,
      10,
      undefined,
    );
    expect(await sendMessage(connection, failing, options)).toEqual({
      kind: "unreadable",
      begun: false,
      code: "EIO",
    });
  });
});
