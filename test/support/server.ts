// Starts the built server (scripts/pop3-server) for tests and measurements: a config of its own in a temporary
// folder, a free port, ready when this returns. As root it runs the way an installation does, with one uid for mail
// and others for auth and login; else with the starter's.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MadeCertificate } from "../../scripts/certificate.mjs";
import { type TestAccount, writePasswdFile } from "./accounts.ts";
import { runnableProgram } from "./checkout.ts";
import { freePort } from "./free-port.ts";
import { type MailOwner, runsAsRoot } from "./mail-owner.ts";
import { type RunningProgram, startProgram } from "./program.ts";

/** config.toml as section → key → value. */
export type Settings = Readonly<Record<string, Readonly<Record<string, Value>>>>;
type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value };

export interface ServerOptions {
  readonly accounts: readonly TestAccount[];
  /** Of all mail; "each-account": each account's own uid and gid, which takes root. */
  readonly owner: MailOwner | "each-account";
  /** With them it also serves POP3S on `tlsPort`, and STLS. */
  readonly certificates?: readonly MadeCertificate[];
  /** Added to the harness's own settings, key by key. */
  readonly settings?: Settings;
  /** Listening sockets that the server gets as systemd passes them (sd_listen_fds(3)). */
  readonly passedFds?: readonly number[];
  /** Puts another program before the server's, such as `setpriv`; and variables into its environment. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

export interface TestServer {
  readonly port: number;
  /** Serves POP3S where there are certificates. */
  readonly tlsPort: number;
  /** The master process. */
  readonly pid: number;
  /** Holds config.toml, passwd and the sockets between the processes. */
  readonly folder: string;
  log(): readonly LogLine[];
  /** The same as it was written. */
  logLines(): readonly string[];
  /** SIGTERM, wait for the end, remove the folder. Throws when the server did not exit with 0. */
  stop(): Promise<void>;
  /** SIGKILL for all of its processes at once, as when its host fails; then the folder is removed. */
  kill(): Promise<void>;
}

// Users that every Debian has and that own no files: auth and login must not share a uid with the mail, or each other.
const loginUser = "daemon";
export const authUser = "bin";

/** A dozen programs that start at once, on a machine that is busy with other tests. */
const READY_MS = 120_000;

let examineLog: (lines: readonly LogLine[]) => void = () => {};

/** Has everything that each server logged looked at when it has stopped. */
export function onServerLog(examine: (lines: readonly LogLine[]) => void): void {
  examineLog = examine;
}

/** @throws Error with everything the server said when it is not ready in time */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "dewey-server-"));
  try {
    chmodSync(folder, 0o755);
    const port = await freePort();
    const tlsPort = await freePort();
    const passwdFile = join(folder, "passwd");
    await writePasswdFile(passwdFile, options.accounts);
    const configFile = join(folder, "config.toml");
    writeFileSync(
      configFile,
      toml(
        [
          baseSettings(folder, port, passwdFile, options.owner),
          tlsSettings(folder, tlsPort, options.certificates ?? []),
          options.settings ?? {},
        ].reduce(merge),
      ),
    );
    const { path, env } = runnableProgram("pop3-server");
    const command = [...(options.wrapper ?? []), path, "--config", configFile];
    const program = await startAsService(command, { ...env, ...options.env }, options.passedFds ?? []);
    const parsed: LogLine[] = [];
    const log = (): readonly LogLine[] => {
      for (const line of program.lines().slice(parsed.length)) parsed.push(parseLogLine(line));
      return parsed;
    };
    try {
      await program.lineWhere(saysReady, "ready", READY_MS);
    } catch (error) {
      await program.stop("SIGKILL");
      throw error;
    }
    return {
      port,
      tlsPort,
      pid: program.pid,
      folder,
      log,
      logLines: () => program.lines(),
      async kill() {
        // Processes that are started without a group of their own are in the server's.
        process.kill(-program.pid, "SIGKILL");
        await program.ended;
        rmSync(folder, { recursive: true, force: true });
      },
      async stop() {
        try {
          await program.stop();
          const { exitCode, signal } = await program.ended;
          if (exitCode !== 0) {
            throw new Error(`the server ended with ${exitCode ?? signal}; it had said:\n${program.output()}`);
          }
          examineLog(log());
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** LISTEN_PID has to be the server's own, which the shell has until it becomes the server. */
function startAsService(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  passedFds: readonly number[],
): Promise<RunningProgram> {
  const [program, ...args] = command;
  if (passedFds.length === 0) return startProgram(program!, args, { env });
  const script = 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"';
  const variables = { ...env, LISTEN_FDS: `${passedFds.length}` };
  return startProgram("sh", ["-c", script, "sh", ...command], { env: variables, passedFds });
}

function baseSettings(
  folder: string,
  port: number,
  passwdFile: string,
  owner: ServerOptions["owner"],
): Settings {
  return {
    server: {
      name: "dewey",
      listen: [`127.0.0.1:${port}`],
      runtime_dir: join(folder, "run"),
      ...(runsAsRoot() ? { login_user: loginUser, auth_user: authUser } : {}),
    },
    auth: { passwd_file: passwdFile, failure_delay: "10ms" },
    mail: {
      maildir: "~/Maildir",
      ...(runsAsRoot() && owner !== "each-account" ? { user: owner.user, group: owner.group } : {}),
    },
  };
}

function tlsSettings(folder: string, port: number, certificates: readonly MadeCertificate[]): Settings {
  if (certificates.length === 0) return {};
  const files = certificates.map((made, index) => {
    const certificate = join(folder, `certificate-${index}.pem`);
    const privateKey = join(folder, `private-key-${index}.pem`);
    writeFileSync(certificate, made.certificate);
    writeFileSync(privateKey, made.privateKey, { mode: 0o600 });
    return { certificate, privateKey };
  });
  return {
    server: { listen_tls: [`127.0.0.1:${port}`] },
    tls: {
      certificate: files.map(({ certificate }) => certificate),
      private_key: files.map(({ privateKey }) => privateKey),
    },
  };
}

function merge(base: Settings, added: Settings): Settings {
  const sections = new Set([...Object.keys(base), ...Object.keys(added)]);
  return Object.fromEntries([...sections].map((name) => [name, { ...base[name], ...added[name] }]));
}

function toml(settings: Settings): string {
  return Object.entries(settings)
    .map(([section, keys]) => {
      const lines = Object.entries(keys).map(([key, value]) => `${key} = ${tomlValue(value)}\n`);
      return `[${section}]\n${lines.join("")}`;
    })
    .join("\n");
}

function tomlValue(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  // Strings, numbers and booleans look the same in TOML as in JSON.
  if (typeof value !== "object") return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key} = ${tomlValue(inner)}`)
    .join(", ")} }`;
}

/** In either format. */
function saysReady(line: string): boolean {
  return parseLogLine(line).msg === "ready" || / master\[\d+\]: ready /.test(line);
}

/** A line that is no log line (a crash's stack trace) stays readable as a message. */
function parseLogLine(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === "object" && parsed !== null && "msg" in parsed) return parsed as LogLine;
  } catch {
    // Not JSON: told below.
  }
  return { level: "none", msg: line };
}
