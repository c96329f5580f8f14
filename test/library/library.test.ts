// The library's session says what the server says: the same dialogues, over storage of one's own and over a Maildir.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duplexPair, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deviceFilePath,
  drawDevicePassword,
  formatDeviceLine,
  makeDevice,
} from "../../src/accounts/devices/device-lines.ts";
import { hashPassword } from "../../src/accounts/passwords/password.ts";
import {
  octetsAsSent,
  openMaildir,
  PasswdAccounts,
  type SessionOptions,
  servePop3,
} from "../../src/index.ts";
import { REFERENCES, readReference } from "../conversation/command-reference.ts";
import { parseDialogue, readDialogues } from "../conversation/dialogue.ts";
import { runDialogue } from "../conversation/run-dialogue.ts";
import { LibraryTarget } from "./library-target.ts";
import { SocketTarget } from "./socket-target.ts";

/** Those that speak of TLS, SCRAM, other accounts or EXPIRE need a passwd file and a certificate, as below. */
const SHARED = [
  ...["authorization-state", "deleted-messages", "empty-maildrop", "long-lines", "message-numbers"],
  ...["not-removed", "nothing-but-quit-deletes", "octets", "pipelining", "pipelining-behind-a-refused-login"],
  ...["reference-session", "superfluous-arguments", "top", "wrong-password"],
  "utf8-headers",
];

const folder = mkdtempSync(join(tmpdir(), "dewey-library-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("servePop3 over one's own storage", () => {
  const target = new LibraryTarget();
  for (const dialogue of readDialogues().filter(({ name }) => SHARED.includes(name)))
    it(dialogue.name, () => runDialogue(dialogue, target));

  it("tells a second session that the maildrop is locked, and the first one's end frees it", async () => {
    await target.reset(new Map([["a", "A: 1\n\nb\n"]]));
    const first = await target.connect();
    const second = await target.connect();
    const login = async (wire: typeof first, answer: string) => {
      await wire.line();
      wire.send("USER mrose\r\nPASS secret\r\n");
      expect(await wire.line()).toBe("+OK User accepted");
      expect(await wire.line()).toMatch(answer);
    };
    await login(first, "+OK Pass accepted");
    await login(second, "-ERR [IN-USE]");
    await first.close();
    second.send("USER mrose\r\nPASS secret\r\n");
    expect([await second.line(), await second.line()]).toEqual(["+OK User accepted", "+OK Pass accepted"]);
    await second.close();
  });

  it("tells the client to come back where logIn fails, and where a message cannot be read", async () => {
    const failing = new LibraryTarget();
    const { logIn } = failing.options;
    let fails = true;
    Object.assign(failing.options, {
      logIn: async (...given: Parameters<typeof logIn>) => {
        if (fails) throw new Error("the database is away");
        const maildrop = await logIn(...given);
        return {
          ...(maildrop as object),
          read: () => {
            throw new Error("gone away");
          },
        };
      },
    });
    await failing.reset(new Map([["a", "A: 1\n\nb\n"]]));
    const wire = await failing.connect();
    wire.send("USER mrose\r\nPASS secret\r\n");
    for (const answer of ["+OK dewey", "+OK User", "-ERR [SYS/TEMP]"])
      expect((await wire.line())?.startsWith(answer), answer).toBe(true);
    fails = false;
    wire.send("USER mrose\r\nPASS secret\r\nRETR 1\r\n");
    for (const answer of ["+OK User", "+OK Pass", "-ERR [SYS/TEMP]"])
      expect((await wire.line())?.startsWith(answer), answer).toBe(true);
    await wire.close();
  });
});

