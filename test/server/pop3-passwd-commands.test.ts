// The built pop3-passwd: what goes beyond one account's life, which is in pop3-passwd.test.ts.
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
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findUser } from "../../src/host/user-database.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { done, refused, runPasswd } from "../support/pop3-passwd.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pop3-passwd-"));
  // The mail's owner has to get to what is made in it.
  chmodSync(folder, 0o755);
  file = join(folder, "passwd");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const withFile = (args: readonly string[], input = "") => runPasswd(["--file", file, ...args], input);
const content = () => readFileSync(file, "utf8");

describe("pop3-passwd set", () => {
  it("--scram keeps a second hash up to date until --no-scram drops it", async () => {
    await withFile(["add", "mrose", "--scram"], "secret\n");
    expect(content()).toMatch(/^mrose:\{ARGON2ID\}[^:]+::::::scram_sha_256=100000,[^ ]+\n$/);
    const first = content();
    await withFile(["mrose"], "another\n");
    expect(content()).toMatch(/^mrose:\{ARGON2ID\}[^:]+::::::scram_sha_256=100000,[^ ]+\n$/);
    expect(content().split("scram_sha_256=")[1]).not.toBe(first.split("scram_sha_256=")[1]);
    expect((await withFile(["list", "--json"])).stdout).not.toContain("100000,");
    expect(await withFile(["set", "mrose"], "\u0627\u0031\n")).toEqual(
      refused("the password holds what SASLprep (RFC 4013) forbids: no SCRAM-SHA-256 with it"),
    );
    await withFile(["set", "mrose", "--no-scram"], "third\n");
    expect(content()).toMatch(/^mrose:\{ARGON2ID\}[^:]+::::::\n$/);
  });

  it("changes the account's details without asking for a password", async () => {
    writeFileSync(file, "# kept\nmrose:{PLAIN}x:1:1::/h::nodelay\n");
    expect(
      await withFile([
        "set",
        "mrose",
        "--home",
        "/srv/m",
        "--allow-nets",
        "192.0.2.0/24,local",
        "--no-login",
      ]),
    ).toEqual(done("mrose changed"));
    expect(content()).toBe(
      "# kept\nmrose:{PLAIN}x:1:1::/srv/m::nodelay allow_nets=192.0.2.0/24,local nologin\n",
    );
    await withFile(["set", "mrose", "--login", "--allow-nets", "", "--maildir", "/srv/m/mail"]);
    expect(content()).toBe("# kept\nmrose:{PLAIN}x:1:1::/srv/m::nodelay userdb_mail=maildir:/srv/m/mail\n");
    expect(await withFile(["set", "mrose", "--uid", "0"])).toEqual(refused("uid 0 is not allowed"));
    expect((await withFile(["set", "mrose", "--allow-nets", "300.0.0.1"])).exitCode).toBe(2);
  });

  it("refuses an owner that the config would not let mail belong to, unless all mail has one", async () => {
    const config = join(folder, "config.toml");
    const write = (mail: string): void =>
      writeFileSync(config, `[auth]\npasswd_file = "${file}"\n[mail]\nfirst_uid = 2000\n${mail}\n`);
    const add = (uid: string) =>
      runPasswd(
        ["--config", config, "add", "mrose", "--uid", uid, "--gid", "2000", "--home", "/srv/m"],
        "x\n",
      );
    write("");
    expect(await add("1999")).toEqual(
      refused("uid 1999 is outside mail.first_uid to mail.last_uid (2000 to 59999)"),
    );
    expect(await add("2000")).toEqual(done("mrose added"));
    expect(await runPasswd(["--config", config, "set", "mrose", "--gid", "5"])).toEqual(
      refused("gid 5 is outside mail.first_gid to mail.last_gid (100 to 59999)"),
    );
    // Others read the file, too.
    expect(await runPasswd(["--config", config, "set", "mrose", "--home", "/srv/mrose"])).toEqual(
      done("mrose changed"),
    );
    write('user = "nobody"');
    expect(await runPasswd(["--config", config, "set", "mrose", "--uid", "1999"])).toEqual(
      done("mrose changed"),
    );
    const nobody = `${findUser("nobody")!.uid}`;
    write(`last_uid = ${nobody}\n[server]\nlogin_user = "nobody"`);
    expect(await runPasswd(["--config", config, "set", "mrose", "--uid", nobody])).toEqual(
      refused(`uid ${nobody} is that of one of the server's own users (server.…_user)`),
    );
  });

  it("says so where there is nothing to list", async () => {
    writeFileSync(file, "# nobody yet\n");
    expect(await withFile(["list"])).toEqual(done("no accounts"));
    expect(await withFile(["list", "--domain", "example.org"])).toEqual(done("no accounts of example.org"));
    expect(await withFile(["list", "--json"])).toEqual(done("[]"));
    expect(await withFile(["device", "list"])).toEqual(done("no devices"));
    writeFileSync(file, "mrose:{PLAIN}x\n");
    expect(await withFile(["device", "list", "mrose"])).toEqual(done("mrose has no device"));
    expect(await withFile(["device", "list", "--json"])).toEqual(done("[]"));
  });

  it("hashes as the config says, unless --scheme says otherwise", async () => {
    const config = join(folder, "config.toml");
    writeFileSync(
      config,
      `mail.maildir = "/srv/%n"\nserver.run_as = "starter"\n[auth]\npasswd_file = "${file}"\npassword_scheme = "bcrypt"\nargon2_memory = "1MiB"\nargon2_time = 3\n`,
    );
    expect(await runPasswd(["--config", config, "add", "mrose"], "secret\n")).toEqual(done("mrose added"));
    expect(content()).toMatch(/^mrose:\{CRYPT\}\$2b\$11\$/);
    await runPasswd(["--config", config, "--scheme", "argon2id", "mrose"], "secret\n");
    expect(content()).toContain("$argon2id$v=19$m=1024,t=3,p=1$");
  });

  it("notes the day with --dated, and keeps it up to date", async () => {
    writeFileSync(file, "mrose:{PLAIN}x::::::password_changed=2020-01-01\njoe:{PLAIN}x\n");
    await withFile(["mrose"], "secret\n");
    await withFile(["set", "joe", "--dated"], "secret\n");
    expect(content().match(/password_changed=20[2-9]\d-\d\d-\d\d/g)).toHaveLength(2);
    expect(content()).not.toContain("2020-01-01");
  });
});

