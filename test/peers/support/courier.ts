// A Courier of the test's own, POP3 and POP3S: Debian's couriertcpd, courierpop3login, courierpop3d and authdaemond with a
// userdb. Its programs are unpacked beside the system (scripts/install-peers), since its packages push others out, and its
// paths are compiled in: /etc/courier/authdaemonrc, /etc/courier/userdb.dat, /run/courier/authdaemon/socket. So it runs in
// a mount namespace that is its alone, where /usr, /etc and /run are as it wants them. That takes root.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MadeCertificate } from "../../../scripts/certificate.mjs";
import type { TestAccount } from "../../support/accounts.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { runsAsRoot } from "../../support/mail-owner.ts";
import { startProgram } from "../../support/program.ts";
import { acceptsConnections } from "./connect.ts";

export interface CourierOptions {
  /** A cheap SHA-256 is stored of each password: Courier knows no argon2. */
  readonly accounts: readonly TestAccount[];
  /** With it, it also serves POP3S on `tlsPort`. */
  readonly certificate?: MadeCertificate;
}

export interface Courier {
  readonly port: number;
  readonly tlsPort: number;
  /** The shell that its processes are children of. */
  readonly pid: number;
  log(): string;
  stop(): Promise<void>;
}

/** Of Debian's package. */
export const courierFolder = join(
  process.env["DEWEY_PEERS_DIR"] ?? "/opt/dewey-pop3-peers",
  "courier/etc/courier",
);
const unpacked = join(process.env["DEWEY_PEERS_DIR"] ?? "/opt/dewey-pop3-peers", "courier");

export async function startCourier(options: CourierOptions): Promise<Courier> {
  if (!runsAsRoot()) throw new Error("Courier needs root, for a mount namespace of its own");
  const folder = mkdtempSync(join(tmpdir(), "dewey-courier-"));
  const port = await freePort();
  const tlsPort = await freePort();
  try {
    chmodSync(folder, 0o755);
    writeConfiguration(folder, options);
    writeFileSync(
      join(folder, "start.sh"),
      startScript(folder, port, tlsPort, options.certificate !== undefined),
    );
    // In a process namespace, too: couriertcpd leads a process group of its own, and ends with the namespace's first process.
    const program = await startProgram("unshare", [
      ...["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"],
      ...["sh", join(folder, "start.sh")],
    ]);
    const stop = async (): Promise<void> => {
      // unshare ignores SIGTERM while it waits.
      await program.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await Promise.race([
        eventually(
          "Courier accepts connections",
          async () =>
            existsSync(join(folder, "run/courier/authdaemon/socket")) && (await acceptsConnections(port)),
          30_000,
        ),
        program.ended.then(() => Promise.reject(new Error("Courier ended at once"))),
      ]);
    } catch (error) {
      await stop();
      throw new Error(`${(error as Error).message}; it had said:\n${program.output()}`);
    }
    return { port, tlsPort, pid: program.pid, log: () => program.output(), stop };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function writeConfiguration(folder: string, { accounts, certificate }: CourierOptions): void {
  mkdirSync(join(folder, "etc/courier"), { recursive: true });
  mkdirSync(join(folder, "run/courier/authdaemon"), { recursive: true });
  const lines = accounts.map(({ user, password, uid, gid, home }) => {
    const digest = createHash("sha256").update(password).digest("base64");
    return `${user}\thome=${home}|uid=${uid}|gid=${gid}|systempw={SHA256}${digest}\n`;
  });
  writeFileSync(join(folder, "etc/courier/userdb"), lines.join(""), { mode: 0o600 });
  writeFileSync(
    join(folder, "etc/courier/authdaemonrc"),
    'authmodulelist="authuserdb"\ndaemons=5\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=""\n',
  );
  if (certificate === undefined) return;
  writeFileSync(join(folder, "tls.pem"), certificate.privateKey + certificate.certificate, { mode: 0o600 });
}

/** What Debian's pop3d, pop3d-ssl and authdaemond scripts do, without the loggers around them: the log goes to the test. */
function startScript(folder: string, port: number, tlsPort: number, withTls: boolean): string {
  const programs = "/usr/lib/courier/courier";
  const listen = (on: number): string =>
    `couriertcpd -address=127.0.0.1 -maxprocs=20000 -maxperip=20000 -nodnslookup -noidentlookup ${on}`;
  const session = `${programs}/courierpop3login ${programs}/courierpop3d Maildir`;
  const tls = `
export TLS_CERTFILE=${folder}/tls.pem TLS_VERIFYPEER=NONE TLS_PRIORITY=NORMAL COURIERTLS=/usr/bin/couriertls
${listen(tlsPort)} /usr/bin/couriertls -server -tcpd ${session} &
`;
  return `
set -e
mount -t overlay -o lowerdir=${unpacked}/usr:/usr courier-usr /usr
makeuserdb -f ${folder}/etc/courier/userdb
mount -t overlay -o lowerdir=${folder}/etc:/etc courier-etc /etc
mount --bind ${folder}/run /run
# authdaemond reads its settings from the environment.
set -a
. /etc/courier/authdaemonrc
set +a
/usr/lib/courier/courier-authlib/authdaemond &
${withTls ? tls : ""}
${listen(port)} ${session} &
wait
`;
}
