// SMTP AUTH: a real Postfix asks our auth process, by Dovecot's auth protocol, and Python's smtplib tries passwords.
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf } from "../support/processes.ts";
import { runOrThrow } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";
import { type Postfix, startPostfix } from "./support/postfix.ts";
import { type SmtpLogin, smtpLogin } from "./support/smtp-auth.ts";

const passwd = fileURLToPath(new URL("../../scripts/pop3-passwd", import.meta.url));
const owner = mailOwner();
let folder: string;
let postfix: Postfix;
let server: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-sasl-"));
  chmodSync(folder, 0o755);
  const mail = join(folder, "mail");
  layOutMaildir(join(mail, "mrose"), owner);
  const saslSocket = join(folder, "sasl");
  server = await startServer({
    accounts: [
      { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home: join(mail, "mrose") },
    ],
    owner,
    settings: { mta: { sasl_socket: saslSocket, sasl_socket_user: "postfix", sasl_socket_group: "postfix" } },
  });
  postfix = await startPostfix({ owner, mail, virtualUsers: ["mrose"], localUsers: [], saslSocket });
});
afterAll(async () => {
  await postfix?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

const authenticate = (mechanism: SmtpLogin["mechanism"], user: string, password: string): Promise<string> =>
  smtpLogin({ port: postfix.port, mechanism, user, password });

describe("Postfix with our auth process", () => {
  it.each(["PLAIN", "LOGIN"] as const)(
    "%s: the right password passes, a wrong one and an unknown user do not",
    async (mechanism) => {
      expect(await authenticate(mechanism, "mrose", "secret")).toBe("235");
      expect(await authenticate(mechanism, "mrose", "wrong")).toBe("535");
      expect(await authenticate(mechanism, "mrose", "secret ")).toBe("535");
      expect(await authenticate(mechanism, "nobody-here", "secret")).toBe("535");
    },
  );

  it("gives the socket to Postfix alone", () => {
    const { mode, uid } = statSync(join(folder, "sasl"));
    expect(mode & 0o777).toBe(0o660);
    expect(uid).not.toBe(0);
  });

  it("never gives the MTA a ticket", async () => {
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rwb")
while f.readline() != b"DONE\\n": pass
f.write(b"VERSION\\t1\\t0\\nCPID\\t1\\nAUTH\\t1\\tPLAIN\\tservice=pop3\\tresp=AG1yb3NlAHNlY3JldA==\\n"); f.flush()
print(f.readline().decode().strip())
`;
    const { stdout } = await runOrThrow("python3", ["-c", script, join(folder, "sasl")]);
    expect(stdout.toString()).toBe("OK\t1\tuser=mrose\n");
  });

  it("an account that pop3-passwd adds holds at once for SMTP and for POP3, and so does its removal", async () => {
    const file = ["--file", join(server.folder, "passwd")];
    const home = join(folder, "mail/grace");
    layOutMaildir(home, owner);
    await runOrThrow(passwd, [...file, "add", "grace", "--home", home], { input: "hopper\n" });
    expect(await authenticate("PLAIN", "grace", "hopper")).toBe("235");
    const session = await Pop3Connection.login(server.port, "grace", "hopper");
    session.drop();
    await runOrThrow(passwd, [...file, "delete", "grace"], { input: "" });
    expect(await authenticate("PLAIN", "grace", "hopper")).toBe("535");
  });

  it("says 454, not 535, when auth dies over a question, and serves again once it is back", async () => {
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth");
    if (auth === undefined) throw new Error("no auth process");
    const smtp = connect({ host: "127.0.0.1", port: postfix.port });
    let said = "";
    smtp.on("data", (octets: Buffer) => {
      said += octets.toString("latin1");
    });
    await eventually("the greeting", () => said.startsWith("220 "));
    smtp.write("EHLO client.test\r\n");
    await eventually("the mechanisms", () => /^250 /m.test(said));
    process.kill(auth.pid, "SIGSTOP");
    said = "";
    smtp.write(`AUTH PLAIN ${Buffer.from("\0mrose\0secret").toString("base64")}\r\n`);
    await eventually("the question, unread by auth", async () => {
      const { stdout } = await runOrThrow("ss", ["-xH", "state", "established", "src", join(folder, "sasl")]);
      return /^\S+\s+[1-9]/m.test(stdout.toString());
    });
    process.kill(auth.pid, "SIGKILL");
    await eventually("the answer", () => said.endsWith("\r\n"));
    expect(said).toMatch(/^454 /);
    smtp.destroy();
    await eventually("auth again", async () => (await authenticate("PLAIN", "mrose", "secret")) === "235");
  });
});
