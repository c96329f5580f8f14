// `pop3-ctl doctor`: every check, in the order in which one would mend. Run by the administrator, best as root; changes
// nothing, and ends as a monitoring plugin does.
import { askPassword } from "../accounts/ask-password.ts";
import type { Config } from "../config/schema.ts";
import { ask } from "../control/link/client.ts";
import type { Printer, Style } from "../control/terminal/printer.ts";
import { Refusal } from "../control/terminal/refusal.ts";
import { escapeControls } from "../log/safe-text.ts";
import { checkCertificates } from "./check-certificates.ts";
import { checkCluster } from "./check-cluster.ts";
import { checkConfig } from "./check-config.ts";
import { checkClock, checkOpenFiles } from "./check-host.ts";
import { checkLogin } from "./check-login.ts";
import { checkMaildirs } from "./check-maildirs.ts";
import { checkMetrics } from "./check-metrics.ts";
import { checkMta, runHostProgram } from "./check-mta.ts";
import { checkPasswdFile } from "./check-passwd-file.ts";
import { checkPorts } from "./check-ports.ts";
import { checkStorage } from "./check-storage.ts";
import { exitStatus, type Finding, type Level, reporter, worst } from "./finding.ts";

export interface DoctorOptions {
  /** The account to log in as; its password is asked for, or the first line of standard input. */
  readonly login?: string;
}

/** @returns the exit status */
export async function doctor(
  configFile: string,
  printer: Printer,
  { login }: DoctorOptions,
): Promise<0 | 1 | 2> {
  const password = login === undefined ? undefined : await passwordOf(login);
  const findings = await examine(
    configFile,
    login === undefined ? undefined : { user: login, password: password! },
  );
  printer.result(
    { status: worst(findings), findings },
    findings.flatMap((finding) => linesOf(finding, printer)),
  );
  return exitStatus(findings);
}

export async function examine(
  configFile: string,
  login?: { readonly user: string; readonly password: string },
): Promise<readonly Finding[]> {
  const isRoot = process.getuid?.() === 0;
  const { findings, config, users } = checkConfig(configFile, isRoot);
  if (config === undefined) return findings;
  const nowMs = Date.now();
  const running = await runningServer(config);
  const isRunning = running.kind === "runs";
  const accounts = await checkPasswdFile(config, users?.auth);
  return [
    ...findings,
    RUNNING[running.kind],
    // Of what is served, only somebody who may ask whether the server runs can say whether it is well.
    ...(running.kind === "denied"
      ? []
      : [
          ...(await checkPorts(config, isRunning)),
          ...(await checkMetrics(config, isRunning)),
          ...(await checkCluster(config, isRunning)),
        ]),
    ...checkCertificates(config, nowMs),
    ...accounts.findings,
    ...checkStorage(config, accounts.accounts, running.kind === "runs" ? running.pid : undefined),
    ...(await checkMaildirs(config, accounts.accounts, nowMs)),
    ...(await checkMta(config, isRunning, runHostProgram)),
    ...(await checkClock(nowMs, runHostProgram)),
    ...checkOpenFiles(running.kind === "runs" ? running.pid : undefined),
    ...(login === undefined ? [] : [await checkLogin(config, login.user, login.password)]),
  ];
}

type RunningServer =
  /** `pid`: of a process that holds connections, whose limit of open files is the one that counts. */
  | { readonly kind: "runs"; readonly pid: number | undefined }
  /** None answers. */
  | { readonly kind: "away" }
  /** Not this uid's to ask. */
  | { readonly kind: "denied" };

const server = reporter("server");
const RUNNING: Readonly<Record<RunningServer["kind"], Finding>> = {
  runs: server("ok", "the server runs"),
  away: server(
    "warning",
    "the server does not run",
    "systemctl start dewey-pop3; journalctl -u dewey-pop3 tells why not",
  ),
  denied: server(
    "error",
    "whether the server runs, only root and whoever started it may ask",
    "run this as root, or as whoever started pop3-server",
  ),
};

async function runningServer({ server }: Config): Promise<RunningServer> {
  const pids = new Map<string, number>();
  const asked = await ask<"stats">(server.runtime_dir, { kind: "stats" }, ({ process }, from) =>
    pids.set(from, process.pid),
  );
  if (asked.kind === "failed") return { kind: asked.isDenied ? "denied" : "away" };
  const name = [...pids.keys()].find((from) => /^(?:login|worker)/.test(from));
  return { kind: "runs", pid: name === undefined ? undefined : pids.get(name) };
}

const MARKS: Readonly<Record<Level, readonly [mark: string, style: Style]>> = {
  ok: ["ok     ", "green"],
  note: ["note   ", "cyan"],
  warning: ["warning", "yellow"],
  error: ["ERROR  ", "red"],
};

function linesOf({ check, level, message, mend }: Finding, { paint }: Printer): string[] {
  const [mark, style] = MARKS[level];
  return [
    `${paint(style, mark)}  ${check}: ${escapeControls(message)}`,
    ...(mend === undefined ? [] : [`         → ${escapeControls(mend)}`]),
  ];
}

async function passwordOf(user: string): Promise<string> {
  const asked = await askPassword([`Password of ${user}:`]);
  if (asked.kind === "password") return asked.password.toString("utf8");
  throw new Refusal(asked.kind === "cancelled" ? "cancelled" : asked.reason);
}
