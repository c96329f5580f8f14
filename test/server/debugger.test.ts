// SIGUSR1 has Node open a debugger, on a port that every user of the host can connect to. A user of the host may send it to
// the process that reads his mail, and that one knows the key that tickets are sealed with.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf, descriptorLinks, descriptorsAtRest } from "../support/processes.ts";
import { startServer } from "../support/server.ts";

it.each(["separate", "combined"] as const)(
  "SIGUSR1 opens no debugger, nor ends a process: %s",
  async (processes) => {
    const server = await startServer({
      accounts: [],
      owner: mailOwner(),
      settings: { server: { processes } },
    });
    onTestFinished(() => server.stop());
    const children = childrenOf(server.pid);
    const pids = [server.pid, ...children.map(({ pid }) => pid)];
    for (const pid of pids) {
      await descriptorsAtRest(pid);
      const before = descriptorLinks(pid);
      process.kill(pid, "SIGUSR1");
      // A process of Node's own, signalled later: when it has its debugger, others would have theirs.
      await debuggerOfNode();
      await descriptorsAtRest(pid);
      expect(descriptorLinks(pid)).toEqual(before);
    }
    expect(childrenOf(server.pid)).toEqual(children);
  },
);

async function debuggerOfNode(): Promise<void> {
  const script = "setInterval(() => {}, 1000); console.log('runs')";
  const node = spawn(process.execPath, ["--inspect-port=0", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  node.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  try {
    await once(node.stdout, "data");
    node.kill("SIGUSR1");
    await eventually("Node's debugger", () => said.includes("Debugger listening"));
  } finally {
    node.kill("SIGKILL");
  }
}
