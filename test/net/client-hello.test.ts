import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { MAX_CLIENT_HELLO_OCTETS, parseClientHello } from "../../src/net/client-hello.ts";
import { atLeast } from "../support/fuzz.ts";
import { octets } from "../support/in-pieces.ts";

/** What a real client sends first. */
async function helloOf(servername: string | undefined): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: "127.0.0.1", port, ...(servername === undefined ? {} : { servername }) });
  client.on("error", () => {});
  const [socket] = await once(server, "connection");
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  server.close();
  return hello;
}

/** The same message in records of so many octets. */
function inRecords(hello: Buffer, size: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let offset = 0; offset < body.length; offset += size) {
    const part = body.subarray(offset, offset + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

describe("a ClientHello", () => {
  let named: Buffer;
  let nameless: Buffer;
  beforeAll(async () => {
    named = await helloOf("Pop.Example.ORG");
    nameless = await helloOf(undefined);
  });

  it("tells the host that the client asks for, in lower case", () => {
    expect(parseClientHello(named)).toEqual({ kind: "hello", host: "pop.example.org" });
    expect(parseClientHello(nameless)).toEqual({ kind: "hello", host: undefined });
  });

  it("is incomplete until its last octet, and may come in several records", () => {
    for (let length = 0; length < named.length; length++) {
      expect(parseClientHello(named.subarray(0, length))).toEqual({ kind: "incomplete" });
    }
    // A key share for after quantum computers, which newer clients send, makes it four times as long.
    const fewest = Math.ceil((named.length - 5) / 64);
    for (const size of [fewest, fewest + 1, 50, 1000]) {
      expect(parseClientHello(inRecords(named, size))).toEqual({ kind: "hello", host: "pop.example.org" });
    }
  });

  it("is not read from hundreds of records, which a stranger could have us read again for each octet", () => {
    expect(parseClientHello(inRecords(named, 2))).toEqual({ kind: "unreadable" });
    const unending = Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x30, 0]);
    expect(parseClientHello(Buffer.concat([unending, inRecords(Buffer.alloc(67), 1)])).kind).toBe(
      "incomplete",
    );
    expect(parseClientHello(Buffer.concat([unending, inRecords(Buffer.alloc(68), 1)])).kind).toBe(
      "unreadable",
    );
  });

  it("is not what a plain client sends, or one without end", () => {
    for (const start of [
      octets("USER mrose\r\n"),
      Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0),
      Uint8Array.of(22, 3, 1, 0, 0),
      Uint8Array.of(22, 3, 1, 0xff, 0xff, 1, (MAX_CLIENT_HELLO_OCTETS >> 16) & 0xff, 0xff, 0xff),
    ]) {
      expect(parseClientHello(start).kind).toBe("unreadable");
    }
  });

  it("never makes it throw, damaged or made up", () => {
    fc.assert(
      fc.property(
        fc.nat(named.length - 1),
        fc.nat(255),
        fc.uint8Array({ maxLength: 200 }),
        (at, octet, rest) => {
          const damaged = Buffer.from(named);
          damaged[at] = octet;
          parseClientHello(damaged);
          parseClientHello(Uint8Array.from([22, 3, 1, 0, rest.length, ...rest]));
          parseClientHello(Uint8Array.from([22, 3, 1, 0, rest.length + 4, 1, 0, 0, rest.length, ...rest]));
        },
      ),
      atLeast(2_000),
    );
  });
});
