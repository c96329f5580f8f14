// Both ends of the auth protocol against each other over a UNIX socket, as the auth and login processes run them.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  AuthClient,
  type AuthClientEvent,
  type AuthFailure,
  type AuthRequest,
} from "../../src/auth/client.ts";
import { hashing } from "../../src/auth/hashing.ts";
import { AuthServer } from "../../src/auth/server.ts";
import type { AuthServerOptions, Verdict } from "../../src/auth/server-options.ts";
import { mechanisms } from "../../src/sasl/mechanisms.ts";
import { ScramClient, verifierOf } from "../support/scram-client.ts";
import { eventually } from "./eventually.ts";
import { SocketFolder } from "./peer.ts";

type Result = ReadonlyMap<string, string> | AuthFailure;

const REQUEST: Omit<AuthRequest, "initialResponse"> = {
  mechanism: "PLAIN",
  service: "pop3",
  secured: false,
  session: "s1",
  remoteAddress: "::1",
  localAddress: undefined,
  remotePort: undefined,
  localPort: 110,
};
const UNAVAILABLE: AuthFailure = { code: "temp_fail", reason: undefined, temporary: true };
const WRONG: AuthFailure = { code: undefined, reason: undefined, temporary: false };

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const plain = (user: string, password: string): string => base64(`\0${user}\0${password}`);

let folder: SocketFolder;
let client: AuthClient;

beforeEach(async () => {
  folder = await SocketFolder.make();
});

afterEach(async () => {
  client.close();
  await folder.close();
});

let server: AuthServer;

async function listen(
  verify: AuthServerOptions["verify"],
  pid = 17,
  findVerifier: AuthServerOptions["findVerifier"] = async () => verifierOf("SHA-256", "secret"),
): Promise<void> {
  server = new AuthServer({
    mechanisms,
    hashing,
    prepareName: (name) => name,
    findVerifier,
    verify,
    temporaryFailure: "reply",
    pid,
    randomBytes: (size) => new Uint8Array(size),
    onEvent: () => {},
  });
  await folder.listen((socket) => server.serve(socket));
}

let events: AuthClientEvent[];

function open(onConnected: (serverPid: number) => void = () => {}): void {
  events = [];
  client = new AuthClient({
    path: folder.path,
    pid: 4711,
    firstReconnectDelayMs: 1,
    maxReconnectDelayMs: 10,
    onEvent: (event) => {
      events.push(event);
      if (event.kind === "connected") onConnected(event.serverPid);
    },
  });
}

/** Answers each challenge with the next of `responses`. */
function authenticate(
  mechanism: string,
  initialResponse: string | undefined,
  responses: string[] = [],
): Promise<Result> {
  return new Promise((resolve) => {
    const exchange = client.start(
      { ...REQUEST, mechanism, initialResponse },
      { challenge: () => exchange.respond(responses.shift()!), ok: resolve, failed: resolve },
    );
  });
}

const secretOnly: AuthServerOptions["verify"] = async ({ user, credentials }) =>
  (credentials.kind === "password" && Buffer.from(credentials.password).toString() === "secret") ||
  (credentials.kind === "proof" && credentials.isRight)
    ? { kind: "ok", user, fields: () => new Map([["ticket", `for ${user}`]]) }
    : { kind: "refused" };

const mrose = new Map([
  ["user", "mrose"],
  ["ticket", "for mrose"],
]);

