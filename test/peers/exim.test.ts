// Beside Exim: the files of etc/exim as they stand, in a real Exim, with our server on the same accounts and Maildirs.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Exim, startExim } from "./support/exim.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { type SmtpLogin, smtpLogin } from "./support/smtp-auth.ts";

const owner = mailOwner();
const snippet = (name: string): string => fileURLToPath(new URL(`../../etc/exim/${name}`, import.meta.url));

/** What an administrator's own configuration has around the snippets; the macros say what differs from their defaults. */
function configuration(macros: Readonly<Record<string, string>>, authenticators: string): string {
  return `${Object.entries(macros)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join("")}
.include ${snippet("macros")}
domainlist local_domains = DEWEY_DOMAINS
acl_smtp_rcpt = check_recipient
begin acl
check_recipient:
  accept domains = +local_domains
         verify = recipient
  accept authenticated = *
  deny   message = relay not permitted
begin routers
.include ${snippet("router")}
begin transports
.include ${snippet("transport")}
begin authenticators
.include ${snippet(authenticators)}
`;
}

describe("etc/exim/authenticators-crypteq: Exim reads the passwd file itself", () => {
  let folder: string;
  let exim: Exim;
  const login = (mechanism: SmtpLogin["mechanism"], user: string, password: string) =>
    smtpLogin({ port: exim.port, mechanism, user, password, tls: "starttls" });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dewey-exim-passwd-"));
    chmodSync(folder, 0o755);
    const script = "import crypt,sys; print(crypt.crypt('secret', sys.argv[1]), end='')";
    const crypt = async (salt: string): Promise<string> =>
      (await runOrThrow("python3", ["-W", "ignore", "-c", script, salt])).stdout.toString();
    const sha512 = await crypt("$6$rounds=1000$0123456789abcdef");
    const lines = [
      "# accounts",
      `bare@example.org:${sha512}:::A gecos:/home/bare::`,
      `named@example.org:{SHA512-CRYPT}${sha512}`,
      `yescrypt@example.org:{crypt}${await crypt("$y$j75$0123456789abcdef")}:::::: userdb_mail=maildir:~/Maildir`,
      `bcrypt@example.org:{BLF-CRYPT}${await crypt("$2b$04$abcdefghijklmnopqrstuu")}`,
      `locked@example.org:!{CRYPT}${sha512}`,
      `nologin@example.org:${sha512}::::::userdb_x=y nologin`,
      `nets@example.org:${sha512}::::::allow_nets=::1,10.0.0.0/8`,
      "argon2@example.org:{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
      "empty@example.org:",
    ];
    writeFileSync(join(folder, "passwd"), `${lines.join("\n")}\n`, { mode: 0o644 });
    exim = await startExim({
      owner,
      configuration: configuration({ DEWEY_PASSWD: join(folder, "passwd") }, "authenticators-crypteq"),
    });
  });
  afterAll(async () => {
    await exim?.stop();
    rmSync(folder, { recursive: true });
  });

  it.each(["PLAIN", "LOGIN"] as const)(
    "%s: crypt(3) hashes pass with the right password alone, with and without a scheme before them",
    async (mechanism) => {
      for (const user of ["bare", "named", "yescrypt", "bcrypt"]) {
        expect(await login(mechanism, `${user}@example.org`, "secret"), user).toBe("235");
        expect(await login(mechanism, `${user}@example.org`, "wrong"), user).toBe("535");
      }
    },
  );

  it.each(["PLAIN", "LOGIN"] as const)(
    "%s: who is locked, restricted, unknown or has another hash is refused",
    async (mechanism) => {
      const users = ["locked", "nologin", "nets", "argon2", "empty", "nobody-here", "#"];
      for (const user of users) {
        expect(await login(mechanism, user === "#" ? user : `${user}@example.org`, "secret"), user).toBe(
          "535",
        );
      }
      expect(await login(mechanism, "empty@example.org", "")).toBe("535");
    },
  );
});

describe("etc/exim/authenticators: our auth process answers", () => {
  let folder: string;
  let server: TestServer;
  let exim: Exim;
  const login = (mechanism: SmtpLogin["mechanism"], user: string, password: string) =>
    smtpLogin({ port: exim.port, mechanism, user, password, tls: "starttls" });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dewey-exim-test-"));
    chmodSync(folder, 0o755);
    const home = join(folder, "mrose");
    layOutMaildir(home, owner);
    const socket = join(folder, "auth");
    server = await startServer({
      accounts: [{ user: "mrose@example.org", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: { mta: { sasl_socket: socket, socket_group: owner.group } },
    });
    exim = await startExim({
      owner,
      configuration: configuration({ DEWEY_SASL_SOCKET: socket, DEWEY_MAPS: folder }, "authenticators"),
    });
  });
  afterAll(async () => {
    await exim?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  it.each(["PLAIN", "LOGIN"] as const)(
    "%s: the right password passes, a wrong one does not",
    async (mechanism) => {
      expect(await login(mechanism, "mrose@example.org", "secret")).toBe("235");
      expect(await login(mechanism, "mrose@example.org", "wrong")).toBe("535");
      expect(await login(mechanism, "nobody@example.org", "secret")).toBe("535");
    },
  );
});
