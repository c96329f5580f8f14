// Every command of pop3-ctl as a program and as a person meets it: --json can be parsed, what is printed fits 80 columns
// however long names are, and has no colour where there is no terminal. A command that is not listed here fails the test.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import stringWidth from "string-width";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ctlProgram } from "../../src/bin/ctl/program.ts";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

const { path: program, env } = runnableProgram("pop3-ctl");
const LONG = `${"anna-maria.".repeat(5)}mustermann@${"abteilung.".repeat(4)}example.org`;
let folder: string;
let server: TestServer;
let session: Pop3Connection | undefined;

beforeAll(async () => {
  const owner = mailOwner();
  folder = mkdtempSync(join(tmpdir(), "dewey-every-"));
  chmodSync(folder, 0o755);
  const subject =
    "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= und noch viel mehr als in achtzig Spalten je hineinpasst\n";
  const message = Buffer.from(`From: "${"Anna ".repeat(20)}" <${LONG}>\n${subject}\nbody\n`);
  layOutMaildir(join(folder, "long"), owner, new Map([[`new/1.${"name".repeat(10)}`, message]]));
  layOutMaildir(join(folder, "mrose"), owner, new Map([["new/1.one", message]]));
  const account = (user: string, home: string) => {
    return { user, password: "secret", uid: owner.uid, gid: owner.gid, home: join(folder, home) };
  };
  server = await startServer({
    accounts: [account(LONG, "long"), account("mrose", "mrose")],
    owner,
    settings: { auth: { failure_delay: "10ms" }, mail: { keep_deleted: "7d" } },
  });
  const { connection } = await Pop3Connection.open(server.port);
  await connection.command(`USER ${LONG}`);
  await connection.command("PASS wrong");
  connection.drop();
  session = await Pop3Connection.login(server.port, LONG, "secret");
  await session.multiLine("RETR 1");
  writeFileSync(join(folder, "logins"), "mrose:secret\n");
  writeFileSync(join(folder, "dovecot.conf"), "protocols = pop3\nmail_location = maildir:~/Maildir\n");
});
afterAll(async () => {
  session?.drop();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly args: readonly string[];
  /** Where another exit status than 0 is an answer, too. */
  readonly exitCodes?: readonly number[];
  /** What it prints for people are no tables: a script, a file's lines, a message. */
  readonly isAnyWidth?: true;
}

const runs: ReadonlyMap<string, () => Run> = new Map<string, () => Run>([
  ["who", () => ({ args: [] })],
  ["throttle list", () => ({ args: [] })],
  ["throttle clear", () => ({ args: [], isAnyWidth: true })],
  ["stats", () => ({ args: [] })],
  ["top", () => ({ args: ["--count", "2", "--interval", "0.1"] })],
  ["why", () => ({ args: [LONG], isAnyWidth: true })],
  ["mailbox list", () => ({ args: [LONG] })],
  ["mailbox show", () => ({ args: [LONG, "1"], isAnyWidth: true })],
  ["mailbox status", () => ({ args: [LONG], isAnyWidth: true })],
  ["mailbox undelete", () => ({ args: ["mrose"] })],
  ["warm", () => ({ args: ["mrose"] })],
  ["import-uidl", () => ({ args: ["mrose", "--from", "filename"] })],
  ["export-uidl", () => ({ args: ["mrose", "--to", "dovecot", "--dry-run"] })],
  ["rehearse", () => ({ args: ["--old", `127.0.0.1:${server.port}`, "--accounts", join(folder, "logins")] })],
  ["reload", () => ({ args: [] })],
  ["doctor", () => ({ args: [], exitCodes: [0, 1, 2], isAnyWidth: true })],
  ["setup", () => ({ args: ["--root", folder], exitCodes: [0, 1, 2], isAnyWidth: true })],
  ["import-config", () => ({ args: [join(folder, "dovecot.conf")], isAnyWidth: true })],
  ["kick", () => ({ args: ["0000"], exitCodes: [1] })],
]);

/** They go on until they are ended (looked at below), or print a script. */
const OTHERS = ["log follow", "trace", "completion"];

function leaves(command: Command, typed: readonly string[] = []): string[] {
  const below = command.commands.filter((each) => each.name() !== "help");
  return below.length === 0
    ? [typed.join(" ")]
    : below.flatMap((each) => leaves(each, [...typed, each.name()]));
}

async function ctl(command: string, { args }: Run, ...options: readonly string[]) {
  const all = ["--config", join(server.folder, "config.toml"), ...options, ...command.split(" "), ...args];
  const { exitCode, stdout, stderr } = await runProgram(program, all, { env });
  return { exitCode, stdout: stdout.toString(), stderr };
}

describe("every command of pop3-ctl", () => {
  it("is looked at here", () => {
    expect([...runs.keys(), ...OTHERS].sort()).toEqual(leaves(ctlProgram()).sort());
  });

  it.each([...runs])("%s", async (command, make) => {
    const run = make();
    const exitCodes = run.exitCodes ?? [0];
    const [forPrograms, forPeople] = await Promise.all([ctl(command, run, "--json"), ctl(command, run)]);
    for (const { exitCode, stderr } of [forPrograms, forPeople])
      expect(exitCodes, stderr).toContain(exitCode);
    const values = forPrograms.stdout.split("\n").filter((line) => line !== "");
    for (const value of values) expect(() => JSON.parse(value) as unknown, value).not.toThrow();
    if (exitCodes[0] === 1) {
      expect(forPeople.stderr).toMatch(/^pop3-ctl: [^\n]+\n$/);
      return;
    }
    expect(values.length).toBeGreaterThan(0);
    expect(forPeople.stdout).not.toBe("");
    expect(forPeople.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    if (run.isAnyWidth) return;
    for (const line of forPeople.stdout.split("\n")) expect(stringWidth(line), line).toBeLessThanOrEqual(80);
  });
});

describe("a command that goes on", () => {
  it.each(["log follow", "trace"])("%s says the same to programs and to people", async (command) => {
    const words = ["--config", join(server.folder, "config.toml"), ...command.split(" "), "mrose"];
    const forPrograms = await startProgram(program, ["--json", ...words], { env });
    const forPeople = await startProgram(program, words, { env });
    const isOver = (text: string): boolean => /session ended|ended: quit/.test(text);
    await eventually("both have told of a session", async () => {
      await (await Pop3Connection.login(server.port, "mrose", "secret")).command("QUIT");
      return isOver(forPrograms.lines().join("\n")) && isOver(forPeople.lines().join("\n"));
    });
    await Promise.all([forPrograms.stop("SIGINT"), forPeople.stop("SIGINT")]);
    expect((await forPrograms.ended).exitCode).toBe(0);
    const values = forPrograms.lines().filter((line) => !line.startsWith("pop3-ctl: "));
    for (const value of values) expect(() => JSON.parse(value) as unknown, value).not.toThrow();
    expect(forPeople.lines().join("")).not.toMatch(/[\x00-\x1f\x7f]/);
  });
});

describe("a fault of usage", () => {
  it.each([
    ["pop3-ctl", [], /^Usage: pop3-ctl /],
    ["pop3-ctl", ["wo"], /^pop3-ctl: unknown command 'wo' \(Did you mean who\?\)\nTry: pop3-ctl --help\n$/],
    ["pop3-ctl", ["mailbox", "show", "mrose", "x"], /^pop3-ctl: .*\nTry: pop3-ctl mailbox show --help\n$/],
    ["pop3-passwd", ["ad", "mrose"], /^pop3-passwd: unknown command 'ad' \(Did you mean add\?\)\n/],
    ["pop3-passwd", ["--no-such-option"], /^pop3-passwd: unknown option '--no-such-option'\n/],
    ["pop3-server", ["--no-such-option"], /^pop3-server: unknown option .*\nTry: pop3-server --help\n$/],
  ] as const)("ends %s %j with 2 and says what is wrong", async (name, args, said) => {
    const { path, env: variables } = runnableProgram(name);
    const { exitCode, stdout, stderr } = await runProgram(path, args, { env: variables });
    expect(exitCode).toBe(2);
    expect(stdout.length).toBe(0);
    expect(stderr).toMatch(said);
  });

  it("is one that no account is named, either", async () => {
    const { exitCode, stderr } = await ctl("warm", { args: [] });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: "pop3-ctl: name the accounts, or say --all\n",
    });
  });

  it("is found in each command's options, before anything is done", async () => {
    for (const command of leaves(ctlProgram())) {
      const typed = [...command.split(" "), "--no-such-option"];
      const quiet = ctlProgram();
      const silence = (each: Command): void => {
        each.configureOutput({ writeErr: () => {} }).exitOverride();
        each.commands.forEach(silence);
      };
      silence(quiet);
      await expect(quiet.parseAsync(typed, { from: "user" }), command).rejects.toMatchObject({
        code: expect.stringMatching(/^commander\.(?:unknownOption|missingMandatoryOptionValue)$/),
      });
    }
  });
});
