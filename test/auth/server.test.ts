import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashing } from "../../src/auth/hashing.ts";
import { AuthServer } from "../../src/auth/server.ts";
import type {
  AuthServerEvent,
  AuthServerOptions,
  Verdict,
  VerifyRequest,
} from "../../src/auth/server-options.ts";
import { login } from "../../src/sasl/login.ts";
import { plain } from "../../src/sasl/plain.ts";
import { passwordOf } from "./credentials.ts";
import { eventually } from "./eventually.ts";
import { ManualTimers } from "./manual-timers.ts";
import { type Peer, SocketFolder } from "./peer.ts";

const GREETING =
  "VERSION\t1\t2\n" +
  "MECH\tPLAIN\tplaintext\n" +
  "MECH\tLOGIN\tplaintext\n" +
  "SPID\t17\n" +
  "CUID\t1\n" +
  "COOKIE\tabababababababababababababababab\n" +
  "DONE\n";
// The credentials mrose and secret, in base64.
const RIGHT = "AG1yb3NlAHNlY3JldA==";
const WRONG = "AG1yb3NlAHdyb25n";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Says no more than this: whatever the test does with the requests it got. */
interface Asked {
  readonly request: VerifyRequest;
  readonly passwordThen: string;
  answer(verdict: Verdict): void;
  reject(error: unknown): void;
}

let folder: SocketFolder;
let asked: Asked[];
let events: AuthServerEvent[];
let accepted: Socket[];
let timers: ManualTimers;
let server: AuthServer;

beforeEach(async () => {
  folder = await SocketFolder.make();
  [asked, events, accepted] = [[], [], []];
  timers = new ManualTimers();
});

afterEach(() => folder.close());

async function listen(options: Partial<AuthServerOptions> = {}): Promise<void> {
  server = new AuthServer({
    mechanisms: new Map([
      ["PLAIN", plain],
      ["LOGIN", login],
    ]),
    hashing,
    prepareName: (name) => name,
    findVerifier: async () => undefined,
    verify: async (request) =>
      request.user === "mrose" && Buffer.from(passwordOf(request)).toString() === "secret"
        ? { kind: "ok", user: request.user }
        : { kind: "refused" },
    temporaryFailure: "close",
    pid: 17,
    randomBytes: (size) => new Uint8Array(size).fill(0xab),
    onEvent: (event) => events.push(event),
    startTimer: timers.start,
    ...options,
  });
  await folder.listen((socket) => {
    accepted.push(socket);
    server.serve(socket);
  });
}

/** `verify` then waits for the test. */
const verify = (request: VerifyRequest): Promise<Verdict> =>
  new Promise((answer, reject) => {
    asked.push({ request, passwordThen: Buffer.from(passwordOf(request)).toString(), answer, reject });
  });

async function nextAsked(count = 1): Promise<Asked> {
  await eventually(() => expect(asked).toHaveLength(count));
  return asked[count - 1]!;
}

/** Connected, greeted, and introduced as Postfix does it. */
async function postfix(): Promise<Peer> {
  const peer = await folder.connect();
  await peer.receive("DONE\n");
  peer.send("VERSION\t1\t0\nCPID\t4242\n");
  return peer;
}

async function send(peer: Peer, text: string, pace: string): Promise<void> {
  if (pace === "whole") peer.send(text);
  else await peer.sendByteByByte(text);
}