describe("AuthServer and AuthClient", () => {
  it("tell and learn what CAPA says of the retention, in the greeting and whenever it changes", async () => {
    await listen(secretOnly);
    server.announce({ days: 5, perUser: true });
    await new Promise<void>((resolve) => open(() => resolve()));
    expect(client.retention).toEqual({ days: 5, perUser: true });
    server.announce({ days: undefined, perUser: false });
    // Answers come in order: this one behind the announcement.
    await authenticate("PLAIN", plain("mrose", "secret"));
    expect(client.retention).toEqual({ days: undefined, perUser: false });
  });

  it("forget what was given leave for when the server says so, and when there is another server", async () => {
    const toForget = () =>
      events.flatMap((event) =>
        event.kind === "forget" ? [event.user ?? "all"] : event.kind === "disconnected" ? ["lost"] : [],
      );
    await listen(secretOnly);
    await new Promise<void>((resolve) => open(() => resolve()));
    server.forget("mrose");
    server.forget(undefined);
    await authenticate("PLAIN", plain("mrose", "secret"));
    expect(toForget()).toEqual(["mrose", "all"]);
    const first = server;
    folder.stopListening();
    first.retire("tell");
    await eventually(() => expect(toForget()).toEqual(["mrose", "all", "all"]));
    await listen(secretOnly, 18);
    await authenticate("PLAIN", plain("mrose", "secret"));
    server.close();
    await eventually(() => expect(toForget()).toEqual(["mrose", "all", "all", "lost"]));
  });

  it.each([
    ["PLAIN with an initial response", "PLAIN", plain("mrose", "secret"), [], mrose],
    ["PLAIN without one", "PLAIN", undefined, [plain("mrose", "secret")], mrose],
    ["LOGIN", "LOGIN", undefined, [base64("mrose"), base64("secret")], mrose],
    ["LOGIN with an initial response", "LOGIN", base64("mrose"), [base64("secret")], mrose],
    ["a wrong password", "PLAIN", plain("mrose", "wrong"), [], WRONG],
    [
      "an empty initial response",
      "PLAIN",
      "",
      [],
      { code: "malformed", reason: "malformed authentication response", temporary: false },
    ],
    ["another's name", "PLAIN", base64("root\0mrose\0secret"), [], { ...WRONG, code: "authz_fail" }],
  ])("agree on %s", async (_, mechanism, initialResponse, responses, expected) => {
    await listen(secretOnly);
    open();
    expect(await authenticate(mechanism, initialResponse, responses)).toEqual(expected);
  });

  /** As the login process does it: challenges go to the client, its answers come back. */
  function authenticateByScram(client_: ScramClient, parameters: Partial<AuthRequest> = {}): Promise<Result> {
    let trusts: boolean | undefined;
    return new Promise((resolve) => {
      const exchange = client.start(
        { ...REQUEST, mechanism: "SCRAM-SHA-256", initialResponse: base64(client_.first), ...parameters },
        {
          challenge: (data) => {
            const message = Buffer.from(data, "base64").toString();
            if (message.startsWith("r=")) return exchange.respond(base64(client_.final(message)));
            trusts = client_.trusts(message);
            exchange.respond("");
          },
          ok: (fields) => resolve(trusts === true ? fields : new Map([["trusts", String(trusts)]])),
          failed: resolve,
        },
      );
    });
  }
  const scramOptions = { hash: "SHA-256", user: "mrose", password: "secret" } as const;
  const channelBinding = { type: "tls-exporter", data: Buffer.alloc(32, 7).toString("base64") } as const;

  it("agree on SCRAM: the server proves itself in a last challenge, and OK comes after it", async () => {
    await listen(secretOnly);
    open();
    expect(await authenticateByScram(new ScramClient(scramOptions))).toEqual(mrose);
  });

  it("agree on SCRAM with a wrong password, and with another's name", async () => {
    await listen(secretOnly);
    open();
    expect(await authenticateByScram(new ScramClient({ ...scramOptions, password: "wrong" }))).toEqual(WRONG);
    const client_ = new ScramClient({ ...scramOptions, gs2Header: "n,a=root," });
    expect(await authenticateByScram(client_)).toEqual({ ...WRONG, code: "authz_fail" });
  });

  it("let nobody in who answers the server's proof by anything", async () => {
    await listen(secretOnly);
    open();
    const client_ = new ScramClient(scramOptions);
    const result = await new Promise((resolve) => {
      const exchange = client.start(
        { ...REQUEST, mechanism: "SCRAM-SHA-256", initialResponse: base64(client_.first) },
        {
          challenge: (data) => {
            const message = Buffer.from(data, "base64").toString();
            exchange.respond(base64(message.startsWith("r=") ? client_.final(message) : "x"));
          },
          ok: resolve,
          failed: resolve,
        },
      );
    });
    expect(result).toMatchObject({ code: "malformed" });
  });

  it("carry the channel binding to SCRAM-PLUS, and notice its removal from what was offered", async () => {
    await listen(secretOnly);
    open();
    const bound = new ScramClient({
      ...scramOptions,
      gs2Header: "p=tls-exporter,,",
      channelBinding: Buffer.alloc(32, 7),
    });
    expect(await authenticateByScram(bound, { mechanism: "SCRAM-SHA-256-PLUS", channelBinding })).toEqual(
      mrose,
    );
    const robbed = new ScramClient({ ...scramOptions, gs2Header: "y,," });
    expect(await authenticateByScram(robbed, { channelBinding })).toMatchObject({
      reason: "server-does-support-channel-binding",
    });
  });

  it("carry the certificate's name to EXTERNAL", async () => {
    await listen(async ({ user, credentials }) =>
      credentials.kind === "certificate" ? { kind: "ok", user } : { kind: "refused" },
    );
    open();
    const external = (clientCertificateUser: string | undefined) =>
      new Promise((resolve) => {
        client.start(
          { ...REQUEST, mechanism: "EXTERNAL", initialResponse: "", clientCertificateUser },
          { challenge: () => {}, ok: resolve, failed: resolve },
        );
      });
    expect(await external("mrose")).toEqual(new Map([["user", "mrose"]]));
    expect(await external(undefined)).toMatchObject({ reason: "no verified client certificate" });
  });

  it("agree on a user without a verdict: temporary failure", async () => {
    await listen(secretOnly, 17, async () => undefined);
    open();
    expect(await authenticateByScram(new ScramClient(scramOptions))).toEqual(UNAVAILABLE);
  });

  it("agree on mechanisms that change under a connection", async () => {
    await listen(secretOnly);
    open();
    await eventually(() => expect(client.isConnected).toBe(true));
    server.offer(new Map([["PLAIN", mechanisms.get("PLAIN")!]]), "all");
    await eventually(() => expect([...client.mechanisms]).toEqual([["PLAIN", ["plaintext"]]]));
    expect(await authenticate("LOGIN", undefined)).toMatchObject({
      reason: "unsupported authentication mechanism",
    });
    expect(await authenticate("PLAIN", plain("mrose", "secret"))).toEqual(mrose);
  });

  it("agree on a user name with every letter that is allowed", async () => {
    await listen(secretOnly);
    open();
    const user = "Jürgen O'Rose=+%\\ 😀@example.org";
    expect(await authenticate("PLAIN", plain(user, "secret"))).toEqual(
      new Map([
        ["user", user],
        ["ticket", `for ${user}`],
      ]),
    );
  });

  it("carry a thousand exchanges at once over one connection", async () => {
    await listen(secretOnly);
    open();
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        index % 2 === 0
          ? authenticate("PLAIN", plain(`user${index}`, "secret"))
          : authenticate("LOGIN", undefined, [base64(`user${index}`), base64("wrong")]),
      ),
    );
    expect(results).toEqual(
      Array.from({ length: 1_000 }, (_, index) =>
        index % 2 === 0
          ? new Map([
              ["user", `user${index}`],
              ["ticket", `for user${index}`],
            ])
          : WRONG,
      ),
    );
  });

  it("go on after auth was killed and started again: pending requests fail temporarily, later ones wait", async () => {
    const pids: number[] = [];
    let asked = 0;
    await listen(() => {
      asked++;
      return new Promise<Verdict>(() => {});
    }, 17);
    open((pid) => pids.push(pid));
    const pending = [
      authenticate("PLAIN", plain("mrose", "secret")),
      authenticate("PLAIN", plain("jbloggs", "secret")),
    ];
    await eventually(() => expect(asked).toBe(2));
    await folder.kill();
    expect(await Promise.all(pending)).toEqual([UNAVAILABLE, UNAVAILABLE]);
    expect(client.isConnected).toBe(false);
    expect([...client.mechanisms.keys()]).toEqual([...mechanisms.keys()]);
    const waiting = authenticate("PLAIN", plain("mrose", "secret"));
    await listen(secretOnly, 18);
    expect(await waiting).toEqual(mrose);
    expect(pids).toEqual([17, 18]);
  });

  it("may be started in either order", async () => {
    open();
    const early = authenticate("LOGIN", undefined, [base64("mrose"), base64("secret")]);
    await listen(secretOnly);
    expect(await early).toEqual(mrose);
  });

  it("lose nothing when the server retires: what it has been asked it answers, the next one gets the rest", async () => {
    const verdicts: ((verdict: Verdict) => void)[] = [];
    await listen(() => new Promise<Verdict>((resolve) => verdicts.push(resolve)));
    const retiring = server;
    const pids: number[] = [];
    open((pid) => pids.push(pid));
    const slow = authenticate("PLAIN", plain("mrose", "secret"));
    const exchange = { scram: new ScramClient(scramOptions), continue: (): void => {} };
    const inTheMiddle = new Promise<Result>((resolve) => {
      const { scram } = exchange;
      const begun = client.start(
        { ...REQUEST, mechanism: "SCRAM-SHA-256", initialResponse: base64(scram.first) },
        {
          challenge: (data) => {
            const message = Buffer.from(data, "base64").toString();
            if (message.startsWith("r="))
              exchange.continue = () => begun.respond(base64(scram.final(message)));
            else begun.respond("");
          },
          ok: resolve,
          failed: resolve,
        },
      );
    });
    const isChallenged = exchange.continue;
    await eventually(() => expect([verdicts.length, exchange.continue !== isChallenged]).toEqual([1, true]));

    folder.stopListening();
    retiring.retire("tell");
    await eventually(() => expect(client.isConnected).toBe(false));
    const next = authenticate("PLAIN", plain("jbloggs", "secret"));
    await listen(secretOnly, 18);
    expect(await next).toEqual(
      new Map([
        ["user", "jbloggs"],
        ["ticket", "for jbloggs"],
      ]),
    );
    exchange.continue();
    await eventually(() => expect(verdicts).toHaveLength(2));
    for (const verdict of verdicts) verdict({ kind: "ok", user: "mrose" });
    expect(await Promise.all([slow, inTheMiddle])).toEqual(Array(2).fill(new Map([["user", "mrose"]])));
    await retiring.whenIdle();
    expect(pids).toEqual([17, 18]);
    expect(await authenticate("PLAIN", plain("mrose", "secret"))).toEqual(mrose);
  });
});
