import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AuthParameters,
  type ClientCommand,
  formatClientCommand,
  parseClientCommand,
} from "../../../src/auth/protocol/client-command.ts";
import { MAX_LINE_OCTETS } from "../../../src/auth/protocol/fields.ts";
import { decodeInitialResponse } from "../../../src/auth/protocol/initial-response.ts";
import {
  formatServerReply,
  parseServerReply,
  type ServerReply,
} from "../../../src/auth/protocol/server-reply.ts";
import { LineSplitter } from "../../../src/octets/line-splitter.ts";
import { atLeast } from "../../support/fuzz.ts";
import { chunkings } from "../chunkings.ts";

const NOTHING_SAID: AuthParameters = {
  mechanism: "PLAIN",
  service: "smtp",
  secured: false,
  session: undefined,
  remoteAddress: undefined,
  localAddress: undefined,
  remotePort: undefined,
  localPort: undefined,
};
const MALFORMED = { kind: "malformed", reason: expect.any(String) };

describe("parseClientCommand", () => {
  const transcript = [
    "VERSION\t1\t0",
    "CPID\t4242",
    "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=198.51.100.7\tsecured\tresp=AG1yb3NlAHNlY3JldA==",
    "AUTH\t2\tlogin\tservice=smtp\trip=\tlip=\tnologin\tresp=",
    "CONT\t2\t",
    "CONT\t2\tc2VjcmV0",
    "CANCEL\t2",
    "COOKIE\t0123",
    "",
  ];
  it.each(chunkings(transcript.map((line) => `${line}\n`).join("")))("reads a dialogue, %s", (_, chunks) => {
    const splitter = new LineSplitter(MAX_LINE_OCTETS);
    const lines = chunks.flatMap((chunk) => splitter.push(chunk));
    expect(lines.map((line) => line.kind === "line" && parseClientCommand(line.text))).toEqual([
      { kind: "VERSION", major: 1, minor: 0 },
      { kind: "CPID", pid: 4242 },
      {
        kind: "AUTH",
        id: 1,
        parameters: {
          ...NOTHING_SAID,
          secured: true,
          localAddress: "192.0.2.1",
          remoteAddress: "198.51.100.7",
        },
        response: "AG1yb3NlAHNlY3JldA==",
      },
      { kind: "AUTH", id: 2, parameters: { ...NOTHING_SAID, mechanism: "LOGIN" }, response: "" },
      { kind: "CONT", id: 2, data: "" },
      { kind: "CONT", id: 2, data: "c2VjcmV0" },
      { kind: "CANCEL", id: 2 },
      { kind: "unknown" },
      { kind: "unknown" },
    ]);
  });

  const parameters = (rest: string) => {
    const command = parseClientCommand(`AUTH\t1\tPLAIN\tservice=pop3${rest}`);
    return command.kind === "AUTH" ? command.parameters : command;
  };

  it("reads every parameter that it knows and passes over the others", () => {
    expect(
      parameters(
        "\tsecured=tls\tsession=a\x01tb\trip=2001:db8::7\tlip=::1\trport=50000\tlport=995\tno-penalty\ttransport=x" +
          "\ttls_cipher=TLS_AES_128_GCM_SHA256\tvalid-client-cert\tclient_id=\x01t\tdebug",
      ),
    ).toEqual({
      mechanism: "PLAIN",
      service: "pop3",
      secured: true,
      session: "a\tb",
      remoteAddress: "2001:db8::7",
      localAddress: "::1",
      remotePort: 50_000,
      localPort: 995,
    });
  });

  const binding = { type: "tls-exporter" as const, data: `${"A".repeat(43)}=` };

  it("reads what TLS told the login process of its client", () => {
    expect(
      parameters(`\tchannel_binding=tls-exporter:${binding.data}\tcert_username=mrose\tvalid-client-cert`),
    ).toMatchObject({ channelBinding: binding, clientCertificateUser: "mrose" });
  });

  it("takes no name from a certificate that was not verified", () => {
    expect(parameters("\tcert_username=mrose")).not.toHaveProperty("clientCertificateUser");
  });

  it.each(["", "tls-unique:AAAA", "tls-exporter:", "tls-exporter:AAAA", `tls-exporter:${"A".repeat(44)}`])(
    "refuses a channel binding other than the 32 octets of tls-exporter: %j",
    (value) => {
      expect(parameters(`\tchannel_binding=${value}`)).toMatchObject({ kind: "malformed" });
    },
  );

  it.each(["\trip=unknown", "\trip=NULL", "\trip=1.2.3.4.5", "\trport=0", "\trport=65536", "\trport=x"])(
    "takes an address or a port that is none for unknown: %j",
    (rest) => {
      expect(parameters(rest)).toMatchObject({ remoteAddress: undefined, remotePort: undefined });
    },
  );

  it.each([
    "VERSION",
    "VERSION\t1",
    "VERSION\t1\t0\t0",
    "VERSION\tone\t0",
    "VERSION\t1\t0\r",
    "CPID",
    "CPID\t0",
    "CPID\t-1",
    "CPID\t1\t2",
    "AUTH",
    "AUTH\t1",
    "AUTH\t1\t\tservice=smtp",
    "AUTH\t1\tPLAIN",
    "AUTH\t1\tPLAIN\tnologin",
    "AUTH\t1\tPLAIN\tservice",
    "AUTH\t1\tPLAIN\tservice=",
    "AUTH\t1\tPLAIN\tservice=a\x01nb",
    "AUTH\t0\tPLAIN\tservice=smtp",
    "AUTH\t00\tPLAIN\tservice=smtp",
    "AUTH\t-1\tPLAIN\tservice=smtp",
    "AUTH\t1.5\tPLAIN\tservice=smtp",
    "AUTH\t0x1\tPLAIN\tservice=smtp",
    "AUTH\t4294967296\tPLAIN\tservice=smtp",
    "AUTH\t\tPLAIN\tservice=smtp",
    "AUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\tsecured",
    "AUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\tresp=AA==",
    "AUTH\t1\tPLAIN\tresp=AA==\tservice=smtp",
    "AUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\t",
    "AUTH\t1\tPLAIN\tservice=smtp\trip=192.0.2.1\trip=192.0.2.2",
    "AUTH\t1\tPLAIN\tservice=smtp\tservice=pop3",
    "AUTH\t1\tPLAIN\tservice=smtp\t",
    "AUTH\t1\tPLAIN\tservice=smtp\t=x",
    "AUTH\t1\tPLAIN\tservice=smtp\tsession=\x01x",
    "AUTH\t1\tPLAIN;\tservice=smtp",
    "AUTH\t1\tMECHANISM-NAME-TOO-LONG\tservice=smtp",
    "CONT",
    "CONT\t1",
    "CONT\t0\t",
    "CONT\t1\tAA==\tAA==",
    "CANCEL",
    "CANCEL\t0",
    "CANCEL\tx",
  ])("refuses %j", (line) => {
    expect(parseClientCommand(line)).toEqual(MALFORMED);
  });

  it.each(["version\t1\t0", " AUTH\t1", "AUTHX\t1", "constructor", "__proto__", "DONE", "\t", "CANCEL\r"])(
    "passes over what it does not know: %j",
    (line) => {
      expect(parseClientCommand(line)).toEqual({ kind: "unknown" });
    },
  );

  it("never repeats a secret when it refuses", () => {
    const secret = "AG1yb3NlAHNlY3JldA==";
    for (const line of [`AUTH\t0\tPLAIN\tservice=smtp\tresp=${secret}`, `CONT\t0\t${secret}`]) {
      expect(JSON.stringify(parseClientCommand(line))).not.toContain(secret);
    }
  });
});

