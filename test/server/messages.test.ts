// Octets through the real server: every kind of file, messages of any size, clients that don't read.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf, octetsRead, octetsReadAtRest, residentKib } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

const demoMail = fileURLToPath(new URL("../../scripts/demo-mail", import.meta.url));
const corpus = fileURLToPath(new URL("../../../shared/corpus", import.meta.url));

/** As a client must get it: CRLF line ends, the last line ended. */
function asSent(stored: Buffer): Buffer {
  const text = stored.toString("latin1").replace(/(?<!\r)\n/g, "\r\n");
  return Buffer.from(text === "" || text.endsWith("\n") ? text : `${text}\r\n`, "latin1");
}

const chunk = 128 * 1024;
const line = "0123456789 0123456789 0123456789 0123456789 0123456789 012345\n";

/** Files whose ends and lines fall on and around the sizes that the server reads and writes. */
const generated: [name: string, content: Buffer][] = [
  ["empty", Buffer.alloc(0)],
  ["one-octet", Buffer.from("a")],
  ["only-lf", Buffer.from("\n")],
  ["only-dot", Buffer.from(".")],
  ["nul", Buffer.from("A: 1\n\n\0\0\0\n")],
  ["bare-cr", Buffer.from("A: 1\r\rb\r\n\rc\r")],
  ["8-bit", Buffer.from(Uint8Array.from({ length: 512 }, (_, index) => index % 256))],
  ["all-lf", Buffer.alloc(chunk + 7, "\n")],
  ["all-dots", Buffer.alloc(2 * chunk, ".\n")],
  [
    "line-of-10-mb",
    Buffer.concat([Buffer.from("A: 1\n\n"), Buffer.alloc(10_000_000, "x"), Buffer.from("\n")]),
  ],
  ...[-2, -1, 0, 1, 2].flatMap((difference): [string, Buffer][] => [
    [`chunk${difference}`, Buffer.from(line.repeat(3000)).subarray(0, chunk + difference)],
    [
      `two-chunks${difference}`,
      Buffer.concat([Buffer.alloc(2 * chunk + difference - 3, "y"), Buffer.from("\n.\n")]),
    ],
    [
      `cr-at-the-cut${difference}`,
      Buffer.concat([Buffer.alloc(chunk + difference, "z"), Buffer.from("\r\n.\r\nend\n")]),
    ],
  ]),
];

function messagesBelow(folder: string): [string, Buffer][] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".eml"))
    .map((file) => [file.replace(/[/ ]/g, "_"), readFileSync(join(folder, file))]);
}