describe("pop3-passwd and domains", () => {
  beforeEach(() => {
    writeFileSync(
      file,
      "a@example.org:{PLAIN}x\nb@example.net:{PLAIN}x\nc@EXAMPLE.org:{PLAIN}x\nd:{PLAIN}x\n",
    );
  });

  it("lists those of one domain", async () => {
    const { stdout } = await withFile(["list", "--domain", "example.org", "--json"]);
    expect((JSON.parse(stdout) as { user: string }[]).map(({ user }) => user)).toEqual([
      "a@example.org",
      "c@EXAMPLE.org",
    ]);
  });

  it("deletes those of one domain when that is confirmed, which takes a terminal or --yes", async () => {
    const question = "Delete 2 accounts of example.org (a@example.org, c@EXAMPLE.org)? The mail stays.";
    expect(await withFile(["delete", "--domain", "example.org"])).toEqual(
      refused(`${question} Say so with --yes`),
    );
    expect(await withFile(["delete", "--domain", "example.org", "--yes"])).toEqual(
      done("2 accounts of example.org deleted"),
    );
    expect(content()).toBe("b@example.net:{PLAIN}x\nd:{PLAIN}x\n");
    expect(await withFile(["delete", "--domain", "example.org", "--yes"])).toEqual(
      refused("no user in example.org"),
    );
    expect((await withFile(["delete"])).exitCode).toBe(2);
    expect((await withFile(["delete", "d", "--domain", "example.net"])).exitCode).toBe(2);
  });
});

describe("pop3-passwd --make-maildir", () => {
  it("makes the Maildir for the mail's owner, and follows no link of the owner's", async () => {
    // Only root makes it for somebody else.
    const { uid, gid } = runsAsRoot() ? mailOwner() : { uid: process.getuid!(), gid: process.getgid!() };
    const whose = ["--uid", `${uid}`, "--gid", `${gid}`];
    const home = join(folder, "mail", "example.org", "mrose");
    expect(await withFile(["add", "mrose", "--home", home, ...whose, "--make-maildir"], "x\n")).toEqual(
      done("mrose added"),
    );
    expect(statSync(join(folder, "mail", "example.org")).uid).toBe(process.getuid!());
    for (const name of ["", "Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp"]) {
      expect(statSync(join(home, name))).toMatchObject({ uid, gid });
      expect(statSync(join(home, name)).mode & 0o777).toBe(0o700);
    }
    expect(await withFile(["set", "mrose", "--make-maildir"])).toEqual(done("mrose changed"));

    // A folder that the owner may not write to, behind a link that the owner put there.
    const precious = join(folder, "precious");
    mkdirSync(precious, { mode: 0o500 });
    rmSync(join(home, "Maildir"), { recursive: true });
    symlinkSync(precious, join(home, "Maildir"));
    const { exitCode, stderr } = await withFile(["set", "mrose", "--make-maildir"]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^pop3-passwd: the account is in the file, but the Maildir .* cannot be made: .*ermission denied/,
    );
    expect(readdirSync(precious)).toEqual([]);
  });

  it("refuses before anything is changed when there is nowhere to make it", async () => {
    const { exitCode, stderr } = await withFile(["add", "mrose", "--make-maildir"], "x\n");
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr:
        'pop3-passwd: --make-maildir: mail.maildir is under "~", and the account has no absolute home directory\n',
    });
    expect(existsSync(file)).toBe(false);
  });
});

