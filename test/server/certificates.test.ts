// Certificates as an administrator meets them: renewed while sessions run, faulty, checked.
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CertificateRequest,
  type MadeCertificate,
  makeCertificate,
} from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import { runProgram } from "../support/program.ts";
import { type LogLine, startServer, type TestServer } from "../support/server.ts";

const DAY_MS = 24 * 3_600_000;
const owner = mailOwner();
const made = (serial: string, request: CertificateRequest = {}): Promise<MadeCertificate> =>
  makeCertificate({
    subject: `CN=${serial}`,
    names: [{ type: "dns", value: "pop.example.org" }],
    ...request,
  });

/** Laid out as certbot does: live/NAME/*.pem are links into archive/NAME/. */
class Letsencrypt {
  readonly folder = mkdtempSync(join(tmpdir(), "dewey-letsencrypt-"));
  readonly certificate = join(this.folder, "live/pop/fullchain.pem");
  readonly privateKey = join(this.folder, "live/pop/privkey.pem");

  constructor() {
    for (const folder of ["live/pop", "archive/pop"])
      mkdirSync(join(this.folder, folder), { recursive: true });
  }

  put(pair: { readonly certificate: string; readonly privateKey: string }, generation: number): void {
    for (const [name, text] of [
      ["privkey", pair.privateKey],
      ["fullchain", pair.certificate],
    ]) {
      writeFileSync(join(this.folder, `archive/pop/${name}${generation}.pem`), text!, { mode: 0o600 });
      const link = join(this.folder, `live/pop/${name}.pem`);
      symlinkSync(`../../archive/pop/${name}${generation}.pem`, `${link}.new`);
      renameSync(`${link}.new`, link);
    }
  }
}

