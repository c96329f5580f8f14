// The end that a client has asked for: whatever it does beside QUIT, it sees the last reply and then a clean end.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";

const octets = 3 * 1024 * 1024;
const large = Buffer.from(`Subject: large\n\n${`${"x".repeat(1022)}\n`.repeat(octets / 1024)}`);

describe.each(["separate", "combined"] as const)("QUIT, processes %s", (processes) => {
  let folder: string;
  let maildir: string;
  let certificate: MadeCertificate;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    folder = mkdtempSync(join(tmpdir(), "dewey-signing-off-"));
    chmodSync(folder, 0o755);
    maildir = layOutMaildir(join(folder, "home"), owner, new Map([["cur/1.large:2,", large]]));
    certificate = await makeCertificate();
    server = await startServer({
      accounts: [
        { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home: join(folder, "home") },
      ],
      owner,
      certificates: [certificate],
      settings: { server: { name: "dewey", processes }, limits: { lock_wait: "10s" } },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** Resolves with all that came, at the end; rejects at a reset. */
  function talk(isTls: boolean, act: (socket: Socket, said: () => string) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = isTls
        ? connectTls({ port: server.tlsPort, host: "127.0.0.1", rejectUnauthorized: false })
        : connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
      const chunks: Buffer[] = [];
      const said = (): string => Buffer.concat(chunks).toString("latin1");
      socket.on("data", (chunk: Buffer) => {
        const isFirst = chunks.length === 0;
        chunks.push(chunk);
        if (isFirst) act(socket, said);
      });
      socket.on("error", reject);
      socket.on("end", () => {
        socket.end();
        resolve(said());
      });
    });
  }

  const login = "USER mrose\r\nPASS secret\r\n";
  const signOff = "+OK dewey POP3 server signing off (1 messages left)\r\n";

  it.each<[string, string, RegExp]>([
    ["before login", "QUIT\r\n", /ready\r\n\+OK dewey POP3 server signing off\r\n$/],
    ["before login, and more", "QUIT\r\nNOOP\r\nNO", /ready\r\n\+OK dewey POP3 server signing off\r\n$/],
    ["after login", `${login}QUIT\r\n`, /Pass accepted\r\n\+OK dewey[^\n]*left\)\r\n$/],
    [
      "after login, and more",
      `${login}QUIT\r\nDELE 1\r\nQUIT\r\n`,
      /accepted\r\n\+OK dewey[^\n]*left\)\r\n$/,
    ],
  ])("%s, plain and by TLS", async (_, sent, expected) => {
    for (const isTls of [false, true]) {
      expect(await talk(isTls, (socket) => socket.write(sent))).toMatch(expected);
      expect(await talk(isTls, (socket) => socket.end(sent))).toMatch(expected);
    }
    expect(readMaildir(maildir)).toHaveLength(1);
  });

  it.each([false, true])("behind a large message that is read slowly, TLS %s", async (isTls) => {
    const said = await talk(isTls, (socket) => {
      socket.write(`${login}RETR 1\r\nQUIT\r\n`);
      socket.pause();
      setTimeout(() => socket.resume(), 300);
    });
    expect(said.length).toBeGreaterThan(octets);
    expect(said.endsWith(`\r\n.\r\n${signOff}`)).toBe(true);
  });

  it("leaves the maildrop to the next session at once", async () => {
    for (let i = 0; i < 20; i++) {
      const said = await talk(false, (socket) => socket.write(`${login}STAT\r\nQUIT\r\n`));
      expect(said).toContain(signOff);
    }
  });
});
