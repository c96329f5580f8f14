// Both ends of the auth protocol against each other over a UNIX socket, as the auth and login processes run them.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AuthClient, type AuthFailure, type AuthRequest } from "../../src/auth/client.ts";
import { AuthServer, type AuthServerOptions, type Verdict } from "../../src/auth/server.ts";
import { mechanisms } from "../../src/sasl/mechanisms.ts";
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

async function listen(verify: AuthServerOptions["verify"], pid = 17): Promise<void> {
  const server = new AuthServer({
    mechanisms,
    verify,
    temporaryFailure: "reply",
    pid,
    randomBytes: (size) => new Uint8Array(size),
    onEvent: () => {},
  });
  await folder.listen((socket) => server.serve(socket));
}

function open(onConnected: (serverPid: number) => void = () => {}): void {
  client = new AuthClient({
    path: folder.path,
    pid: 4711,
    firstReconnectDelayMs: 1,
    maxReconnectDelayMs: 10,
    onEvent: (event) => event.kind === "connected" && onConnected(event.serverPid),
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

const secretOnly: AuthServerOptions["verify"] = async ({ user, password }) =>
  Buffer.from(password).toString() === "secret"
    ? { kind: "ok", user, fields: new Map([["ticket", `for ${user}`]]) }
    : { kind: "refused" };

const mrose = new Map([
  ["user", "mrose"],
  ["ticket", "for mrose"],
]);

describe("AuthServer and AuthClient", () => {
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
    expect([...client.mechanisms.keys()]).toEqual(["PLAIN", "LOGIN"]);
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
});
