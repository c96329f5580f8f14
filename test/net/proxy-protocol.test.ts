import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/net/crc32c.ts";
import { type ProxyHeader, parseProxyHeader } from "../../src/net/proxy-protocol.ts";
import { atLeast } from "../support/fuzz.ts";
import { octets } from "../support/in-pieces.ts";

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const endpoints = { address: "192.0.2.1", port: 56324, localAddress: "198.51.100.7", localPort: 995 };
const TCP4 = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 0x03, 0xe3];
const TCP6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ...[0xdc, 0x04, 0x03, 0xe3],
];

function version2(command: number, family: number, rest: readonly number[]): Uint8Array {
  return Uint8Array.from([...SIGNATURE, command, family, rest.length >> 8, rest.length & 0xff, ...rest]);
}

const tlv = (type: number, value: readonly number[]): number[] => [
  type,
  value.length >> 8,
  value.length & 0xff,
  ...value,
];

function withChecksum(rest: readonly number[]): Uint8Array {
  const header = version2(0x21, 0x11, [...rest, ...tlv(0x03, [0, 0, 0, 0])]);
  new DataView(header.buffer).setUint32(header.length - 4, crc32c(header));
  return header;
}

const ssl = (client: number): number[] =>
  tlv(0x20, [
    client,
    0,
    0,
    0,
    0,
    ...tlv(0x21, [...octets("TLSv1.3")]),
    ...tlv(0x23, [...octets("TLS_AES_128_GCM_SHA256")]),
  ]);

describe("a PROXY header of version 1", () => {
  it("names client and server", () => {
    const line = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 995\r\n";
    expect(parseProxyHeader(octets(`${line}USER mrose\r\n`))).toEqual({
      ...{ kind: "header", length: line.length, tls: undefined },
      endpoints,
    });
    expect(parseProxyHeader(octets("PROXY TCP6 2001:DB8:0::1 2001:db8::2 1 65535\r\n"))).toMatchObject({
      endpoints: { address: "2001:db8::1", port: 1, localAddress: "2001:db8::2", localPort: 65535 },
    });
    expect(parseProxyHeader(octets("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"))).toMatchObject({
      endpoints: { address: "192.0.2.1", localAddress: "::1" },
    });
  });

  it.each(["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"])(
    "may not know the client: %j",
    (line) => {
      expect(parseProxyHeader(octets(line))).toEqual({
        ...{ kind: "header", length: line.length, endpoints: undefined, tls: undefined },
      });
    },
  );

  it.each([
    "PROXY TCP4 192.0.2.1 198.51.100.7 56324 995\n",
    "PROXY  TCP4 192.0.2.1 198.51.100.7 56324 995\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.7 56324 995 \r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
    "PROXY TCP4 192.0.2.01 198.51.100.7 56324 995\r\n",
    "PROXY TCP4 192.0.2.256 198.51.100.7 56324 995\r\n",
    "PROXY TCP4 2001:db8::1 2001:db8::2 56324 995\r\n",
    "PROXY TCP6 192.0.2.1 198.51.100.7 56324 995\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 56324 995\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.7 65536 995\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.7 056 995\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.7 -1 995\r\n",
    "PROXY UDP4 192.0.2.1 198.51.100.7 56324 995\r\n",
    "PROXY UNKNOWNX\r\n",
    "proxy TCP4 192.0.2.1 198.51.100.7 56324 995\r\n",
    `PROXY UNKNOWN ${"x".repeat(100)}`,
    "USER mrose\r\n",
    "\r\nPROXY UNKNOWN\r\n",
  ])("is to the letter or none: %j", (line) => {
    expect(parseProxyHeader(octets(line)).kind).toBe("invalid");
  });

  it("has 107 octets at most", () => {
    const longest = `PROXY UNKNOWN ${"x".repeat(107 - 16)}\r\n`;
    expect(longest).toHaveLength(107);
    expect(parseProxyHeader(octets(longest)).kind).toBe("header");
    expect(parseProxyHeader(octets(`PROXY UNKNOWN ${"x".repeat(107 - 15)}\r\n`)).kind).toBe("invalid");
  });
});

