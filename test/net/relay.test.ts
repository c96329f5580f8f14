import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { Upstream } from "../../src/net/relay.ts";

/** Takes its time with each write, as TLS does: the octets must stay as they are until then. */
class SlowClient extends Duplex {
  readonly taken: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    setImmediate(() => {
      this.taken.push(Buffer.from(chunk));
      done();
    });
  }

  setTimeout(): this {
    return this;
  }
}

it("a relay whose client holds every write still reads in large pieces, and spoils none of them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dewey-relay-"));
  const path = join(folder, "socket");
  const sent = randomBytes(4 * 1024 * 1024);
  // Short replies between: the buffer changes from small to large and back.
  const replies = ["+OK Pass accepted\r\n", sent.subarray(0, 2_000_000), "+OK\r\n", sent.subarray(2_000_000)];
  const server = createServer((socket) => {
    socket.once("data", async () => {
      for (const reply of replies) {
        socket.write(reply);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      socket.end();
    });
  }).listen(path);
  await once(server, "listening");

  const client = new SlowClient();
  const upstream: Upstream = new Upstream(path, {
    onReply: (octets) => {
      client.taken.push(Buffer.from(octets));
      const limits = { stallTimeMs: 60_000, minOctetsPerSecond: 0 };
      upstream.relay(
        client as unknown as Socket,
        () => limits,
        () => {},
      );
      return true;
    },
    onClose: () => {},
  });
  upstream.write(Buffer.from("ticket\n"));
  await once(client, "finish");
  client.destroy();
  server.close();
  rmSync(folder, { recursive: true });

  expect(Buffer.concat(client.taken).equals(Buffer.concat(replies.map((reply) => Buffer.from(reply))))).toBe(
    true,
  );
  // In pieces of 4 KiB it would be a thousand.
  expect(client.taken.length).toBeLessThan(200);
});
