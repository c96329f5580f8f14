// Mail in every language, all the way: SMTPUTF8 takes it into Postfix, virtual(8) delivers it to a local part that is no
// ASCII, and Python's poplib and curl fetch it, with UTF8 and without.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { startServer } from "../support/server.ts";
import { type MailHost, password, startMailHost } from "./support/mail-host.ts";
import { asSent, type MaildirFile } from "./support/maildir.ts";

const user = "пример";
const script = fileURLToPath(new URL("./support/poplib-session.py", import.meta.url));

const message = Buffer.from(
  [
    "From: Отправитель <отправитель@client.test>",
    "To: Пример <пример@virtual.test>, mrose@virtual.test",
    "Cc: Jürgen Müller <juergen@client.test>",
    "Subject: Привет из Кёльна, 日本語 \u{1f4ec}",
    "MIME-Version: 1.0",
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    "Здравствуйте",
    "--b",
    "Content-Type: text/plain",
    'Content-Disposition: attachment; filename="Übersicht für Пример.txt"',
    "",
    "content",
    "--b--",
    "",
  ].join("\n"),
);

let host: MailHost;
let delivered: MaildirFile;

beforeAll(async () => {
  host = await startMailHost({ virtualUsers: [user] });
  const from = "отправитель@client.test";
  [delivered] = (await host.deliver(user, [message], { from, smtputf8: true })) as [MaildirFile];
}, 60_000);
afterAll(async () => await host?.stop());

interface Seen {
  readonly list: readonly string[];
  readonly lang?: string;
  readonly error: string;
  readonly quit: string;
  readonly messages: readonly { readonly header: readonly string[]; readonly whole: readonly string[] }[];
}

async function poplib(utf8: boolean, lang?: string): Promise<Seen> {
  const task = { port: host.server.port, user, password, delete: false, utf8, lang };
  const { stdout } = await runOrThrow("python3", [script], { input: JSON.stringify(task) });
  return JSON.parse(stdout.toString()) as Seen;
}

function joined(lines: readonly string[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [Buffer.from(line, "base64"), Buffer.from("\r\n")]));
}

/** What people see of the downgraded copy. */
async function expectDowngraded(copy: Buffer): Promise<void> {
  expect(copy.toString("latin1").split("\r\n\r\n")[0]).toMatch(/^[\t\r\n\x20-\x7e]*$/);
  const parsed = await simpleParser(copy);
  const original = await simpleParser(delivered.bytes);
  expect(parsed.subject).toBe("Привет из Кёльна, 日本語 \u{1f4ec}");
  expect(parsed.from?.value).toEqual([
    {
      name: "Отправитель (отправитель@client.test)",
      address: "invalid@internationalized-address.invalid",
    },
  ]);
  expect([parsed.cc].flat()[0]?.value).toEqual([{ name: "Jürgen Müller", address: "juergen@client.test" }]);
  expect([parsed.to].flat()[0]?.value.map(({ address }) => address)).toEqual([
    "invalid@internationalized-address.invalid",
    "mrose@virtual.test",
  ]);
  expect(copy.toString()).toContain("\r\nЗдравствуйте\r\n");
  for (const { attachments } of [parsed, original])
    expect(attachments.map(({ filename }) => filename)).toEqual(["Übersicht für Пример.txt"]);
}

describe("a message with headers in UTF-8 that Postfix delivered to пример@virtual.test", () => {
  it("stands in the Maildir as it was sent", () => {
    expect(delivered.bytes.toString()).toContain(message.toString());
  });

  it("comes as it stands there to poplib after utf8()", async () => {
    const { list, messages } = await poplib(true);
    const whole = joined(messages[0]!.whole);
    expect(whole.equals(asSent(delivered.bytes))).toBe(true);
    expect(list).toEqual([`1 ${whole.length}`]);
  });

  it("comes downgraded to poplib without it, and LIST has told its size", async () => {
    const { list, messages } = await poplib(false);
    const whole = joined(messages[0]!.whole);
    await expectDowngraded(whole);
    expect(list).toEqual([`1 ${whole.length}`]);
    expect(whole.subarray(0, joined(messages[0]!.header).length).equals(joined(messages[0]!.header))).toBe(
      true,
    );
  });

  it("comes to poplib with answers in German after LANG, in either mode", async () => {
    for (const utf8 of [true, false]) {
      const seen = await poplib(utf8, "de-AT");
      expect(seen.lang).toBe("+OK de Sprache gewechselt");
      expect(seen.error).toBe("-ERR keine solche Nachricht, nur 1 Nachrichten im Maildrop");
      expect(seen.quit).toBe("+OK dewey POP3-Mailserver beendet die Sitzung (noch 1 Nachrichten)");
    }
  });

  // Its POP3 knows no UTF8, and sends a command of one's own only after login.
  describe("comes to curl, which logs in by the same name,", () => {
    const curl = (port: number, path: string) =>
      runProgram("curl", ["--silent", "--show-error", "--config", "-", `pop3://127.0.0.1:${port}/${path}`], {
        input: `user = "${user}:${password}"\n`,
      });

    it("downgraded", async () => {
      const { exitCode, stdout, stderr } = await curl(host.server.port, "1");
      expect(stderr).toBe("");
      expect(exitCode).toBe(0);
      await expectDowngraded(stdout);
      expect((await curl(host.server.port, "")).stdout.toString()).toBe(`1 ${stdout.length}\r\n`);
    });

    it('as it stands there where the administrator says so: utf8_headers = "as-stored"', async () => {
      const owner = mailOwner();
      const home = dirname(host.maildir(user));
      const server = await startServer({
        accounts: [{ user, password, uid: owner.uid, gid: owner.gid, home }],
        owner,
        settings: { mail: { utf8_headers: "as-stored" } },
      });
      try {
        const { stdout, stderr } = await curl(server.port, "1");
        expect(stderr).toBe("");
        expect(stdout.equals(asSent(delivered.bytes))).toBe(true);
        expect((await curl(server.port, "")).stdout.toString()).toBe(`1 ${stdout.length}\r\n`);
      } finally {
        await server.stop();
      }
    });
  });
});
