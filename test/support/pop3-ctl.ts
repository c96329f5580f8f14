// Asks a running test server through the built pop3-ctl.
import { join } from "node:path";
import { runnableProgram } from "./checkout.ts";
import { runProgram } from "./program.ts";
import type { TestServer } from "./server.ts";

/** What `pop3-ctl --json` prints. @throws Error with what it says when it fails */
export async function askServer(
  { folder }: Pick<TestServer, "folder">,
  ...args: readonly string[]
): Promise<unknown> {
  const { path, env } = runnableProgram("pop3-ctl");
  const all = ["--config", join(folder, "config.toml"), "--json", ...args];
  const { exitCode, stdout, stderr } = await runProgram(path, all, { env });
  if (exitCode !== 0 || stderr !== "") throw new Error(`pop3-ctl ended with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout.toString());
}

/** What the server has counted by this name: the labels' values, joined by spaces, and the number. */
export async function countedBy(
  server: Pick<TestServer, "folder">,
  name: string,
): Promise<Readonly<Record<string, number>>> {
  const { counters } = (await askServer(server, "stats")) as {
    readonly counters: readonly { readonly name: string; readonly labels: object; readonly value: number }[];
  };
  return Object.fromEntries(
    counters
      .filter((each) => each.name === name)
      .map(({ labels, value }) => [Object.values(labels).join(" "), value]),
  );
}
