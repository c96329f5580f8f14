// The files for systemd and AppArmor, by those programs themselves; and the server with the rights that its unit leaves it.
import {
  chmodSync,
  chownSync,
  cpSync,
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
import { afterAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { runnableModules } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf, statusOf } from "../support/processes.ts";
import { runOrThrow, runProgram, startProgram } from "../support/program.ts";
import { type ServerOptions, startServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const etc = fileURLToPath(new URL("../../etc", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "dewey-systemd-"));
// Processes of other users have homes in it.
chmodSync(folder, 0o755);
const services = ["dewey-pop3.service", "dewey-pop3-unprivileged.service"] as const;

afterAll(() => rmSync(folder, { recursive: true }));

const text = async (program: string, ...args: readonly string[]): Promise<string> =>
  (await runOrThrow(program, args)).stdout.toString();

describe("etc/systemd", () => {
  it("is understood by systemd, without a warning", async () => {
    const units = join(folder, "units");
    mkdirSync(units);
    for (const name of readdirSync(join(etc, "systemd"))) {
      const unit = readFileSync(join(etc, "systemd", name), "utf8");
      // The program need not be installed here.
      writeFileSync(join(units, name), unit.replace("/usr/bin/pop3-server", "/bin/true"));
    }
    // As somebody who uses Postfix has it.
    mkdirSync(join(units, "dewey-pop3.service.d"));
    cpSync(join(units, "dewey-pop3-postfix.conf"), join(units, "dewey-pop3.service.d/postfix.conf"));
    const files = [...services, "dewey-pop3-unprivileged.socket"].map((name) => join(units, name));
    // It looks for the manual pages that units name.
    const manual = join(folder, "man");
    for (const page of readdirSync(join(etc, "man")))
      cpSync(join(etc, "man", page), join(manual, `man${page.at(-1)}`, page));
    const env = { MANPATH: manual };
    const { exitCode, stdout, stderr } = await runProgram("systemd-analyze", ["verify", ...files], { env });
    expect(`${stdout}${stderr}`.split("\n").filter((line) => line.includes("dewey-pop3"))).toEqual([]);
    expect(exitCode).toBe(0);
  });

  it.each(services)("%s is as exposed as etc/SECURITY.md says", async (name) => {
    const said = await text(
      "systemd-analyze",
      "security",
      "--offline=yes",
      "--no-pager",
      join(etc, "systemd", name),
    );
    const score = /Overall exposure level for \S+: ([0-9.]+) OK/.exec(said)?.[1];
    expect(Number(score)).toBeLessThanOrEqual(name === "dewey-pop3.service" ? 3 : 1.5);
    expect(readFileSync(join(etc, "SECURITY.md"), "utf8")).toContain(`| \`${name}\` | ${score} |`);
  });

  it("has users and folders that systemd makes", async () => {
    const root = join(folder, "root");
    mkdirSync(join(root, "etc"), { recursive: true });
    await runOrThrow("systemd-sysusers", [`--root=${root}`, join(etc, "sysusers.d/dewey-pop3.conf")]);
    const users = readFileSync(join(root, "etc/passwd"), "utf8");
    for (const user of ["dewey-login", "dewey-auth", "dewey-metrics"])
      expect(users).toMatch(new RegExp(`^${user}:x:\\d+:\\d+:`, "m"));
    await runOrThrow("systemd-tmpfiles", [
      `--root=${root}`,
      "--create",
      join(etc, "tmpfiles.d/dewey-pop3.conf"),
    ]);
    const authUid = Number(/^dewey-auth:x:(\d+)/m.exec(users)?.[1]);
    expect(statSync(join(root, "var/lib/dewey-pop3/postfix")).uid).toBe(authUid);
    expect(statSync(join(root, "etc/dewey-pop3")).mode & 0o777).toBe(0o755);
  });
});

describe("etc/apparmor.d", () => {
  it("is understood by AppArmor's parser", async () => {
    await runOrThrow("apparmor_parser", [
      "--skip-kernel-load",
      "--skip-cache",
      join(etc, "apparmor.d/dewey-pop3"),
    ]);
  });
});

describe("the files that the server uses", () => {
  it("are those that etc/apparmor.d allows: start, login, retrieve, delete, stop", async () => {
    const may = await profileRules(join(etc, "apparmor.d/dewey-pop3"));
    const { trace, serverFolder } = await traced("files", {
      certificates: [await makeCertificate()],
      strace: ["-y", "-s", "4096", "-e", `trace=${FILE_CALLS}`],
    });
    const installed: readonly (readonly [string, string])[] = [
      [join(serverFolder, "run"), "/run/dewey-pop3"],
      [serverFolder, "/etc/dewey-pop3"],
      [folder, "/home"],
      [join(runnableModules().path, "../scripts/pop3-server"), "/usr/bin/pop3-server"],
      [join(runnableModules().path, ".."), "/usr/lib/dewey-pop3"],
      [realpathSync(process.execPath), "/usr/bin/node"],
    ];
    const uses = usesIn(trace).map(({ path, needs }) => {
      const real = existsSync(path) ? realpathSync(path) : path;
      const [from, to] = installed.find(([there]) => real === there || real.startsWith(`${there}/`)) ?? [
        "",
        "",
      ];
      return { path: to + real.slice(from.length) + (path.endsWith("/") && real !== "/" ? "/" : ""), needs };
    });
    // The first program is systemd's to execute.
    uses.splice(
      uses.findIndex(({ needs }) => needs === "x"),
      1,
    );
    expect(uses.length).toBeGreaterThan(300);
    for (const known of ["/home/alice/Maildir/new/1.one", "/run/dewey-pop3/auth"])
      expect(uses.map(({ path }) => path)).toContainEqual(expect.stringContaining(known));
    const refused = uses.filter(({ path, needs }) => !may(path, needs));
    expect([...new Set(refused.map(({ path, needs }) => `${path} ${needs}`))]).toEqual([]);
    // The rules are read as they are: what they are there to keep away is kept away.
    for (const path of [
      "/etc/shadow",
      "/home/alice/.ssh/id_rsa",
      "/home/alice/notes",
      "/root/x",
      "/usr/bin/bash",
    ])
      expect(may(path, "r"), path).toBe(false);
    expect(may("/usr/lib/dewey-pop3/dist/bin/pop3-server.js", "w")).toBe(false);
  });
});

const FILE_CALLS =
  "open,openat,execve,unlink,unlinkat,rename,renameat,renameat2,mkdir,rmdir,link,linkat,readlink,connect,bind,mmap";

interface Use {
  readonly path: string;
  /** In AppArmor's letters. */
  readonly needs: string;
}

/** What calls that succeeded need; stat(2) is always allowed. */
function usesIn(trace: string): readonly Use[] {
  return trace.split("\n").flatMap((line): Use[] => {
    const [, call, args] = /^\d+ +([a-z0-9]+)\((.*)\) += (?!-1)/.exec(line) ?? [];
    if (call === undefined || args === undefined) return [];
    if (call === "mmap") {
      const [, path] = /PROT_EXEC.*, \d+<(\/[^>]*)>/.exec(args) ?? [];
      return path === undefined ? [] : [{ path, needs: "mr" }];
    }
    const paths = [...args.matchAll(/"(\/[^"]*)"/g)].map((match) => match[1]!);
    if (call === "execve") return [{ path: paths[0]!, needs: "x" }];
    const needs = NEEDS.get(call) ?? "w";
    const opened = /O_RDWR/.test(args) ? "rw" : /O_WRONLY|O_CREAT/.test(args) ? "w" : "r";
    // AppArmor's folders end with a slash.
    const end = /O_DIRECTORY/.test(args) || call.endsWith("dir") ? "/" : "";
    return paths.map((path) => ({
      path: path.replace(/\/*$/, end),
      needs: call.startsWith("open") ? opened : needs,
    }));
  });
}

const NEEDS: ReadonlyMap<string, string> = new Map([
  ["readlink", "r"],
  ["connect", "w"],
  ["link", "l"],
  ["linkat", "l"],
  ["rename", "rw"],
]);

/** An AppArmor profile's rules for files, as its parser puts them together. */
async function profileRules(file: string): Promise<(path: string, needs: string) => boolean> {
  const lines = (await text("apparmor_parser", "--preprocess", file))
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim());
  const variables = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, values] = /^@\{(\w+)\} *\+?= *(.*)$/.exec(line) ?? [];
    if (name !== undefined) variables.set(name, [...(variables.get(name) ?? []), ...values!.split(/ +/)]);
  }
  const expand = (glob: string): string[] => {
    const [whole, name] = /@\{(\w+)\}/.exec(glob) ?? [];
    if (whole === undefined) return [glob.replace(/\/+/g, "/")];
    return (variables.get(name!) ?? []).flatMap((value) => expand(glob.replace(whole, () => value)));
  };
  const rules = lines.flatMap((line) => {
    const [, deny, glob, may] = /^(deny +)?(?:owner +)?([/@][^ ]*) +([a-zA-Z]+),$/.exec(line) ?? [];
    if (glob === undefined) return [];
    return expand(glob).map((each) => ({
      isDeny: deny !== undefined,
      matches: globPattern(each),
      may: may!,
    }));
  });
  return (path, needs) => {
    const matching = rules.filter(({ matches }) => matches.test(path));
    const has = (isDeny: boolean, letter: string): boolean =>
      matching.some((rule) => rule.isDeny === isDeny && rule.may.includes(letter));
    return [...needs].every((letter) => has(false, letter) && !has(true, letter));
  };
}

/** apparmor.d(5): * within a folder, ** beyond it, alternatives in braces. */
function globPattern(glob: string): RegExp {
  let depth = 0;
  const pattern = glob.replace(/\*\*|[*?{},.+^$()|]/g, (found) => {
    if (found === "**") return ".*";
    if (found === "*") return "[^/]*";
    if (found === "?") return "[^/]";
    if (found === "{") {
      depth++;
      return "(?:";
    }
    if (found === "}") {
      depth--;
      return ")";
    }
    if (found === ",") return depth > 0 ? "|" : ",";
    return `\\${found}`;
  });
  return new RegExp(`^${pattern}$`, "s");
}

const alice = { user: "alice", password: "secret", uid: 20_021, gid: 20_021, home: join(folder, "alice") };

function systemUser(): ServerOptions {
  rmSync(alice.home, { recursive: true, force: true });
  layOutMaildir(alice.home, { ...alice, group: "" }, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
  return { accounts: [alice], owner: "each-account" };
}

/** What strace(1) sees while a server starts, serves a session of all that one does, and stops. */
async function traced(
  name: string,
  { strace = [], ...options }: { readonly strace?: readonly string[] } & Pick<ServerOptions, "certificates">,
): Promise<{ readonly trace: string; readonly serverFolder: string }> {
  const output = join(folder, name);
  const server = await startServer({
    ...systemUser(),
    ...options,
    wrapper: ["strace", "-f", "-qq", ...strace, "-o", output],
    settings: { server: { login_processes: 1 } },
  });
  const session = await Pop3Connection.login(server.port, "alice", "secret");
  await session.multiLine("RETR 1");
  await session.command("DELE 1");
  await session.command("QUIT");
  // strace is what the harness started, and passes no signal on.
  const [master] = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8").trim().split(" ");
  process.kill(Number(master), "SIGTERM");
  await server.stop();
  return { trace: readFileSync(output, "utf8"), serverFolder: server.folder };
}

/** What the unit leaves master, in setpriv(1)'s words. */
function rights(without?: string): readonly string[] {
  const unit = readFileSync(join(etc, "systemd/dewey-pop3.service"), "utf8");
  const names = /^CapabilityBoundingSet=(.+)$/m.exec(unit)![1]!.split(" ");
  const left = names
    .filter((name) => name !== without)
    .map((name) => `+${name.replace("CAP_", "").toLowerCase()}`);
  return ["setpriv", `--bounding-set=-all,${left.join(",")}`, "--no-new-privs"];
}

describe("the capabilities of dewey-pop3.service", () => {
  it("are enough: login, system users' mail, ending a child that hangs", async () => {
    const server = await startServer({
      ...systemUser(),
      wrapper: rights(),
      settings: { server: { login_processes: 1 }, limits: { hang_time: "3s" } },
    });
    expect(statusOf(server.pid, "CapEff")).toBe("00000000000004e1");
    const session = await Pop3Connection.login(server.port, "alice", "secret");
    expect((await session.multiLine("RETR 1")).body?.toString()).toBe("A: 1\r\n\r\n");
    await session.command("DELE 1");
    expect((await session.command("QUIT")).status).toBe("+OK");
    expect(readdirSync(join(alice.home, "Maildir/cur"))).toEqual([]);
    for (const { pid, role } of childrenOf(server.pid)) {
      expect(statusOf(pid, "CapEff"), role).toBe("0000000000000000");
      expect(statusOf(pid, "CapPrm"), role).toBe("0000000000000000");
    }
    const login = childrenOf(server.pid).find(({ role }) => role === "login")!;
    process.kill(login.pid, "SIGSTOP");
    await eventually("another login process", () =>
      childrenOf(server.pid).some(({ pid, role }) => role === "login" && pid !== login.pid),
    );
    await server.stop();
  });

  it.each(["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN"])(
    "are none too many: it does not start without %s",
    async (name) => {
      await expect(startServer({ ...systemUser(), wrapper: rights(name) })).rejects.toThrow(
        /ended .*before it said ready/,
      );
    },
  );

  it("are none too many: without CAP_KILL a child that hangs cannot be ended", async () => {
    const server = await startServer({
      ...systemUser(),
      wrapper: rights("CAP_KILL"),
      settings: { server: { login_processes: 1 }, limits: { hang_time: "2s" } },
    });
    const login = childrenOf(server.pid).find(({ role }) => role === "login")!;
    process.kill(login.pid, "SIGSTOP");
    const tries = () => server.log().filter(({ msg }) => msg === "child gives no sign of life, ending it");
    await eventually("more than one try", () => tries().length > 1);
    expect(childrenOf(server.pid)).toContainEqual(login);
    process.kill(login.pid, "SIGCONT");
    await server.stop();
  });

  it("are none too many: ports below 1024 need CAP_NET_BIND_SERVICE", async () => {
    // A network of its own, where port 110 is free.
    const ownNetwork = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    const settings = { server: { listen: ["127.0.0.1:110"] } };
    const server = await startServer({ ...systemUser(), settings, wrapper: [...ownNetwork, ...rights()] });
    await server.stop();
    const wrapper = [...ownNetwork, ...rights("CAP_NET_BIND_SERVICE")];
    await expect(startServer({ ...systemUser(), settings, wrapper })).rejects.toThrow(
      "cannot listen on 127.0.0.1:110: permission denied",
    );
  });
});

describe("the system calls of dewey-pop3.service", () => {
  it("are those that it makes: start, login, retrieve, delete, stop", async () => {
    const unit = readFileSync(join(etc, "systemd/dewey-pop3.service"), "utf8");
    const allowed = await expandFilter(
      [...unit.matchAll(/^SystemCallFilter=(.+)$/gm)].map((match) => match[1]!),
    );
    const { trace } = await traced("calls", {});
    const made = new Set([...trace.matchAll(/^\d+ +([a-z_0-9]+)\(/gm)].map((match) => match[1]!));
    expect(made.size).toBeGreaterThan(40);
    expect([...made].filter((call) => !allowed.has(call))).toEqual([]);
  });
});

/** A unit's SystemCallFilter lines as the calls that they allow, by systemd's own groups. */
async function expandFilter(lines: readonly string[]): Promise<ReadonlySet<string>> {
  const allowed = new Set<string>();
  const expand = async (word: string): Promise<string[]> => {
    if (!word.startsWith("@")) return [word];
    const listed = (await text("systemd-analyze", "syscall-filter", "--no-pager", word)).split("\n").slice(1);
    const words = listed.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
    return (await Promise.all(words.map(expand))).flat();
  };
  for (const line of lines) {
    const calls = (await Promise.all(line.replace("~", "").split(" ").map(expand))).flat();
    for (const call of calls) line.startsWith("~") ? allowed.delete(call) : allowed.add(call);
  }
  return allowed;
}

function sharedOwner(): ServerOptions {
  const owner = mailOwner();
  const home = join(folder, "shared");
  rmSync(home, { recursive: true, force: true });
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
  return {
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
  };
}

describe("socket activation", () => {
  it("by systemd-socket-activate, with all processes under the one user and no right at all", async () => {
    const port = await freePort();
    const listen = `127.0.0.1:${port}`;
    const { uid, gid } = mailOwner();
    const options = sharedOwner();
    const starting = startServer({
      ...options,
      settings: { server: { listen: [listen], runtime_dir: mkdtempOwned(uid, gid) } },
      wrapper: [
        ...["systemd-socket-activate", `--listen=${listen}`, "--setenv=PATH"],
        ...[
          "setpriv",
          `--reuid=${uid}`,
          `--regid=${gid}`,
          "--clear-groups",
          "--bounding-set=-all",
          "--no-new-privs",
        ],
      ],
    });
    // The first client starts it, and is served.
    const [server, first] = await Promise.all([
      starting,
      eventually("a listening socket", () => Pop3Connection.open(port).catch(() => undefined)),
    ]);
    expect(first.greeting.text).toBe("dewey POP3 server ready");
    first.connection.drop();
    const session = await Pop3Connection.login(port, "mrose", "secret");
    expect((await session.command("STAT")).text).toBe("1 8");
    await session.command("QUIT");
    expect(childrenOf(server.pid).length).toBeGreaterThanOrEqual(3);
    for (const { pid } of [{ pid: server.pid }, ...childrenOf(server.pid)]) {
      expect(statusOf(pid, "Uid").split("\t")[0]).toBe(`${uid}`);
      for (const set of ["CapEff", "CapPrm", "CapBnd"]) expect(statusOf(pid, set)).toBe("0000000000000000");
    }
    await server.stop();
  });

  function mkdtempOwned(uid: number, gid: number): string {
    const path = mkdtempSync(join(folder, "run-"));
    chownSync(path, uid, gid);
    return path;
  }
});

describe("what systemd is told", () => {
  it("READY, RELOADING, WATCHDOG while every process answers, STOPPING", async () => {
    const socket = join(folder, "notify");
    const listener = await startProgram("python3", ["-u", "-c", NOTIFY_LISTENER, socket]);
    await listener.lineWhere((line) => line === "listening", "listening");
    const said = () =>
      listener
        .lines()
        .slice(1)
        .map((line) => JSON.parse(line) as string);
    const server = await startServer({
      ...sharedOwner(),
      env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "2000000" },
      settings: { server: { login_processes: 1 } },
    });
    await eventually("READY", () => said().length > 0);
    expect(said()[0]).toBe(`READY=1\nSTATUS=serving on 127.0.0.1:${server.port}`);
    const watchdogs = () => said().filter((message) => message.startsWith("WATCHDOG=1\n")).length;
    await eventually("two signs of life", () => watchdogs() >= 2);

    process.kill(server.pid, "SIGHUP");
    const reloading = await eventually("RELOADING", () =>
      said().find((message) => message.startsWith("RELOADING=1")),
    );
    expect(reloading).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    await eventually(
      "READY again",
      () => said().filter((message) => message.startsWith("READY=1")).length === 2,
    );

    const login = childrenOf(server.pid).find(({ role }) => role === "login")!;
    process.kill(login.pid, "SIGSTOP");
    // One more may be on its way; then systemd's patience runs out.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const before = watchdogs();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(watchdogs()).toBe(before);
    process.kill(login.pid, "SIGCONT");
    await eventually("a sign of life again", () => watchdogs() > before);

    await server.stop();
    await eventually("STOPPING", () => said().some((message) => message.startsWith("STOPPING=1\n")));
    await listener.stop("SIGKILL");
  });
});

const NOTIFY_LISTENER = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening")
while True:
    print(json.dumps(s.recv(65536).decode()))
`;
