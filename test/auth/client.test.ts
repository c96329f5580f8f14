// The client against a server that the test plays itself, octet for octet.
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  AuthClient,
  type AuthClientEvent,
  type AuthFailure,
  type AuthHandler,
  type AuthRequest,
} from "../../src/auth/client.ts";
import { eventually } from "./eventually.ts";
import { ManualTimers } from "./manual-timers.ts";
import { Peer, SocketFolder } from "./peer.ts";

const GREETING =
  "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t17\nCUID\t1\n" +
  "COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n";
const REQUEST: AuthRequest = {
  mechanism: "PLAIN",
  initialResponse: "AG1yb3NlAHNlY3JldA==",
  service: "pop3",
  secured: true,
  session: "s1",
  remoteAddress: "198.51.100.7",
  localAddress: "192.0.2.1",
  remotePort: 50_000,
  localPort: 995,
};
const PARAMETERS =
  "service=pop3\tsession=s1\trip=198.51.100.7\tlip=192.0.2.1\trport=50000\tlport=995\tsecured";
const UNAVAILABLE: AuthFailure = { code: "temp_fail", reason: undefined, temporary: true };

type Call =
  | { readonly challenge: string }
  | { readonly ok: ReadonlyMap<string, string> }
  | { readonly failed: AuthFailure };

function recorder(): AuthHandler & { readonly calls: Call[] } {
  const calls: Call[] = [];
  return {
    calls,
    challenge: (challenge) => calls.push({ challenge }),
    ok: (ok) => calls.push({ ok }),
    failed: (failed) => calls.push({ failed }),
  };
}

const seen = (handler: { readonly calls: readonly Call[] }, count = 1) =>
  eventually(() => expect(handler.calls).toHaveLength(count));

let folder: SocketFolder;
let timers: ManualTimers;
let events: AuthClientEvent[];
let accepted: Peer[];
let client: AuthClient | undefined;

beforeEach(async () => {
  folder = await SocketFolder.make();
  timers = new ManualTimers();
  [events, accepted] = [[], []];
});

afterEach(async () => {
  client?.close();
  await folder.close();
});

const listen = () => folder.listen((socket: Socket) => accepted.push(new Peer(socket)));

function open(): AuthClient {
  client = new AuthClient({
    path: folder.path,
    pid: 4711,
    onEvent: (event) => events.push(event),
    startTimer: timers.start,
  });
  return client;
}

/** The server's end of the client's nth connection, which has introduced itself. */
async function connection(number = 1): Promise<Peer> {
  await eventually(() => expect(accepted).toHaveLength(number));
  const peer = accepted[number - 1]!;
  expect(await peer.receive("CPID\t4711\n")).toBe("VERSION\t1\t2\nCPID\t4711\n");
  return peer;
}

async function opened(): Promise<{ client: AuthClient; peer: Peer }> {
  await listen();
  const opening = open();
  const peer = await connection();
  peer.send(GREETING);
  await eventually(() => expect(opening.isConnected).toBe(true));
  return { client: opening, peer };
}