describe("parseServerReply", () => {
  const transcript = [
    "VERSION\t1\t2",
    "MECH\tPLAIN\tplaintext",
    "MECH\tSCRAM-SHA-256\tmutual-auth",
    "MECH\tEXTERNAL",
    "EXPIRE\t30\tUSER",
    "EXPIRE\tNEVER",
    "FORGET",
    "FORGET\tuser=mrose",
    "SPID\t17",
    "CUID\t3",
    "COOKIE\t0123456789abcdef0123456789abcdef",
    "DONE",
    "CONT\t1\t",
    "OK\t1\tuser=mrose\tticket=a\x01nb\tflag",
    "FAIL\t2",
    "FAIL\t3\tuser=mrose\tcode=temp_fail\treason=no way",
    "NOTFOUND\t1",
  ];
  it.each(chunkings(transcript.map((line) => `${line}\n`).join("")))("reads a dialogue, %s", (_, chunks) => {
    const splitter = new LineSplitter(MAX_LINE_OCTETS);
    const lines = chunks.flatMap((chunk) => splitter.push(chunk));
    expect(lines.map((line) => line.kind === "line" && parseServerReply(line.text))).toEqual([
      { kind: "VERSION", major: 1, minor: 2 },
      { kind: "MECH", name: "PLAIN", parameters: ["plaintext"] },
      { kind: "MECH", name: "SCRAM-SHA-256", parameters: ["mutual-auth"] },
      { kind: "MECH", name: "EXTERNAL", parameters: [] },
      { kind: "EXPIRE", retention: { days: 30, perUser: true } },
      { kind: "EXPIRE", retention: { days: undefined, perUser: false } },
      { kind: "FORGET", user: undefined },
      { kind: "FORGET", user: "mrose" },
      { kind: "SPID", pid: 17 },
      { kind: "CUID", connectionId: 3 },
      { kind: "COOKIE", cookie: "0123456789abcdef0123456789abcdef" },
      { kind: "DONE" },
      { kind: "CONT", id: 1, data: "" },
      {
        kind: "OK",
        id: 1,
        fields: new Map([
          ["user", "mrose"],
          ["ticket", "a\nb"],
          ["flag", ""],
        ]),
      },
      { kind: "FAIL", id: 2, fields: new Map() },
      {
        kind: "FAIL",
        id: 3,
        fields: new Map([
          ["user", "mrose"],
          ["code", "temp_fail"],
          ["reason", "no way"],
        ]),
      },
      { kind: "unknown" },
    ]);
  });

  it.each([
    "VERSION\t1",
    "MECH",
    "MECH\t",
    "SPID\tx",
    "CUID",
    "COOKIE\t0123",
    "COOKIE\t0123456789abcdef0123456789abcdeg",
    "EXPIRE",
    "EXPIRE\tnever",
    "EXPIRE\t-1",
    "EXPIRE\t30\tuser",
    "EXPIRE\t30\tUSER\t",
    "FORGET\t",
    "FORGET\tuser=",
    "FORGET\tmrose",
    "FORGET\tuser=mrose\tuser=joe",
    "DONE\t",
    "OK",
    "OK\t1",
    "OK\t1\tuser=",
    "OK\t0\tuser=mrose",
    "OK\t1\tuser=mrose\tuser=root",
    "OK\t1\tuser=\x01",
    "OK\t1\tuser=mrose\t",
    "FAIL",
    "FAIL\t",
    "CONT\t1",
  ])("refuses %j", (line) => {
    expect(parseServerReply(line)).toEqual(MALFORMED);
  });
});

