// The built pop3-passwd as an administrator's shell runs it. Its prompts are in test/peers: they take a pseudo-terminal.
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { done, refused, runPasswd } from "../support/pop3-passwd.ts";
import { runProgram } from "../support/program.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pop3-passwd-"));
  file = join(folder, "passwd");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { path: program, env } = runnableProgram("pop3-passwd");

const withFile = (args: readonly string[], input: string | Buffer = "") =>
  runPasswd(["--file", file, ...args], input);

describe("pop3-passwd", () => {
  it("leads an account through its life", async () => {
    const options = ["--uid", "5000", "--gid", "daemon", "--home", "/srv/mail/mrose", "--gecos", "M. Rose"];
    const extra = ["--extra", "nodelay", "--extra", "allow_nets=127.0.0.0/8"];
    expect(await withFile(["add", "mrose", ...options, ...extra], "secret\n")).toEqual(done("mrose added"));
    expect(readFileSync(file, "utf8")).toMatch(
      /^mrose:\{ARGON2ID\}\$argon2id\$v=19\$m=\d+,t=\d+,p=1\$[^:]+:5000:daemon:M\. Rose:\/srv\/mail\/mrose::nodelay allow_nets=127\.0\.0\.0\/8\n$/,
    );
    expect(await withFile(["add", "mrose"], "secret\n")).toEqual(refused("mrose exists already, in line 1"));

    expect(await withFile(["verify", "mrose"], "secret\n")).toEqual(done("the password of mrose is right"));
    expect(await withFile(["verify", "mrose"], "Secret\n")).toEqual(refused("wrong password for mrose"));

    expect(await withFile(["mrose"], " another one \r\n")).toEqual(done("password of mrose set"));
    expect(await withFile(["verify", "mrose"], " another one ")).toEqual(
      done("the password of mrose is right"),
    );

    expect(await withFile(["lock", "mrose"])).toEqual(done("mrose locked"));
    expect(await withFile(["lock", "mrose"])).toEqual(done("mrose was locked already"));
    expect(readFileSync(file, "utf8")).toMatch(/^mrose:!\{ARGON2ID\}/);
    expect(await withFile(["verify", "mrose"], " another one ")).toEqual(refused("mrose is locked"));
    expect(await withFile(["set", "mrose"], "third\n")).toEqual(
      done("password of mrose set; the account is still locked"),
    );
    expect(await withFile(["unlock", "mrose"])).toEqual(done("mrose unlocked"));
    expect(await withFile(["unlock", "mrose"])).toEqual(done("mrose was not locked"));
    expect(await withFile(["verify", "mrose"], "third\n")).toEqual(done("the password of mrose is right"));

    expect(await withFile(["delete", "mrose"])).toEqual(done("mrose deleted"));
    expect(readFileSync(file, "utf8")).toBe("");
    expect(await withFile(["delete", "mrose"])).toEqual(refused("no such user: mrose"));
  });

  it("keeps comments, order, mode and every line it has no business with", async () => {
    const before = "# mail accounts\r\n\nmrose:{PLAIN}x:1:1\nbad line here\njoe:{PLAIN}y";
    writeFileSync(file, before);
    chmodSync(file, 0o604);
    await withFile(["set", "joe"], "new\n");
    const after = readFileSync(file, "utf8");
    expect(after.replace(/\{ARGON2ID\}\S+$/, "{PLAIN}y")).toBe(before);
    expect(statSync(file).mode & 0o777).toBe(0o604);
  });

  it.each([
    ["none", ""],
    ["an empty one", "\n"],
    ["a NUL", "sec\0ret\n"],
    ["5,000 bytes", "x".repeat(5000)],
  ])("takes no password: %s", async (_, input) => {
    writeFileSync(file, "mrose:{PLAIN}x\n");
    const { exitCode, stderr } = await withFile(["set", "mrose"], input);
    expect({ exitCode, lines: stderr.split("\n").length }).toEqual({ exitCode: 1, lines: 2 });
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}x\n");
  });

  it("takes a password that is not UTF-8", async () => {
    await withFile(["add", "mrose"], Buffer.from("p\xe4ss\n", "latin1"));
    expect((await withFile(["verify", "mrose"], Buffer.from("p\xe4ss\n", "latin1"))).exitCode).toBe(0);
    expect((await withFile(["verify", "mrose"], "päss\n")).exitCode).toBe(1);
  });

  it.each([
    [["add", "a b"], "the user name holds whitespace"],
    [["add", "../a"], 'the user name holds "/" or ":"'],
    [["add", "a:b"], 'the user name holds "/" or ":"'],
    [["add", "joe", "--uid", "0"], "uid 0 is not allowed"],
    [["add", "joe", "--uid", "no-such-user"], '--uid: no user "no-such-user" on this host'],
    [["add", "joe", "--gid", "no-such-group"], '--gid: no group "no-such-group" on this host'],
    [["set", "mrose", "--uid", "no-such-user"], '--uid: no user "no-such-user" on this host'],
    [["add", "joe", "--home", "Maildir"], "home is not an absolute path"],
    [["add", "joe", "--gecos", "a:b"], 'gecos holds ":" or a control character'],
    [["set", "joe"], "no such user: joe"],
    [["verify", "joe"], "no such user: joe"],
    [["lock", "joe"], "no such user: joe"],
    [["lst"], "no such user: lst, and no such command"],
  ])("refuses %j with one line", async (args, reason) => {
    writeFileSync(file, "mrose:{PLAIN}x\n");
    expect(await withFile(args, "secret\n")).toEqual(refused(reason));
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}x\n");
  });

  it.each([
    [],
    ["add"],
    ["add", "joe", "secret"],
    ["joe", "secret"],
    ["list", "--yaml"],
    ["set", "joe", "--scheme", "rot13"],
    ["add", "joe", "--extra", "a b"],
  ])("exits with 2 for wrong usage: %s %s %s %s", async (...args) => {
    const { exitCode, stdout, stderr } = await withFile(args, "secret\n");
    expect({ exitCode, stdout, isSilent: stderr === "" }).toEqual({
      exitCode: 2,
      stdout: "",
      isSilent: false,
    });
    expect(existsSync(file)).toBe(false);
  });

  it("explains itself", async () => {
    const { exitCode, stdout } = await runPasswd(["--help"]);
    expect(exitCode).toBe(0);
    for (const command of ["add", "set", "delete", "lock", "unlock", "verify", "list", "import"]) {
      expect(stdout).toMatch(new RegExp(`^ +${command} `, "m"));
    }
  });

  it("lists accounts without their hashes, and names bad lines", async () => {
    writeFileSync(
      file,
      "mrose:{PLAIN}geheim:5000:vmail:M. Rose:/srv/mail/mrose\njoe:!$6$salt$geheim\nsue:{PLAIN}geheim::::::nologin\nann\nbad name:geheim\njoe:x\nzoe:{NOPE}geheim\n",
    );
    const table = await withFile(["list"]);
    expect(table.stdout).toBe(
      [
        "USER   STATE        SCHEME        UID   GID    HOME",
        "mrose  active       PLAIN         5000  vmail  /srv/mail/mrose",
        "joe    locked       SHA512-CRYPT  -     -      -",
        "sue    no-login     PLAIN         -     -      -",
        "ann    no-password  -             -     -      -",
        "zoe    unusable     -             -     -      -",
        "",
      ].join("\n"),
    );
    expect(table.stderr).toBe(
      "pop3-passwd: line 5 is skipped: the user name holds whitespace\n" +
        "pop3-passwd: line 6 is skipped: joe stands in line 2 already\n",
    );
    const { stdout } = await withFile(["list", "--json"]);
    expect(stdout).not.toContain("geheim");
    expect(JSON.parse(stdout)[0]).toEqual({
      user: "mrose",
      state: "active",
      scheme: "PLAIN",
      uid: "5000",
      gid: "vmail",
      home: "/srv/mail/mrose",
      gecos: "M. Rose",
      shell: null,
      extra: {},
      line: 1,
    });
  });

  it("imports accounts, and overwrites only when asked to", async () => {
    const source = join(folder, "old-passwd");
    writeFileSync(source, "mrose:{PLAIN}theirs:1:1::/home/m\njoe:{PLAIN}theirs\nroot:{PLAIN}x:0:0\n");
    writeFileSync(file, "mrose:{PLAIN}ours\n");
    expect(await withFile(["import", source])).toEqual({
      exitCode: 0,
      stdout: "1 added, 1 kept as they were (--replace overwrites), 1 line skipped\n",
      stderr: `${source}:3: skipped: uid 0 is not allowed\n`,
    });
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}ours\njoe:{PLAIN}theirs::::::\n");
    expect((await withFile(["import", "--replace", "-"], readFileSync(source))).stdout).toBe(
      "0 added, 2 replaced, 1 line skipped\n",
    );
    expect(readFileSync(file, "utf8")).toBe("mrose:{PLAIN}theirs:1:1::/home/m::\njoe:{PLAIN}theirs::::::\n");
    expect(await withFile(["import", join(folder, "none")])).toEqual(
      refused(`cannot read ${join(folder, "none")}: no such file or directory`),
    );
  });

  it("finds the file in the server's config, before or behind the command", async () => {
    const config = join(folder, "config.toml");
    const mail = 'mail.maildir = "/srv/%n"\nserver.run_as = "starter"\n';
    writeFileSync(config, `${mail}[auth]\npasswd_file = "${file}"\n`);
    expect(await runPasswd(["--config", config, "add", "mrose"], "secret\n")).toEqual(done("mrose added"));
    expect((await runPasswd(["list", "--config", config])).stdout).toContain("mrose");
    writeFileSync(config, "[auth]\npaswd_file = 1\n");
    expect(await runPasswd(["list", "--config", config])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^pop3-passwd: .*config\.toml:2: .*passwd_file/),
    });
  });

  it("runs from any folder, through symbolic links, with any arguments", async () => {
    mkdirSync(join(folder, "with space"));
    const link = join(folder, "with space", "pw");
    symlinkSync(program, link);
    const result = await runProgram(link, ["--file", file, "add", "mrose", "--gecos", 'a "b" $c *'], {
      env,
      input: "secret\n",
      cwd: "/",
    });
    expect(result.exitCode).toBe(0);
    expect(readFileSync(file, "utf8")).toContain(':a "b" $c *:');
  });

  it("loses none of twenty accounts added at the same time", async () => {
    writeFileSync(file, "# accounts\n");
    const users = Array.from({ length: 20 }, (_, number) => `user${number}`);
    const results = await Promise.all(users.map((user) => withFile(["add", user], `${user}\n`)));
    expect(results).toEqual(users.map((user) => done(`${user} added`)));
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe("# accounts");
    expect(
      lines
        .slice(1)
        .map((line) => line.split(":")[0])
        .sort(),
    ).toEqual([...users].sort());
    expect(readdirSync(folder)).toEqual(["passwd"]);
  });

  it("leaves the old file or the new one when it is killed in the middle", async () => {
    const contents = ["a", "b"].map((letter) => `${letter}:${letter.repeat(1000)}\n`.repeat(500));
    // Changes the file to and fro, so that there is always something in the middle of happening.
    const script = `
      const [, file, edit, lines] = process.argv;
      const { editPasswdFile } = await import(edit);
      const { splitLines } = await import(lines);
      const contents = ["a", "b"].map((letter) => Buffer.from(\`\${letter}:\${letter.repeat(1000)}\\n\`.repeat(500)));
      for (let round = 1; ; round += 1) {
        const outcome = await editPasswdFile(file, () => ({ kind: "write", lines: splitLines(contents[round % 2]) }));
        if (outcome.kind !== "written") throw new Error(JSON.stringify(outcome));
      }`;
    const modules = ["edit.js", "passwd-lines.js"].map((name) =>
      join(dirname(program), "..", "dist", "accounts", "file", name),
    );
    writeFileSync(file, contents[0]!);
    let wereInTheMiddle = 0;
    for (let eventToKillAt = 1; eventToKillAt <= 10; eventToKillAt += 1) {
      const events = watch(folder);
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, file, ...modules], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
      let seen = 0;
      events.on("change", () => {
        seen += 1;
        if (seen === eventToKillAt) child.kill("SIGKILL");
      });
      expect(await ended).toBe("SIGKILL");
      events.close();
      expect(contents.includes(readFileSync(file, "latin1"))).toBe(true);
      if (readdirSync(folder).length > 1) wereInTheMiddle += 1;
      // What the killed one left does not stand in the way of the next.
      expect(await withFile(["add", `after${eventToKillAt}`], "x\n")).toEqual(
        done(`after${eventToKillAt} added`),
      );
      writeFileSync(file, contents[0]!);
      for (const rest of readdirSync(folder).filter((name) => name !== "passwd")) rmSync(join(folder, rest));
    }
    expect(wereInTheMiddle).toBeGreaterThan(0);
  }, 240_000);

  it("says before it asks that the file may not be changed", async () => {
    // As root, tried as somebody else; else in a folder that is nobody's to write in.
    const { uid, gid } = mailOwner();
    writeFileSync(file, "mrose:{PLAIN}x\n");
    chmodSync(file, 0o444);
    chmodSync(folder, 0o555);
    try {
      const result = await runPasswd(["--file", file, "set", "mrose"], "", runsAsRoot() ? { uid, gid } : {});
      expect(result).toEqual(refused(`cannot change ${file}: permission denied (run this as root)`));
    } finally {
      chmodSync(folder, 0o755);
    }
  });
});
