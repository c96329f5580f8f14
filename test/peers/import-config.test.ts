// pop3-ctl import-config on the configurations that Debian's Dovecot and Courier come with, and on one that a Dovecot runs
// with: what it writes passes pop3-server --check.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runnableProgram } from "../support/checkout.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { makeCertificate } from "./support/certificate.ts";
import { courierFolder } from "./support/courier.ts";

const ctl = runnableProgram("pop3-ctl");
const checker = runnableProgram("pop3-server");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-import-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function importConfig(from: string) {
  const config = join(folder, "config.toml");
  const args = ["import-config", from, "--name", "mail.example.org", "--write", config];
  const { exitCode, stdout, stderr } = await runProgram(ctl.path, args, { env: ctl.env });
  return { exitCode, said: stdout.toString(), stderr, config };
}

/** As sound as pop3-server finds it, where anybody may start it and the certificate is where it is said to be. */
async function check(config: string): Promise<void> {
  const { certificate, privateKey } = await makeCertificate(folder);
  const text = readFileSync(config, "utf8")
    .replace("[server]\n", '[server]\nrun_as = "starter"\n')
    .replaceAll('"*:', '"127.0.0.1:')
    .replace(/^certificate = .*$/m, `certificate = "${certificate}"`)
    .replace(/^private_key = .*$/m, `private_key = "${privateKey}"`);
  expect(text).toContain(certificate);
  writeFileSync(config, text);
  await runOrThrow(checker.path, ["--check", "--config", config], { env: checker.env });
}

it("Debian's Dovecot, from its folder and from doveconf -n", async () => {
  const { exitCode, said, config } = await importConfig("/etc/dovecot");
  expect(exitCode).toBe(0);
  expect(said).toMatch(/^- \/etc\/dovecot\/conf\.d\/10-mail\.conf:[0-9]+: mail_location: .* is mbox/m);
  await check(config);
  const printed = join(folder, "doveconf-n");
  writeFileSync(printed, (await runOrThrow("doveconf", ["-n"])).stdout);
  expect((await importConfig(printed)).stderr).toContain("was written by somebody else");
  rmSync(config);
  expect((await importConfig(printed)).said).toContain("ssl_key: names no file");
});

it("a Dovecot with virtual users, added to Debian's configuration", async () => {
  const copy = join(folder, "dovecot");
  cpSync("/etc/dovecot", copy, { recursive: true });
  writeFileSync(
    join(copy, "local.conf"),
    "mail_location = maildir:/srv/mail/%d/%n\nmail_uid = mail\nmail_gid = mail\npop3_uidl_format = %f\nmail_max_userip_connections = 20\nlogin_greeting = hello\n",
  );
  const { said, config } = await importConfig(copy);
  expect(said).toContain(`${copy}/local.conf:6: login_greeting: has no counterpart`);
  expect(said).not.toContain("mbox");
  await check(config);
  expect(readFileSync(config, "utf8")).toContain(
    'maildir = "/srv/mail/%d/%n"\nuser = "mail"\ngroup = "mail"\n',
  );
});

it("Debian's Courier", async () => {
  expect(existsSync(courierFolder)).toBe(true);
  const { exitCode, said, config } = await importConfig(courierFolder);
  expect(exitCode).toBe(0);
  expect(said).toContain("MAXDAEMONS: is limits.sessions");
  await check(config);
});
