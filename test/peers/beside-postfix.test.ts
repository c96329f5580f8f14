// Beside Postfix: the files of etc/postfix as they stand, in a real Postfix, with our server on the same accounts and
// Maildirs. Python's smtplib submits, Postfix delivers, and POP3 fetches.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf } from "../support/processes.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { scramField } from "../support/scram-client.ts";
import { authUser, startServer, type TestServer } from "../support/server.ts";
import { makeCertificate } from "./support/certificate.ts";
import { acceptsConnections } from "./support/connect.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";
import {
  localDomain,
  type Postfix,
  type PostfixFolders,
  startPostfix,
  virtualDomain,
} from "./support/postfix.ts";
import { recipientCode, sendMail } from "./support/smtp.ts";
import { type SmtpLogin, smtpLogin } from "./support/smtp-auth.ts";
import { smtpScramLogin } from "./support/smtp-scram.ts";

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const passwd = file("scripts/pop3-passwd");
const owner = mailOwner();
const mrose = `mrose@${virtualDomain}`;
const scram = `scram@${virtualDomain}`;

let folder: string;
let mail: string;
let maps: string;
let postfix: Postfix;
let server: TestServer;
let submission: number;
let submissions: number;

async function startOurServer({ config, queue }: PostfixFolders): Promise<void> {
  const account = (user: string, home: string) => ({
    ...{ user, password: "secret", uid: owner.uid, gid: owner.gid },
    home: join(mail, home),
  });
  server = await startServer({
    accounts: [account(mrose, "mrose"), account("carol", "carol")],
    owner,
    settings: {
      mta: {
        sasl_socket: join(queue, "private/dewey-auth"),
        socketmap_socket: join(queue, "private/dewey-map"),
        socket_group: "postfix",
        local_domains: [localDomain],
        postfix_maps: { folder: maps, postmap: ["/usr/sbin/postmap", "-c", config] },
      },
    },
  });
  const line = `${scram}:${scramField("SHA-256", "pencil")}::::${join(mail, "scram")}\n`;
  appendFileSync(join(server.folder, "passwd"), line);
  await eventually("the maps", () => readFileSync(join(maps, "mailboxes"), "utf8").includes(scram));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-beside-postfix-"));
  chmodSync(folder, 0o755);
  mail = join(folder, "mail");
  for (const user of ["mrose", "carol"]) layOutMaildir(join(mail, user), owner);
  maps = join(folder, "maps");
  mkdirSync(maps);
  await runOrThrow("chown", [authUser, maps]);
  const { certificate, privateKey } = await makeCertificate(folder);
  submission = await freePort();
  submissions = await freePort();
  postfix = await startPostfix({
    ...{ owner, mail, virtualUsers: [], localUsers: ["carol"] },
    additions: {
      mainCf: readFileSync(file("etc/postfix/main.cf"), "utf8"),
      // The ports 587 and 465 by other numbers.
      masterCf: readFileSync(file("etc/postfix/master.cf"), "utf8")
        .replace(/^submission /m, `127.0.0.1:${submission} `)
        .replace(/^submissions /m, `127.0.0.1:${submissions} `),
      settings: {
        dewey_maps: `hash:${maps}`,
        virtual_mailbox_domains: virtualDomain,
        smtpd_tls_cert_file: certificate,
        smtpd_tls_key_file: privateKey,
      },
      prepared: startOurServer,
    },
  });
  for (const port of [submission, submissions]) {
    await eventually("submission", () => acceptsConnections(port));
  }
}, 60_000);
afterAll(async () => {
  await postfix?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

function login(
  mechanism: SmtpLogin["mechanism"],
  user: string,
  password: string,
  more: Partial<SmtpLogin> = {},
): Promise<string> {
  return smtpLogin({ port: submission, tls: "starttls", mechanism, user, password, ...more });
}

async function pop3Passwd(args: readonly string[], password = ""): Promise<string> {
  const options = { input: `${password}\n` };
  const { stdout } = await runOrThrow(passwd, ["--file", join(server.folder, "passwd"), ...args], options);
  return stdout.toString();
}

/** The first message of the account that fits, once POP3 serves it. */
async function fetched(user: string, password: string, fits: RegExp): Promise<string> {
  return await eventually(`a message for ${user}`, async () => {
    const session = await Pop3Connection.login(server.port, user, password);
    const count = Number((await session.command("STAT")).text?.split(" ")[0]);
    for (let number = 1; number <= count; number++) {
      const { body } = await session.multiLine(`RETR ${number}`);
      const message = body?.toString("latin1") ?? "";
      if (!fits.test(message)) continue;
      await session.command(`DELE ${number}`);
      await session.command("QUIT");
      await session.closed;
      return message;
    }
    await session.command("QUIT");
    await session.closed;
    return undefined;
  }).catch((fault) => {
    throw new Error(`${fault.message}; Postfix said:\n${postfix.log()}`);
  });
}

describe("submission", () => {
  it.each([
    { mechanism: "PLAIN", user: mrose },
    { mechanism: "LOGIN", user: mrose },
    { mechanism: "PLAIN", user: "carol" },
  ] as const)("$mechanism: $user passes with the right password alone", async ({ mechanism, user }) => {
    expect(await login(mechanism, user, "secret")).toBe("235");
    expect(await login(mechanism, user, "wrong")).toBe("535");
    expect(await login(mechanism, user, "secret ")).toBe("535");
    expect(await login(mechanism, `x${user}`, "secret")).toBe("535");
  });

  it("SCRAM-SHA-256 passes with the right password, and the server proves that it knows it", async () => {
    expect(await smtpScramLogin(submission, scram, "pencil")).toBe("235");
    expect(await smtpScramLogin(submission, scram, "pen")).toBe("535");
    expect(await smtpScramLogin(submission, `nobody@${virtualDomain}`, "pencil")).toBe("535");
    expect(await login("PLAIN", scram, "pencil")).toBe("235");
  });

  it("under TLS from the begin passes as well", async () => {
    const more = { port: submissions, tls: "implicit" } as const;
    expect(await login("PLAIN", mrose, "secret", more)).toBe("235");
    expect(await login("PLAIN", mrose, "wrong", more)).toBe("535");
  });

  it("takes mail from the account's own address, and POP3 fetches it at its destination", async () => {
    expect(await login("PLAIN", mrose, "secret", { mail: { from: mrose, to: `carol@${localDomain}` } })).toBe(
      "235",
    );
    expect(await fetched("carol", "secret", /^From: mrose@/m)).toContain("Subject: sent after login\r\n");
    const from = `carol@${localDomain}`;
    expect(await login("LOGIN", "carol", "secret", { mail: { from, to: mrose } })).toBe("235");
    expect(await fetched(mrose, "secret", /^From: carol@/m)).toContain("Subject: sent after login\r\n");
  });

  it("refuses another's address as sender, and who has not logged in", async () => {
    const to = `carol@${localDomain}`;
    expect(await login("PLAIN", mrose, "secret", { mail: { from: to, to } })).toBe("553");
    expect(await login("PLAIN", "carol", "secret", { mail: { from: mrose, to } })).toBe("553");
    await expect(recipientCode(submission, mrose)).rejects.toThrow("530 5.7.0 Must issue a STARTTLS");
  });
});

describe("recipients", () => {
  it("are taken where an account is, whatever the case, and refused where none is", async () => {
    for (const recipient of [mrose, mrose.toUpperCase(), `carol@${localDomain}`, `Carol@${localDomain}`]) {
      expect(await recipientCode(postfix.port, recipient), recipient).toBe(250);
    }
    for (const recipient of [
      `nobody-here@${virtualDomain}`,
      `nobody@${localDomain}`,
      `mrose@${localDomain}`,
    ]) {
      expect(await recipientCode(postfix.port, recipient), recipient).toBe(550);
    }
  });

  it("the socketmap says of an account what postmap(1) asks", async () => {
    const ask = async (map: string, key: string): Promise<string> => {
      const table = `socketmap:unix:${postfix.queue}/private/dewey-map:${map}`;
      const { exitCode, stdout, stderr } = await runProgram("postmap", [
        "-c",
        postfix.config,
        "-q",
        key,
        table,
      ]);
      return exitCode === 0 || stderr === "" ? stdout.toString().trim() : stderr.trim();
    };
    expect(await ask("recipient", mrose)).toBe("OK");
    expect(await ask("mailbox", mrose)).toBe(`${mail}/mrose/Maildir/`);
    expect(await ask("uid", mrose)).toBe(`${owner.uid}`);
    expect(await ask("gid", mrose)).toBe(`${owner.gid}`);
    expect(await ask("sender-login", `CAROL@${localDomain}`)).toBe("carol");
    expect(await ask("recipient", "nobody@elsewhere.test")).toBe("");
    expect(await ask("mailboxes", mrose)).toContain("no such map, there are: recipient, mailbox, uid");
  });
});

describe("an account", () => {
  const grace = `grace@${virtualDomain}`;
  const arrives = async (subject: string): Promise<string> => {
    const message = Buffer.from(`Subject: ${subject}\n\nline\n`);
    await eventually(`${grace} is taken`, async () => (await recipientCode(postfix.port, grace)) === 250);
    await sendMail(postfix.port, { from: "sender@client.test", to: [grace] }, [message]);
    return await fetched(grace, "hopper", new RegExp(`^Subject: ${subject}`, "m"));
  };

  it("added with pop3-passwd holds without a reload: SMTP AUTH, recipient, delivery into a new Maildir, POP3", async () => {
    expect(await recipientCode(postfix.port, grace)).toBe(550);
    await pop3Passwd(["add", grace, "--home", join(mail, "grace")], "hopper");
    expect(await login("PLAIN", grace, "hopper")).toBe("235");
    mkdirSync(join(mail, "grace"), { mode: 0o700 });
    await runOrThrow("chown", [`${owner.uid}:${owner.gid}`, join(mail, "grace")]);
    expect(await arrives("first")).toContain("\r\nline\r\n");
    expect(statSync(join(mail, "grace/Maildir/new")).uid).toBe(owner.uid);
  });

  it("with a new password sends with that alone, locked not at all, and still receives", async () => {
    await pop3Passwd(["set", grace], "cobol");
    expect(await login("PLAIN", grace, "hopper")).toBe("535");
    expect(await login("PLAIN", grace, "cobol")).toBe("235");
    await pop3Passwd(["lock", grace]);
    expect(await login("PLAIN", grace, "cobol")).toBe("535");
    const message = Buffer.from("Subject: while locked\n\nline\n");
    await sendMail(postfix.port, { from: "sender@client.test", to: [grace] }, [message]);
    await pop3Passwd(["unlock", grace]);
    expect(await fetched(grace, "cobol", /^Subject: while locked/m)).toContain("line");
  });

  it("sends and fetches with a device's password until it is revoked", async () => {
    const phone = (await pop3Passwd(["device", "add", grace, "phone"])).trim();
    expect(await login("PLAIN", grace, phone)).toBe("235");
    expect(await login("LOGIN", grace, phone)).toBe("235");
    const session = await Pop3Connection.login(server.port, grace, phone);
    expect((await session.command("QUIT")).status).toBe("+OK");
    expect(await login("PLAIN", grace, "cobol")).toBe("235");
    await pop3Passwd(["device", "revoke", grace, "phone"]);
    expect(await login("PLAIN", grace, phone)).toBe("535");
  });

  it("deleted is refused everywhere, and its mail stays", async () => {
    await pop3Passwd(["delete", grace]);
    expect(await login("PLAIN", grace, "cobol")).toBe("535");
    await eventually(
      "its address is refused",
      async () => (await recipientCode(postfix.port, grace)) === 550,
    );
    expect(existsSync(join(mail, "grace/Maildir/new"))).toBe(true);
  });
});

describe("an account whose name is in UTF-8", () => {
  const user = `пример@${virtualDomain}`;
  const message = Buffer.from(`Subject: Привет\nTo: ${user}\n\nline\n`);

  it("is in the socketmap and the map files, whatever the case, and virtual(8) delivers to it by them", async () => {
    await pop3Passwd(["add", user, "--home", join(mail, "пример")], "пароль");
    mkdirSync(join(mail, "пример"), { mode: 0o700 });
    await runOrThrow("chown", [`${owner.uid}:${owner.gid}`, join(mail, "пример")]);
    await eventually("the map", () => readFileSync(join(maps, "mailboxes"), "utf8").includes(user));
    const query = async (table: string, key: string): Promise<string> =>
      (await runOrThrow("postmap", ["-c", postfix.config, "-q", key, table])).stdout.toString().trim();
    const socketmap = `socketmap:unix:${postfix.queue}/private/dewey-map`;
    for (const key of [user, user.toUpperCase()]) {
      expect(await query(`${socketmap}:recipient`, key)).toBe("OK");
      expect(await query(`${socketmap}:mailbox`, key)).toBe(`${mail}/пример/Maildir/`);
      expect(await query(`${socketmap}:uid`, key)).toBe(`${owner.uid}`);
      expect(await query(`hash:${maps}/mailboxes`, key)).toBe(`${mail}/пример/Maildir/`);
    }
    const from = "отправитель@client.test";
    for (const to of [[user], [user.toUpperCase()]])
      await sendMail(postfix.port, { from, to, smtputf8: true }, [message]);
    await expect(
      sendMail(postfix.port, { from, to: [`никто@${virtualDomain}`], smtputf8: true }, [message]),
    ).rejects.toThrow("550");
    for (let count = 0; count < 2; count++)
      expect(await fetched(user, "пароль", /^Subject: =\?UTF-8/m)).toContain("\r\n\r\nline\r\n");
  });
});

describe("the socket for SMTP AUTH", () => {
  it("is the MTA's alone", () => {
    const { mode, gid } = statSync(join(postfix.queue, "private/dewey-auth"));
    expect(mode & 0o777).toBe(0o660);
    expect(gid).not.toBe(0);
  });

  it("never gives a ticket", async () => {
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rwb")
while f.readline() != b"DONE\\n": pass
f.write(b"VERSION\\t1\\t0\\nCPID\\t1\\nAUTH\\t1\\tPLAIN\\tservice=pop3\\tresp=AGNhcm9sAHNlY3JldA==\\n"); f.flush()
print(f.readline().decode().strip())
`;
    const { stdout } = await runOrThrow("python3", ["-c", script, join(postfix.queue, "private/dewey-auth")]);
    expect(stdout.toString()).toBe("OK\t1\tuser=carol\n");
  });
});

describe("without auth", () => {
  it("Postfix says 454, not 535, when auth dies over a question, and serves again once it is back", async () => {
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth");
    if (auth === undefined) throw new Error("no auth process");
    const answer = login("PLAIN", mrose, "secret", { stopBeforeAuth: auth.pid });
    await eventually("the question, unread by auth", async () => {
      const { stdout } = await runOrThrow("ss", [
        ...["-xH", "state", "established", "src", join(postfix.queue, "private/dewey-auth")],
      ]);
      return /^\S+\s+[1-9]/m.test(stdout.toString());
    });
    process.kill(auth.pid, "SIGKILL");
    expect(await answer).toBe("454");
    await eventually("auth again", async () => (await login("PLAIN", mrose, "secret")) === "235");
  });

  it("virtual mailboxes still receive by their maps, and what only the socketmap knows waits", async () => {
    await server.stop();
    await sendMail(postfix.port, { from: "sender@client.test", to: [mrose] }, [
      Buffer.from("Subject: late\n\nx\n"),
    ]);
    expect(await recipientCode(postfix.port, `carol@${localDomain}`)).toBe(451);
    expect(await recipientCode(postfix.port, `nobody@${localDomain}`)).toBe(451);
    await startOurServer(postfix);
    expect(await fetched(mrose, "secret", /^Subject: late/m)).toContain("x");
    expect(await recipientCode(postfix.port, `carol@${localDomain}`)).toBe(250);
  });
});
