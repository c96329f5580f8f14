// Dovecot beside us on a copy of the same Maildir: the same sessions give the same statuses, sizes, bodies and
// unique-ids, and leave the same messages with the same flags behind. Where the two differ on purpose, it stands here
// with its reason, and the test fails when it is no longer so.
import { chmodSync, chownSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TestAccount } from "../support/accounts.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Dovecot, startDovecot } from "./support/dovecot.ts";
import { copyFolder, layOutMaildir, namesAndFlags, readMaildir } from "./support/maildir.ts";
import { corpusMessages, generatedMessages, plainMessage } from "./support/messages.ts";
import {
  linesOf,
  login,
  type RecordedReply,
  runScript,
  type Script,
  sessionOver,
} from "./support/scripted-session.ts";

const owner = mailOwner();
let folder: string;
let ours: { readonly server: TestServer; readonly home: string };
let theirs: { readonly server: Dovecot; readonly home: string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-beside-dovecot-"));
  chmodSync(folder, 0o755);
  const account = (home: string): TestAccount => ({
    user: "mrose",
    password: "secret",
    uid: owner.uid,
    gid: owner.gid,
    home,
  });
  const homes = { ours: join(folder, "ours"), theirs: join(folder, "theirs") };
  ours = {
    server: await startServer({
      accounts: [account(homes.ours)],
      owner,
      // Dovecot sends headers in UTF-8 to everybody.
      settings: { mail: { utf8_headers: "as-stored" } },
    }),
    home: homes.ours,
  };
  theirs = { server: await startDovecot({ accounts: [account(homes.theirs)], owner }), home: homes.theirs };
});
afterAll(async () => {
  await ours?.server.stop();
  await theirs?.server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  for (const { home } of [ours, theirs]) rmSync(home, { recursive: true, force: true });
});

/** The same Maildir twice, before any server has seen it. */
async function layOut(files: ReadonlyMap<string, Buffer>): Promise<void> {
  layOutMaildir(ours.home, owner, files);
  await copyFolder(ours.home, theirs.home);
}

interface Observed {
  readonly replies: readonly RecordedReply[];
  /** Base name and flags of every message afterwards. */
  readonly left: readonly string[];
}

async function observe(script: Script, end: "QUIT" | "drop"): Promise<{ ours: Observed; theirs: Observed }> {
  const run = async (side: { readonly server: { readonly port: number }; readonly home: string }) => {
    const maildir = join(side.home, "Maildir");
    const replies = await runScript(side.server.port, maildir, script, end);
    if (end === "drop") await sessionOver(side.server.port);
    return { replies, left: namesAndFlags(maildir) };
  };
  return { ours: await run(ours), theirs: await run(theirs) };
}