describe("AuthServer", () => {
  it("speaks first and completely, with MECH before SPID, before the client says anything", async () => {
    await listen();
    const peer = await folder.connect();
    expect(await peer.receive("DONE\n")).toBe(GREETING);
  });

  it("gives each connection an id of its own", async () => {
    await listen();
    const first = await folder.connect();
    const second = await folder.connect();
    expect(await first.receive("DONE\n")).toContain("\nCUID\t1\n");
    expect(await second.receive("DONE\n")).toContain("\nCUID\t2\n");
  });

  describe.each(["whole", "byte by byte"])("Postfix, heard %s", (pace) => {
    it("authenticates with PLAIN and LOGIN, right and wrong, one request after the other", async () => {
      await listen();
      const peer = await folder.connect();
      await send(peer, "VERSION\t1\t0\nCPID\t4242\n", pace);
      expect(await peer.receive("DONE\n")).toBe(GREETING);
      const SMTPD = "service=smtp\tnologin\tlip=192.0.2.1\trip=198.51.100.7";

      // AUTH PLAIN AG1yb3NlAHNlY3JldA==, over TLS
      await send(peer, `AUTH\t1\tPLAIN\t${SMTPD}\tsecured\tresp=${RIGHT}\n`, pace);
      expect(await peer.receive()).toBe("OK\t1\tuser=mrose\n");
      await send(peer, `AUTH\t2\tPLAIN\t${SMTPD}\tsecured\tresp=${WRONG}\n`, pace);
      expect(await peer.receive()).toBe("FAIL\t2\tuser=mrose\n");

      // AUTH plain, without TLS, in the client's spelling; 334 and the response
      await send(peer, `AUTH\t3\tplain\t${SMTPD}\n`, pace);
      expect(await peer.receive()).toBe("CONT\t3\t\n");
      await send(peer, `CONT\t3\t${RIGHT}\n`, pace);
      expect(await peer.receive()).toBe("OK\t3\tuser=mrose\n");

      // AUTH LOGIN
      await send(peer, `AUTH\t4\tLOGIN\t${SMTPD}\tsecured\n`, pace);
      expect(await peer.receive()).toBe("CONT\t4\tVXNlcm5hbWU6\n");
      await send(peer, "CONT\t4\tbXJvc2U=\n", pace);
      expect(await peer.receive()).toBe("CONT\t4\tUGFzc3dvcmQ6\n");
      await send(peer, "CONT\t4\tc2VjcmV0\n", pace);
      expect(await peer.receive()).toBe("OK\t4\tuser=mrose\n");

      // AUTH LOGIN bXJvc2U=, given up with "*": Postfix says nothing of it and goes on
      await send(peer, `AUTH\t5\tLOGIN\t${SMTPD}\tresp=bXJvc2U=\n`, pace);
      expect(await peer.receive()).toBe("CONT\t5\tUGFzc3dvcmQ6\n");
      await send(peer, `AUTH\t6\tPLAIN\t${SMTPD}\tresp=${RIGHT}\n`, pace);
      expect(await peer.receive()).toBe("OK\t6\tuser=mrose\n");

      // AUTH PLAIN =
      await send(peer, `AUTH\t7\tPLAIN\t${SMTPD}\tresp==\n`, pace);
      expect(await peer.receive()).toBe(
        "FAIL\t7\tcode=malformed\treason=malformed authentication response\n",
      );
      expect(events).toEqual([]);
    });
  });

  describe.each(["whole", "byte by byte"])("Exim, heard %s", (pace) => {
    const introduction = "VERSION\t1\t0\nCPID\t4243\n";

    it("authenticates with PLAIN and an initial response", async () => {
      await listen();
      const peer = await folder.connect();
      expect(await peer.receive("DONE\n")).toBe(GREETING);
      await send(
        peer,
        `${introduction}AUTH\t1\tPLAIN\tservice=smtp\tsecured\tvalid-client-cert\trip=198.51.100.7\tlip=192.0.2.1` +
          `\tnologin\tresp=${RIGHT}\n`,
        pace,
      );
      expect(await peer.receive()).toBe("OK\t1\tuser=mrose\n");
    });

    it("is asked when its resp= is empty, which means that there was none", async () => {
      await listen();
      const peer = await folder.connect();
      await peer.receive("DONE\n");
      await send(peer, `${introduction}AUTH\t1\tPLAIN\tservice=smtp\trip=\tlip=\tnologin\tresp=\n`, pace);
      expect(await peer.receive()).toBe("CONT\t1\t\n");
      await send(peer, `CONT\t1\t${RIGHT}\n`, pace);
      expect(await peer.receive()).toBe("OK\t1\tuser=mrose\n");
    });

    it("authenticates with LOGIN, wrong", async () => {
      await listen();
      const peer = await folder.connect();
      await peer.receive("DONE\n");
      await send(
        peer,
        `${introduction}AUTH\t1\tLOGIN\tservice=smtp\trip=198.51.100.7\tlip=192.0.2.1\tnologin\tresp=\n`,
        pace,
      );
      expect(await peer.receive()).toBe("CONT\t1\tVXNlcm5hbWU6\n");
      await send(peer, "CONT\t1\tbXJvc2U=\n", pace);
      expect(await peer.receive()).toBe("CONT\t1\tUGFzc3dvcmQ6\n");
      await send(peer, "CONT\t1\td3Jvbmc=\n", pace);
      expect(await peer.receive()).toBe("FAIL\t1\tuser=mrose\n");
    });
  });

  it("hands over all that the client told of itself", async () => {
    await listen({ verify });
    const peer = await postfix();
    peer.send(
      "AUTH\t1\tPLAIN\tservice=pop3\tsecured\tsession=s1\trip=198.51.100.7\tlip=192.0.2.1\trport=50000\tlport=995" +
        `\tresp=${RIGHT}\n`,
    );
    const { request, passwordThen } = await nextAsked();
    expect(request).toEqual({
      mechanism: "PLAIN",
      service: "pop3",
      secured: true,
      session: "s1",
      remoteAddress: "198.51.100.7",
      localAddress: "192.0.2.1",
      remotePort: 50_000,
      localPort: 995,
      user: "mrose",
      credentials: { kind: "password", password: expect.any(Uint8Array) },
      isAwaited: expect.any(Function),
    });
    expect(passwordThen).toBe("secret");
  });

  it("sends the fields of the verdict with OK, escaped", async () => {
    await listen({
      verify: async () => ({ kind: "ok", user: "mrose", fields: () => new Map([["ticket", "a\tb\n"]]) }),
    });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
    expect(await peer.receive()).toBe("OK\t1\tuser=mrose\tticket=a\x01tb\x01n\n");
  });

  it("sends code and reason of a refusal", async () => {
    await listen({ verify: async () => ({ kind: "refused", code: "user_disabled", reason: "locked" }) });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
    expect(await peer.receive()).toBe("FAIL\t1\tuser=mrose\tcode=user_disabled\treason=locked\n");
  });

  it("runs the requests of a connection in parallel and answers each as it is ready", async () => {
    await listen({ verify });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\nAUTH\t2\tPLAIN\tservice=pop3\tresp=${WRONG}\n`);
    const second = await nextAsked(2);
    second.answer({ kind: "refused" });
    expect(await peer.receive()).toBe("FAIL\t2\tuser=mrose\n");
    asked[0]!.answer({ kind: "ok", user: "mrose" });
    expect(await peer.receive()).toBe("OK\t1\tuser=mrose\n");
  });

  it("lets an id be used again once its request is over", async () => {
    await listen();
    const peer = await postfix();
    for (const [response, reply] of [
      [RIGHT, "OK\t1\tuser=mrose\n"],
      [WRONG, "FAIL\t1\tuser=mrose\n"],
      [RIGHT, "OK\t1\tuser=mrose\n"],
    ]) {
      peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${response}\n`);
      expect(await peer.receive()).toBe(reply);
    }
  });

  it("overwrites the password when the verdict is there", async () => {
    await listen({ verify });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
    const { request, answer } = await nextAsked();
    answer({ kind: "ok", user: "mrose" });
    await peer.receive();
    await eventually(() => expect(passwordOf(request)).toEqual(new Uint8Array(6)));
  });

  describe("refuses without asking for a verdict", () => {
    it.each([
      ["another authorization identity", base64("root\0mrose\0secret"), "\tuser=mrose\tcode=authz_fail"],
      ["a name with a TAB", base64("\0mrose\tadmin\0secret"), ""],
      ["a name with a line end", base64("\0mrose\nOK\t1\tuser=root\0secret"), ""],
      ["a name with DEL", base64("\0mrose\x7f\0secret"), ""],
      ["a name with a C1 control character", base64("\0mrose\u0085\0secret"), ""],
      ["an authorization identity with a control character", base64("\x01\0mrose\0secret"), ""],
      [
        "a message without NUL",
        base64("mrose secret"),
        "\tcode=malformed\treason=malformed authentication response",
      ],
      ["an empty message", "=", "\tcode=malformed\treason=malformed authentication response"],
      ["what is not base64", "AG1yb3NlAHNlY3JldA=", "\tcode=invalid_base64\treason=invalid base64"],
    ])("%s", async (_, response, fields) => {
      await listen({ verify });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${response}\n`);
      expect(await peer.receive()).toBe(`FAIL\t1${fields}\n`);
      peer.send("AUTH\t1\tPLAIN\tservice=smtp\n");
      expect(await peer.receive()).toBe("CONT\t1\t\n");
      peer.send(`CONT\t1\t${response}\n`);
      expect(await peer.receive()).toMatch(/^FAIL\t1/);
      expect(asked).toEqual([]);
    });

    it("a mechanism that is not offered", async () => {
      await listen({ verify });
      const peer = await postfix();
      for (const name of ["CRAM-MD5", "constructor", "__proto__"]) {
        peer.send(`AUTH\t1\t${name}\tservice=smtp\n`);
        expect(await peer.receive()).toBe("FAIL\t1\treason=unsupported authentication mechanism\n");
      }
    });
  });

  it("takes an authorization identity that is the authentication identity", async () => {
    await listen();
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${base64("mrose\0mrose\0secret")}\n`);
    expect(await peer.receive()).toBe("OK\t1\tuser=mrose\n");
  });

  describe("at a temporary failure", () => {
    const temporary = async (): Promise<Verdict> => ({ kind: "temporary-failure" });

    it("closes the socket of an MTA, without a FAIL, so that it answers 454 and not 535", async () => {
      await listen({ verify: temporary });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
      expect(await peer.receiveAll()).toBe("");
    });

    it("tells the login process with a code, and goes on", async () => {
      await listen({ verify: temporary, temporaryFailure: "reply" });
      const peer = await postfix();
      for (const id of [1, 2]) {
        peer.send(`AUTH\t${id}\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
        expect(await peer.receive()).toBe(`FAIL\t${id}\tcode=temp_fail\n`);
      }
    });

    it("counts a verify that rejects as one, and reports it", async () => {
      await listen({ verify, temporaryFailure: "reply" });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
      const { reject, request } = await nextAsked();
      const error = new Error("passwd file gone");
      reject(error);
      expect(await peer.receive()).toBe("FAIL\t1\tcode=temp_fail\n");
      expect(events).toEqual([{ kind: "fault", error }]);
      await eventually(() => expect(passwordOf(request)).toEqual(new Uint8Array(6)));
    });

    it("counts a verdict that fits into no line as one, and reports it", async () => {
      await listen({
        verify: async () => ({
          kind: "ok",
          user: "mrose",
          fields: () => new Map([["ticket", "x".repeat(20_000)]]),
        }),
        temporaryFailure: "reply",
      });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
      expect(await peer.receive()).toBe("FAIL\t1\tcode=temp_fail\n");
      expect(events).toMatchObject([{ kind: "fault", error: expect.any(RangeError) }]);
    });
  });

  describe("lets a request expire 150 s after AUTH", () => {
    it("when its client does not go on", async () => {
      await listen();
      const peer = await postfix();
      peer.send("AUTH\t1\tLOGIN\tservice=smtp\n");
      await peer.receive();
      timers.advance(149_999);
      peer.send("CONT\t1\tbXJvc2U=\n");
      expect(await peer.receive()).toBe("CONT\t1\tUGFzc3dvcmQ6\n");
      timers.advance(1);
      expect(await peer.receive()).toBe("FAIL\t1\treason=authentication request timed out\n");
      peer.send("CONT\t1\tc2VjcmV0\n");
      expect(await peer.receive()).toBe("FAIL\t1\treason=authentication request timed out\n");
    });

    it("when no verdict comes, as a temporary failure; a late verdict is not sent", async () => {
      await listen({ verify, temporaryFailure: "reply" });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
      const late = await nextAsked();
      timers.advance(150_000);
      expect(await peer.receive()).toBe("FAIL\t1\tcode=temp_fail\n");
      peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${WRONG}\n`);
      const next = await nextAsked(2);
      late.answer({ kind: "ok", user: "mrose" });
      next.answer({ kind: "refused" });
      expect(await peer.receive()).toBe("FAIL\t1\tuser=mrose\n");
    });

    it("but leaves no timer behind when a request or its connection ends before", async () => {
      await listen();
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\nAUTH\t2\tLOGIN\tservice=smtp\n`);
      expect([await peer.receive(), await peer.receive()].sort()).toEqual([
        "CONT\t2\tVXNlcm5hbWU6\n",
        "OK\t1\tuser=mrose\n",
      ]);
      expect(timers.delaysMs).toEqual([150_000]);
      peer.socket.destroy();
      await eventually(() => expect(timers.delaysMs).toEqual([]));
    });
  });

  describe("CANCEL", () => {
    it("ends a request without a reply", async () => {
      await listen({ verify });
      const peer = await postfix();
      peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
      const { answer } = await nextAsked();
      peer.send("CANCEL\t1\nAUTH\t2\tLOGIN\tservice=pop3\n");
      expect(await peer.receive()).toBe("CONT\t2\tVXNlcm5hbWU6\n");
      answer({ kind: "ok", user: "mrose" });
      peer.send("CANCEL\t2\nAUTH\t3\tPLAIN\tservice=pop3\n");
      expect(await peer.receive()).toBe("CONT\t3\t\n");
      expect(timers.delaysMs).toEqual([150_000]);
    });

    it("of an unknown request means nothing", async () => {
      await listen();
      const peer = await postfix();
      peer.send("CANCEL\t9\nAUTH\t1\tPLAIN\tservice=pop3\n");
      expect(await peer.receive()).toBe("CONT\t1\t\n");
    });
  });

  it("refuses a response that nobody asked for, and the request with it", async () => {
    await listen({ verify });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=pop3\tresp=${RIGHT}\nCONT\t1\t${RIGHT}\n`);
    const { answer } = await nextAsked();
    expect(await peer.receive()).toBe("FAIL\t1\treason=unexpected continuation\n");
    answer({ kind: "ok", user: "mrose" });
    peer.send(`CONT\t2\t${RIGHT}\n`);
    expect(await peer.receive()).toBe("FAIL\t2\treason=authentication request timed out\n");
  });

  it("passes over commands that it does not know", async () => {
    await listen();
    const peer = await folder.connect();
    await peer.receive("DONE\n");
    peer.send("HELLO\nVERSION\t1\t9\n\nCPID\t1\nconstructor\tx\nAUTH\t1\tPLAIN\tservice=smtp\n");
    expect(await peer.receive()).toBe("CONT\t1\t\n");
  });

  it("takes an empty resp= for an empty initial response from minor version 2 on", async () => {
    await listen();
    const peer = await folder.connect();
    await peer.receive("DONE\n");
    peer.send("VERSION\t1\t2\nCPID\t1\nAUTH\t1\tPLAIN\tservice=pop3\tresp=\n");
    expect(await peer.receive()).toMatch(/^FAIL\t1\tcode=malformed/);
  });

  describe("drops a connection, and says why in an event, at", () => {
    const introduction = "VERSION\t1\t0\nCPID\t4242\n";
    it.each([
      ["another major version", "VERSION\t2\t0\n"],
      ["a second VERSION", "VERSION\t1\t0\nVERSION\t1\t0\n"],
      ["a second CPID", `${introduction}CPID\t1\n`],
      ["pid 0", "VERSION\t1\t0\nCPID\t0\n"],
      ["AUTH before everything", "AUTH\t1\tPLAIN\tservice=smtp\n"],
      ["AUTH before VERSION", "CPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\n"],
      ["AUTH before CPID", "VERSION\t1\t0\nAUTH\t1\tPLAIN\tservice=smtp\n"],
      ["id 0", `${introduction}AUTH\t0\tPLAIN\tservice=smtp\n`],
      ["a missing service", `${introduction}AUTH\t1\tPLAIN\tnologin\n`],
      ["resp= before the end", `${introduction}AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\tsecured\n`],
      ["CONT without a value", `${introduction}CONT\t1\n`],
      ["NUL", `${introduction}AUTH\t1\tPLAIN\tservice=smtp\0\n`],
      [
        "octets that are not UTF-8",
        Buffer.from(`${introduction}AUTH\t1\tPLAIN\tservice=smtp\tsession=\xff\n`, "latin1"),
      ],
      ["1 MB without a line end", `${introduction}${"A".repeat(1_000_000)}`],
    ])("%s", async (_, input) => {
      await listen({ verify });
      const peer = await folder.connect();
      await peer.receive("DONE\n");
      peer.send(input);
      expect(await peer.receiveAll()).toBe("");
      expect(events.filter(({ kind }) => kind === "malformed")).toMatchObject([
        { connectionId: 1, reason: expect.any(String) },
      ]);
      expect(JSON.stringify(events)).not.toContain(RIGHT);
      expect(asked).toEqual([]);
    });

    it("the id of an open request", async () => {
      await listen({ verify });
      const peer = await postfix();
      peer.send("AUTH\t1\tPLAIN\tservice=smtp\n");
      await peer.receive();
      peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
      expect(await peer.receiveAll()).toBe("");
      expect(events).toMatchObject([{ kind: "malformed", clientPid: 4242 }]);
      expect(asked).toEqual([]);
    });

    it("does nothing with what follows in the same chunk", async () => {
      await listen({ verify });
      const peer = await postfix();
      peer.send(`AUTH\t0\tPLAIN\tservice=smtp\nAUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
      expect(await peer.receiveAll()).toBe("");
      expect(asked).toEqual([]);
    });
  });

  it("leaves other connections alone when one breaks the protocol", async () => {
    await listen({ verify });
    const [good, bad] = [await postfix(), await postfix()];
    good.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
    const { answer } = await nextAsked();
    bad.send("AUTH\t0\n");
    await bad.receiveAll();
    answer({ kind: "ok", user: "mrose" });
    expect(await good.receive()).toBe("OK\t1\tuser=mrose\n");
  });

  it("bounds the open requests of a connection, those cancelled during verification included", async () => {
    await listen({ verify, temporaryFailure: "reply", maxOpenRequests: () => 2 });
    const peer = await postfix();
    const auth = (id: number) => peer.send(`AUTH\t${id}\tPLAIN\tservice=pop3\tresp=${RIGHT}\n`);
    auth(1);
    auth(2);
    auth(3);
    expect(await peer.receive()).toBe("FAIL\t3\tcode=temp_fail\n");
    peer.send("CANCEL\t1\nCANCEL\t2\n");
    auth(4);
    expect(await peer.receive()).toBe("FAIL\t4\tcode=temp_fail\n");
    expect(asked).toHaveLength(2);
    asked[0]!.answer({ kind: "refused" });
    await eventually(() => expect(passwordOf(asked[0]!.request)).toEqual(new Uint8Array(6)));
    auth(5);
    (await nextAsked(3)).answer({ kind: "ok", user: "mrose" });
    expect(await peer.receive()).toBe("OK\t5\tuser=mrose\n");
  });

  it("stops reading while its replies are not read, and loses none", async () => {
    await listen();
    const peer = await postfix();
    peer.socket.pause();
    const count = 50_000;
    for (let id = 1; id <= count; id++) peer.send(`AUTH\t${id}\tNONE\tservice=smtp\n`);
    await eventually(() => expect(accepted[0]!.isPaused()).toBe(true));
    expect(accepted[0]!.writableLength).toBeLessThan(1_000_000);
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    peer.socket.resume();
    const last = `FAIL\t${count}\treason=unsupported authentication mechanism\n`;
    expect((await peer.receive(last)).split("\n")).toHaveLength(count + 1);
  });

  it("survives clients that vanish while it works, and still overwrites the password", async () => {
    await listen({ verify });
    const peer = await postfix();
    peer.send(`AUTH\t1\tPLAIN\tservice=smtp\tresp=${RIGHT}\n`);
    const { request, answer } = await nextAsked();
    peer.socket.destroy();
    await eventually(() => expect(accepted[0]!.destroyed).toBe(true));
    answer({ kind: "ok", user: "mrose" });
    await eventually(() => expect(passwordOf(request)).toEqual(new Uint8Array(6)));
    expect(events.filter(({ kind }) => kind === "fault")).toEqual([]);
  });

  it("close() ends every connection", async () => {
    await listen();
    const [first, second] = [await postfix(), await postfix()];
    server.close();
    expect(await first.receiveAll()).toBe("");
    expect(await second.receiveAll()).toBe("");
  });
});
