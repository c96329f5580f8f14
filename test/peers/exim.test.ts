// Beside Exim: the files of etc/exim as they stand, in a real Exim, with our server on the same accounts and Maildirs.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow } from "../support/program.ts";
import { scramField } from "../support/scram-client.ts";
import { authUser, startServer, type TestServer } from "../support/server.ts";
import { type Exim, startExim } from "./support/exim.ts";
import { configuration } from "./support/exim-configuration.ts";
import { countMessages, layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";
import { recipientCode, sendMail } from "./support/smtp.ts";
import { type SmtpLogin, smtpLogin } from "./support/smtp-auth.ts";
import { smtpScramLogin } from "./support/smtp-scram.ts";

const passwd = fileURLToPath(new URL("../../scripts/pop3-passwd", import.meta.url));
const owner = mailOwner();

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

describe("etc/exim: our auth process answers, and Exim delivers where our maps say", () => {
  const mrose = "mrose@example.org";
  const grace = "grace@example.org";
  let folder: string;
  let mail: string;
  let server: TestServer;
  let exim: Exim;

  const startOurServer = async (): Promise<void> => {
    const maps = join(folder, "maps");
    server = await startServer({
      accounts: [
        { user: mrose, password: "secret", uid: owner.uid, gid: owner.gid, home: join(mail, "mrose") },
      ],
      owner,
      settings: {
        mta: {
          sasl_socket: join(folder, "auth"),
          socket_group: owner.group,
          postfix_maps: { folder: maps, type: "texthash" },
        },
      },
    });
    await eventually("the maps", () => existsSync(join(maps, "mailboxes")));
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dewey-exim-test-"));
    chmodSync(folder, 0o755);
    mail = join(folder, "mail");
    layOutMaildir(join(mail, "mrose"), owner);
    mkdirSync(join(folder, "maps"));
    await runOrThrow("chown", [authUser, join(folder, "maps")]);
    await startOurServer();
    exim = await startExim({
      owner,
      configuration: configuration(
        {
          DEWEY_SASL_SOCKET: join(folder, "auth"),
          DEWEY_MAPS: join(folder, "maps"),
          DEWEY_QUOTA: "20K",
          DEWEY_SCRAM: "yes",
        },
        "authenticators",
      ),
    });
  });
  afterAll(async () => {
    await exim?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const login = (
    mechanism: SmtpLogin["mechanism"],
    user: string,
    password: string,
    more: Partial<SmtpLogin> = {},
  ): Promise<string> => smtpLogin({ port: exim.port, tls: "starttls", mechanism, user, password, ...more });
  const pop3Passwd = (args: readonly string[], password = "") =>
    runOrThrow(passwd, ["--file", join(server.folder, "passwd"), ...args], { input: `${password}\n` });
  const arrived = (user: string, count: number): Promise<true> =>
    eventually(
      `${count} messages for ${user}`,
      () => countMessages(join(mail, user, "Maildir")) === count,
    ).catch((fault) => {
      throw new Error(`${fault.message}; Exim said:\n${exim.log()}`);
    });

  it.each(["PLAIN", "LOGIN"] as const)(
    "%s: the right password passes, a wrong one does not",
    async (mechanism) => {
      expect(await login(mechanism, mrose, "secret")).toBe("235");
      expect(await login(mechanism, mrose, "wrong")).toBe("535");
      expect(await login(mechanism, "nobody@example.org", "secret")).toBe("535");
    },
  );

  it("SCRAM-SHA-256 passes with the right password, and the server proves that it knows it", async () => {
    appendFileSync(join(server.folder, "passwd"), `scram@example.org:${scramField("SHA-256", "pencil")}\n`);
    await eventually("SCRAM", async () => {
      return (await smtpScramLogin(exim.port, "scram@example.org", "pencil")) === "235";
    });
    expect(await smtpScramLogin(exim.port, "scram@example.org", "pen")).toBe("535");
    expect(await smtpScramLogin(exim.port, "nobody@example.org", "pencil")).toBe("535");
    expect(await login("PLAIN", "scram@example.org", "pencil")).toBe("235");
  });

  it("takes a recipient where an account is, whatever the case, and refuses another", async () => {
    expect(await recipientCode(exim.port, mrose)).toBe(250);
    expect(await recipientCode(exim.port, mrose.toUpperCase())).toBe(250);
    expect(await recipientCode(exim.port, "nobody@example.org")).toBe(550);
    expect(await recipientCode(exim.port, "mrose@elsewhere.test")).toBe(550);
  });

  it("an account added with pop3-passwd holds without a reload: SMTP AUTH, delivery into a new Maildir, POP3", async () => {
    expect(await recipientCode(exim.port, grace)).toBe(550);
    await pop3Passwd(["add", grace, "--home", join(mail, "grace")], "hopper");
    expect(await login("PLAIN", grace, "hopper")).toBe("235");
    await eventually("its address is taken", async () => (await recipientCode(exim.port, grace)) === 250);
    mkdirSync(join(mail, "grace"), { mode: 0o700 });
    await runOrThrow("chown", [`${owner.uid}:${owner.gid}`, join(mail, "grace")]);
    expect(await login("LOGIN", grace, "hopper", { mail: { from: grace, to: grace } })).toBe("235");
    await arrived("grace", 1);
    const session = await Pop3Connection.login(server.port, grace, "hopper");
    const { body } = await session.multiLine("RETR 1");
    expect(body?.toString()).toMatch(/^Subject: sent after login\r\n/m);
    await session.command("QUIT");
    await session.closed;
    await pop3Passwd(["delete", grace]);
    expect(await login("PLAIN", grace, "hopper")).toBe("535");
    await eventually("its address is refused", async () => (await recipientCode(exim.port, grace)) === 550);
  });

  it("the quota holds, and room that POP3 makes is room for Exim at once", async () => {
    const message = Buffer.from(`Subject: large\n\n${`${"x".repeat(70)}\n`.repeat(170)}`);
    const envelope = { from: "sender@client.test", to: [mrose] };
    await sendMail(exim.port, envelope, [message]);
    await arrived("mrose", 1);
    expect(readdirSync(join(mail, "mrose/Maildir/new"))[0]).toMatch(/,S=\d+$/);
    await sendMail(exim.port, envelope, [message]);
    await eventually("the second is too much", () => exim.log().includes("mailbox is full"));
    const session = await Pop3Connection.login(server.port, mrose, "secret");
    await session.command("DELE 1");
    expect((await session.command("QUIT")).text).toContain("maildrop empty");
    await session.closed;
    await sendMail(exim.port, envelope, [message]);
    await arrived("mrose", 1);
  });

  it("Exim says 435, not 535, while auth is not there, and serves again once it is back", async () => {
    await server.stop();
    expect(await login("PLAIN", mrose, "secret")).toBe("435");
    expect(await login("LOGIN", mrose, "secret")).toBe("435");
    await startOurServer();
    expect(await login("PLAIN", mrose, "secret")).toBe("235");
  });
});
