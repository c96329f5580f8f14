import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkMta, type RunProgram } from "../../src/doctor/check-mta.ts";
import { configOf } from "./config-of.ts";

const host =
  (programs: Readonly<Record<string, string>>): RunProgram =>
  async (program) =>
    programs[program];
const check = async (toml: string, programs: Readonly<Record<string, string>>) =>
  (await checkMta(configOf(toml), false, host(programs))).map(({ level, message }) => `${level}: ${message}`);

const postfix = '[mta]\nsasl_socket = "/var/spool/postfix/private/dewey-auth"\n';
const settings = (path: string, type = "dovecot") =>
  `queue_directory = /var/spool/postfix\nsmtpd_sasl_type = ${type}\nsmtpd_sasl_path = ${path}\nvirtual_mailbox_maps =\n`;

describe("checkMta", () => {
  it("notes an MTA that asks nothing", async () => {
    expect(await check("", {})).toEqual([expect.stringMatching(/^note: \[mta\] names nothing/)]);
  });

  it("compares Postfix's settings with the config", async () => {
    const full = "/var/spool/postfix/private/dewey-auth";
    expect(await check(postfix, { postconf: settings("private/dewey-auth") })).toEqual([
      `ok: Postfix asks ${full} for SMTP AUTH`,
    ]);
    expect(await check(postfix, { postconf: settings(full) })).toEqual([
      `ok: Postfix asks ${full} for SMTP AUTH`,
    ]);
    expect(await check(postfix, { postconf: settings("smtpd", "cyrus") })).toEqual([
      `warning: Postfix's SMTP AUTH goes to cyrus smtpd, not to mta.sasl_socket (${full})`,
    ]);
  });

  it("names maps that are not there, and a Postfix that delivers by others", async () => {
    const toml = `${postfix}postfix_maps = { folder = "/nonexistent/dewey" }\n`;
    expect(await check(toml, { postconf: settings("private/dewey-auth") })).toEqual([
      "error: /nonexistent/dewey lacks mailboxes, uids, gids",
      expect.stringMatching(/^ok: /),
      'warning: Postfix\'s virtual_mailbox_maps ("") does not name /nonexistent/dewey',
    ]);
  });

  it("asks our sockets without breaking a connection off, which would be a warning in the server's log", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
    const path = join(folder, "auth");
    const ends: string[] = [];
    const server = createServer((socket) => {
      socket.write("VERSION\t1\t2\nDONE\n");
      for (const event of ["end", "error"]) socket.on(event, () => ends.push(event));
    }).listen(path);
    await once(server, "listening");
    const ask = async () =>
      (await checkMta(configOf(`mta.sasl_socket = "${path}"`), true, host({}))).map(({ message }) => message);
    expect(await ask()).toEqual([`${path} answers`]);
    expect(ends).toEqual(["end"]);
    server.close();
    await once(server, "close");
    expect(await ask()).toEqual([`${path} does not answer (ENOENT)`]);
    rmSync(folder, { recursive: true });
  });

  it("compares Exim's authenticators with the config", async () => {
    const toml = '[mta]\nsasl_socket = "/run/dewey-pop3/exim-auth"\n';
    const exim = (path: string) => ({
      exim4: `dewey_plain authenticator:\n  driver = dovecot\nserver_socket = ${path}\n`,
    });
    expect(await check(toml, exim("/run/dewey-pop3/exim-auth"))).toEqual([
      "ok: Exim asks /run/dewey-pop3/exim-auth for SMTP AUTH",
    ]);
    expect(await check(toml, exim("/run/dovecot/auth-client"))).toEqual([
      expect.stringMatching(/^warning: no authenticator of Exim/),
    ]);
  });
});