/** Runs the script on both sides and expects equal records, but for the differences written into it. */
async function expectAlike(script: Script, end: "QUIT" | "drop" = "QUIT"): Promise<Observed> {
  const seen = await observe(script, end);
  const steps = linesOf(script);
  seen.ours.replies.slice(1).forEach((reply, index) => {
    const dovecots = seen.theirs.replies[index + 1];
    const differs = steps[index]?.differs;
    if (differs === undefined) {
      expect(reply).toEqual(dovecots);
    } else {
      expect({ [reply.sent]: reply.status }).toEqual({ [reply.sent]: differs.ours });
      expect({ [reply.sent]: dovecots?.status }, "Dovecot's").toEqual({ [reply.sent]: differs.dovecots });
    }
  });
  expect(seen.ours.left).toEqual(seen.theirs.left);
  return seen.ours;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** Five messages: two in new/, three in cur/ with flags. */
function fiveMessages(): ReadonlyMap<string, Buffer> {
  return new Map([
    ["new/1700000004.M4P7.mx", plainMessage(4, 700)],
    ["new/1700000005.V801I2M5.mx", plainMessage(5, 800)],
    ["cur/1700000001.M1P7.mx:2,", plainMessage(1, 400)],
    ["cur/1700000002.M2P7.mx:2,FS", plainMessage(2, 500)],
    ["cur/1700000003.M3P7.mx,S=600:2,R", plainMessage(3, 600)],
  ]);
}

function readsEverything(count: number): Script {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return [
    ...login,
    "STAT",
    "LIST",
    "UIDL",
    ...numbers.flatMap((number) => [
      `LIST ${number}`,
      `UIDL ${number}`,
      `RETR ${number}`,
      `TOP ${number} 0`,
      `TOP ${number} 1`,
      `TOP ${number} 100`,
    ]),
    "STAT",
  ];
}

describe("a session that reads everything", () => {
  it("sees the same octets whatever the messages hold", async () => {
    const header = "From: a@b.test\nSubject: s\n";
    const contents: Readonly<Record<string, Buffer>> = {
      "LF line ends": bytes(`${header}\nbody\nmore\n`),
      "CRLF line ends": bytes(`${header}\nbody\nmore\n`.replaceAll("\n", "\r\n")),
      "mixed line ends": bytes("From: a@b.test\r\nSubject: s\n\r\nbody\nmore\r\n\nlast\n"),
      "CRLF only where the header ends": bytes(`${header}\r\nbody\n`),
      "no body": bytes(header),
      "an empty line and no body": bytes(`${header}\n`),
      "no header": bytes("\nbody only\n"),
      "dots at the beginning of lines": bytes(`${header}\n.\n..\n.x\n...\n.\n`),
      "dots at the beginning of header lines": bytes(`From: a@b.test\n.Odd: header\n..Odd: too\n\n.\n`),
      "bare CR inside lines": bytes(`${header}\na\rb\r\rc\n\rd\n`),
      "CR CR LF": bytes(`${header}\na\r\r\nb\r\r\n`),
      "8-bit octets": Buffer.concat([
        bytes(`${header}\n`),
        Buffer.from(Array.from({ length: 128 }, (_, index) => index + 128)),
        bytes("\n"),
      ]),
      NUL: bytes(`${header}\na\0b\n\0\n`),
      "empty lines": bytes(`${header}\n\n\n\n\n`),
      "a line of 200,000 octets": bytes(`${header}\n${"x".repeat(200_000)}\n.${"y".repeat(200_000)}\n`),
      "lines around the size of a buffer": bytes(
        `${header}\n${[4095, 4096, 4097, 8191, 8192, 16383, 32767, 65535].map((size) => `.${"z".repeat(size)}\n`).join("")}`,
      ),
      "an mbox line first": bytes(`From a@b Mon Jan 1 00:00:00 2024\n${header}\nbody\n`),
    };
    const files = new Map(
      Object.values(contents).map((content, index) => [
        index % 2 === 0 ? `new/17000000${10 + index}.M1P1.mx` : `cur/17000000${10 + index}.M1P1.mx:2,S`,
        content,
      ]),
    );
    await layOut(files);
    await expectAlike(readsEverything(files.size));
  });

  it("sees the same octets in generated messages and, where they are, in real ones", async () => {
    const messages = [...generatedMessages(), ...corpusMessages()];
    const files = new Map(
      messages.map(({ bytes: content }, index) => [`new/${1_700_000_000 + index}.M1P1.mx`, content] as const),
    );
    await layOut(new Map([...files].filter(([, content]) => endsInLf(content))));
    await expectAlike(readsEverything(readMaildir(join(ours.home, "Maildir")).length));
  });

  it("sees the sizes that stand in the names, when they are right", async () => {
    const content = bytes("From: a@b.test\n\none\ntwo\n");
    const wire = content.length + 4;
    await layOut(
      new Map([
        [`new/1700000001.M1P1.mx,S=${content.length},W=${wire}`, content],
        [`cur/1700000002.M1P1.mx,S=${content.length},W=${wire}:2,S`, content],
        [`cur/1700000003.M1P1.mx,W=${wire}:2,`, content],
        [`cur/1700000004.M1P1.mx,S=${content.length}:2,`, content],
      ]),
    );
    await expectAlike(readsEverything(4));
  });

  it("finds nothing in an empty Maildir", async () => {
    await layOut(new Map());
    await expectAlike([...login, "STAT", "LIST", "UIDL", "LIST 1", "RETR 1", "DELE 1", "NOOP", "RSET"]);
  });
});

/** What Dovecot does with these is not what RFC 1939 asks for; both sides are pinned down. */
describe("where a message's octets differ from Dovecot's", () => {
  async function retrieve(content: Buffer): Promise<{ ours: RecordedReply; dovecots: RecordedReply }> {
    await layOut(new Map([["new/1700000001.M1P1.mx", content]]));
    const seen = await observe([...login, "RETR 1"], "QUIT");
    return { ours: seen.ours.replies[3]!, dovecots: seen.theirs.replies[3]! };
  }

  it("a file without final newline: both send CRLF behind it, we also count it", async () => {
    const seen = await retrieve(bytes("From: a@b.test\n\nno newline"));
    const sent = "From: a@b.test\r\n\r\nno newline\r\n";
    expect(seen.ours).toMatchObject({ body: sent, told: `${sent.length}` });
    expect(seen.dovecots).toMatchObject({ body: sent, told: `${sent.length - 2}` });
  });

  it("a dot as a message's very first octet: Dovecot leaves it unstuffed, so its client loses it", async () => {
    const seen = await retrieve(bytes(".Odd: header\n\n.body\n"));
    expect(seen.ours.body).toBe(".Odd: header\r\n\r\n.body\r\n");
    expect(seen.dovecots.body).toBe("Odd: header\r\n\r\n.body\r\n");
    expect(seen.ours.told).toBe(seen.dovecots.told);
  });
});

describe("a session that deletes", () => {
  beforeEach(async () => await layOut(fiveMessages()));

  it("removes the marked messages at QUIT and nothing else", async () => {
    const { left } = await expectAlike([...login, "DELE 2", "DELE 4", "STAT", "LIST", "UIDL", "LIST 3"]);
    expect(left).toHaveLength(3);
  });

  it("removes all of them", async () => {
    const { left } = await expectAlike([
      ...login,
      ...[1, 2, 3, 4, 5].map((number) => `DELE ${number}`),
      "STAT",
    ]);
    expect(left).toEqual([]);
  });

  it("marks what it retrieved and kept as seen", async () => {
    const { left } = await expectAlike([...login, "RETR 1", "RETR 4", "DELE 4", "RETR 5", "TOP 3 5"]);
    expect(left).toEqual([
      "1700000001.M1P7.mx S",
      "1700000002.M2P7.mx FS",
      "1700000003.M3P7.mx,S=600 R",
      "1700000005.V801I2M5.mx S",
    ]);
  });

  it("refuses deleted messages everywhere and keeps the numbers of the others", async () => {
    await expectAlike([
      ...login,
      "DELE 1",
      "DELE 1",
      "RETR 1",
      "TOP 1 0",
      "LIST 1",
      "UIDL 1",
      "RETR 2",
      "UIDL 2",
      "LIST",
    ]);
  });

  it("removes nothing after RSET", async () => {
    const { left } = await expectAlike([...login, "DELE 1", "DELE 2", "RSET", "STAT", "LIST", "RETR 1"]);
    expect(left).toHaveLength(5);
  });

  it("removes only what was marked after RSET", async () => {
    const { left } = await expectAlike([...login, "DELE 1", "RSET", "DELE 3"]);
    expect(left).toHaveLength(4);
  });

  it("removes nothing when the connection is lost before QUIT", async () => {
    const before = namesAndFlags(join(ours.home, "Maildir"));
    const { left } = await expectAlike([...login, "DELE 1", "TOP 2 0", "DELE 5", "STAT"], "drop");
    expect(left).toEqual(before);
  });

  it("what was retrieved before the connection was lost: unread with us, seen with Dovecot", async () => {
    // RFC 1939 §6: without QUIT there is no UPDATE state.
    const before = namesAndFlags(join(ours.home, "Maildir"));
    const seen = await observe([...login, "RETR 1"], "drop");
    expect(seen.ours.left).toEqual(before);
    expect(seen.theirs.left).toEqual(["1700000001.M1P7.mx S", ...before.slice(1)]);
  });

  it("gives the messages that stay the same unique-ids next time", async () => {
    await expectAlike([...login, "UIDL", "RETR 1", "DELE 3", "DELE 4"]);
    await expectAlike([...login, "STAT", "UIDL", "LIST"]);
  });
});

describe("new/ and cur/ after a session", () => {
  it("we move what was retrieved into cur/, Dovecot moves all that it saw", async () => {
    await layOut(fiveMessages());
    await observe([...login, "RETR 4"], "QUIT");
    const newIn = (home: string): readonly string[] => readdirSync(join(home, "Maildir/new"));
    expect(newIn(ours.home)).toEqual(["1700000005.V801I2M5.mx"]);
    expect(newIn(theirs.home)).toEqual([]);
  });
});

describe("commands that are wrong", () => {
  beforeEach(async () => await layOut(fiveMessages()));

  // Few at a time: Dovecot closes the connection after three useless commands before login.
  it.each([
    [["STAT", "LIST", ...login]],
    [["RETR 1", "DELE 1", ...login]],
    [["PASS secret", "FOO", ...login]],
    [["USER mrose", "PASS wrong", ...login]],
    [["USER nobody-here", "PASS secret", ...login]],
    [["CAPA", ...login, "USER mrose", "PASS secret", "CAPA"]],
  ])("are refused alike before login: %s", async (script) => {
    await expectAlike([...script, "STAT"]);
  });

  it.each(["0", "6", "-1", "x", "1x", "0x1", "1.5", "4294967297", "99999999999999999999"])(
    "are refused alike with the message number %s",
    async (number) => {
      await expectAlike([
        ...login,
        ...["RETR", "DELE", "LIST", "UIDL"].map((command) => `${command} ${number}`),
        `TOP ${number} 1`,
        "STAT",
      ]);
    },
  );

  it("are refused alike with arguments missing or malformed", async () => {
    await expectAlike([...login, "RETR", "DELE", "TOP", "TOP 1", "TOP 1 x", "TOP 1 -1", "FOO", "STAT"]);
  });

  it("are taken or refused differently in a few cases", async () => {
    await expectAlike([
      {
        send: "USER",
        differs: { ours: "-ERR", dovecots: "+OK", because: "RFC 1939 §7: a name is required" },
      },
      ...login,
      {
        send: "DEL 1",
        differs: { ours: "+OK", dovecots: "-ERR", because: "another word for DELE, which some clients send" },
      },
      "RSET",
    ]);
  });
});

describe("logging in", () => {
  beforeEach(async () => await layOut(fiveMessages()));
  const base64 = (text: string): string => Buffer.from(text).toString("base64");

  it("works alike with AUTH PLAIN, with an initial response and without", async () => {
    await expectAlike([`AUTH PLAIN ${base64("\0mrose\0secret")}`, "STAT"]);
    await expectAlike(["AUTH PLAIN", base64("\0mrose\0secret"), "STAT"]);
  });

  it("works alike with AUTH LOGIN", async () => {
    await expectAlike(["AUTH LOGIN", base64("mrose"), base64("secret"), "STAT"]);
  });

  it("is refused alike with a wrong password, a wrong encoding, an unknown mechanism, and when cancelled", async () => {
    await expectAlike([`AUTH PLAIN ${base64("\0mrose\0wrong")}`, ...login]);
    await expectAlike(["AUTH PLAIN ====", ...login]);
    await expectAlike(["AUTH X-UNKNOWN", ...login]);
    await expectAlike(["AUTH PLAIN", "*", ...login]);
    await expectAlike(["AUTH LOGIN", base64("mrose"), "*", ...login]);
  });
});

describe("commands sent at once", () => {
  it("are answered in their order", async () => {
    await layOut(fiveMessages());
    await expectAlike([
      ...login,
      ["STAT", "LIST", "UIDL", "RETR 1", "RETR 2", "DELE 2", "RETR 2", "TOP 3 1", "NOOP", "RETR 5"].join(
        "\r\n",
      ),
    ]);
  });

  it("may begin with the login", async () => {
    await layOut(fiveMessages());
    await expectAlike([[...login, "STAT", "RETR 1", "UIDL"].join("\r\n")]);
  });
});

describe("while another program changes the Maildir", () => {
  beforeEach(async () => await layOut(fiveMessages()));

  const rename = (from: string, to: string) => (maildir: string) =>
    renameSync(join(maildir, from), join(maildir, to));

  it("a message whose flags change is sent and removed all the same", async () => {
    const { left } = await expectAlike([
      ...login,
      "STAT",
      rename("cur/1700000001.M1P7.mx:2,", "cur/1700000001.M1P7.mx:2,FS"),
      rename("cur/1700000002.M2P7.mx:2,FS", "cur/1700000002.M2P7.mx:2,S"),
      "RETR 1",
      "RETR 2",
      "DELE 1",
    ]);
    expect(left).toHaveLength(4);
  });

  it("a message that comes during the session is seen by the next one only", async () => {
    const deliver = (maildir: string): void => {
      const name = "1700000009.M9P9.mx";
      writeFileSync(join(maildir, "tmp", name), plainMessage(9, 900), { mode: 0o600 });
      chownSync(join(maildir, "tmp", name), owner.uid, owner.gid);
      renameSync(join(maildir, "tmp", name), join(maildir, "new", name));
    };
    await expectAlike([...login, "STAT", deliver, "STAT", "LIST", "RETR 6"]);
  });
});

function endsInLf(content: Buffer): boolean {
  return content.at(-1) === 0x0a;
}
