// README as a new administrator follows it, on a host with Debian's Postfix and systemd: the package, setup, Postfix's lines, the
// first account; then mail comes in, is sent with a password, and is fetched.
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { readmeBlock, typedLines } from "../support/readme.ts";
import {
  giveCertificate,
  slowly,
  startThrowAwayHost,
  type ThrowAwayHost,
} from "./support/throw-away-host.ts";

const mrose = "--user mrose@example.org:secret --silent --show-error --fail";
let host: ThrowAwayHost;
let proposal = "";

beforeAll(async () => {
  host = await startThrowAwayHost();
  // As Debian's installer leaves an "Internet Site"; the peers of other tests are not on it.
  await host.type(`rm -rf /etc/dovecot /etc/courier /etc/exim4
    cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
    postconf -e 'myhostname = mail.example.org' 'mydestination = $myhostname, localhost' alias_maps= \\
      'virtual_mailbox_domains = example.org'
    systemctl start postfix@-`);
  await giveCertificate(host);
});
afterAll(() => host?.stop());

it("the package: setup shows and writes what README shows", { timeout: 600_000 }, async () => {
  for (const line of typedLines(readmeBlock("package"))) {
    const { exitCode, stdout, stderr } = await host.run(
      line.replace("apt-get install", "apt-get install -y"),
      {
        ...slowly,
        online: line.startsWith("npm"),
      },
    );
    // Setup ends with the doctor, who finds much to be done yet.
    expect(exitCode, `${line}: ${stderr}`).toBe(line === "pop3-ctl setup --yes" ? 2 : 0);
    if (line === "pop3-ctl setup") proposal = stdout.toString();
  }
  const config = parse(readFileSync(host.path("/etc/dewey-pop3/config.toml"), "utf8"));
  for (const block of [readmeBlock("postfix config"), readmeBlock("tls config")])
    expect(config).toMatchObject(parse(block));
  const lines = readFileSync(host.path("/etc/dewey-pop3/postfix-main.cf"), "utf8").split("\n");
  expect(lines).toEqual(expect.arrayContaining(readmeBlock("main.cf").trimEnd().split("\n")));
  expect(readFileSync(host.path("/etc/postfix/main.cf"), "utf8")).not.toContain("dewey");
});

it("Postfix: the commands are those that setup lists, and bring its lines into place", async () => {
  for (const line of typedLines(readmeBlock("postfix commands"))) {
    for (const command of line.split(" && ")) expect(proposal).toContain(command);
    await host.type(line);
  }
  // By postconf(1) itself, with what it makes of them.
  const told = (await host.type("postconf -n")).split("\n");
  expect(told).toEqual(expect.arrayContaining(readmeBlock("main.cf").trimEnd().split("\n")));
  const folder = "/etc/letsencrypt/live/mail.example.org";
  await host.type(
    `postconf -e smtpd_tls_cert_file=${folder}/fullchain.pem smtpd_tls_key_file=${folder}/privkey.pem && postfix reload`,
  );
});

it("an account: the server starts, and the doctor is content", async () => {
  const [add = "", restart = "", doctor = "", ...more] = typedLines(readmeBlock("accounts"));
  expect(more).toEqual([]);
  await host.type(add, { input: "secret\n" });
  await host.type(restart);
  // Maps are written within a second. What is left are warnings: of the certificate, and that nothing keeps the clock right.
  await eventually("no fault", async () => {
    const { exitCode, stdout } = await host.run(doctor);
    return exitCode === 1 && !stdout.toString().includes("ERROR");
  });
  expect(await host.type("systemctl show --property=ActiveState,StatusText dewey-pop3")).toBe(
    "StatusText=serving on [::]:110, [::]:995\nActiveState=active\n",
  );
});

it("mail that Postfix delivers is fetched by POP3S, and the password sends", async () => {
  await host.type("printf 'Subject: delivered\\n\\n1\\n' | sendmail mrose@example.org");
  await host.type(
    `printf 'Subject: submitted\\r\\n\\r\\n2\\r\\n' >/tmp/mail && curl ${mrose} --ssl-reqd --upload-file /tmp/mail \\
      --mail-from mrose@example.org --mail-rcpt mrose@example.org smtp://mail.example.org:587`,
  );
  await eventually("both messages", async () => {
    const { stdout } = await host.run(`curl ${mrose} pop3s://mail.example.org/`);
    return stdout.toString().trim().split("\n").length === 2;
  });
  const messages = await host.type(
    `curl ${mrose} pop3s://mail.example.org/1 && curl ${mrose} pop3s://mail.example.org/2`,
  );
  expect(messages).toMatch(/^Subject: delivered\r$/m);
  expect(messages).toMatch(/^Subject: submitted\r$/m);
  const wrong = await host.run(`curl ${mrose.replace("secret", "wrong")} pop3s://mail.example.org/`);
  expect(wrong.exitCode).toBe(67);
});

it("setup leaves alone what is there, once more", async () => {
  const { stdout } = await host.run("pop3-ctl setup --yes");
  expect(stdout.toString()).toContain("--- /etc/dewey-pop3/config.toml: is so already");
  // Nothing of what was done above is to be done again, and the ports are this server's own.
  expect(stdout.toString()).toContain("Then:\n1. systemctl restart dewey-pop3\n");
  expect(stdout.toString()).not.toContain("somebody on port");
});
