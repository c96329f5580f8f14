// The MTA's side: whether its sockets are there and answered, and whether Postfix's or Exim's settings name them.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import * as net from "node:net";
import type { Config } from "../config/schema.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("mta");
const PATIENCE_MS = 10_000;

/** Runs a program of the host; undefined where it is not there or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

export const runHostProgram: RunProgram = (program, args) =>
  new Promise((resolve) => {
    // Where root's PATH has them, and a user's may not.
    // Exim calls its own place /usr/exim/bin where nobody said otherwise.
    const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/local/sbin:/usr/exim/bin`;
    execFile(program, args, { timeout: PATIENCE_MS, env: { ...process.env, PATH } }, (error, stdout) => {
      resolve(error === null ? stdout : undefined);
    });
  });

export async function checkMta(
  config: Config,
  isRunning: boolean,
  run: RunProgram,
): Promise<readonly Finding[]> {
  const { mta } = config;
  const paths = [...mta.sasl_socket, ...mta.socketmap_socket].map(({ path }) => path);
  if (paths.length === 0 && mta.postfix_maps === undefined)
    return [
      report(
        "note",
        "[mta] names nothing: the MTA does not ask this server",
        "pop3-ctl setup proposes the lines",
      ),
    ];
  const findings = isRunning ? await Promise.all(paths.map(socketFinding)) : [];
  if (mta.postfix_maps !== undefined)
    findings.push(...mapFindings(mta.postfix_maps.folder, mta.postfix_maps.type));
  return [...findings, ...(await postfixFindings(config, run)), ...(await eximFindings(config, run))];
}

async function socketFinding(path: string): Promise<Finding> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = net.connect({ path });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    // Taken leave of in order, with what it says first read: a connection that breaks is a warning in the server's log.
    socket.once("connect", () => socket.resume().end());
    socket.once("close", () => resolve(undefined));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  return code === undefined
    ? report("ok", `${path} answers`)
    : report(
        "error",
        `${path} does not answer (${code})`,
        "read the server's log; is its folder there and writable?",
      );
}

function mapFindings(folder: string, type: string): Finding[] {
  const missing = ["mailboxes", "uids", "gids"].filter((name) => !existsSync(`${folder}/${name}`));
  return missing.length === 0
    ? [report("ok", `${folder} has the maps (${type})`)]
    : [
        report(
          "error",
          `${folder} lacks ${missing.join(", ")}`,
          `install -d -o dewey-auth -m 755 ${folder}; the running server writes them within a second`,
        ),
      ];
}

async function postfixFindings({ mta }: Config, run: RunProgram): Promise<Finding[]> {
  const text = await run("postconf", [
    "queue_directory",
    "smtpd_sasl_type",
    "smtpd_sasl_path",
    "virtual_mailbox_maps",
  ]);
  if (text === undefined) return [];
  const settings = new Map(
    text.split("\n").flatMap((line) => {
      const at = line.indexOf(" =");
      return at === -1 ? [] : [[line.slice(0, at), line.slice(at + 2).trim()] as const];
    }),
  );
  const queue = settings.get("queue_directory") ?? "/var/spool/postfix";
  const type = settings.get("smtpd_sasl_type");
  const path = settings.get("smtpd_sasl_path") ?? "";
  const ours = mta.sasl_socket.map((socket) => socket.path).filter((each) => each.startsWith(`${queue}/`));
  const findings: Finding[] = [];
  if (ours.length > 0) {
    const full = path.startsWith("/") ? path : `${queue}/${path}`;
    const mend = `postconf -e smtpd_sasl_type=dovecot smtpd_sasl_path=${ours[0]!.slice(queue.length + 1)} && postfix reload`;
    findings.push(
      type === "dovecot" && ours.includes(full)
        ? report("ok", `Postfix asks ${full} for SMTP AUTH`)
        : report(
            "warning",
            `Postfix's SMTP AUTH goes to ${type} ${path}, not to mta.sasl_socket (${ours.join(", ")})`,
            mend,
          ),
    );
  }
  const folder = mta.postfix_maps?.folder;
  const maps = settings.get("virtual_mailbox_maps") ?? "";
  // As postconf(1) expands nothing, a macro such as $dewey_maps/mailboxes counts as ours.
  if (folder !== undefined && ours.length > 0 && !maps.includes(folder) && !/\$\{?dewey_maps/.test(maps)) {
    findings.push(
      report(
        "warning",
        `Postfix's virtual_mailbox_maps ("${maps}") does not name ${folder}`,
        "take the lines of etc/postfix/main.cf, as pop3-ctl setup shows them",
      ),
    );
  }
  return findings;
}

async function eximFindings({ mta }: Config, run: RunProgram): Promise<Finding[]> {
  const ours = mta.sasl_socket.map(({ path }) => path);
  const text =
    (await run("exim4", ["-bP", "authenticators"])) ?? (await run("exim", ["-bP", "authenticators"]));
  // Debian's Exim beside no sasl_socket of ours: authenticators-crypteq, or none.
  if (text === undefined || ours.length === 0) return [];
  const named = [...text.matchAll(/^\s*server_socket = (.+)$/gm)].map(([, path]) => path!.trim());
  const found = named.find((path) => ours.includes(path));
  return [
    found === undefined
      ? report(
          "warning",
          `no authenticator of Exim has a server_socket of mta.sasl_socket (${ours.join(", ")})`,
          "take those of etc/exim/authenticators, as pop3-ctl setup shows them",
        )
      : report("ok", `Exim asks ${found} for SMTP AUTH`),
  ];
}
