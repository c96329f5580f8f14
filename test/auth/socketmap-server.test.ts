// The socketmap server on a real UNIX socket.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SocketmapReply } from "../../src/auth/socketmap.ts";
import { type SocketmapEvent, SocketmapServer } from "../../src/auth/socketmap-server.ts";
import { inPieces, octets } from "../support/in-pieces.ts";

let folder: string;
let listener: Server;
let server: SocketmapServer;
let events: SocketmapEvent[];
let lookup: (map: string, key: string) => Promise<SocketmapReply>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-socketmap-"));
  events = [];
  lookup = async (map, key) => ({ kind: "OK", data: `${map}/${key}` });
  server = new SocketmapServer({
    lookup: (map, key) => lookup(map, key),
    onEvent: (event) => events.push(event),
  });
  listener = createServer({ allowHalfOpen: true }, (socket) => server.serve(socket));
  await new Promise<void>((resolve) => listener.listen(join(folder, "map"), resolve));
});
afterEach(() => {
  server.close();
  listener.close();
  rmSync(folder, { recursive: true });
});

/** Sends the pieces, shuts down, and returns everything that comes until the end. */
function ask(pieces: readonly Uint8Array[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(join(folder, "map"));
    let said = "";
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(said));
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

describe("SocketmapServer", () => {
  it("answers every request in its order, however they are cut, the last ones after the client has shut down", async () => {
    let delay = 3;
    lookup = async (_, key) => {
      // The first takes longest.
      for (let turn = delay--; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
      return key === "b" ? { kind: "NOTFOUND" } : { kind: "OK", data: key };
    };
    for (const pieces of inPieces(octets("11:recipient a,11:recipient b,11:recipient c,"))) {
      delay = 3;
      expect(await ask(pieces)).toBe("4:OK a,9:NOTFOUND ,4:OK c,");
    }
    expect(events).toEqual([]);
  });

  it("refuses what is no request and goes on", async () => {
    expect(await ask([octets("1:x,11:recipient c,")])).toBe(
      "49:PERM a request is a map's name, a space and a key,14:OK recipient/c,",
    );
  });

  it("says PERM to what is no netstring, and closes", async () => {
    expect(await ask([octets("11:recipient a,GET / HTTP/1.0\r\n\r\n11:recipient b,")])).toBe(
      "14:OK recipient/a,49:PERM netstring malformed: its length is no number,",
    );
    expect(events).toEqual([{ kind: "malformed", reason: "netstring malformed: its length is no number" }]);
  });

  it("says TEMP when looking up fails: Postfix tries again later", async () => {
    const error = new Error("disk on fire");
    lookup = () => Promise.reject(error);
    expect(await ask([octets("11:recipient a,")])).toMatch(/^\d+:TEMP internal fault/);
    expect(events).toEqual([{ kind: "fault", error }]);
  });
});
