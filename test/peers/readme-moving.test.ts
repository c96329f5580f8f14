// README and etc/MOVING.md as an administrator follows them who moves in from Debian's Dovecot with mail in mbox: converted by
// doveadm, or by mb2md; then the config, the unique-ids, and the rehearsal against that Dovecot.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { readmeBlock, typedLines } from "../support/readme.ts";
import { inShape, transcriptOf } from "../support/transcript.ts";
import {
  giveCertificate,
  installPackage,
  startThrowAwayHost,
  type ThrowAwayHost,
} from "./support/throw-away-host.ts";

let host: ThrowAwayHost;
const messages = (count: number): string =>
  Array.from({ length: count }, (_, index) =>
    [
      `From a@client.test Mon Jan  ${index + 1} 00:00:00 2024`,
      "From: a@client.test",
      `Subject: message ${index + 1}`,
      `Message-ID: <${index + 1}@client.test>`,
      "",
      `Text ${index + 1}`,
      "",
      "",
    ].join("\n"),
  ).join("");

beforeAll(async () => {
  host = await startThrowAwayHost();
  await giveCertificate(host);
  await host.type(`rm -rf /etc/courier /etc/postfix /etc/exim4
    cd /etc/letsencrypt/live/mail.example.org
    cp fullchain.pem /etc/dovecot/private/dovecot.pem && cp privkey.pem /etc/dovecot/private/dovecot.key
    for user in mrose nameless; do useradd --create-home $user && echo $user:secret | chpasswd; done`);
  await host.type("cat >/var/mail/mrose && chown mrose:mail /var/mail/mrose && chmod 600 /var/mail/mrose", {
    input: messages(5),
  });
  await installPackage(host);
}, 600_000);
afterAll(() => host?.stop());

it("Dovecot's POP3 config becomes ours", async () => {
  await host.type(
    `printf '%s\\n' 'mail_location = maildir:~/Maildir' 'protocols = pop3'  >/etc/dovecot/local.conf`,
  );
  const [line = ""] = typedLines(readmeBlock("moving in"));
  expect(line).toBe("pop3-ctl import-config /etc/dovecot");
  expect(await host.type(line)).toContain('maildir = "~/Maildir"');
  await host.type(`rm /etc/dewey-pop3/config.toml && ${line} --write /etc/dewey-pop3/config.toml`);
  await host.type("pop3-server --check");
  for (const user of ["mrose", "nameless"]) await host.type(`pop3-passwd add ${user}`, { input: "secret\n" });
});

it("an mbox becomes a Maildir by doveadm, and its uids the unique-ids", async () => {
  const [fetch = "", ...rest] = typedLines(readmeBlock("mbox"));
  // The Dovecot that has mbox, as it was.
  await host.type("sed -i /mail_location/d /etc/dovecot/local.conf && systemctl start dovecot");
  expect(await host.type(fetch)).toBe("");
  let said = "";
  for (const line of rest) said += await host.type(line);
  expect(said).toContain("froze 5 of 5 unique-ids as dovecot gave them");
});

it("mb2md makes Maildirs of every message", async () => {
  const nameless = messages(3).replaceAll(/^Message-ID: .*\n/gm, "");
  await host.type("cat >/var/mail/nameless && chown nameless: /var/mail/nameless", { input: nameless });
  for (const line of typedLines(readmeBlock("mb2md"))) await host.type(line.replaceAll("mrose", "nameless"));
  expect((await host.type("ls ~nameless/Maildir/cur ~nameless/Maildir/new")).match(/^\d+\./gm)).toHaveLength(
    3,
  );
  expect(await host.type("stat -c %U ~nameless/Maildir/cur/*")).toBe("nameless\n".repeat(3));
});

it("the rehearsal finds what README shows, the unique-ids stay, and a session has them", async () => {
  const list = "curl --silent --fail --user mrose:secret --request UIDL pop3s://mail.example.org/";
  await host.type(
    `echo 'mail_location = maildir:~/Maildir' >>/etc/dovecot/local.conf && systemctl restart dovecot`,
  );
  const before = await eventually("Dovecot", async () => {
    const { stdout } = await host.run(list);
    return stdout.toString() !== "" && stdout.toString();
  });
  const [rehearsal] = transcriptOf(readmeBlock("rehearsal"));
  await host.type("echo mrose:secret >FILE && chmod 600 FILE");
  const said = await host.type(
    `NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt ${rehearsal!.command}`,
  );
  expect(
    said
      .replace(/^mrose:/, "mrose@example.org:")
      .trimEnd()
      .split("\n")
      .map(inShape),
  ).toEqual(rehearsal!.output.map(inShape));
  await host.type("systemctl stop dovecot.socket dovecot");
  for (const line of typedLines(readmeBlock("moving in")).slice(1)) await host.type(line);
  await host.type("systemctl start dewey-pop3");
  expect(await host.type(list)).toBe(before);
  expect(readFileSync(host.path("/var/mail/mrose"), "latin1")).toContain("Text 5");
});
