// The Debian package as dpkg installs, removes and purges it, in a clean root of its own, and the npm package as
// `npm install -g` does. Dependencies are not in that root: dpkg is told to go on without, and the host's Node runs it.
// DPKG_ROOT (dpkg(1), --force-script-chrootless) has the maintainer scripts work on that root from outside.
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { EXPECTED_TALK, runLibraryExample } from "../support/library-example.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow, runProgram, startProgram } from "../support/program.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const buildDeadlineMs = 600_000;
const password = "correct horse 7%";
const message = Buffer.from("Subject: one\n\nA message that outlives the package.\n");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-package-"));
  chmodSync(folder, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Adds an account with the installed pop3-passwd, and fetches its message from the installed pop3-server. */
async function serveFrom(bin: string, sbin: string, config: string, passwd: string): Promise<void> {
  const port = await freePort();
  const home = join(folder, "mail");
  rmSync(home, { recursive: true, force: true });
  layOutMaildir(home, mailOwner(), new Map([["new/1.one", message]]));
  writeFileSync(
    config,
    readFileSync(config, "utf8")
      .replace('listen = ["127.0.0.1:110"]', `listen = ["127.0.0.1:${port}"]`)
      .replace('run_as = "users"', 'run_as = "starter"')
      .replace('"/run/dewey-pop3"', JSON.stringify(join(folder, "run")))
      .replace('"/etc/dewey-pop3/passwd"', JSON.stringify(passwd)),
  );
  await runOrThrow(join(bin, "pop3-passwd"), ["--file", passwd, "add", "mrose", "--home", home], {
    input: `${password}\n`,
  });
  const checked = await runOrThrow(join(sbin, "pop3-server"), ["--check", "--config", config]);
  expect(checked.stdout.toString()).toBe(`${config}: sound\n`);
  const server = await startProgram(join(sbin, "pop3-server"), ["--config", config]);
  try {
    await server.lineWhere((line) => line.includes('"msg":"ready"'), "ready");
    const { connection } = await Pop3Connection.open(port);
    expect(await connection.command("USER mrose")).toMatchObject({ status: "+OK" });
    expect(await connection.command(`PASS ${password}`)).toMatchObject({ status: "+OK" });
    expect((await connection.multiLine("RETR 1")).body?.toString()).toBe(
      message.toString().replaceAll("\n", "\r\n"),
    );
    const who = await runOrThrow(join(sbin, "pop3-ctl"), ["--config", config, "--json", "who"]);
    expect(JSON.parse(who.stdout.toString())).toMatchObject([{ account: "mrose" }]);
    const bare = mkdtempSync(join(folder, "bare-"));
    const proposal = await runOrThrow(join(sbin, "pop3-ctl"), ["setup", "--root", bare]);
    expect(proposal.stdout.toString()).toContain("--- /etc/dewey-pop3/config.toml: to be written");
    expect(await connection.command("QUIT")).toMatchObject({ status: "+OK" });
  } finally {
    await server.stop();
  }
}

/** A root that has the folders which a host has already. */
function emptyRoot(name: string): string {
  const root = join(folder, name);
  for (const part of ["updates", "info", "triggers"])
    mkdirSync(join(root, "var/lib/dpkg", part), { recursive: true });
  writeFileSync(join(root, "var/lib/dpkg/status"), "");
  for (const part of ["etc", "run", "tmp"]) mkdirSync(join(root, part), { recursive: true });
  return root;
}

describe("the Debian package", () => {
  let root: string;
  let deb: string;

  async function dpkgIn(root: string, ...args: readonly string[]): Promise<string> {
    const force = ["--force-script-chrootless", "--force-depends"];
    const { stdout, stderr } = await runOrThrow("dpkg", [`--root=${root}`, ...force, ...args]);
    return `${stdout.toString()}${stderr}`;
  }
  const dpkg = (...args: readonly string[]) => dpkgIn(root, ...args);
  /** Regular files and links below the root, dpkg's own left out. */
  const files = (): string[] =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .filter((path) => !path.startsWith("/var/lib/dpkg/"))
      .sort();

  beforeAll(async () => {
    root = emptyRoot("root");
    await runOrThrowBuild("scripts/package", [folder]);
    const [name] = readdirSync(folder).filter((file) => /^dewey-pop3_[0-9.]+_[a-z0-9]+\.deb$/.test(file));
    deb = join(folder, name ?? "none was built");
    await dpkg("-i", deb);
  }, buildDeadlineMs);

  it("puts in place programs, units, users and folders", () => {
    const installed = files();
    for (const path of [
      "/usr/bin/pop3-passwd",
      "/usr/sbin/pop3-server",
      "/usr/sbin/pop3-ctl",
      "/lib/systemd/system/dewey-pop3.service",
      "/lib/systemd/system/dewey-pop3-unprivileged.socket",
      "/etc/dewey-pop3/config.toml",
      "/usr/share/man/man8/pop3-server.8.gz",
      "/usr/share/man/man8/pop3-ctl.8.gz",
      "/usr/share/man/man8/pop3-passwd.8.gz",
      "/usr/share/man/man5/dewey-pop3.toml.5.gz",
      "/usr/share/bash-completion/completions/pop3-ctl",
      "/usr/share/zsh/vendor-completions/_pop3-passwd",
      "/usr/share/fish/vendor_completions.d/pop3-server.fish",
      // Enabled: it starts with the host once it is configured.
      "/etc/systemd/system/multi-user.target.wants/dewey-pop3.service",
    ]) {
      expect(installed).toContain(path);
    }
    const users = readFileSync(join(root, "etc/passwd"), "utf8");
    expect(users).toMatch(/^dewey-login:/m);
    const [, , uid] = /^dewey-auth:.*$/m.exec(users)?.[0].split(":") ?? [];
    expect(statSync(join(root, "var/lib/dewey-pop3/postfix")).uid).toBe(Number(uid));
    const unit = readFileSync(join(root, "lib/systemd/system/dewey-pop3.service"), "utf8");
    expect(unit).toMatch(/^ExecStart=\/usr\/sbin\/pop3-server$/m);
    expect(unit).toMatch(/^ExecCondition=\/usr\/lib\/dewey-pop3\/is-configured$/m);
  });

  it("is what lintian finds no fault with, but for those that scripts/debian/lintian-overrides gives reasons for", async () => {
    // It warns of being root, which reads the package as well as anybody.
    const args = ["--allow-root", "--display-info", "--fail-on", "error,warning,info", deb];
    const { exitCode, stdout, stderr } = await runProgram("lintian", args, {}, buildDeadlineMs);
    expect({ said: `${stdout}${stderr}`, exitCode }).toEqual({ said: "", exitCode: 0 });
  });

  it("carries one prebuilt program of each kind: this architecture's", () => {
    const prebuilt = files().filter((path) => path.endsWith(".node"));
    expect(prebuilt.map((path) => path.split("/").at(-1)).sort()).toEqual([
      "argon2.glibc.node",
      "koffi.node",
    ]);
  });

  it("has the unit start nothing as long as config.toml is as it came, and there are no accounts", async () => {
    const script = join(root, "usr/lib/dewey-pop3/is-configured");
    const inRoot = readFileSync(script, "utf8").replace(/(?<=[ ])\/(etc|usr)\//g, `${root}/$1/`);
    writeFileSync(join(folder, "is-configured"), inRoot);
    const ask = async () => (await runProgram("sh", [join(folder, "is-configured")])).exitCode;
    const passwd = join(root, "etc/dewey-pop3/passwd");
    expect(await ask()).toBe(1);
    writeFileSync(passwd, "");
    expect(await ask()).toBe(0);
    rmSync(passwd);
    const config = join(root, "etc/dewey-pop3/config.toml");
    const pristine = readFileSync(config);
    writeFileSync(config, `${pristine}# mine\n`);
    expect(await ask()).toBe(0);
    writeFileSync(config, pristine);
  });

  it("serves a session with what it installed", async () => {
    await serveFrom(
      join(root, "usr/bin"),
      join(root, "usr/sbin"),
      join(root, "etc/dewey-pop3/config.toml"),
      join(root, "etc/dewey-pop3/passwd"),
    );
  });

  describe("upgraded from an older version", () => {
    const config = "/etc/dewey-pop3/config.toml";
    const asItCame = (): Buffer => readFileSync(join(root, "usr/lib/dewey-pop3/etc/config.toml"));
    let older: string;
    let upgraded: string;

    beforeAll(async () => {
      const unpacked = join(folder, "older");
      await runOrThrow("dpkg-deb", ["--raw-extract", deb, unpacked]);
      const control = join(unpacked, "DEBIAN/control");
      const [, version] = /^Version: (.*)$/m.exec(readFileSync(control, "utf8")) ?? [];
      writeFileSync(
        control,
        readFileSync(control, "utf8").replace(`Version: ${version}`, `Version: ${version}~older`),
      );
      appendFileSync(join(unpacked, config), "# What the older version's file ended with.\n");
      copyFileSync(join(unpacked, config), join(unpacked, "usr/lib/dewey-pop3/etc/config.toml"));
      writeFileSync(join(unpacked, "usr/lib/dewey-pop3/dist/dropped-since.js"), "");
      older = join(folder, "older.deb");
      await runOrThrow("dpkg-deb", ["--root-owner-group", "--build", "-Znone", unpacked, older]);
    }, buildDeadlineMs);
    beforeEach(async () => {
      upgraded = emptyRoot("upgraded");
      await dpkgIn(upgraded, "-i", older);
      expect(existsSync(join(upgraded, "usr/lib/dewey-pop3/dist/dropped-since.js"))).toBe(true);
    });
    afterEach(() => rmSync(upgraded, { recursive: true }));

    it("takes the new config.toml where nobody has changed the old one, and drops what is no longer in it", async () => {
      await dpkgIn(upgraded, "-i", deb);
      expect(readFileSync(join(upgraded, config))).toEqual(asItCame());
      expect(readdirSync(join(upgraded, "etc/dewey-pop3"))).toEqual(["config.toml"]);
      expect(existsSync(join(upgraded, "usr/lib/dewey-pop3/dist/dropped-since.js"))).toBe(false);
      const version = await dpkgIn(upgraded, "--status", "dewey-pop3");
      expect(version).toMatch(/^Version: [0-9.]+$/m);
    });

    it("keeps a changed config.toml, accounts, maps and what the administrator disabled; purged, still accounts and mail", async () => {
      const mine = '[server]\nhostname = "pop.example.org"\n';
      const account = "mrose:{PLAIN}secret\n";
      const mail = "var/mail/mrose/new/1.one";
      const wanted = join(upgraded, "etc/systemd/system/multi-user.target.wants/dewey-pop3.service");
      writeFileSync(join(upgraded, config), mine);
      writeFileSync(join(upgraded, "etc/dewey-pop3/passwd"), account);
      writeFileSync(join(upgraded, "var/lib/dewey-pop3/postfix/mailboxes"), "mrose x\n");
      mkdirSync(join(upgraded, "var/mail/mrose/new"), { recursive: true });
      writeFileSync(join(upgraded, mail), message);
      // As systemctl disable does.
      rmSync(wanted);
      await dpkgIn(upgraded, "--force-confold", "-i", deb);
      expect(readFileSync(join(upgraded, config), "utf8")).toBe(mine);
      // The new file lies beside it, to compare.
      expect(readFileSync(join(upgraded, `${config}.dpkg-dist`))).toEqual(asItCame());
      expect(readFileSync(join(upgraded, "etc/dewey-pop3/passwd"), "utf8")).toBe(account);
      expect(readFileSync(join(upgraded, "var/lib/dewey-pop3/postfix/mailboxes"), "utf8")).toBe("mrose x\n");
      expect(existsSync(wanted)).toBe(false);

      await dpkgIn(upgraded, "--purge", "dewey-pop3");
      expect(readdirSync(join(upgraded, "etc/dewey-pop3"))).toEqual(["passwd"]);
      expect(readFileSync(join(upgraded, "var/lib/dewey-pop3/postfix/mailboxes"), "utf8")).toBe("mrose x\n");
      expect(readFileSync(join(upgraded, mail))).toEqual(message);
    });
  });

  it("leaves the config when removed; accounts, maps and mail even when purged, and says so", async () => {
    await dpkg("--remove", "dewey-pop3");
    const removed = files();
    expect(removed).toContain("/etc/dewey-pop3/config.toml");
    expect(removed.filter((path) => /^\/(?:usr|lib)\//.test(path))).toEqual([]);

    mkdirSync(join(root, "var/lib/dewey-pop3/postfix"), { recursive: true });
    writeFileSync(join(root, "var/lib/dewey-pop3/postfix/mailboxes"), "");
    const said = await dpkg("--purge", "dewey-pop3");
    expect(said).toContain(`so does ${root}/etc/dewey-pop3 (`);
    // The files of systemd-sysusers hold the users, which Debian's packages leave: an uid is not given away again.
    const users = ["/etc/.pwd.lock", "/etc/group", "/etc/gshadow", "/etc/passwd", "/etc/shadow"];
    expect(files().filter((path) => !users.includes(path.replace(/-$/, "")))).toEqual([
      "/etc/dewey-pop3/passwd",
      "/var/lib/dewey-pop3/postfix/mailboxes",
    ]);
    expect(existsSync(join(folder, "mail/Maildir"))).toBe(true);
  });
});

describe("the npm package", () => {
  it(
    "serves a session once it is installed with npm install -g, and is a library once it is installed without",
    async () => {
      const packed = await runOrThrowBuild("npm", ["pack", "--silent", "--pack-destination", folder]);
      const tarball = join(folder, packed.trim().split("\n").at(-1) ?? "");
      const prefix = join(folder, "prefix");
      await runOrThrowBuild("npm", [
        ...["install", "--global", "--prefix", prefix, "--prefer-offline", "--no-audit", "--no-fund"],
        tarball,
      ]);
      const bin = join(prefix, "bin");
      const config = join(folder, "npm-config.toml");
      writeFileSync(
        config,
        readFileSync(join(prefix, "lib/node_modules/dewey-pop3/etc/config.toml"), "utf8"),
      );
      await serveFrom(bin, bin, config, join(folder, "npm-passwd"));
      for (const [section, page] of [
        ["8", "pop3-server"],
        ["8", "pop3-passwd"],
        ["8", "pop3-ctl"],
        ["5", "dewey-pop3.toml"],
      ] as const) {
        const env = { LC_ALL: "C.UTF-8" };
        const args = ["--manpath", join(prefix, "share/man"), section, page];
        const { exitCode, stdout, stderr } = await runProgram("man", args, { env });
        expect({ exitCode, stderr }, page).toEqual({ exitCode: 0, stderr: "" });
        expect(stdout.toString()).toMatch(new RegExp(`^NAME\\n +${page} - `, "m"));
      }
      await expectManualPages(prefix);

      const project = join(folder, "project");
      mkdirSync(project);
      await runOrThrowBuild("npm", [
        ...["install", "--prefix", project, "--prefer-offline", "--no-audit", "--no-fund"],
        tarball,
      ]);
      expect(await runLibraryExample(project)).toBe(EXPECTED_TALK);
    },
    buildDeadlineMs,
  );
});

/** man(1) finds every page that npm linked below its prefix, by its folder and by the commands' place in PATH. */
async function expectManualPages(prefix: string): Promise<void> {
  const byPath = { PATH: `${join(prefix, "bin")}:${process.env["PATH"]}`, MANPATH: "" };
  for (const [section, name] of [
    ["8", "pop3-server"],
    ["8", "pop3-passwd"],
    ["8", "pop3-ctl"],
    ["5", "dewey-pop3.toml"],
  ] as const) {
    const file = realpathSync(join(prefix, `share/man/man${section}/${name}.${section}`));
    for (const where of [
      await runOrThrow("man", ["-M", join(prefix, "share/man"), "-w", section, name]),
      await runOrThrow("man", ["-w", section, name], { env: byPath }),
    ])
      expect(where.stdout.toString().trim()).toBe(file);
    const page = await runOrThrow("man", ["-M", join(prefix, "share/man"), section, name], {
      env: { LC_ALL: "C.UTF-8" },
    });
    expect(page.stdout.toString()).toMatch(new RegExp(`^NAME\\n +${name} [-\u2013\u2014] `, "m"));
  }
}

async function runOrThrowBuild(program: string, args: readonly string[]): Promise<string> {
  const path = program.includes("/") ? join(checkout, program) : program;
  const { exitCode, stdout, stderr } = await runProgram(path, args, { cwd: checkout }, buildDeadlineMs);
  if (exitCode !== 0) throw new Error(`${program} ended with ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
