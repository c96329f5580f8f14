// SCRAM with clients of other hands, all of them on GNU SASL: mpop fetches by POP3, gsasl logs in through a real Postfix
// that asks our auth process. What the accounts have stored was made by gsasl, too.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mailOwner } from "../support/mail-owner.ts";
import { type ProgramResult, runOrThrow, runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { gsasl } from "./support/gsasl.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { type Postfix, startPostfix } from "./support/postfix.ts";

const owner = mailOwner();
const password = "pencil";
const accounts = { "SCRAM-SHA-256": "modern", "SCRAM-SHA-1": "older" } as const;
type Mechanism = keyof typeof accounts;

let folder: string;
let server: TestServer;
let postfix: Postfix;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-scram-"));
  chmodSync(folder, 0o755);
  const mail = join(folder, "mail");
  const saslSocket = join(folder, "sasl");
  server = await startServer({
    accounts: await Promise.all(
      Object.entries(accounts).map(async ([mechanism, user]) => {
        const home = join(mail, user);
        layOutMaildir(home, owner, new Map([["new/1.M1P1.test", Buffer.from("Subject: fetched\n\nbody\n")]]));
        return { user, password, field: await storedBy(mechanism), uid: owner.uid, gid: owner.gid, home };
      }),
    ),
    owner,
    settings: {
      // Allowed nowhere without TLS, as on a public host: SCRAM shows no password.
      auth: { plaintext_without_tls: "never" },
      mta: { sasl_socket: saslSocket, socket_user: "postfix", socket_group: "postfix" },
    },
  });
  const mainCf = `smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = ${saslSocket}
smtpd_sasl_security_options = noanonymous noplaintext
`;
  const additions = { mainCf, masterCf: "", settings: {}, prepared: async () => {} };
  postfix = await startPostfix({ owner, mail, virtualUsers: [], localUsers: [], additions });
});
afterAll(async () => {
  await postfix?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

async function storedBy(mechanism: string): Promise<string> {
  const args = ["--mkpasswd", "--mechanism", mechanism, "--iteration-count", "5000", "--password", password];
  return (await runOrThrow("gsasl", args)).stdout.toString().trim();
}

describe.each(Object.entries(accounts) as [Mechanism, string][])("mpop, %s", (mechanism, user) => {
  async function mpop(given: string): Promise<ProgramResult & { readonly mailbox: string }> {
    const mailbox = join(folder, `mpop-${user}.mbox`);
    const config = join(folder, `mpop-${user}`);
    writeFileSync(
      config,
      `account test
host 127.0.0.1
port ${server.port}
tls off
auth ${mechanism.toLowerCase()}
user ${user}
password ${given}
keep on
uidls_file ${join(folder, `uidls-${user}`)}
delivery mbox ${mailbox}
`,
      { mode: 0o600 },
    );
    return { ...(await runProgram("mpop", ["-C", config, "test"])), mailbox };
  }

  it("is told that a wrong password is wrong", async () => {
    const { exitCode, stderr } = await mpop("pencils");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(`authentication failed (method ${mechanism})`);
  });

  it("fetches mail", async () => {
    const { exitCode, stderr, mailbox } = await mpop(password);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(existsSync(mailbox) && readFileSync(mailbox, "utf8")).toContain("Subject: fetched");
  });
});

describe.each(Object.entries(accounts) as [Mechanism, string][])(
  "Postfix and gsasl, %s",
  (mechanism, user) => {
    const login = (name: string, given: string): Promise<string> =>
      gsasl({ port: postfix.port, mechanism, user: name, password: given });

    it("logs in with the right password", async () => {
      const said = await login(user, password);
      expect(said).toContain("235 2.7.0 Authentication successful");
    });

    it.each([
      ["the wrong password", () => user, "pencils"],
      ["an unknown name", () => "nobody-here", password],
    ])("is refused with %s", async (_, name, given) => {
      const said = await login(name(), given);
      expect(said).toMatch(/^535 /m);
      expect(said).not.toContain("235 ");
    });
  },
);
