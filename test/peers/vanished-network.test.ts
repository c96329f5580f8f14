// A client whose network goes away: no FIN, no reset, nothing. iproute2 cuts it, in a network namespace of its own.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writePasswdFile } from "../support/accounts.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { runOrThrow } from "../support/program.ts";
import type { LogLine } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";

const player = fileURLToPath(new URL("./support/vanishing-client.py", import.meta.url));
const port = 1110;

let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-vanished-"));
  chmodSync(folder, 0o755);
  const owner = mailOwner();
  const home = join(folder, "mrose");
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
  await writePasswdFile(join(folder, "passwd"), [
    { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home },
  ]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function config(processes: string): string {
  const { user, group } = mailOwner();
  const users = runsAsRoot() ? [`login_user = "daemon"`, `auth_user = "bin"`] : [];
  const mail = runsAsRoot() ? [`user = "${user}"`, `group = "${group}"`] : [];
  return [
    "[server]",
    `listen = ["127.0.0.1:${port}"]`,
    `runtime_dir = "${folder}/run"`,
    `processes = "${processes}"`,
    ...users,
    "[auth]",
    `passwd_file = "${folder}/passwd"`,
    "[mail]",
    ...mail,
    "[limits]",
    'stall_time = "3s"',
    'lock_wait = "1s"',
    "",
  ].join("\n");
}

describe.each(["separate", "combined"])("a client whose network went away, processes %s", (processes) => {
  it.each(["idle", "unacknowledged"])("frees its maildrop: %s", async (how) => {
    writeFileSync(join(folder, "config.toml"), config(processes));
    const { path, env } = runnableProgram("pop3-server");
    // Without root, a user namespace gives the right to a network of one's own.
    const { stdout } = await runOrThrow(
      "unshare",
      [
        ...(runsAsRoot() ? [] : ["--user", "--map-root-user"]),
        ...["--net", "python3", player, how, `${port}`, path, "--config", join(folder, "config.toml")],
      ],
      { env },
    );
    const lines = stdout.toString().trim().split("\n");
    expect(lines).toContain("free");
    const ended = lines
      .slice(lines.indexOf("vanished"))
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogLine)
      .find(({ msg }) => msg === "session ended");
    // Long before the idle time of ten minutes; in a separate run the login process sees the cause.
    expect(ended).toMatchObject({ reason: "disconnected", account: "mrose", deleted: 0 });
    // EINVAL is what the rule that cuts the network answers to the kernel's last probe.
    if (processes === "combined") expect(ended?.["cause"]).toMatch(/ETIMEDOUT|EINVAL/);
  });
});