describe("servePop3 over sockets, Maildirs and a passwd file", () => {
  let target: SocketTarget;
  beforeAll(async () => {
    target = await SocketTarget.start();
  });
  afterAll(() => target.stop());
  for (const dialogue of [...readDialogues(), ...REFERENCES.flatMap(readReference)])
    it(dialogue.name, () => runDialogue(dialogue, target));

  it("takes a device's own password, says which device that was, and no longer once it is revoked", async () => {
    const password = drawDevicePassword();
    const file = deviceFilePath(target.passwdFile);
    const device = makeDevice("mrose", "phone", password, new Date());
    writeFileSync(file, `${formatDeviceLine(device)}\n`, { mode: 0o600 });
    const accounts = new PasswdAccounts(target.passwdFile);
    expect(await accounts.authenticate("mrose", password)).toMatchObject({ user: "mrose", device: "phone" });
    expect(await accounts.authenticate("mrose", "secret")).toMatchObject({ device: undefined });
    await accounts.close();
    rmSync(file);
    expect(await accounts.authenticate("mrose", password)).toBeUndefined();
  });

  it("downgrades what a stream of one's own storage brings, as it does Maildirs' messages, and counts so", async () => {
    const [client, server] = duplexPair();
    const message = "Subject: Gr\u00fc\u00dfe\n\nein Gru\u00df\n";
    servePop3(server, {
      serverName: "dewey",
      plaintextWithoutTls: "always",
      logIn: async () => ({
        messages: [{ uniqueId: "a" }],
        read: () => Readable.from([message.slice(0, 12), Buffer.from(message.slice(12))]),
        remove: () => [],
      }),
    });
    client.end("USER mrose\r\nPASS secret\r\nLIST\r\nRETR 1\r\nQUIT\r\n");
    const sent = "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nein Gru\u00df\r\n";
    const octets = Buffer.byteLength(sent);
    expect(await text(client)).toContain(
      `+OK 1 messages (${octets} octets)\r\n1 ${octets}\r\n.\r\n+OK ${octets} octets\r\n${sent}.\r\n`,
    );
  });
});

describe("workarounds", () => {
  const message = "A: nul \0 bare \r end\n";
  const told = async (options: Pick<SessionOptions, "workarounds">): Promise<Buffer> => {
    const [client, server] = duplexPair();
    const logIn = async () => ({ messages: [{ uniqueId: "a" }], read: () => message, remove: () => [] });
    servePop3(server, { serverName: "dewey", plaintextWithoutTls: "always", logIn, ...options });
    client.end("USER mrose\r\nPASS secret\r\nLIST\r\nRETR 1\r\nQUIT\r\n");
    return await buffer(client);
  };
  const answers = (octets: number, sent: string): string =>
    `+OK 1 messages (${octets} octets)\r\n1 ${octets}\r\n.\r\n+OK ${octets} octets\r\n${sent}.\r\n`;

  it("put right what they name, and sizes say so", async () => {
    const sent = "A: nul \x80 bare   end\r\n\r\n";
    const said = await told({ workarounds: ["nul", "bare-cr", "missing-end-of-headers"] });
    expect(said.toString("latin1")).toContain(answers(sent.length, sent));
  });

  it("leave a message alone that nobody asked them for", async () => {
    const sent = octetsAsSent(message);
    expect((await told({})).toString("latin1")).toContain(answers(sent, message.replace("\n", "\r\n")));
  });
});

describe("servePop3 over a Maildir and a passwd file", () => {
  it("serves what the server would", async () => {
    const maildir = join(folder, "Maildir");
    const passwd = join(folder, "passwd");
    writeFileSync(passwd, `mrose:${await hashPassword("secret")}:::: ${folder}:\n`.replace(": /", ":/"));
    const made = await openMaildir(maildir);
    if (made.kind === "open") made.maildrop.close();
    writeFileSync(join(maildir, "new/UID1"), "Subject: one\n\nbody\n");
    const accounts = new PasswdAccounts(passwd);
    const target = new LibraryTarget();
    Object.assign(target.options, {
      logIn: async (user: string, password: string) => {
        const account = await accounts.authenticate(user, password);
        const opened = account && (await openMaildir(account.maildir()!));
        return opened?.kind === "open" ? opened.maildrop : "refused";
      },
    });
    const dialogue = parseDialogue(
      "a Maildir",
      `S: +OK dewey POP3 server ready
C: USER mrose
S: +OK User accepted
C: PASS wrong
S: -ERR [AUTH] authentication failed
C: USER mrose
S: +OK User accepted
C: PASS secret
S: +OK Pass accepted
C: UIDL
S: +OK
S: 1 UID1
S: .
C: LIST 1
S: +OK 1 ${octetsAsSent("Subject: one\n\nbody\n")}
C: DELE 1
S: +OK message 1 deleted
C: QUIT
S: +OK dewey POP3 server signing off (maildrop empty)
S-`,
    );
    await runDialogue(dialogue, target);
    expect(readdirSync(join(maildir, "new"))).toEqual([]);
    expect(await accounts.users()).toEqual(["mrose"]);
  });
});