describe("a PROXY header of version 2", () => {
  it("names client and server", () => {
    expect(parseProxyHeader(version2(0x21, 0x11, TCP4))).toEqual({
      ...{ kind: "header", length: 28, endpoints, tls: undefined },
    });
    expect(parseProxyHeader(version2(0x21, 0x21, TCP6))).toMatchObject({
      endpoints: { address: "2001:db8::1", port: 56324, localAddress: "2001:db8::2", localPort: 995 },
    });
  });

  it("names no client where the proxy speaks for itself, by UNIX sockets or of unknown ones", () => {
    for (const header of [
      version2(0x20, 0x00, []),
      version2(0x20, 0x11, [1, 2, 3]),
      version2(0x20, 0xff, [1, 2, 3]),
      version2(0x21, 0x00, []),
      version2(
        0x21,
        0x31,
        Array.from({ length: 216 }, () => 0),
      ),
    ]) {
      expect(parseProxyHeader(header)).toMatchObject({ kind: "header", length: header.length });
      expect(parseProxyHeader(header)).toMatchObject({ endpoints: undefined });
    }
  });

  it("is refused with another version, command, family, or too short for what it says", () => {
    for (const header of [
      version2(0x11, 0x11, TCP4),
      version2(0x22, 0x11, TCP4),
      version2(0x21, 0x12, TCP4),
      version2(0x21, 0x41, TCP4),
      version2(0x21, 0x11, TCP4.slice(1)),
      version2(0x21, 0x21, TCP4),
      version2(0x21, 0x11, [...TCP4, 4]),
      version2(0x21, 0x11, [...TCP4, 4, 0, 2, 0]),
    ]) {
      expect(parseProxyHeader(header).kind).toBe("invalid");
    }
  });

  it("has its checksum verified", () => {
    const header = withChecksum([...TCP4, ...tlv(0x04, [0, 0, 0])]);
    expect(parseProxyHeader(header)).toMatchObject({ kind: "header", endpoints });
    // As sockets bring it; and it is still the same afterwards.
    const buffer = Buffer.from(header);
    for (let i = 0; i < 2; i++) expect(parseProxyHeader(buffer)).toMatchObject({ kind: "header", endpoints });
    for (const index of [17, header.length - 1, header.length - 9]) {
      const damaged = header.slice();
      damaged[index]! ^= 1;
      expect(parseProxyHeader(damaged).kind).toBe("invalid");
    }
    expect(parseProxyHeader(version2(0x21, 0x11, [...TCP4, ...tlv(0x03, [1, 2, 3])])).kind).toBe("invalid");
  });

  it("tells of the client's TLS, and of none where its flag is not set", () => {
    const header = (client: number) => parseProxyHeader(version2(0x21, 0x11, [...TCP4, ...ssl(client)]));
    expect(header(0x01)).toMatchObject({ tls: "TLSv1.3 TLS_AES_128_GCM_SHA256" });
    expect(header(0x00)).toMatchObject({ tls: undefined });
    expect(parseProxyHeader(version2(0x21, 0x11, [...TCP4, ...tlv(0x20, [1, 0])]))).toMatchObject({
      tls: undefined,
    });
  });
});

it("the checksum is CRC-32C", () => {
  // RFC 3720 appendix B.4.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(octets("123456789"))).toBe(0xe3069283);
});

describe("whatever comes", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((rest) => Uint8Array.from([...SIGNATURE, ...rest])),
    fc
      .tuple(
        fc.constantFrom(0x20, 0x21, 0x22),
        fc.constantFrom(0x11, 0x21, 0x31, 0),
        fc.uint8Array({ maxLength: 300 }),
      )
      .map(([command, family, rest]) => version2(command, family, [...rest])),
    fc.string({ unit: "binary-ascii", maxLength: 120 }).map((text) => octets(`PROXY ${text}\r\n`)),
    fc
      .tuple(fc.ipV4(), fc.ipV6(), fc.nat(70_000), fc.constantFrom("TCP4", "TCP6", "UNKNOWN"))
      .map(([v4, v6, port, family]) => octets(`PROXY ${family} ${v4} ${v6} ${port} ${port}\r\n`)),
  );

  it("never throws, takes no more than there is, and says the same however it is cut", () => {
    fc.assert(
      fc.property(anything, fc.uint8Array({ maxLength: 40 }), (start, behind) => {
        const whole = Uint8Array.from([...start, ...behind]);
        const result = parseProxyHeader(whole);
        if (result.kind === "header") expect(result.length).toBeLessThanOrEqual(whole.length);
        let first: ProxyHeader = { kind: "incomplete" };
        for (let length = 0; length <= whole.length && first.kind === "incomplete"; length++) {
          first = parseProxyHeader(whole.subarray(0, length));
        }
        if (first.kind === "invalid") expect(result.kind).toBe("invalid");
        else expect(first).toEqual(result);
      }),
      atLeast(2_000),
    );
  });

  it("any addresses and ports come back from version 2 as they went in", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.nat(65_535), fc.nat(65_535), (a, b, port, localPort) => {
        const rest = [...a.split("."), ...b.split(".")].map(Number);
        const ports = [port >> 8, port & 0xff, localPort >> 8, localPort & 0xff];
        expect(parseProxyHeader(version2(0x21, 0x11, [...rest, ...ports]))).toMatchObject({
          endpoints: { address: a, port, localAddress: b, localPort },
        });
      }),
    );
  });
});
