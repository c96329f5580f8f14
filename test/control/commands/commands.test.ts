// What the commands of pop3-ctl print, from what the server told them.
import { describe, expect, it } from "vitest";
import { prettyLogLine } from "../../../src/control/commands/log.ts";
import { contentLines, messageTable } from "../../../src/control/commands/mailbox.ts";
import { type Moment, ratesBetween } from "../../../src/control/commands/top.ts";
import { traceLines } from "../../../src/control/commands/trace.ts";
import { bar } from "../../../src/control/commands/warm.ts";
import { sessionsOf, sessionTable } from "../../../src/control/commands/who.ts";
import { happenedLine } from "../../../src/control/commands/why.ts";

const plain = { paint: (_: string, text: string) => text };

const session = {
  session: "99060f1081c1fcb4",
  account: "mrose",
  address: "192.0.2.7",
  secured: true,
  state: "TRANSACTION",
  startedAtMs: 0,
  idleMs: 61_000,
  messages: 12,
  octets: 1_234_567,
} as const;

describe("who", () => {
  it("fits 80 columns, whatever accounts and addresses there are", () => {
    const long = {
      ...session,
      account: "a.very.long.name.indeed@a.very.long.domain.example.org",
      address: "2001:0db8:85a3:08d3:1319:8a2e:0370:7344",
    };
    const lines = sessionTable([session, long], 80);
    expect(lines[1]).toMatch(/^mrose +192\.0\.2\.7 +yes {2}transaction {2}1m 1s {4}12 {4}1\.2M {2}99060f10$/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe("kick", () => {
  const other = { ...session, session: "9906aaaaaaaaaaaa", account: "jpostel" };
  it.each([
    ["an account's sessions", "mrose", [session]],
    ["one by the begin of its id", "99060", [session]],
    ["none", "nobody", []],
    ["none for nothing", "", []],
  ])("finds %s", (_, target, sessions) => {
    expect(sessionsOf([session, other], target)).toEqual({ kind: "found", sessions });
  });

  it("refuses an id that two begin with", () => {
    expect(sessionsOf([session, other], "9906")).toEqual({ kind: "ambiguous" });
  });

  it("takes an account whose name looks like an id for the account", () => {
    const named = { ...other, account: "99060f" };
    expect(sessionsOf([session, named], "99060f")).toEqual({ kind: "found", sessions: [named] });
  });
});

describe("log follow", () => {
  it("shows time, process, message and fields", () => {
    const line = JSON.stringify({
      level: "info",
      time: "2026-11-25T13:24:20.123Z",
      process: "mailbox",
      pid: 7,
      account: "mrose",
      cause: "two words",
      messages: 5,
      msg: "session ended",
    });
    expect(prettyLogLine(line, plain)).toMatch(
      /^\d\d:\d\d:20 mailbox {2}session ended account=mrose cause="two words" messages=5$/,
    );
  });

  it("names a level that is not the usual one, and lets nothing through that moves the cursor", () => {
    const line = JSON.stringify({ level: "error", time: "", process: "auth", user: "\x1b[2J", msg: "bad" });
    expect(prettyLogLine(line, plain)).toBe(" auth     error: bad user=\\x1b[2J");
    expect(prettyLogLine("no JSON\x07", plain)).toBe("no JSON\\x07");
  });
});

describe("trace", () => {
  it("says of each line who said it, and in which session where there are several", () => {
    const line = {
      session: "99060f1081c1fcb4",
      address: "192.0.2.7",
      account: "mrose",
      atMs: 0,
      speaker: "S",
      text: "+OK 2 messages\n1 120\x1b[H",
      isEnd: false,
    } as const;
    expect(traceLines(line, false)).toEqual(["S: +OK 2 messages", "S: 1 120\\x1b[H"]);
    expect(traceLines(line, true)).toEqual(["99060f10 S: +OK 2 messages", "99060f10 S: 1 120\\x1b[H"]);
  });
});

describe("top", () => {
  const moment = (atMs: number, logins: number, octets: number, cpuMs: number): Moment => ({
    atMs,
    stats: {
      counters: [
        { name: "logins", labels: ["pop3", "PLAIN", "ok"], value: logins },
        { name: "octets_sent", labels: [], value: octets },
      ],
      commandTimes: [],
      processes: [
        {
          name: "mailbox 0",
          role: "mailbox",
          pid: 7,
          uid: 1,
          upMs: atMs,
          cpuMs,
          rssBytes: 5_000_000,
          loopLagMs: 3,
        },
      ],
    },
    sessions: [{ ...session, octets }],
  });

  it("tells what happened between two looks", () => {
    expect(ratesBetween(moment(1000, 10, 1_000, 500), moment(3000, 14, 5_000, 1500))).toEqual({
      sessions: { total: 1, beforeLogin: 0 },
      perSecond: { logins: 2, refused: 0, commands: 0, octets: 2000 },
      accounts: [{ account: "mrose", octetsPerSecond: 2000, octets: 5000 }],
      processes: [
        { name: "mailbox 0", pid: 7, upMs: 3000, cpuPercent: 50, rssBytes: 5_000_000, loopLagMs: 3 },
      ],
    });
  });

  it("never goes below zero when a process has begun to count anew", () => {
    const { perSecond } = ratesBetween(moment(1000, 10, 1_000, 500), moment(3000, 0, 0, 10));
    expect(perSecond).toEqual({ logins: 0, refused: 0, commands: 0, octets: 0 });
  });
});

describe("mailbox", () => {
  const header = {
    number: 3,
    uniqueId: "1795615961.M2P136.demo",
    octets: 470,
    date: "2026-11-23T10:00:00.000Z",
    from: '"Grüße" <gruesse@example.org>',
    subject: "Schöne Grüße aus einer sehr langen Betreffzeile, die nicht in achtzig Spalten passt",
  };

  it("list fits 80 columns", () => {
    const lines = messageTable([{ kind: "message", ...header }], 80);
    expect(lines[1]).toMatch(/^3 {5}470 {2}2026-11-23 {2}Grüße +Schöne Grüße .*… {2}1795/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("show escapes what would act on the terminal, in headers, text and names of attachments", () => {
    const lines = contentLines(
      {
        kind: "content",
        ...header,
        headers: [{ name: "Subject", value: "\x1b]0;owned\x07" }],
        text: "one\r\n\x1b[31mred\u202e\n\n",
        attachments: [{ name: "a\x1b.pdf", type: "application/pdf", bytes: 12_000 }],
        isCut: false,
      },
      plain,
    );
    expect(lines).toEqual([
      "message 3, unique-id 1795615961.M2P136.demo, 470 octets",
      "Subject: \\x1b]0;owned\\x07",
      "",
      "one",
      "\\x1b[31mred\\u202e",
      "",
      "[attachment: a\\x1b.pdf, application/pdf, 12kB]",
    ]);
  });
});

describe("warm", () => {
  it("shows how far it is, how fast, and how long it takes", () => {
    const progress = {
      kind: "progress",
      messages: 200,
      toCount: 100,
      counted: 25,
      bytes: 50_000_000,
    } as const;
    expect(bar("mrose", progress, 10_000, 80)).toBe(
      "mrose  [#####---------------] 25/100  5.0 MB/s  30s left",
    );
    expect(bar("mrose", progress, 10_000, 20)).toHaveLength(19);
  });
});

describe("why", () => {
  it.each([
    [
      { kind: "login", atMs: 0, address: "192.0.2.7", service: "pop3", mechanism: "PLAIN" } as const,
      "192.0.2.7        login accepted (pop3, PLAIN)",
    ],
    [
      {
        kind: "login",
        atMs: 0,
        address: "192.0.2.7",
        service: "smtp",
        mechanism: "LOGIN",
        refusal: "wrong-password",
      } as const,
      "192.0.2.7        login refused (smtp, LOGIN): wrong password",
    ],
    [
      {
        kind: "session",
        atMs: 0,
        durationMs: 4000,
        address: "192.0.2.7",
        mechanism: "PLAIN",
        device: "phone",
        secured: true,
        messages: 5,
        retrieved: 2,
        deleted: 1,
        octets: 99,
        reason: "quit",
      } as const,
      '192.0.2.7        session by "phone" of 4s ended by quit, TLS: 2 of 5 retrieved, 1 deleted, 4 left',
    ],
  ])("tells %j", (event, text) => {
    expect(happenedLine(event, plain).slice(21)).toBe(text);
  });
});