describe.each(["separate", "combined"] as const)("messages, processes %s", (processes) => {
  const messages = [
    ...generated,
    ...messagesBelow(demoMail),
    ...(existsSync(corpus) ? messagesBelow(corpus) : []),
  ];
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-messages-"));
    const files = new Map(messages.map(([name, content], index) => [`new/${1000 + index}.${name}`, content]));
    maildir = layOutMaildir(home, owner, files);
    layOutMaildir(join(home, "large"), owner, new Map([["new/1.large", Buffer.from("A: 1\n\n")]]));
    layOutMaildir(join(home, "slow"), owner, new Map([["new/1.slow", Buffer.alloc(20_000_000, line)]]));
    const account = (user: string, home: string) => ({
      user,
      password: "secret",
      uid: owner.uid,
      gid: owner.gid,
      home,
    });
    server = await startServer({
      accounts: [
        account("mrose", home),
        account("large", join(home, "large")),
        account("slow", join(home, "slow")),
      ],
      owner,
      settings: { server: { processes, mailbox_processes: 1, login_processes: 1 } },
    });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  const transactionRole = processes === "separate" ? "mailbox" : "combined";
  const transactionProcess = (): number =>
    childrenOf(server.pid).find(({ role }) => role === transactionRole)?.pid ?? 0;

  it("come back octet for octet, with the octets that LIST and RETR announce", async () => {
    const session = await Pop3Connection.login(server.port, "mrose", "secret", { utf8: true });
    const listing = (await session.multiLine("LIST")).body?.toString().trimEnd().split("\r\n") ?? [];
    const uniqueIds = (await session.multiLine("UIDL")).body?.toString().trimEnd().split("\r\n") ?? [];
    expect(listing).toHaveLength(messages.length);
    const byBaseName = new Map(readMaildir(maildir).map(({ baseName, bytes }) => [baseName, bytes]));
    for (const [index, uniqueId] of uniqueIds.entries()) {
      const number = index + 1;
      const baseName = uniqueId.slice(`${number} `.length);
      const stored = byBaseName.get(baseName) ?? messages[index]?.[1];
      if (stored === undefined) throw new Error(`no file for ${uniqueId}`);
      const sent = asSent(stored);
      const { text, body } = await session.multiLine(`RETR ${number}`);
      expect(text, baseName).toBe(`${sent.length} octets`);
      expect(listing[index], baseName).toBe(`${number} ${sent.length}`);
      expect(body?.equals(sent), baseName).toBe(true);
    }
    expect((await session.command("STAT")).text).toBe(
      `${messages.length} ${messages.reduce((sum, [, content]) => sum + asSent(content).length, 0)}`,
    );
    session.drop();
    // Nothing was written to any of them.
    for (const { baseName, bytes } of readMaildir(maildir))
      expect(bytes.equals(byBaseName.get(baseName)!)).toBe(true);
  });

  it("come with the octets that LIST and RETR announce to a client that has not said UTF8, too", async () => {
    const session = await eventually("a free maildrop", () =>
      Pop3Connection.login(server.port, "mrose", "secret").catch(() => undefined),
    );
    const listing = (await session.multiLine("LIST")).body?.toString().trimEnd().split("\r\n") ?? [];
    for (const [index, line] of listing.entries()) {
      const { text, body } = await session.multiLine(`RETR ${index + 1}`);
      expect(text, messages[index]?.[0]).toBe(`${body?.length} octets`);
      expect(line).toBe(`${index + 1} ${body?.length}`);
    }
    session.drop();
  });

  it("mean to a mail program what they meant before", async () => {
    const session = await eventually("a free maildrop", () =>
      Pop3Connection.login(server.port, "mrose", "secret").catch(() => undefined),
    );
    const index = messages.findIndex(([name]) => name.endsWith("4-attachment.eml"));
    const { body } = await session.multiLine(`RETR ${index + 1}`);
    const [sent, stored] = await Promise.all([simpleParser(body!), simpleParser(messages[index]![1])]);
    expect(sent.subject).toBe("The figures you asked for");
    expect(sent.text).toBe(stored.text);
    expect(sent.attachments[0]?.filename).toBe("figures.csv");
    expect(sent.attachments[0]?.checksum).toBe(stored.attachments[0]?.checksum);
    session.drop();
  });

  it.each([
    ["of 1 GB need no more memory than small ones", "A: 1\n\n", 1_000_000_000],
    ["of 100 MB with a header in UTF-8 are downgraded in no more", "A: ü\n\nü\n", 100_000_000],
  ])("%s", async (_, begin, bytes) => {
    const [path] = readdirSync(join(home, "large/Maildir"), { recursive: true, encoding: "utf8" }).filter(
      (name) => name.includes("/1."),
    );
    rmSync(join(home, "large/Maildir", path!));
    writeFileSync(join(home, "large/Maildir/new/1.large"), begin);
    truncateSync(join(home, "large/Maildir/new/1.large"), bytes);
    const before = residentKib(transactionProcess());
    let highest = before;
    const received = await new Promise<number>((resolve, reject) => {
      let octets = 0;
      let last = "";
      const socket = connect({ host: "127.0.0.1", port: server.port });
      const watch = setInterval(() => {
        highest = Math.max(highest, residentKib(transactionProcess()));
      }, 20);
      socket.on("data", (received: Buffer) => {
        octets += received.length;
        last = (last + received.subarray(-100).toString("latin1")).slice(-100);
      });
      socket.on("error", reject);
      socket.on("close", () => {
        clearInterval(watch);
        resolve(
          last.endsWith("\r\n.\r\n+OK dewey POP3 server signing off (1 messages left)\r\n") ? octets : -1,
        );
      });
      socket.write("USER large\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n");
    });
    expect(received).toBeGreaterThan(bytes);
    expect(received).toBeLessThan(bytes + 300);
    expect(highest - before).toBeLessThan(100 * 1024);
  });

  it("stay on disk until the client reads them, and its commands in its socket", async () => {
    // Sizes are known then, and nothing but RETR reads.
    const sized = await Pop3Connection.login(server.port, "slow", "secret");
    await sized.command("LIST 1");
    await sized.command("QUIT");
    const pid = transactionProcess();
    const before = { kib: residentKib(pid), octets: octetsRead(pid) };
    const socket = connect({ host: "127.0.0.1", port: server.port });
    socket.pause();
    socket.on("error", () => {});
    // 400 MB asked for, and nothing read.
    socket.write(`USER slow\r\nPASS secret\r\n${"RETR 1\r\n".repeat(20)}${"NOOP\r\n".repeat(100_000)}`);
    const other = await eventually("another client is served meanwhile", () =>
      Pop3Connection.login(server.port, "large", "secret").catch(() => undefined),
    );
    for (let i = 0; i < 50; i++) expect((await other.command("NOOP")).status).toBe("+OK");
    other.drop();
    await eventually("the download", () => octetsRead(pid) > before.octets + 100_000);
    // What the kernel holds.
    expect((await octetsReadAtRest(pid)) - before.octets).toBeLessThan(15_000_000);
    expect(residentKib(pid) - before.kib).toBeLessThan(100 * 1024);
    socket.destroy();
    await eventually("its session's end", () =>
      server.log().some(({ msg, account }) => msg === "session ended" && account === "slow"),
    );
  });
});