describe("decodeInitialResponse", () => {
  const octets = (text: string) => ({ kind: "octets", octets: new Uint8Array(Buffer.from(text)) });
  it.each([
    ["absent", undefined, 0, { kind: "none" }],
    ["absent", undefined, 2, { kind: "none" }],
    ["empty, as Exim says for none", "", 0, { kind: "none" }],
    ["empty, as Exim says for none", "", 1, { kind: "none" }],
    ["empty", "", 2, octets("")],
    ["empty", "", 3, octets("")],
    ["= as SMTP has it", "=", 0, octets("")],
    ["= as SMTP has it", "=", 2, octets("")],
    ["base64", "AG0AcA==", 0, octets("\0m\0p")],
    ["base64", "AG0AcA==", 2, octets("\0m\0p")],
    ["not base64", "AG0AcA=", 2, { kind: "invalid-base64" }],
    ["not base64", "AG0A cA==", 0, { kind: "invalid-base64" }],
    ["not base64", "==", 0, { kind: "invalid-base64" }],
  ])("resp= %s (%j) from a client of minor version %i", (_, response, minor, expected) => {
    expect(decodeInitialResponse(response, minor)).toEqual(expected);
  });
});

const id = fc.integer({ min: 1, max: 0xffff_ffff });
const token = fc.stringMatching(/^[A-Z0-9_-]{1,20}$/);
const base64 = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets).toString("base64"));
const text = fc.string({ unit: "binary", maxLength: 30 });
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const address = fc.option(fc.oneof(fc.ipV4(), fc.ipV6()), { nil: undefined });
const fields = fc
  .array(fc.tuple(fc.stringMatching(/^[a-z_]{1,10}$/), text), { maxLength: 5 })
  .map((entries) => new Map(entries));
