// What an administrator gets wrong, and what each command says to it: one line that names the file, line and key at fault and
// how to mend it, and an exit status that tells a refusal (1) from wrong usage (2).
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/doctor/finding.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-wrong-"));
  chmodSync(folder, 0o755);
  const sound = `[server]\nrun_as = "starter"\nruntime_dir = "${folder}"\nlisten = ["127.0.0.1:1"]\n[auth]\npasswd_file = "${folder}/passwd"\n`;
  writeFileSync(join(folder, "config.toml"), sound);
  writeFileSync(
    join(folder, "types.toml"),
    '[server]\nlisten = "x"\n[limits]\nsessions = "many"\nlock_wait = 3\n',
  );
  writeFileSync(
    join(folder, "tls.toml"),
    `${sound}[tls]\ncertificate = "${folder}/none.pem"\nprivate_key = "${folder}/none.key"\n`,
  );
  const noUser = sound
    .replace('"starter"', '"users"')
    .replace("[auth]", 'login_user = "nobody-here"\n[auth]');
  writeFileSync(join(folder, "user.toml"), noUser);
  writeFileSync(join(folder, "passwd"), "mrose:{PLAIN}secret::::/nowhere::\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(
  name: "pop3-server" | "pop3-ctl" | "pop3-passwd",
  args: readonly string[],
  options: { readonly uid?: number; readonly gid?: number } = {},
) {
  const { path, env } = runnableProgram(name);
  const { exitCode, stdout, stderr } = await runProgram(path, args, { env, cwd: folder, ...options });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.replaceAll(folder, "FOLDER") };
}

it("a config that nothing starts with is told to journald as an error, and elsewhere without a mark", async () => {
  const { path, env } = runnableProgram("pop3-server");
  const fault = (await run("pop3-server", ["--config", "types.toml"])).stderr;
  expect(fault).toMatch(/^types\.toml:2: /);
  // JOURNAL_STREAM says which file journald reads, as systemd.exec(5) has it: here this pipe.
  const asUnit = 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1) exec "$0" --config types.toml';
  const { stderr } = await runProgram("sh", ["-c", asUnit, path], { env, cwd: folder });
  expect(stderr).toBe(fault.replace(/^(?=.)/gm, "<3>"));
});

it("an account without mail is added, and said to be so", async () => {
  const { path, env } = runnableProgram("pop3-passwd");
  const text = `server.run_as = "starter"\nauth.passwd_file = "${folder}/new-passwd"\nmail.maildir = "${folder}/%d/%n"\n`;
  writeFileSync(join(folder, "domains.toml"), text);
  const add = async (user: string) => {
    const options = { env, cwd: folder, input: "secret\n" };
    const { exitCode, stderr } = await runProgram(path, ["--config", "domains.toml", "add", user], options);
    return { exitCode, stderr };
  };
  expect(await add("mrose@example.org")).toEqual({ exitCode: 0, stderr: "" });
  expect(await add("mrose")).toEqual({
    exitCode: 0,
    stderr:
      "pop3-passwd: nobody can log in yet: mrose: the user name's %d is empty, begins with a dot or has a slash in it\n",
  });
});

