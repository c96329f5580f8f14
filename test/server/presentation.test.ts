// mail.utf8_headers and mail.workarounds, the config's and an account's own, against the real server.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import type { TestAccount } from "../support/accounts.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";

const password = "secret";
const UTF8 = Buffer.from("Subject: Grüße\n\nü\n");
const ODD = Buffer.from("Subject: a\0b\rc");
const LARGE = Buffer.concat([Buffer.from("Subject: Grüße\n\n"), Buffer.alloc(400_000, "a line\rof\0it\n")]);

async function servers(settings: Settings): Promise<{ server: TestServer; stop(): Promise<void> }> {
  const owner = mailOwner();
  const folder = mkdtempSync(join(tmpdir(), "dewey-presentation-"));
  chmodSync(folder, 0o755);
  const account = (user: string, extra: string): TestAccount => {
    const home = join(folder, user);
    layOutMaildir(
      home,
      owner,
      new Map([
        ["new/1.utf8", UTF8],
        ["new/2.odd", ODD],
        ["new/3.large", LARGE],
      ]),
    );
    return { user, password, uid: owner.uid, gid: owner.gid, home, extra };
  };
  const accounts = [
    account("mrose", ""),
    account("outlook", "pop3_workarounds=nul,missing-end-of-headers,bare-cr"),
  ];
  const server = await startServer({ accounts, owner, settings });
  return {
    server,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Whatever is sent is as long as LIST and RETR say. */
async function retrieveAll(session: Pop3Connection): Promise<Buffer[]> {
  const listing = (await session.multiLine("LIST")).body?.toString().trimEnd().split("\r\n") ?? [];
  const bodies: Buffer[] = [];
  for (const [index, line] of listing.entries()) {
    const { text, body } = await session.multiLine(`RETR ${index + 1}`);
    expect(line).toBe(`${index + 1} ${body!.length}`);
    expect(text).toBe(`${body!.length} octets`);
    bodies.push(body!);
  }
  return bodies;
}

describe("mail.utf8_headers = wrap", () => {
  let host: Awaited<ReturnType<typeof servers>>;
  beforeAll(async () => {
    host = await servers({ mail: { utf8_headers: "wrap", workarounds: ["nul"] } });
  });
  afterAll(() => host.stop());

  it("attaches the message whole, and leaves it alone for a client that has said UTF8", async () => {
    const session = await Pop3Connection.login(host.server.port, "mrose", password);
    const [utf8, odd, large] = await retrieveAll(session);
    const parsed = await simpleParser(utf8!);
    expect(parsed.subject).toBe("Grüße");
    expect(parsed.attachments[0]?.content.toString()).toBe(UTF8.toString().replaceAll("\n", "\r\n"));
    expect(odd?.toString("latin1")).toBe("Subject: a\x80b\rc\r\n");
    // What is attached is beyond any workaround's reach.
    expect((await simpleParser(large!)).attachments[0]?.content.includes(0)).toBe(true);
    expect((await session.multiLine("TOP 1 0")).body?.toString("latin1")).toMatch(/^[\t\r\n\x20-\x7e]*$/);
    await session.command("QUIT");
    await session.closed;
    const other = await Pop3Connection.login(host.server.port, "mrose", password, { utf8: true });
    expect((await retrieveAll(other))[0]?.toString()).toBe(UTF8.toString().replaceAll("\n", "\r\n"));
    await other.command("QUIT");
  });

  it("an account's own workarounds hold in place of the config's", async () => {
    const session = await Pop3Connection.login(host.server.port, "outlook", password, { utf8: true });
    const [, odd, large] = await retrieveAll(session);
    expect(odd?.toString("latin1")).toBe("Subject: a\x80b c\r\n\r\n");
    expect(large?.toString("latin1")).toMatch(/\r\n\r\n(?:a line of\x80it\r\n)+/);
    expect((await session.multiLine("TOP 2 0")).body?.toString("latin1")).toBe("Subject: a\x80b c\r\n\r\n");
    await session.command("QUIT");
  });
});

describe("mail.utf8_headers = refuse", () => {
  let host: Awaited<ReturnType<typeof servers>>;
  beforeAll(async () => {
    host = await servers({ mail: { utf8_headers: "refuse" }, server: { processes: "combined" } });
  });
  afterAll(() => host.stop());

  it("says [UTF8] to RETR and TOP of a client that has not said it, and goes on", async () => {
    const session = await Pop3Connection.login(host.server.port, "mrose", password);
    for (const command of ["RETR 1", "TOP 1 0", "RETR 3", "TOP 3 1"]) {
      const number = command.split(" ")[1];
      expect(await session.command(command)).toEqual({
        status: "-ERR",
        text: `[UTF8] message ${number} has headers in UTF-8, say UTF8 before login`,
      });
    }
    expect((await session.multiLine("RETR 2")).body?.toString()).toBe("Subject: a\0b\rc\r\n");
    await session.command("QUIT");
    await session.closed;
    const other = await Pop3Connection.login(host.server.port, "mrose", password, { utf8: true });
    expect((await retrieveAll(other))[2]?.length).toBeGreaterThan(400_000);
    await other.command("QUIT");
  });
});