describe("AuthClient", () => {
  it("learns the mechanisms at DONE", async () => {
    await listen();
    const opening = open();
    const peer = await connection();
    expect(opening.mechanisms.size).toBe(0);
    expect(opening.isConnected).toBe(false);
    await peer.sendByteByByte(GREETING);
    await eventually(() => expect(opening.isConnected).toBe(true));
    expect([...opening.mechanisms]).toEqual([
      ["PLAIN", ["plaintext"]],
      ["LOGIN", ["plaintext"]],
    ]);
    expect(events).toEqual([{ kind: "connected", serverPid: 17, mechanisms: opening.mechanisms }]);
  });

  it.each(["whole", "byte by byte"])("asks, and hears OK with its fields, %s", async (pace) => {
    const { client, peer } = await opened();
    const handler = recorder();
    client.start(REQUEST, handler);
    expect(await peer.receive()).toBe(`AUTH\t1\tPLAIN\t${PARAMETERS}\tresp=AG1yb3NlAHNlY3JldA==\n`);
    const reply = "OK\t1\tuser=mrose\tticket=a\x01tb\n";
    if (pace === "whole") peer.send(reply);
    else await peer.sendByteByByte(reply);
    await seen(handler);
    expect(handler.calls).toEqual([
      {
        ok: new Map([
          ["user", "mrose"],
          ["ticket", "a\tb"],
        ]),
      },
    ]);
  });

  it("tells an empty initial response from none", async () => {
    const { client, peer } = await opened();
    client.start({ ...REQUEST, initialResponse: "" }, recorder());
    expect(await peer.receive()).toBe(`AUTH\t1\tPLAIN\t${PARAMETERS}\tresp=\n`);
    client.start({ ...REQUEST, initialResponse: undefined }, recorder());
    expect(await peer.receive()).toBe(`AUTH\t2\tPLAIN\t${PARAMETERS}\n`);
  });

  it("carries challenges and responses", async () => {
    const { client, peer } = await opened();
    const handler = recorder();
    const exchange = client.start({ ...REQUEST, mechanism: "LOGIN", initialResponse: undefined }, handler);
    await peer.receive();
    peer.send("CONT\t1\tVXNlcm5hbWU6\n");
    await seen(handler, 1);
    exchange.respond("bXJvc2U=");
    expect(await peer.receive()).toBe("CONT\t1\tbXJvc2U=\n");
    peer.send("CONT\t1\t\n");
    await seen(handler, 2);
    exchange.respond("");
    expect(await peer.receive()).toBe("CONT\t1\t\n");
    peer.send("FAIL\t1\tuser=mrose\n");
    await seen(handler, 3);
    expect(handler.calls).toEqual([
      { challenge: "VXNlcm5hbWU6" },
      { challenge: "" },
      { failed: { code: undefined, reason: undefined, temporary: false } },
    ]);
  });

  it.each([
    ["FAIL\t1\tcode=temp_fail\n", UNAVAILABLE],
    [
      "FAIL\t1\tuser=m\tcode=user_disabled\treason=locked\n",
      { code: "user_disabled", reason: "locked", temporary: false },
    ],
    ["FAIL\t1\tcode=malformed\n", { code: "malformed", reason: undefined, temporary: false }],
  ])("hears %j", async (line, failed) => {
    const { client, peer } = await opened();
    const handler = recorder();
    client.start(REQUEST, handler);
    peer.send(line);
    await seen(handler);
    expect(handler.calls).toEqual([{ failed }]);
  });

  it("keeps exchanges apart, in whatever order they are answered", async () => {
    const { client, peer } = await opened();
    const [first, second] = [recorder(), recorder()];
    client.start(REQUEST, first);
    client.start(REQUEST, second);
    peer.send("OK\t2\tuser=b\nOK\t1\tuser=a\n");
    await seen(first);
    expect(first.calls).toEqual([{ ok: new Map([["user", "a"]]) }]);
    expect(second.calls).toEqual([{ ok: new Map([["user", "b"]]) }]);
  });

  it("calls nobody back after cancel", async () => {
    const { client, peer } = await opened();
    const [cancelled, other] = [recorder(), recorder()];
    const exchange = client.start(REQUEST, cancelled);
    client.start(REQUEST, other);
    await peer.receive();
    await peer.receive();
    exchange.cancel();
    exchange.cancel();
    exchange.respond("AA==");
    expect(await peer.receive()).toBe("CANCEL\t1\n");
    peer.send("OK\t1\tuser=a\nOK\t2\tuser=b\n");
    await seen(other);
    expect(cancelled.calls).toEqual([]);
    client.start(REQUEST, recorder());
    expect(await peer.receive()).toMatch(/^AUTH\t3\t/);
  });

  it("throws at what is not base64 before it sends anything", async () => {
    const { client, peer } = await opened();
    expect(() => client.start({ ...REQUEST, initialResponse: "A\tsecured" }, recorder())).toThrow(TypeError);
    expect(() => client.start({ ...REQUEST, initialResponse: "=" }, recorder())).toThrow(TypeError);
    const handler = recorder();
    const exchange = client.start({ ...REQUEST, initialResponse: undefined }, handler);
    expect(() => exchange.respond("AA==")).toThrow("without a challenge");
    peer.send("CONT\t3\t\n");
    await seen(handler);
    expect(() => exchange.respond("A\nCANCEL\t1")).toThrow(TypeError);
    exchange.respond("AA==");
    expect(await peer.receive("CONT\t3\tAA==\n")).toBe(`AUTH\t3\tPLAIN\t${PARAMETERS}\nCONT\t3\tAA==\n`);
  });

  it("passes over replies that it does not know, and replies to nobody", async () => {
    const { client, peer } = await opened();
    const handler = recorder();
    client.start(REQUEST, handler);
    peer.send("NOTFOUND\t1\nOK\t99\tuser=x\n\nOK\t1\tuser=a\n");
    await seen(handler);
    expect(client.isConnected).toBe(true);
  });

  describe("drops the connection, and the exchange ends as a temporary failure, at", () => {
    it.each([
      ["OK without a user", "OK\t1\n"],
      ["CONT without a value", "CONT\t1\n"],
      ["CONT that is not base64", "CONT\t1\tA\n"],
      ["a second CONT before the response", "CONT\t1\t\nCONT\t1\t\n"],
      ["OK before the response", "CONT\t1\t\nOK\t1\tuser=a\n"],
      ["an id that is no number", "FAIL\tone\n"],
      ["a second greeting", "VERSION\t1\t2\n"],
      ["NUL", "OK\t1\tuser=a\0\n"],
      ["a line without an end", "x".repeat(100_000)],
      ["octets that are not UTF-8", Buffer.from("OK\t1\tuser=\xff\n", "latin1")],
    ])("%s", async (_, input) => {
      const { client, peer } = await opened();
      const handler = recorder();
      client.start(REQUEST, handler);
      await peer.receive();
      peer.send(input);
      await peer.receiveAll();
      await eventually(() => expect(handler.calls.at(-1)).toEqual({ failed: UNAVAILABLE }));
      expect(handler.calls.filter((call) => "ok" in call)).toEqual([]);
      expect(events.slice(1)).toEqual([
        { kind: "malformed", reason: expect.any(String) },
        { kind: "disconnected", pendingRequests: 1, error: undefined },
      ]);
      expect(client.isConnected).toBe(false);
    });

    it("a greeting in the wrong order", async () => {
      await listen();
      const handler = recorder();
      open().start(REQUEST, handler);
      const peer = await connection();
      peer.send("VERSION\t1\t2\nSPID\t1\n");
      expect(await peer.receiveAll()).toBe("");
      await eventually(() => expect(events).toHaveLength(2));
      expect(events).toEqual([
        { kind: "malformed", reason: expect.any(String) },
        { kind: "connect-failed", error: undefined },
      ]);
      expect(handler.calls).toEqual([]);
      timers.advance(10_000);
      expect(handler.calls).toEqual([{ failed: UNAVAILABLE }]);
    });
  });

  describe("without a connection", () => {
    const failures = (count: number) => eventually(() => expect(events).toHaveLength(count));

    it("tries again after 50, 100, 200 … 2,000 ms, and begins anew once it was connected", async () => {
      open();
      const delaysMs: number[] = [];
      for (let count = 1; count <= 8; count++) {
        await failures(count);
        delaysMs.push(...timers.delaysMs);
        if (count < 8) timers.advance(timers.delaysMs[0]!);
      }
      expect(delaysMs).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
      expect(events[0]).toMatchObject({ kind: "connect-failed", error: { code: "ENOENT" } });
      await listen();
      timers.advance(2_000);
      const peer = await connection();
      peer.send(GREETING);
      await failures(9);
      peer.socket.destroy();
      await failures(10);
      expect(events.slice(8).map(({ kind }) => kind)).toEqual(["connected", "disconnected"]);
      expect(timers.delaysMs).toEqual([50]);
    });

    it("lets new exchanges wait, then sends them in order", async () => {
      const opening = open();
      await failures(1);
      const [first, second] = [recorder(), recorder()];
      opening.start(REQUEST, first);
      opening.start(REQUEST, second);
      await listen();
      timers.advance(9_999);
      const peer = await connection();
      peer.send(GREETING);
      expect(await peer.receive()).toMatch(/^AUTH\t1\t/);
      expect(await peer.receive()).toMatch(/^AUTH\t2\t/);
      timers.advance(1);
      peer.send("OK\t1\tuser=a\nOK\t2\tuser=b\n");
      await seen(second);
      expect(first.calls).toEqual([{ ok: new Map([["user", "a"]]) }]);
    });

    it("ends an exchange as a temporary failure after 10 s", async () => {
      const opening = open();
      await failures(1);
      const handler = recorder();
      opening.start(REQUEST, handler);
      timers.advance(9_999);
      await failures(2);
      expect(handler.calls).toEqual([]);
      timers.advance(1);
      expect(handler.calls).toEqual([{ failed: UNAVAILABLE }]);
    });

    it("forgets an exchange that is cancelled meanwhile", async () => {
      const opening = open();
      await failures(1);
      const handler = recorder();
      opening.start(REQUEST, handler).cancel();
      opening.start(REQUEST, recorder());
      await listen();
      timers.advance(50);
      const peer = await connection();
      peer.send(GREETING);
      expect(await peer.receive()).toMatch(/^AUTH\t2\t/);
      expect(handler.calls).toEqual([]);
    });
  });

  it("ends an exchange as a temporary failure when auth is silent for 60 s, counted from each response", async () => {
    const { client, peer } = await opened();
    const handler = recorder();
    const exchange = client.start({ ...REQUEST, initialResponse: undefined }, handler);
    await peer.receive();
    timers.advance(59_999);
    peer.send("CONT\t1\t\n");
    await seen(handler);
    // The POP3 client may take its time.
    timers.advance(1_000_000);
    expect(handler.calls).toHaveLength(1);
    exchange.respond("AA==");
    timers.advance(59_999);
    expect(handler.calls).toHaveLength(1);
    timers.advance(1);
    expect(handler.calls.at(-1)).toEqual({ failed: UNAVAILABLE });
    expect(await peer.receive("CANCEL\t1\n")).toBe("CONT\t1\tAA==\nCANCEL\t1\n");
  });

  describe("close()", () => {
    it("ends the connection and every exchange, and does not connect again", async () => {
      const { client, peer } = await opened();
      const handler = recorder();
      client.start(REQUEST, handler);
      client.close();
      client.close();
      expect(handler.calls).toEqual([{ failed: UNAVAILABLE }]);
      await peer.receiveAll();
      expect(timers.delaysMs).toEqual([]);
      expect(events).toHaveLength(1);
    });

    it("leaves nothing to start: an exchange fails, but not before start() has returned", async () => {
      const { client } = await opened();
      client.close();
      const handler = recorder();
      client.start(REQUEST, handler);
      expect(handler.calls).toEqual([]);
      timers.advance(0);
      expect(handler.calls).toEqual([{ failed: UNAVAILABLE }]);
    });

    it("stops the attempts to connect", async () => {
      const opening = open();
      await eventually(() => expect(timers.delaysMs).toEqual([50]));
      opening.close();
      expect(timers.delaysMs).toEqual([]);
    });

    it("ends an attempt that is under way", async () => {
      await listen();
      open().close();
      await eventually(() => expect(accepted).toHaveLength(1));
      await accepted[0]!.receiveAll();
      expect(events).toEqual([]);
    });
  });

  it("goes on when a handler starts another exchange or closes the client", async () => {
    const { client, peer } = await opened();
    const second = recorder();
    client.start(REQUEST, { ...recorder(), failed: () => client.start(REQUEST, second) });
    await peer.receive();
    const closed = once(peer.socket, "close");
    peer.socket.destroy();
    await closed;
    await eventually(() => expect(timers.delaysMs).toEqual([50, 10_000]));
    timers.advance(50);
    const next = await connection(2);
    next.send(GREETING);
    expect(await next.receive()).toMatch(/^AUTH\t2\t/);
    const third = recorder();
    client.start(REQUEST, { ...recorder(), ok: () => client.close() });
    client.start(REQUEST, third);
    next.send("OK\t3\tuser=a\nOK\t2\tuser=b\nOK\t4\tuser=c\n");
    await seen(third);
    expect([second.calls, third.calls]).toEqual([[{ failed: UNAVAILABLE }], [{ failed: UNAVAILABLE }]]);
  });
});