const version = fc.record({ kind: fc.constant("VERSION" as const), major: fc.nat(), minor: fc.nat() });
const continuation = fc.record({ kind: fc.constant("CONT" as const), id, data: base64 });

const clientCommand: fc.Arbitrary<ClientCommand> = fc.oneof(
  version,
  fc.record({ kind: fc.constant("CPID" as const), pid: id }),
  fc.record({
    kind: fc.constant("AUTH" as const),
    id,
    parameters: fc
      .record({
        mechanism: token,
        service: fc.stringMatching(/^[!-~]{1,64}$/),
        secured: fc.boolean(),
        session: fc.option(
          text.filter((value) => value !== ""),
          { nil: undefined },
        ),
        remoteAddress: address,
        localAddress: address,
        remotePort: port,
        localPort: port,
      })
      .chain((parameters) =>
        fc
          .record(
            {
              channelBinding: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((data) => ({
                type: "tls-exporter" as const,
                data: Buffer.from(data).toString("base64"),
              })),
              clientCertificateUser: text.filter((value) => value !== ""),
              offered: fc.array(token, { minLength: 1, maxLength: 4 }),
            },
            { requiredKeys: [] },
          )
          .map((ofTls) => ({ ...parameters, ...ofTls })),
      ),
    response: fc.option(base64, { nil: undefined }),
  }),
  continuation,
  fc.record({ kind: fc.constant("CANCEL" as const), id }),
);

