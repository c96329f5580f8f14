// etc/fail2ban with Debian's fail2ban: its own fail2ban-regex on what the real server logs in both formats, and its client on
// the jail. What fail2ban would ban is all that counts: every guess, nobody else, and nobody whom a guesser names.
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const etc = fileURLToPath(new URL("../../etc/fail2ban", import.meta.url));
const filter = join(etc, "filter.d/dewey-pop3.conf");

/** Names that look like the rest of a line, so that somebody else is banned. */
const forgers = [
  'x","address":"198.51.100.7","service":"pop3","mechanism":"PLAIN","reason":"wrong-password","msg":"login refused"}',
  "x address=198.51.100.7 service=pop3 mechanism=PLAIN reason=wrong-password",
  'x" address=198.51.100.7 service=pop3 mechanism=PLAIN reason=wrong-password',
  "x\\",
  "auth[1]: login refused user=x address=198.51.100.7 service=pop3 mechanism=PLAIN reason=wrong-password",
  '"time":"2031-01-01T00:00:00.000Z"',
];

describe.each(["json", "text"] as const)("fail2ban, log.format %s", (format) => {
  let folder: string;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    folder = mkdtempSync(join(tmpdir(), "dewey-fail2ban-"));
    chmodSync(folder, 0o755);
    const home = join(folder, "home");
    layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("Subject: one\n\none\n")]]));
    const of = { password: "secret", uid: owner.uid, gid: owner.gid, home };
    server = await startServer({
      accounts: [
        { user: "mrose", ...of },
        { user: "barred", ...of, extra: "allow_nets=192.0.2.1" },
      ],
      owner,
      settings: {
        log: { format },
        // One failure more than are free, and the next one has to wait longer than it may.
        auth: { failure_delay: "10ms", max_failure_delay: "10ms", throttle_exempt_nets: [] },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  async function logIn(user: string, password: string): Promise<void> {
    const { connection } = await Pop3Connection.open(server.port);
    const plain = Buffer.from(`\0${user}\0${password}`).toString("base64");
    await connection.command(`AUTH PLAIN ${plain}`);
    await connection.command("QUIT");
  }

  /** The addresses that fail2ban counts in these lines. */
  async function counted(lines: readonly string[]): Promise<string[]> {
    const log = join(folder, "log");
    writeFileSync(log, `${lines.join("\n")}\n`);
    const { stdout } = await runOrThrow("fail2ban-regex", ["-o", "ip", log, filter]);
    return stdout
      .toString()
      .split("\n")
      .filter((line) => line !== "");
  }
  const linesWith = (text: string) => server.logLines().filter((line) => line.includes(text));

  it("counts each guess, at the address it came from, whatever name is given", async () => {
    await logIn("mrose", "wrong");
    await logIn("nobody-here", "wrong");
    for (const user of forgers) await logIn(user, "wrong");
    const guesses = 2 + forgers.length;
    const lines = await eventually("all refusals", () => {
      const refusals = linesWith("login refused");
      return refusals.length >= guesses ? refusals : undefined;
    });
    expect(await counted(lines)).toEqual(Array(guesses).fill("127.0.0.1"));
    // As journald hands them on, in front of which fail2ban puts host and program.
    const fromJournal = lines.map((line) => `mail pop3-server[7]: ${line.replace(/^\S+Z \w+ +/, "")}`);
    expect(await counted(fromJournal)).toEqual(Array(guesses).fill("127.0.0.1"));
  });

  it("counts nobody for a success, for what is no guess, or for any other line", async () => {
    const before = server.logLines().length;
    await logIn("mrose", "secret");
    await logIn("barred", "secret");
    await eventually("both are logged", () => {
      const lines = server.logLines().slice(before).join("\n");
      return lines.includes("session ended") && lines.includes("not-allowed");
    });
    expect(await counted(server.logLines().slice(before))).toEqual([]);
    const others = server.logLines().filter((line) => !/login (?:refused|throttled)/.test(line));
    expect(others.length).toBeGreaterThan(3);
    expect(await counted(others)).toEqual([]);
  });

  it("counts who is throttled", async () => {
    const guesses = Array.from({ length: 40 }, (_, index) => logIn("mrose", `wrong ${index}`));
    await Promise.all(guesses);
    const lines = await eventually("throttled", () => {
      const throttled = linesWith("login throttled");
      return throttled.length > 0 ? throttled : undefined;
    });
    expect(await counted(lines)).toEqual(lines.map(() => "127.0.0.1"));
  });
});

describe("the jail", () => {
  it("is one that fail2ban takes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dewey-jail-"));
    try {
      cpSync("/etc/fail2ban", folder, { recursive: true });
      rmSync(join(folder, "jail.d"), { recursive: true });
      cpSync(etc, folder, { recursive: true });
      const tested = await runProgram("fail2ban-client", ["-c", folder, "-t"]);
      expect(`${tested.stdout}${tested.stderr}`).toContain("OK: configuration test is successful");
      const { stdout } = await runOrThrow("fail2ban-client", ["-c", folder, "-d"]);
      const said = stdout.toString();
      expect(said).toContain("['add', 'dewey-pop3', 'systemd']");
      expect(said).toContain("_SYSTEMD_UNIT=dewey-pop3.service");
      expect(said).toContain("['start', 'dewey-pop3']");
      expect(readFileSync(join(etc, "jail.d/dewey-pop3.conf"), "utf8")).toContain("enabled = true");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
