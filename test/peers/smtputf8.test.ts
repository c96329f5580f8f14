// Mail in every language, all the way: SMTPUTF8 takes it into Postfix, virtual(8) delivers it to a local part that is no
// ASCII, and Python's poplib and curl fetch it, with UTF8 and without.
import { fileURLToPath } from "node:url";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProgramResult, runOrThrow, runProgram } from "../support/program.ts";
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
  it("comes downgraded to curl, which logs in by the same name", async () => {
    const copy = await curl(host.server.port, "1");
    await expectDowngraded(copy);
    expect((await curl(host.server.port, "")).toString()).toBe(`1 ${copy.length}\r\n`);
  });

  it("comes as it stands there to curl where mail.utf8_headers says so, and LIST tells that size", async () => {
    const asStored = await host.serveAlso({ mail: { utf8_headers: "as-stored" } });
    const whole = await curl(asStored.port, "1");
    expect(whole.equals(asSent(delivered.bytes))).toBe(true);
    expect((await curl(asStored.port, "")).toString()).toBe(`1 ${whole.length}\r\n`);
    // And the index that both servers write keeps the sizes apart.
    const copy = await curl(host.server.port, "1");
    expect(copy.equals(whole)).toBe(false);
    expect((await curl(host.server.port, "")).toString()).toBe(`1 ${copy.length}\r\n`);
  });

  it("comes wrapped to curl where mail.utf8_headers says so, and LIST tells that size", async () => {
    const wrapping = await host.serveAlso({ mail: { utf8_headers: "wrap" } });
    const whole = await curl(wrapping.port, "1");
    expect(whole.toString("latin1")).toMatch(/^[\t\r\n\x20-\x7e]*$/);
    const parsed = await simpleParser(whole);
    expect(parsed.subject).toBe("Привет из Кёльна, 日本語 \u{1f4ec}");
    expect(parsed.attachments.map(({ contentType }) => contentType)).toEqual(["message/global"]);
    expect(parsed.attachments[0]?.content.equals(asSent(delivered.bytes))).toBe(true);
    expect((await curl(wrapping.port, "")).toString()).toBe(`1 ${whole.length}\r\n`);
  });

  it("is refused to curl with [UTF8] where mail.utf8_headers says so", async () => {
    const refusing = await host.serveAlso({ mail: { utf8_headers: "refuse" } });
    const { exitCode, stdout, stderr } = await runCurl(refusing.port, "1", ["--verbose"]);
    expect(stdout).toHaveLength(0);
    // CURLE_WEIRD_SERVER_REPLY: curl's name for -ERR to RETR
    expect(exitCode).toBe(8);
    expect(stderr).toMatch(/^< -ERR \[UTF8\] /m);
  });

  // curl's telnet:// sends what it is given, so that it is a client that says UTF8 and LANG.
  it("comes as it stands there to curl after UTF8, with answers in German after LANG", async () => {
    const said = await curlTelnet([
      "UTF8",
      "LANG de",
      `USER ${user}`,
      `PASS ${password}`,
      "LIST 1",
      "RETR 1",
      "RETR 2",
      "QUIT",
    ]);
    const whole = asSent(delivered.bytes);
    expect(said.toString()).toBe(
      [
        "+OK dewey POP3 server ready",
        "+OK UTF-8 mode enabled",
        "+OK de Sprache gewechselt",
        "+OK Benutzer angenommen",
        "+OK Passwort angenommen",
        `+OK 1 ${whole.length}`,
        `+OK ${whole.length} Oktette`,
        `${whole.toString()}.`,
        "-ERR keine solche Nachricht, nur 1 Nachrichten im Maildrop",
        "+OK dewey POP3-Mailserver beendet die Sitzung (noch 1 Nachrichten)",
        "",
      ].join("\r\n"),
    );
  });

  it("comes downgraded to curl after the same without UTF8", async () => {
    const copy = await curl(host.server.port, "1");
    const said = await curlTelnet([`USER ${user}`, `PASS ${password}`, "RETR 1", "QUIT"]);
    expect(said.includes(Buffer.concat([Buffer.from(`+OK ${copy.length} octets\r\n`), copy]))).toBe(true);
  });
});

/** The password goes through a config on standard input, as in real use: an argument would stand in ps(1). */
async function runCurl(port: number, path: string, args: readonly string[] = []): Promise<ProgramResult> {
  const url = `pop3://127.0.0.1:${port}/${path}`;
  return await runProgram("curl", ["--silent", "--show-error", "--config", "-", ...args, url], {
    input: `user = "${user}:${password}"\n`,
  });
}

async function curl(port: number, path: string): Promise<Buffer> {
  const { exitCode, stdout, stderr } = await runCurl(port, path);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

/**
 * What the server says to the lines, QUIT the last. Standard input ends behind them: curl waits for what it may bring before it
 * reads on from the server, and goes on without it until the server closes.
 */
async function curlTelnet(lines: readonly string[]): Promise<Buffer> {
  const url = `telnet://127.0.0.1:${host.server.port}`;
  const { exitCode, stdout, stderr } = await runProgram(
    "curl",
    ["--silent", "--show-error", "--no-buffer", "--max-time", "30", url],
    { input: lines.map((line) => `${line}\r\n`).join("") },
  );
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}
