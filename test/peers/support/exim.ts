// An Exim of the test's own: configuration, spool and log in a temporary folder, SMTP on a free port of 127.0.0.1 and
// nowhere else. Its program is only unpacked on this host, so two things differ from an installed one: its user,
// Debian-exim, is shown to it alone, by nss_wrapper(1), with the uid that the mail belongs to; and it is not setuid, so
// it delivers as that user (deliver_drop_privilege).
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { type MailOwner, runsAsRoot } from "../../support/mail-owner.ts";
import { startProgram } from "../../support/program.ts";
import { makeCertificate } from "./certificate.ts";
import { acceptsConnections } from "./connect.ts";
import { withUsers } from "./nss-wrapper.ts";

const program = join(process.env["DEWEY_PEERS_DIR"] ?? "/opt/dewey-pop3-peers", "exim/usr/sbin/exim4");

export interface EximOptions {
  /** Who Exim runs and delivers as. */
  readonly owner: MailOwner;
  /** What stands behind the harness's own main options: more of them, then the sections from `begin …` on. */
  readonly configuration: string;
}

export interface Exim {
  /** SMTP with STARTTLS, on 127.0.0.1. */
  readonly port: number;
  log(): string;
  stop(): Promise<void>;
}

/** @throws Error when not run as root, and with everything Exim said when it does not start */
export async function startExim({ owner, configuration }: EximOptions): Promise<Exim> {
  if (!runsAsRoot()) throw new Error("Exim starts as root only: run these tests as root");
  if (!existsSync(program)) throw new Error(`${program} is not there: run scripts/install-peers`);
  const folder = mkdtempSync(join(tmpdir(), "dewey-exim-"));
  try {
    chmodSync(folder, 0o755);
    const port = await freePort();
    const spool = join(folder, "spool");
    mkdirSync(spool, { mode: 0o750 });
    chownSync(spool, owner.uid, owner.gid);
    const certificate = await makeCertificate(folder);
    chownSync(certificate.privateKey, owner.uid, owner.gid);
    const eximUser = { name: "Debian-exim", uid: owner.uid, gid: owner.gid };
    const env = withUsers(folder, [{ ...eximUser, home: spool }], [eximUser]);
    const configFile = join(folder, "exim.conf");
    writeFileSync(
      configFile,
      `primary_hostname = mx.exim.test
spool_directory = ${spool}
log_file_path = ${spool}/%slog
pid_file_path = ${spool}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_certificate = ${certificate.certificate}
tls_privatekey = ${certificate.privateKey}
# Exim starts itself again for each delivery.
keep_environment = ${Object.keys(env).join(" : ")}
deliver_drop_privilege
# No name of a client is looked up: there is no DNS here.
host_lookup =
${configuration}`,
      { mode: 0o644 },
    );
    const running = await startProgram(program, ["-C", configFile, "-bdf", "-q1m"], { env });
    const log = (): string =>
      ["main", "reject", "panic"]
        .map((name) => join(spool, `${name}log`))
        .map((file) => (existsSync(file) ? readFileSync(file, "utf8") : ""))
        .join("");
    try {
      await Promise.race([
        eventually("Exim accepts connections", () => acceptsConnections(port), 30_000),
        running.ended.then(() => Promise.reject(new Error("Exim ended at once"))),
      ]);
    } catch (error) {
      await running.stop("SIGKILL");
      throw new Error(`${(error as Error).message}; it had said:\n${running.output()}${log()}`);
    }
    return {
      port,
      log,
      async stop() {
        try {
          await running.stop();
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
