// pop3-server's command line, and `npm start`.
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { startDemo } from "../support/demo.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { runProgram } from "../support/program.ts";

const script = (name: string): string => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-commands-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function config(text: string): string {
  const file = join(folder, "config.toml");
  writeFileSync(file, text);
  return file;
}

const server = (...args: string[]) => runProgram(script("pop3-server"), args, { cwd: folder });

describe("a reader that has read enough", () => {
  it.each(["pop3-ctl", "pop3-passwd"])("ends %s without a word", async (name) => {
    // The pipe's end is closed before the program writes.
    const pipe = `exec 3>&1; { "$0" --help 2>&3; echo "status $?" >&3; } | true`;
    const { stdout } = await runProgram("sh", ["-c", pipe, script(name)], { cwd: folder });
    expect(stdout.toString()).toBe("status 0\n");
  });
});

describe("pop3-server --check", () => {
  it("is silent about nothing: every fault with file, line and key, exit 78", async () => {
    const file = config('[server]\nlistn = ["127.0.0.1:110"]\n[log]\nlevel = "loud"\n');
    const { exitCode, stderr } = await server("--config", file, "--check");
    expect(exitCode).toBe(78);
    expect(stderr).toContain(`${file}:2: server.listn: unknown key, did you mean server.listen?`);
    expect(stderr).toContain(`${file}:4: log.level: `);
  });

  it("exit 0 when the config is sound", async () => {
    const file = config('[server]\nlogin_user = "daemon"\nauth_user = "bin"\n[mail]\nuser = "nobody"\n');
    const { exitCode, stdout } = await server("--config", file, "--check");
    expect(stdout.toString()).toBe(`${file}: sound\n`);
    expect(exitCode).toBe(0);
  });

  it("names a config that is not there", async () => {
    const { exitCode, stderr } = await server("--config", join(folder, "none.toml"), "--check");
    expect(exitCode).toBe(78);
    expect(stderr).toContain("none.toml: cannot read it (ENOENT)");
  });

  it("refuses words that it does not know, with a hint", async () => {
    const { exitCode, stderr } = await server("--chek");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("--check");
  });
});

describe("npm start", () => {
  it("lays out a demonstration, serves it, says in five lines how to try it, and ends at Ctrl-C", async () => {
    const port = await freePort();
    const tlsPort = await freePort();
    const program = await startDemo(folder, port, tlsPort);
    expect(program.lines()).toHaveLength(5);
    expect(program.output()).toContain(`pop3s://127.0.0.1:${tlsPort}/`);
    expect(program.output()).toContain(`curl -u mrose:secret pop3://127.0.0.1:${port}/1`);
    for (const [user, password, messages] of [
      ["mrose", "secret", 5],
      ["jpostel", "liberal", 2],
    ] as const) {
      const session = await Pop3Connection.login(port, user, password);
      expect((await session.command("STAT")).text).toMatch(new RegExp(`^${messages} `));
      await session.command("DELE 1");
      expect((await session.command("QUIT")).status).toBe("+OK");
    }
    expect(readFileSync(join(folder, "demo/passwd"), "utf8")).toMatch(/^mrose:\{ARGON2ID\}\$argon2id\$/);
    // The terminal sends it to the whole process group.
    process.kill(-program.pid, "SIGINT");
    expect((await program.ended).exitCode).toBe(0);

    const again = await startDemo(folder, port, tlsPort);
    const session = await Pop3Connection.login(port, "mrose", "secret");
    expect((await session.command("STAT")).text).toMatch(/^4 /);
    session.drop();
    await again.stop();
    expect((await again.ended).exitCode).toBe(0);
  });

  it("says clearly that the port is taken, exit 1", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    const { exitCode, stderr } = await runProgram(process.execPath, [
      script("demo.mjs"),
      "--folder",
      join(folder, "demo"),
      "--port",
      `${port}`,
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: the address is in use by another program`);
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe("pop3-server", () => {
  it("leaves a runtime directory alone that another server uses", async () => {
    const port = await freePort();
    const first = await startDemo(folder, port, await freePort());
    const free = [await freePort(), await freePort()];
    const other = readFileSync(join(folder, "demo/config.toml"), "utf8").replace(
      /127\.0\.0\.1:\d+/g,
      () => `127.0.0.1:${free.pop()}`,
    );
    const { exitCode, stderr } = await server("--config", config(other));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("(server.runtime_dir) is in use by another pop3-server");
    const session = await Pop3Connection.login(port, "mrose", "secret");
    session.drop();
    await first.stop();
  });

  it("notices an account that pop3-passwd adds, changes or deletes at once", async () => {
    const port = await freePort();
    const program = await startDemo(folder, port, await freePort());
    const passwd =
      (...args: string[]) =>
      (password: string) =>
        runProgram(script("pop3-passwd"), ["--file", join(folder, "demo/passwd"), ...args], {
          input: `${password}\n`,
        });
    const canLogIn = async (password: string): Promise<boolean> => {
      const session = await Pop3Connection.login(port, "grace", password).catch(() => undefined);
      session?.drop();
      return session !== undefined;
    };
    expect(await canLogIn("first")).toBe(false);
    expect((await passwd("add", "grace", "--home", join(folder, "demo/home/grace"))("first")).exitCode).toBe(
      0,
    );
    expect(await canLogIn("first")).toBe(true);
    expect((await passwd("set", "grace")("second")).exitCode).toBe(0);
    await eventually("the new password, and the maildrop free", () => canLogIn("second"));
    expect(await canLogIn("first")).toBe(false);
    expect((await passwd("delete", "grace")("")).exitCode).toBe(0);
    expect(await canLogIn("second")).toBe(false);
    await program.stop();
  });

  it("runs from any folder and through a symbolic link", async () => {
    const link = join(folder, "linked");
    symlinkSync(script("pop3-server"), link);
    const { exitCode, stdout } = await runProgram(link, ["--help"], { cwd: "/" });
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toContain("--config <file>");
  });
});
