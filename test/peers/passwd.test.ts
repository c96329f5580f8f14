// One passwd file for two programs: what pop3-passwd writes, Dovecot reads, and what Dovecot's own tool hashes, our
// server takes.
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScramHash } from "../../src/sasl/mechanism.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow } from "../support/program.ts";
import { ScramClient } from "../support/scram-client.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Dovecot, startDovecot } from "./support/dovecot.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection, type Pop3Reply } from "./support/pop3.ts";

const password = "a {secret}:$1$ of 7%";
const writtenByUs = [
  "argon2id",
  "yescrypt",
  "sha512-crypt",
  "sha256-crypt",
  "bcrypt",
  "scram-sha-256",
  "scram-sha-1",
];
const writtenByDoveadm = [
  "ARGON2ID",
  "ARGON2I",
  "BLF-CRYPT",
  "SHA512-CRYPT",
  "SHA256-CRYPT",
  "MD5-CRYPT",
  "PBKDF2",
  "SCRAM-SHA-256",
  "SCRAM-SHA-1",
  "SSHA512",
  "SSHA256",
  "SSHA",
  "SMD5",
  "SHA512",
  "SHA256",
  "SHA1",
  "PLAIN-MD5",
  "SSHA256.HEX",
  // Not PLAIN: this password holds a colon, which the file has no way to write.
  "PLAIN.B64",
];

const owner = mailOwner();
const pop3Passwd = fileURLToPath(new URL("../../scripts/pop3-passwd", import.meta.url));
let folder: string;
let server: TestServer;
let dovecot: Dovecot;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-passwd-"));
  chmodSync(folder, 0o755);
  const home = join(folder, "home");
  layOutMaildir(home, owner);
  const file = join(folder, "passwd");
  writeFileSync(file, "# one file for both\n", { mode: 0o644 });
  const whose = ["--uid", `${owner.uid}`, "--gid", `${owner.gid}`, "--home", home];
  for (const scheme of writtenByUs) {
    await runOrThrow(pop3Passwd, ["--file", file, "--scheme", scheme, "add", `our-${scheme}`, ...whose], {
      input: `${password}\n`,
    });
  }
  await runOrThrow(
    pop3Passwd,
    ["--file", file, "add", "our-second-hash", "--scram", "--scram-sha-1", ...whose],
    {
      input: `${password}\n`,
    },
  );
  for (const scheme of writtenByDoveadm) {
    const { stdout } = await runOrThrow("doveadm", ["pw", "-s", scheme, "-p", password]);
    const user = `doveadm-${scheme.toLowerCase()}`;
    appendFileSync(file, `${user}:${stdout.toString().trim()}:${owner.uid}:${owner.gid}::${home}::\n`);
  }
  server = await startServer({ accounts: [], owner, settings: { auth: { passwd_file: file } } });
  dovecot = await startDovecot({ owner, passwdFile: file });
});
afterAll(async () => {
  await server?.stop();
  await dovecot?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function logIn(port: number, user: string, attempt: string): Promise<Pop3Reply["status"]> {
  const { connection } = await Pop3Connection.open(port);
  try {
    await connection.command(`USER ${user}`);
    const { status } = await connection.command(`PASS ${attempt}`);
    if (status === "+OK") {
      await connection.command("QUIT");
      await connection.closed;
    }
    return status;
  } finally {
    connection.drop();
  }
}

async function logInByScram(hash: ScramHash, attempt: string): Promise<Pop3Reply["status"]> {
  const { connection } = await Pop3Connection.open(server.port);
  try {
    const client = new ScramClient({ hash, user: "our-second-hash", password: attempt });
    const send = (text: string) => connection.command(Buffer.from(text).toString("base64"));
    const decode = ({ text }: Pop3Reply) => Buffer.from(text, "base64").toString();
    await connection.command(`AUTH SCRAM-${hash}`);
    const last = await send(client.final(decode(await send(client.first))));
    if (last.status !== "+") return last.status;
    expect(client.trusts(decode(last))).toBe(true);
    return (await connection.command("")).status;
  } finally {
    connection.drop();
  }
}

/** The right password and one that differs in its last character, at each of the two servers. */
async function answers(user: string): Promise<Readonly<Record<string, Pop3Reply["status"]>>> {
  const wrong = `${password.slice(0, -1)}&`;
  return {
    "our server, right": await logIn(server.port, user, password),
    "our server, wrong": await logIn(server.port, user, wrong),
    "Dovecot, right": await logIn(dovecot.port, user, password),
    "Dovecot, wrong": await logIn(dovecot.port, user, wrong),
  };
}

const bothAgree = {
  "our server, right": "+OK",
  "our server, wrong": "-ERR",
  "Dovecot, right": "+OK",
  "Dovecot, wrong": "-ERR",
};

describe("an account written by pop3-passwd", () => {
  it.each(writtenByUs)("with --scheme %s logs in to both servers, with its password only", async (scheme) => {
    expect(await answers(`our-${scheme}`)).toEqual(bothAgree);
  });
});

describe("an account with second hashes for SCRAM", () => {
  it("logs in to both servers by its first hash, with its password only", async () => {
    expect(await answers("our-second-hash")).toEqual(bothAgree);
  });

  it("logs in to our server by SCRAM", async () => {
    for (const hash of ["SHA-256", "SHA-1"] as const) {
      expect(await logInByScram(hash, password)).toBe("+OK");
      expect(await logInByScram(hash, `${password}x`)).toBe("-ERR");
    }
  });

  it("logs in by SCRAM with the new password alone after it was changed", async () => {
    await runOrThrow(pop3Passwd, ["--file", join(folder, "passwd"), "our-second-hash"], {
      input: "changed\n",
    });
    for (const hash of ["SHA-256", "SHA-1"] as const) {
      expect(await logInByScram(hash, "changed")).toBe("+OK");
      expect(await logInByScram(hash, password)).toBe("-ERR");
    }
  });
});

describe("an account hashed by Dovecot's doveadm pw", () => {
  it.each(writtenByDoveadm)("as %s logs in to both servers, with its password only", async (scheme) => {
    expect(await answers(`doveadm-${scheme.toLowerCase()}`)).toEqual(bothAgree);
  });
});
