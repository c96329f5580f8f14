// README's transcripts, typed in the demonstration of `npm start`: the dialogue, and what pop3-ctl shows of it.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { startDemo } from "../support/demo.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type RunningProgram, runOrThrow, startProgram } from "../support/program.ts";
import { readmeBlock } from "../support/readme.ts";
import { inShape, type Shown, transcriptOf } from "../support/transcript.ts";

let folder: string;
let port: number;
let demo: RunningProgram;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-readme-"));
  port = await freePort();
  demo = await startDemo(folder, port, await freePort());
  // In the PATH, with the demonstration's config for the host's.
  const ctl = fileURLToPath(new URL("../../scripts/pop3-ctl", import.meta.url));
  writeFileSync(
    join(folder, "pop3-ctl"),
    `#!/bin/sh\nexec "${ctl}" --config "${folder}/demo/config.toml" "$@"\n`,
  );
  chmodSync(join(folder, "pop3-ctl"), 0o755);
});
afterAll(async () => {
  await demo?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const environment = () => ({ env: { PATH: `${folder}:${process.env["PATH"]}` } });
const typed = async (command: string): Promise<string[]> => {
  const { stdout } = await runOrThrow("sh", ["-c", command], environment());
  return stdout.toString().trimEnd().split("\n");
};
const alike = (lines: readonly string[], { output }: Shown): void =>
  expect(lines.map(inShape)).toEqual(output.map(inShape));

async function retrieve(messageNumbers: readonly number[]): Promise<Pop3Connection> {
  const session = await Pop3Connection.login(port, "mrose", "secret");
  for (const messageNumber of messageNumbers) await session.multiLine(`RETR ${messageNumber}`);
  return session;
}
async function quit(session: Pop3Connection): Promise<void> {
  await session.command("QUIT");
  await session.closed;
}

// One after the other: what happened to the account is looked at before anything else has, and the dialogue deletes.
describe("README.md", () => {
  it("shows what happened to an account", async () => {
    const [why] = transcriptOf(readmeBlock("why"));
    const { connection } = await Pop3Connection.open(port);
    await connection.command("USER mrose");
    expect((await connection.command("PASS wrong")).status).toBe("-ERR");
    await quit(connection);
    const session = await retrieve([1]);
    await session.command("STAT");
    await quit(session);
    await eventually("the session's end", async () =>
      (await typed(why!.command)).join().includes("ended by"),
    );
    alike(await typed(why!.command), why!);
  });

  it("shows who is connected, and how a session is ended", async () => {
    const [who, kick] = transcriptOf(readmeBlock("who"));
    const session = await retrieve([2, 3]);
    alike(await typed(who!.command), who!);
    alike(await typed(kick!.command), kick!);
    await session.closed;
  });

  it("shows what is said in a session", async () => {
    const [trace] = transcriptOf(readmeBlock("trace"));
    // A session that began before master told of the trace is shown from there on: then the next one is whole.
    await eventually("a whole session", async () => {
      const tracing = await startProgram("sh", ["-c", `exec ${trace!.command}`], environment());
      await eventually("a traced session", async () => {
        await quit(await retrieve([1]));
        return tracing.lines().some((line) => line.includes("ended: quit"));
      });
      await tracing.ended;
      if (tracing.lines()[1] !== trace!.output[1]) return false;
      alike(tracing.lines(), trace!);
      return true;
    });
  });

  it("shows an account's messages", async () => {
    const [list] = transcriptOf(readmeBlock("mailbox list"));
    alike(await typed(list!.command), list!);
  });

  it("shows a session's end as it is logged", async () => {
    const shown = JSON.parse(readmeBlock("log line")) as Record<string, unknown>;
    await quit(await retrieve([1]));
    const log = join(folder, "demo/server.log");
    const logged = await eventually("the line", () =>
      readFileSync(log, "utf8")
        .split("\n")
        .find((line) => line.includes('"session ended"')),
    );
    const kinds = (line: object) => Object.entries(line).map(([name, value]) => [name, typeof value]);
    expect(kinds(JSON.parse(logged) as object).sort()).toEqual(kinds(shown).sort());
  });

  it("shows a session as it is", async () => {
    const [greeting = "", ...lines] = readmeBlock("dialogue").trimEnd().split("\n");
    const opened = await Pop3Connection.open(port);
    expect(`S: +OK ${opened.greeting.text}`).toBe(greeting);
    for (const line of lines) {
      if (line.startsWith("C: ")) opened.connection.send(`${line.slice(3)}\r\n`);
      else expect(inShape(`S: ${await opened.connection.line()}`)).toBe(inShape(line));
    }
    await opened.connection.closed;
  });
});