describe("pop3-passwd audit and rehash", () => {
  const weak =
    "# accounts\nplain:{PLAIN}secret:1\nmd5:$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/\nmd5:x\nbad name:x\n";

  it("tells what is wrong, by exit status too, and mends what can be mended without the passwords", async () => {
    writeFileSync(file, weak, { mode: 0o600 });
    const { exitCode, stdout, stderr } = await withFile(["audit", "--json"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: `pop3-passwd: ${file}: 4 findings\n` });
    const report = JSON.parse(stdout) as { findings: { kind: string; line: number }[] };
    expect(report).toMatchObject({ accounts: 2, rehash: { now: ["plain"], atLogin: ["md5"] } });
    expect(report.findings.map(({ kind, line }) => `${line} ${kind}`)).toEqual([
      "4 duplicate",
      "5 bad-line",
      "2 weak",
      "3 weak",
    ]);
    expect(stdout).not.toMatch(/secret|OjZh/);

    expect((await withFile(["rehash", "--dry-run"])).stdout).toBe(
      "plain: hashed now\nmd5: marked\n1 would be hashed now, 1 would be marked for the next login, 0 marked already\n",
    );
    expect(content()).toBe(weak);
    expect(await withFile(["rehash"])).toEqual(
      done("1 hashed now, 1 marked for the next login, 0 marked already"),
    );
    expect(content()).toMatch(
      /^# accounts\nplain:\{ARGON2ID\}[^:]+:1\nmd5:\$1\$GgvxyNz8\$OjZhLh4P\.gF1lxYEbLZ3e\/::::::rehash\nmd5:x\nbad name:x\n$/,
    );
    expect(await withFile(["verify", "plain"], "secret\n")).toEqual(done("the password of plain is right"));
    expect(await withFile(["rehash", "nobody"])).toEqual(refused("no such user: nobody"));
  });

  it("finds nothing where nothing is, and a file that everybody may read", async () => {
    await withFile(["add", "mrose"], "secret\n");
    const { exitCode, stdout } = await withFile(["audit"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("1 account, 0 locked");
    chmodSync(file, 0o644);
    expect((await withFile(["audit"])).stdout).toContain("every user of this host can take the hashes");
  });
});

describe("pop3-passwd import and export", () => {
  it("hashes a table's plain passwords, and tells with --dry-run what it would do", async () => {
    const source = join(folder, "accounts.csv");
    writeFileSync(source, "user,password,home\nmrose@example.org,secret,/h\nbad name,x,/h\n");
    const skipped = `${source}:3: skipped: the user name holds whitespace\n`;
    expect(await withFile(["import", "--dry-run", source])).toEqual({
      exitCode: 0,
      stdout: "1 added, 1 line skipped, nothing written (--dry-run)\n",
      stderr: skipped,
    });
    expect(existsSync(file)).toBe(false);
    expect((await withFile(["import", source])).stdout).toBe("1 added, 1 line skipped\n");
    expect(content()).toMatch(/^mrose@example\.org:\{ARGON2ID\}[^:]+::::\/h::\n$/);
    expect((await withFile(["verify", "mrose@example.org"], "secret\n")).exitCode).toBe(0);
  });

  it("writes Postfix's maps by the config, and names whom they leave out", async () => {
    const { user, uid, gid } = mailOwner();
    const config = join(folder, "config.toml");
    writeFileSync(
      config,
      `[auth]\npasswd_file = "${file}"\n[mail]\nuser = "${user}"\nmaildir = "/var/mail/%d/%n/Maildir"\n`,
    );
    writeFileSync(file, "mrose@example.org:!x\njoe:x\n");
    const maps = join(folder, "maps");
    const { exitCode, stdout, stderr } = await runPasswd([
      "--config",
      config,
      "export",
      "postfix",
      "--to",
      maps,
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `1 account in ${maps}\n` });
    expect(stderr).toMatch(/^pop3-passwd: line 2 is left out: joe: /);
    expect(readFileSync(join(maps, "mailboxes"), "utf8")).toContain(
      "\nmrose@example.org /var/mail/example.org/mrose/Maildir/\n",
    );
    expect(readFileSync(join(maps, "uids"), "utf8")).toContain(`\nmrose@example.org ${uid}\n`);
    expect(readFileSync(join(maps, "gids"), "utf8")).toContain(`\nmrose@example.org ${gid}\n`);
    expect((await runPasswd(["--config", config, "export", "postfix"])).exitCode).toBe(2);
    expect((await runPasswd(["--config", config, "export", "sendmail"])).exitCode).toBe(2);
  });
});

describe("pop3-passwd --help", () => {
  it.each([
    "add",
    "set",
    "delete",
    "lock",
    "unlock",
    "verify",
    "list",
    "import",
    "export",
    "audit",
    "rehash",
    "device add",
    "device list",
    "device revoke",
  ])("shows examples for %s", async (command) => {
    const { exitCode, stdout } = await runPasswd([...command.split(" "), "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`\nExamples:\n {2}pop3-passwd ${command}`));
  });
});
