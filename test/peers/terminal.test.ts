// pop3-passwd asks a person at a terminal. Python's pty plays the person: Node has no pseudo-terminals.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runOrThrow, runProgram } from "../support/program.ts";

const pop3Passwd = fileURLToPath(new URL("../../scripts/pop3-passwd", import.meta.url));
const player = fileURLToPath(new URL("./support/terminal-session.py", import.meta.url));

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pop3-passwd-"));
  file = join(folder, "passwd");
  writeFileSync(file, "mrose:{PLAIN}old\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Session {
  /** Without the sequences that place the cursor. */
  readonly shown: string;
  readonly exitCode: number;
  readonly stepsLeft: number;
  readonly echoes: boolean;
}

async function atTerminal(
  args: readonly string[],
  ...steps: readonly [waitFor: string, keys: string][]
): Promise<Session> {
  const task = { command: [pop3Passwd, "--file", file, ...args], steps };
  const { stdout } = await runOrThrow("python3", [player], { input: JSON.stringify(task) });
  const session = JSON.parse(stdout.toString()) as Session;
  return { ...session, shown: session.shown.replace(/\x1b\[[0-9]*[A-Z]/g, "") };
}

async function isPassword(password: string): Promise<boolean> {
  const result = await runProgram(pop3Passwd, ["--file", file, "verify", "mrose"], {
    input: `${password}\n`,
  });
  return result.exitCode === 0;
}

const first = "New password of mrose: ";
const second = "Once more: ";
const ctrlC = "\x03";
const ctrlD = "\x04";
const backspace = "\x7f";

describe("pop3-passwd at a terminal", () => {
  it("asks twice, shows no key, and sets the password", async () => {
    const session = await atTerminal(["mrose"], [first, " geheim 1 \r"], [second, " geheim 1 \r"]);
    expect(session).toEqual({
      shown: `${first}\r\n${second}\r\npassword of mrose set\r\n`,
      exitCode: 0,
      stepsLeft: 0,
      echoes: true,
    });
    expect(await isPassword(" geheim 1 ")).toBe(true);
    expect(await isPassword("geheim 1")).toBe(false);
  });

  it("adds an account", async () => {
    const asked = "New password of joe: ";
    const session = await atTerminal(["add", "joe"], [asked, "geheim\r"], [second, "geheim\r"]);
    expect(session).toMatchObject({ shown: `${asked}\r\n${second}\r\njoe added\r\n`, exitCode: 0 });
    expect(readFileSync(file, "utf8")).toMatch(/^mrose:\{PLAIN\}old\njoe:\{ARGON2ID\}/);
  });

  it("lets a key be taken back, and takes characters beyond ASCII", async () => {
    const keys = `pä${backspace}ässx${backspace}\r`;
    expect((await atTerminal(["mrose"], [first, keys], [second, "päss\r"])).exitCode).toBe(0);
    expect(await isPassword("päss")).toBe(true);
  });

  it("refuses two different passwords, and an empty one without asking again", async () => {
    expect(await atTerminal(["mrose"], [first, "geheim\r"], [second, "geheim2\r"])).toEqual({
      shown: `${first}\r\n${second}\r\npop3-passwd: the passwords differ\r\n`,
      exitCode: 1,
      stepsLeft: 0,
      echoes: true,
    });
    expect(await atTerminal(["mrose"], [first, "\r"])).toMatchObject({
      shown: `${first}\r\npop3-passwd: the password is empty\r\n`,
      exitCode: 1,
    });
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}old\n");
  });

  it.each([
    ["Ctrl-C in the middle", [[first, `geh${ctrlC}`]]],
    [
      "Ctrl-C at the second prompt",
      [
        [first, "geheim\r"],
        [second, ctrlC],
      ],
    ],
    ["Ctrl-D", [[first, ctrlD]]],
  ] as const)("changes nothing and restores the terminal at %s", async (_, steps) => {
    const session = await atTerminal(
      ["mrose"],
      ...steps.map(([text, keys]): [string, string] => [text, keys]),
    );
    expect(session).toMatchObject({ exitCode: 130, stepsLeft: 0, echoes: true });
    expect(session.shown).not.toContain("geh");
    expect(session.shown.endsWith("\r\n")).toBe(true);
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}old\n");
  });

  it("asks once to verify", async () => {
    const asked = "Password of mrose: ";
    expect(await atTerminal(["verify", "mrose"], [asked, "old\r"])).toMatchObject({
      shown: `${asked}\r\nthe password of mrose is right\r\n`,
      exitCode: 0,
    });
    expect((await atTerminal(["verify", "mrose"], [asked, "Old\r"])).exitCode).toBe(1);
  });

  it("does not ask for what will be refused anyway", async () => {
    expect(await atTerminal(["set", "joe"])).toMatchObject({
      shown: "pop3-passwd: no such user: joe\r\n",
      exitCode: 1,
    });
    expect((await atTerminal(["add", "mrose"])).shown).toBe(
      "pop3-passwd: mrose exists already, in line 1\r\n",
    );
  });

  it("asks before it deletes a domain, and deletes nothing without a yes", async () => {
    const content = "a@example.org:{PLAIN}x\nb@example.net:{PLAIN}x\n";
    writeFileSync(file, content);
    const asked = "Delete 1 account of example.org (a@example.org)? The mail stays. [y/N] ";
    const command = ["delete", "--domain", "example.org"];
    expect(await atTerminal(command, [asked, "n\r"])).toMatchObject({
      shown: expect.stringContaining("pop3-passwd: nothing is changed\r\n"),
      exitCode: 1,
    });
    expect(await atTerminal(command, [asked, "\r"])).toMatchObject({ exitCode: 1 });
    for (const key of [ctrlC, ctrlD])
      expect(await atTerminal(command, [asked, key])).toMatchObject({ exitCode: 130, echoes: true });
    expect(readFileSync(file, "utf8")).toBe(content);
    expect(await atTerminal(command, [asked, "y\r"])).toMatchObject({ exitCode: 0 });
    expect(readFileSync(file, "utf8")).toBe("b@example.net:{PLAIN}x\n");
  });
});