describe("wrong input", () => {
  it.each([
    [
      "pop3-server",
      "--config types.toml --check",
      78,
      'types.toml:2: server.listen: expected a list, […], not a text in quotes, "…"\n' +
        'types.toml:4: limits.sessions: expected a number without quotes, not a text in quotes, "…"\n' +
        'types.toml:5: limits.lock_wait: 3 is no duration, expected such as "10m", "90s" or "36h"\n',
    ],
    [
      "pop3-server",
      "--config tls.toml --check",
      1,
      "tls.toml:8: tls.certificate: FOLDER/none.pem cannot be read: no such file or directory\n",
    ],
    [
      "pop3-server",
      "--config none.toml",
      78,
      "none.toml: cannot read it (ENOENT): pop3-ctl setup writes one, --config names another\n",
    ],
    [
      "pop3-ctl",
      "--config types.toml who",
      1,
      'pop3-ctl: types.toml:2: server.listen: expected a list, […], not a text in quotes, "…"\n',
    ],
    [
      "pop3-ctl",
      "--config config.toml trace mrose",
      1,
      "pop3-ctl: pop3-server does not run: nobody listens on FOLDER/control.sock (systemctl start dewey-pop3)\n",
    ],
    ["pop3-ctl", "--config config.toml warm", 2, "pop3-ctl: name the accounts, or say --all\n"],
    [
      "pop3-ctl",
      "--config config.toml import-uidl mrose --all",
      2,
      "pop3-ctl: name the accounts, or say --all\n",
    ],
    ["pop3-ctl", "setup --root /nowhere", 2, "pop3-ctl: there is no folder /nowhere for --root\n"],
    [
      "pop3-passwd",
      "--file none list",
      1,
      "pop3-passwd: cannot read FOLDER/none: no such file or directory (pop3-passwd add USER makes it)\n",
    ],
    [
      "pop3-passwd",
      "--file none verify mrose",
      1,
      "pop3-passwd: cannot read none: no such file or directory (pop3-passwd add USER makes it)\n",
    ],
    [
      "pop3-passwd",
      "--file none/passwd add mrose",
      1,
      "pop3-passwd: cannot change none/passwd: no such file or directory (make its folder first: none)\n",
    ],
  ] as const)("%s %s", async (name, args, exitCode, stderr) => {
    expect(await run(name, args.split(" "))).toEqual({ exitCode, stdout: "", stderr });
  });

  it.runIf(runsAsRoot())("names the line of a user that the host has not", async () => {
    const { exitCode, stderr } = await run("pop3-server", ["--config", "user.toml", "--check"]);
    expect(exitCode).toBe(78);
    expect(stderr).toMatch(
      /^user\.toml:5: server\.login_user: no user "nobody-here" on this host, make it with: /,
    );
  });

  it.runIf(runsAsRoot())("sends another uid to root for the passwd file", async () => {
    const { uid, gid } = mailOwner();
    chmodSync(join(folder, "passwd"), 0o600);
    for (const args of [["list"], ["verify", "mrose"], ["audit"]]) {
      const { exitCode, stderr } = await run("pop3-passwd", ["--file", "passwd", ...args], { uid, gid });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: expect.stringMatching(
          /^pop3-passwd: cannot read (?:FOLDER\/)?passwd: permission denied \(run this as root\)\n$/,
        ),
      });
    }
  });

  it("setup writes a config that is named from where one stands below --root", async () => {
    const root = join(folder, "image");
    mkdirSync(root);
    await run("pop3-ctl", ["--config", "new.toml", "setup", "--yes", "--root", root]);
    expect(readdirSync(root)).toEqual(["new.toml"]);
  });
});

describe.runIf(runsAsRoot())("doctor as somebody who may not ask the server", () => {
  let server: TestServer;
  beforeAll(async () => {
    const owner = mailOwner();
    const account = { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home: folder };
    server = await startServer({ accounts: [account], owner });
    chmodSync(server.folder, 0o755);
    chmodSync(join(server.folder, "config.toml"), 0o644);
  });
  afterAll(() => server.stop());

  it("says so, and does not take the server for another program that has its port", async () => {
    const config = join(server.folder, "config.toml");
    const { uid, gid } = mailOwner();
    const { exitCode, stdout } = await run("pop3-ctl", ["--config", config, "--json", "doctor"], {
      uid,
      gid,
    });
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    const of = (name: string) => findings.filter(({ check }) => check === name);
    expect(of("server")).toMatchObject([
      { level: "error", mend: "run this as root, or as whoever started pop3-server" },
    ]);
    expect(of("ports")).toEqual([]);
    expect(exitCode).toBe(2);
  });
});
