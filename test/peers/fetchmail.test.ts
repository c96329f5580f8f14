// fetchmail polls our server: leaving messages there and knowing them again by their unique-ids, and taking them away.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runProgram } from "../support/program.ts";
import { type MailHost, password, startMailHost } from "./support/mail-host.ts";
import { type MaildirFile, namesAndFlags, readMaildir } from "./support/maildir.ts";
import { generatedMessages } from "./support/messages.ts";

const exitFetched = 0;
const exitNoMail = 1;

const messages = generatedMessages().map(({ bytes }) => bytes);
let host: MailHost;
let folder: string;

beforeAll(async () => {
  host = await startMailHost({ virtualUsers: ["keeping", "taking", "batch"] });
});
afterAll(async () => await host?.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-fetchmail-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

interface Poll {
  readonly exitCode: number | null;
  readonly said: string;
  /** What the delivery program was handed, a message each. */
  readonly fetched: readonly Buffer[];
}

/** One poll; every message goes into a file of its own, in the order of its coming. */
async function poll(user: string, options: string): Promise<Poll> {
  const inbox = mkdtempSync(join(folder, "inbox-"));
  // The delivery program of a user: the number of files so far names the next.
  const deliver = join(folder, "deliver");
  writeFileSync(deliver, '#!/bin/sh\nexec cat > "$1/$(ls "$1" | wc -l)"\n');
  chmodSync(deliver, 0o700);
  return await fetchmail(user, `mda "${deliver} ${inbox}" ${options}`, () =>
    readdirSync(inbox)
      .sort((a, b) => Number(a) - Number(b))
      .map((name) => readFileSync(join(inbox, name))),
  );
}

async function fetchmail(user: string, options: string, fetched: () => readonly Buffer[]): Promise<Poll> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const control = join(home, "fetchmailrc");
  // "invisible" and "no rewrite": fetchmail adds no Received line and completes no address. An empty sslproto: it
  // would insist on STLS, which a server on the loopback interface need not have.
  writeFileSync(
    control,
    `set invisible
set no bouncemail
set no syslog
poll 127.0.0.1 service ${host.server.port} protocol pop3 uidl auth password timeout 60
  user "${user}" there with password "${password}" is nobody here
  no rewrite pass8bits sslproto "" ${options}
`,
    { mode: 0o600 },
  );
  const result = await runProgram(
    "fetchmail",
    ["-v", "--fetchmailrc", control, "--idfile", join(home, "ids"), "--pidfile", join(home, "pid")],
    { env: { HOME: home, FETCHMAILHOME: home } },
  );
  return {
    exitCode: result.exitCode,
    said: `${result.stdout.toString("latin1")}${result.stderr}`,
    fetched: fetched(),
  };
}

function expectSame(fetched: readonly Buffer[], files: readonly MaildirFile[], said: string): void {
  const ordered = (contents: readonly Buffer[]): string[] =>
    contents.map((octets) => octets.toString("latin1")).sort();
  expect(fetched, said).toHaveLength(files.length);
  const stored = ordered(files.map(({ bytes }) => bytes));
  ordered(fetched).forEach((octets, index) => {
    expect(octets === stored[index], `${octets.slice(0, 400)}\n---\n${stored[index]?.slice(0, 400)}`).toBe(
      true,
    );
  });
}

describe("fetchmail that keeps messages on the server", () => {
  it("fetches all, then nothing, then only what is new", async () => {
    const first = await host.deliver("keeping", messages);
    const all = await poll("keeping", "keep");
    expect(all.exitCode, all.said).toBe(exitFetched);
    expectSame(all.fetched, first, all.said);
    // fetchmail that keeps messages fetches them with TOP, so that they don't count as read.
    expect(namesAndFlags(host.maildir("keeping"))).toEqual(first.map(({ baseName }) => `${baseName} `));

    const nothing = await poll("keeping", "keep");
    expect(nothing.exitCode, nothing.said).toBe(exitNoMail);
    expect(nothing.fetched).toEqual([]);

    const later = await host.deliver("keeping", messages.slice(0, 3));
    const rest = await poll("keeping", "keep");
    expect(rest.exitCode, rest.said).toBe(exitFetched);
    expectSame(rest.fetched, later, rest.said);
    expect(namesAndFlags(host.maildir("keeping"))).toEqual(
      [...first, ...later].map(({ baseName }) => `${baseName} `).sort(),
    );
  });

  it("fetches all again when told so, with RETR, after which they count as read", async () => {
    const files = readMaildir(host.maildir("keeping"));
    const again = await poll("keeping", "keep fetchall");
    expect(again.exitCode, again.said).toBe(exitFetched);
    expectSame(again.fetched, files, again.said);
    expect(namesAndFlags(host.maildir("keeping"))).toEqual(files.map(({ baseName }) => `${baseName} S`));
  });
});

describe("fetchmail that takes messages away", () => {
  it("fetches all and leaves an empty Maildir", async () => {
    const files = await host.deliver("taking", messages);
    const all = await poll("taking", "nokeep");
    expect(all.exitCode, all.said).toBe(exitFetched);
    expectSame(all.fetched, files, all.said);
    expect(readMaildir(host.maildir("taking"))).toEqual([]);

    const nothing = await poll("taking", "nokeep");
    expect(nothing.exitCode, nothing.said).toBe(exitNoMail);
  });

  it("takes a few at a time when told so, and each once", async () => {
    const files = await host.deliver("batch", messages.slice(0, 7));
    const polls: Poll[] = [];
    for (let index = 0; index < 3; index++) polls.push(await poll("batch", "nokeep fetchlimit 3"));
    expect(polls.map(({ fetched }) => fetched.length)).toEqual([3, 3, 1]);
    expectSame(
      polls.flatMap(({ fetched }) => fetched),
      files,
      "",
    );
    expect(readMaildir(host.maildir("batch"))).toEqual([]);
  });
});
