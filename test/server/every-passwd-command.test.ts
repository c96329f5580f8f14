// Every command of pop3-passwd as an administrator and as a program meet it: exit status, one line or --json that can be parsed, and
// nothing that moves a terminal. A command that is not listed here fails the test.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { passwdProgram } from "../../src/bin/passwd/program.ts";
import { runnableProgram } from "../support/checkout.ts";
import { runProgram } from "../support/program.ts";

const { path: program, env } = runnableProgram("pop3-passwd");
const folder = mkdtempSync(join(tmpdir(), "dewey-every-passwd-"));
const file = join(folder, "passwd");
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  rmSync(`${file}.devices`, { force: true });
  writeFileSync(file, "mrose:{PLAIN}secret::::/home/mrose::\njpostel:!{PLAIN}pencil::::/home/jpostel::\n");
  writeFileSync(join(folder, "csv"), "user,password\nnew,{PLAIN}secret\n");
});

interface Run {
  readonly args: readonly string[];
  readonly exitCode?: number;
  /** Without this user the command is refused. */
  readonly userAt?: number;
  readonly hasJson?: true;
  /** The user has the device "phone". */
  readonly hasDevice?: true;
}

const runs: Readonly<Record<string, Run>> = {
  add: { args: ["new"] },
  set: { args: ["mrose"], userAt: 0 },
  delete: { args: ["mrose", "--yes"], userAt: 0 },
  lock: { args: ["mrose"], userAt: 0 },
  unlock: { args: ["jpostel"], userAt: 0 },
  verify: { args: ["mrose"], userAt: 0 },
  list: { args: [], hasJson: true },
  "device add": { args: ["mrose", "phone"], userAt: 0 },
  "device list": { args: ["mrose"], hasJson: true, hasDevice: true },
  "device revoke": { args: ["mrose", "phone"], userAt: 0, hasDevice: true },
  import: { args: [join(folder, "csv"), "--format", "csv"] },
  export: { args: ["json"] },
  audit: { args: [], hasJson: true, exitCode: 1 },
  rehash: { args: ["mrose"], userAt: 0 },
};

function leaves(command: Command, typed: readonly string[] = []): string[] {
  const below = command.commands.filter((each) => each.name() !== "help");
  return below.length === 0
    ? [typed.join(" ")]
    : below.flatMap((each) => leaves(each, [...typed, each.name()]));
}

async function run(command: string, args: readonly string[]) {
  const all = ["--file", file, ...command.split(" "), ...args];
  const { exitCode, stdout, stderr } = await runProgram(program, all, { env, input: "secret\n" });
  return { exitCode, stdout: stdout.toString(), stderr };
}

describe("every command of pop3-passwd", () => {
  it("is looked at here", () => {
    expect(Object.keys(runs).sort()).toEqual(leaves(passwdProgram()).sort());
  });

  it.each(Object.entries(runs))("%s", async (command, { args, exitCode = 0, userAt, hasJson, hasDevice }) => {
    if (hasDevice) await run("device add", ["mrose", "phone"]);
    const said = await run(command, args);
    expect(said.exitCode, said.stderr).toBe(exitCode);
    expect(`${said.stdout}${said.stderr}`).not.toBe("");
    expect(`${said.stdout}${said.stderr}`).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    expect((await run(command, [...args, "--no-such-option"])).exitCode).toBe(2);
    if (hasJson) {
      const { exitCode: status, stdout } = await run(command, [...args, "--json"]);
      expect(status).toBe(exitCode);
      expect(() => JSON.parse(stdout) as unknown, stdout).not.toThrow();
    }
    if (userAt === undefined) return;
    const unknown = await run(
      command,
      args.map((word, index) => (index === userAt ? "nobody" : word)),
    );
    expect(unknown).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(/^pop3-passwd: [^\n]*nobody[^\n]*\n$/),
    });
  });
});