describe("a certificate", () => {
  let files: Letsencrypt;
  let server: TestServer;
  let home: string;

  beforeEach(async () => {
    files = new Letsencrypt();
    files.put(await made("first", { notAfter: new Date(Date.now() + 40.5 * DAY_MS) }), 1);
    home = mkdtempSync(join(tmpdir(), "dewey-home-"));
    layOutMaildir(home, owner, new Map());
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: { tls: { certificate: files.certificate, private_key: files.privateKey } },
    });
  });

  afterEach(async () => {
    await server.stop();
    rmSync(files.folder, { recursive: true });
    rmSync(home, { recursive: true });
  });

  /** By STLS: the common name of what the server shows. */
  async function shown(): Promise<string> {
    const socket = connectTcp({ host: "127.0.0.1", port: server.port });
    const connection = Pop3Connection.over(socket);
    await connection.reply();
    expect((await connection.command("STLS")).status).toBe("+OK");
    socket.removeAllListeners("data");
    const secured = connect({ socket, rejectUnauthorized: false, servername: "pop.example.org" });
    await once(secured, "secureConnect");
    const { CN } = secured.getPeerCertificate().subject;
    secured.destroy();
    return CN as string;
  }

  async function reload() {
    const { path, env } = runnableProgram("pop3-ctl");
    const args = ["--config", join(server.folder, "config.toml"), "reload"];
    const { exitCode, stdout, stderr } = await runProgram(path, args, { env });
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  const logged = (msg: string | RegExp): LogLine | undefined =>
    server.log().findLast((line) => (typeof msg === "string" ? line.msg === msg : msg.test(line.msg)));

  it("tells at the start how long it holds, and pop3-ctl at any time", async () => {
    expect(logged("certificate read")).toMatchObject({
      ...{ level: "info", file: files.certificate, names: ["pop.example.org"], keyType: "ec", daysLeft: 40 },
    });
    expect(await countedBy(server, "certificate_days_left")).toEqual({ [files.certificate]: 40 });
  });

  it("is renewed as its links are replaced, and sessions go on", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command("USER mrose");
    expect((await connection.command("PASS secret")).status).toBe("+OK");
    expect(await shown()).toBe("first");
    files.put(await made("second", { notAfter: new Date(Date.now() + 9.5 * DAY_MS) }), 2);
    await eventually("the new certificate", async () => (await shown()) === "second");
    expect(logged(/^certificate renewed/)).toMatchObject({ level: "warn", daysLeft: 9 });
    expect((await connection.command("NOOP")).status).toBe("+OK");
    connection.drop();
    // Once more: the links' new targets are watched as well.
    files.put(await made("third"), 3);
    await eventually("the third certificate", async () => (await shown()) === "third");
    expect(server.log().filter(({ level }) => level === "error")).toEqual([]);
  });

  it.each([
    {
      what: "a key that does not match",
      reason: /^does not belong to the certificate/,
      key: "tls.private_key",
    },
    { what: "an expired certificate", reason: /^expired at .*Z, renew it$/, key: "tls.certificate" },
    { what: "a damaged file", reason: /^holds no certificate/, key: "tls.certificate" },
  ])("stays when what follows is $what", async ({ what, reason, key }) => {
    const [next, other] = await Promise.all([made("second"), made("other")]);
    const expired = { notBefore: new Date(Date.now() - 9 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) };
    if (what === "a key that does not match") files.put({ ...next, privateKey: other.privateKey }, 2);
    else if (what === "an expired certificate") files.put(await made("second", expired), 2);
    else files.put({ ...next, certificate: "" }, 2);
    const line = await eventually("the refusal", () => logged("refused, the old one stays"));
    expect(line).toMatchObject({
      ...{ level: "error", key, reason: expect.stringMatching(reason) },
      file: key === "tls.certificate" ? files.certificate : files.privateKey,
    });
    expect(await shown()).toBe("first");
    expect(await reload()).toEqual({
      exitCode: 1,
      stdout: "reloaded, but not TLS\n",
      stderr: `pop3-ctl: ${key}: ${line["file"]} ${line["reason"]}\nwhat was read before is served in its place\n`,
    });
    // Mended, it is taken.
    files.put(next, 3);
    await eventually("the new certificate", async () => (await shown()) === "second");
    expect(await reload()).toEqual({ exitCode: 0, stdout: "reloaded\n", stderr: "" });
    expect(JSON.stringify(server.log())).not.toContain("PRIVATE KEY");
  });

  it("of another file is taken by SIGHUP, unless it is faulty", async () => {
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    const other = new Letsencrypt();
    const { certificate } = await made("other");
    writeFileSync(other.certificate, certificate);
    writeFileSync(configFile, config.replaceAll(files.folder, other.folder));
    process.kill(server.pid, "SIGHUP");
    const line = await eventually("the refusal", () => logged("[tls] is refused, the old one stays"));
    expect(line["fault"]).toBe(
      `tls.private_key: ${other.privateKey} cannot be read: no such file or directory`,
    );
    await eventually("the reload", () => logged("reloaded"));
    expect(await shown()).toBe("first");
    rmSync(other.certificate);
    other.put(await made("other"), 1);
    process.kill(server.pid, "SIGHUP");
    await eventually("the other certificate", async () => (await shown()) === "other");
    rmSync(other.folder, { recursive: true });
  });

  it("is checked by --check, with file, key and reason", async () => {
    const configFile = join(server.folder, "config.toml");
    const { path, env } = runnableProgram("pop3-server");
    const check = () => runProgram(path, ["--config", configFile, "--check"], { env });
    expect(await check()).toMatchObject({ exitCode: 0 });
    const [next, other] = await Promise.all([made("second"), made("other")]);
    files.put({ ...next, privateKey: other.privateKey }, 2);
    const { exitCode, stderr } = await check();
    expect(exitCode).toBe(1);
    const line =
      1 +
      readFileSync(configFile, "utf8")
        .split("\n")
        .findIndex((each) => each.startsWith("private_key"));
    expect(stderr).toBe(
      `${configFile}:${line}: tls.private_key: ${files.privateKey} does not belong to the certificate, put both files of one renewal in place\n`,
    );
    files.put(next, 3);
  });
});

it("a server whose certificate cannot be used does not start, and says why", async () => {
  const files = new Letsencrypt();
  await expect(
    startServer({
      ...{ accounts: [], owner },
      settings: { tls: { certificate: files.certificate, private_key: files.privateKey } },
    }),
  ).rejects.toThrow(`tls.certificate: ${files.certificate} cannot be read: no such file or directory`);
  rmSync(files.folder, { recursive: true });
});
