// nginx's question, asked of the real server on a loopback address: test/peers/cluster.test.ts has the real nginx.
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
let server: TestServer;
let port: number;
/** As far as it is asked: a greeting. */
const backEnd = createServer((socket) => {
  socket.on("error", () => {});
  socket.end("+OK\r\n");
});

beforeAll(async () => {
  port = await freePort();
  await new Promise<void>((resolve) => {
    backEnd.listen(0, "127.0.0.1", resolve);
  });
  const account = (user: string, extra: string) => ({
    ...{ user, password: "secret", uid: owner.uid, gid: owner.gid, home: "/nonexistent", extra },
  });
  server = await startServer({
    accounts: [
      account("mrose", ""),
      account("jpostel", "host=127.0.0.2 port=1110"),
      account("kdickey", "host=mail.example.org"),
      account("abroad", "allow_nets=198.51.100.0/24"),
    ],
    owner,
    settings: {
      server: { listen: [] },
      auth: { plaintext_without_tls: "loopback" },
      cluster: { auth_http: `127.0.0.1:${port}`, backends: [`127.0.0.1:${backEndPort()}`] },
    },
  });
});
afterAll(async () => {
  await server.stop();
  backEnd.close();
});

const backEndPort = (): number => (backEnd.address() as AddressInfo).port;

const login = {
  "Auth-Method": "plain",
  "Auth-User": "mrose",
  "Auth-Pass": "secret",
  "Auth-Protocol": "pop3",
  "Auth-Login-Attempt": "1",
  "Client-IP": "192.0.2.7",
  "Auth-SSL": "on",
};

function ask(changes: Readonly<Record<string, string>>): Promise<string> {
  const headers = Object.entries({ ...login, ...changes }).map(([name, value]) => `${name}: ${value}\r\n`);
  return send(`GET /auth HTTP/1.0\r\nHost: localhost\r\n${headers.join("")}\r\n`);
}

function send(octets: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    let said = "";
    socket.setEncoding("latin1").on("data", (text) => {
      said += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(said));
    socket.write(octets, "latin1");
  });
}

describe("cluster.auth_http", () => {
  it("names the back end of who may log in, in less than nginx keeps of an answer", async () => {
    const answer = await ask({});
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain(
      `\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: ${backEndPort()}\r\n`,
    );
    expect(answer.length).toBeLessThan(1024);
    expect(await ask({ "Auth-User": "jpostel" })).toContain("Auth-Server: 127.0.0.2\r\nAuth-Port: 1110\r\n");
  });

  it.each([
    { who: "a wrong password", headers: { "Auth-Pass": "wrong" }, text: "[AUTH] authentication failed" },
    { who: "nobody", headers: { "Auth-User": "nobody" }, text: "[AUTH] authentication failed" },
    { who: "somebody elsewhere", headers: { "Auth-User": "abroad" }, text: "[AUTH] authentication failed" },
    {
      who: "an account whose host is a name",
      headers: { "Auth-User": "kdickey" },
      text: "[SYS/PERM] this account cannot be used, ask its administrator",
    },
    {
      who: "a password that crossed the network without TLS",
      headers: { "Auth-SSL": "off" },
      text: "[AUTH] no password is taken without TLS, use STLS or POP3S",
    },
  ])("refuses $who, and nginx lets the client try again", async ({ headers, text }) => {
    const answer = await ask(headers as Record<string, string>);
    expect(answer).toContain(`\r\nAuth-Status: ${text}\r\nAuth-Wait: 1\r\n`);
    expect(answer).not.toContain("Auth-Server");
    const last = await ask({ ...(headers as Record<string, string>), "Auth-Login-Attempt": "10" });
    expect(last).toContain(`\r\nAuth-Status: ${text}\r\n`);
    expect(last).not.toContain("Auth-Wait");
  });

  it("takes a password without TLS from this host itself", async () => {
    expect(await ask({ "Auth-SSL": "off", "Client-IP": "127.0.0.1" })).toContain("Auth-Status: OK");
  });

  it("says who asks in another way, and answers the next one", async () => {
    expect(await send("GET / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask({ "Auth-Method": "external" })).toContain(
      "\r\nAuth-Status: [AUTH] mechanism not offered",
    );
    await send("\x16\x03\x01\r\n\r\n");
    const reasons = await eventually("two lines in the log", () => {
      const lines = server.log().filter(({ msg }) => msg === "malformed request on cluster.auth_http");
      return lines.length >= 2 && lines.map(({ reason }) => reason);
    });
    expect(reasons).toEqual(["no Auth-Method", "HPE_INVALID_METHOD"]);
    expect(await ask({})).toContain("Auth-Status: OK");
    expect(JSON.stringify(server.log())).not.toContain("secret");
  });

  it("counts the client's failures against its own address", async () => {
    const refused = await eventually("the refusal in the log", () =>
      server.log().find(({ msg, user }) => msg === "login refused" && user === "nobody"),
    );
    expect(refused).toMatchObject({ address: "192.0.2.7", service: "pop3", reason: "unknown-user" });
  });
});