const serverReply: fc.Arbitrary<ServerReply> = fc.oneof(
  version,
  fc.record({
    kind: fc.constant("MECH" as const),
    name: token,
    parameters: fc.array(fc.stringMatching(/^[a-z-]{1,12}$/), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("SPID" as const), pid: id }),
  fc.record({ kind: fc.constant("CUID" as const), connectionId: id }),
  fc.record({ kind: fc.constant("COOKIE" as const), cookie: fc.stringMatching(/^[0-9a-f]{32}$/) }),
  fc.record({
    kind: fc.constant("EXPIRE" as const),
    retention: fc.record({ days: fc.option(fc.nat(36_500), { nil: undefined }), perUser: fc.boolean() }),
  }),
  fc.record({
    kind: fc.constant("FORGET" as const),
    user: fc.option(
      text.filter((user) => user !== ""),
      { nil: undefined },
    ),
  }),
  fc.constant({ kind: "DONE" as const }),
  fc.record({
    kind: fc.constant("OK" as const),
    id,
    fields: fc
      .tuple(
        text.filter((user) => user !== ""),
        fields,
      )
      .map(([user, others]) => new Map([...others, ["user", user]])),
  }),
  fc.record({ kind: fc.constant("FAIL" as const), id, fields }),
  continuation,
);

/** Through the splitter as well, so that nothing formatted can break into two lines. */
function roundTrip<Message, Parsed>(
  message: Message,
  format: (message: Message) => string,
  parse: (line: string) => Parsed,
): void {
  const lines = new LineSplitter(MAX_LINE_OCTETS).push(Buffer.from(format(message)));
  expect(lines).toHaveLength(1);
  const [line] = lines;
  expect(line?.kind === "line" && parse(line.text)).toEqual(message);
}

describe("formatClientCommand", () => {
  it("writes what parseClientCommand reads", () => {
    fc.assert(
      fc.property(clientCommand, (command) => roundTrip(command, formatClientCommand, parseClientCommand)),
      atLeast(500),
    );
  });

  it("writes an AUTH command with resp= last", () => {
    expect(
      formatClientCommand({
        kind: "AUTH",
        id: 7,
        parameters: {
          mechanism: "PLAIN",
          service: "pop3",
          secured: true,
          session: "s\t1",
          remoteAddress: "198.51.100.7",
          localAddress: "192.0.2.1",
          remotePort: 50_000,
          localPort: 995,
        },
        response: "",
      }),
    ).toBe(
      "AUTH\t7\tPLAIN\tservice=pop3\tsession=s\x01t1\trip=198.51.100.7\tlip=192.0.2.1\trport=50000\tlport=995" +
        "\tsecured\tresp=\n",
    );
  });

  it.each(["AA=", "AA==\tsecured", "AA==\nCANCEL\t1", "="])(
    "throws at a response that is not base64: %j",
    (data) => {
      expect(() => formatClientCommand({ kind: "CONT", id: 1, data })).toThrow(TypeError);
      expect(() =>
        formatClientCommand({ kind: "AUTH", id: 1, parameters: NOTHING_SAID, response: data }),
      ).toThrow(TypeError);
    },
  );

  it("throws at a line longer than 16,384 octets", () => {
    const data = "A".repeat(16_384 - "CONT\t1\t\n".length);
    expect(formatClientCommand({ kind: "CONT", id: 1, data })).toHaveLength(16_384);
    expect(() => formatClientCommand({ kind: "CONT", id: 1, data: `${data}AAAA` })).toThrow(RangeError);
  });
});

describe("formatServerReply", () => {
  it("writes what parseServerReply reads", () => {
    fc.assert(
      fc.property(serverReply, (reply) => roundTrip(reply, formatServerReply, parseServerReply)),
      atLeast(500),
    );
  });

  // Postfix: "missing Dovecot server CONT reply field"
  it("writes the TAB before an empty challenge", () => {
    expect(formatServerReply({ kind: "CONT", id: 1, data: "" })).toBe("CONT\t1\t\n");
  });
});

describe("the parsers", () => {
  const field = fc.oneof(
    fc.constantFrom("1", "0", "PLAIN", "service=smtp", "resp=", "resp=AA==", "user=mrose", "secured", "\x01"),
    text.map((value) => value.replace(/[\n\0]/g, "")),
  );
  const line = fc
    .tuple(
      fc.constantFrom(
        "VERSION",
        "CPID",
        "AUTH",
        "CONT",
        "CANCEL",
        "MECH",
        "SPID",
        "COOKIE",
        "DONE",
        "OK",
        "FAIL",
      ),
      fc.array(field, { maxLength: 6 }),
    )
    .map(([keyword, rest]) => [keyword, ...rest].join("\t"));

  it("meet any line without a fault, and what they take can be written and read again", () => {
    fc.assert(
      fc.property(line, (input) => {
        const command = parseClientCommand(input);
        if (command.kind !== "unknown" && command.kind !== "malformed") {
          if (!("response" in command || "data" in command)) {
            roundTrip(command, formatClientCommand, parseClientCommand);
          }
        }
        const reply = parseServerReply(input);
        if (reply.kind !== "unknown" && reply.kind !== "malformed" && reply.kind !== "CONT") {
          expect(parseServerReply(formatServerReply(reply).slice(0, -1))).toEqual(reply);
        }
      }),
      atLeast(1_000),
    );
  });
});
