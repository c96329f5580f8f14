// A child that was taken over can say what it likes to master: master ends it and goes on.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { childrenOf } from "../support/processes.ts";
import { type RunningProgram, startProgram } from "../support/program.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** Serves as a mailbox process at first, and says something of its own once the file is there. */
const hostile = (octets: string, trigger: string): string => `
import { existsSync, writeSync } from "node:fs";
await import("./honest.js");
setInterval(() => {
  if (!existsSync(${JSON.stringify(trigger)})) return;
  try { writeSync(3, ${octets}); } catch {}
}, 20);
`;

describe("a child's channel to master", () => {
  let folder: string;
  let server: RunningProgram;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dewey-hostile-"));
    for (const part of ["dist", "scripts", "package.json"])
      cpSync(join(checkout, part), join(folder, part), { recursive: true });
    symlinkSync(join(checkout, "node_modules"), join(folder, "node_modules"));
  });

  afterEach(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ["no JSON", `"nonsense\\n"`, "child sent what is no message, ending it"],
    [
      "a command of Node's own channel",
      `'{"cmd":"NODE_HANDLE","type":"net.Socket"}\\n'`,
      "malformed message from child, ending it",
    ],
    ["a word of master's", `'{"kind":"drain"}\\n'`, "malformed message from child, ending it"],
    ["a line without an end", `Buffer.alloc(65536, "x")`, "child sent a message without an end, ending it"],
  ])("%s ends that child and nothing else", async (_, octets, said) => {
    const trigger = join(folder, "now");
    const mailbox = join(folder, "dist/processes/mailbox.js");
    cpSync(mailbox, join(folder, "dist/processes/honest.js"));
    writeFileSync(mailbox, hostile(octets, trigger));
    writeFileSync(join(folder, "passwd"), "");
    writeFileSync(
      join(folder, "config.toml"),
      `[server]
listen = ["127.0.0.1:${await freePort()}"]
runtime_dir = "${folder}/run"
run_as = "starter"
mailbox_processes = 1
login_processes = 1
[auth]
passwd_file = "${folder}/passwd"
`,
    );
    server = await startProgram(join(folder, "scripts/pop3-server"), [
      "--config",
      join(folder, "config.toml"),
    ]);
    await server.lineWhere((line) => line.includes('"ready"'), "ready");
    const before = childrenOf(server.pid);
    expect(before.map(({ role }) => role).sort()).toEqual(["auth", "login", "mailbox"]);
    writeFileSync(trigger, "");
    await server.lineWhere((line) => line.includes(said), said);
    rmSync(trigger);
    const after = await eventually("an honest one in its place", () => {
      const now = childrenOf(server.pid);
      const isNew = now.some(({ pid }) => before.every((child) => child.pid !== pid));
      return now.length === 3 && isNew ? now : undefined;
    });
    const others = (children: typeof before) =>
      children.filter(({ role }) => role !== "mailbox").map(({ pid }) => pid);
    expect(others(after)).toEqual(others(before));
    expect(readFileSync(join(folder, "run/pop3-server.pid"), "utf8")).toBe(`${server.pid}\n`);
  });
});
