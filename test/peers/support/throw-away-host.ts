// A whole host of one test's own, with systemd: whatever a command does to it, to /etc, to users or to units, is gone when the
// test ends, and the host that the tests run on never sees it. So commands run as they stand in README.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../../support/eventually.ts";
import { runsAsRoot } from "../../support/mail-owner.ts";
import { type ProgramOptions, type ProgramResult, runProgram, startProgram } from "../../support/program.ts";

const checkout = fileURLToPath(new URL("../../..", import.meta.url));
const script = fileURLToPath(new URL("throw-away-host.sh", import.meta.url));

/** The package, as README has it installed, from the checkout that the tests run in. */
export async function installPackage(host: ThrowAwayHost): Promise<void> {
  await host.type("npm run package && apt-get install -y ./dist-packages/dewey-pop3_*.deb", slowly);
}

/** Of an authority that the host trusts: itself. */
export async function giveCertificate(host: ThrowAwayHost): Promise<void> {
  await host.type(`mkdir -p /etc/letsencrypt/live/mail.example.org && cd /etc/letsencrypt/live/mail.example.org
    openssl req -x509 -newkey rsa:2048 -nodes -keyout privkey.pem -out fullchain.pem -days 90 -subj /CN=mail.example.org \
      -addext subjectAltName=DNS:mail.example.org -addext basicConstraints=critical,CA:true
    cp fullchain.pem /usr/local/share/ca-certificates/mail.crt && update-ca-certificates`);
}

/** npm and dpkg on a machine that is busy with other tests. */
export const slowly = { deadlineMs: 300_000 };

/** Where the host has this checkout; what is changed there is changed there alone. */
export const checkoutThere = "/usr/local/src/dewey-pop3";

export interface ThrowAwayHost {
  /** Its files, as this host sees them. */
  path(file: string): string;
  /** As an administrator types it: bash, in the checkout. */
  run(command: string, options?: HostCommandOptions): Promise<ProgramResult>;
  /** The same, and throws with what was said unless it ends with 0. @returns what it said on standard output */
  type(command: string, options?: HostCommandOptions): Promise<string>;
  stop(): Promise<void>;
}

export interface HostCommandOptions {
  readonly input?: string;
  /** Meets the network of the machine that the tests run on, for npm. */
  readonly online?: boolean;
  readonly deadlineMs?: number;
}

export async function startThrowAwayHost(): Promise<ThrowAwayHost> {
  if (!runsAsRoot())
    throw new Error("a host of the test's own is made as root only: run these tests as root");
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"];
  const program = await startProgram("unshare", [...namespaces, script, checkout]);
  const [pid] = await eventually("the host's first process", async () => {
    const children = await runProgram("cat", [`/proc/${program.pid}/task/${program.pid}/children`]);
    const found = children.stdout.toString().trim().split(" ").filter(Boolean);
    return found.length > 0 && found;
  });
  const root = `/proc/${pid}/root`;
  const enter = (command: string, { input, online, deadlineMs }: HostCommandOptions = {}) => {
    // npm takes what `npm ci` has just fetched.
    const env = { npm_config_prefer_offline: "true", DEBIAN_FRONTEND: "noninteractive" };
    const options: ProgramOptions = input === undefined ? { env } : { env, input };
    const spaces = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", ...(online ? [] : ["--net"])];
    const args = [`--target=${pid}`, ...spaces, "--root", `--wdns=${checkoutThere}`, "bash", "-c", command];
    return runProgram("nsenter", args, options, deadlineMs);
  };
  const host: ThrowAwayHost = {
    path: (file) => join(root, file),
    run: enter,
    async type(command, options) {
      const { exitCode, stdout, stderr } = await enter(command, options);
      if (exitCode !== 0) throw new Error(`"${command}" ended with ${exitCode}: ${stderr}${stdout}`);
      return stdout.toString();
    },
    async stop() {
      // Its first process takes all others along.
      process.kill(Number(pid), "SIGKILL");
      await program.ended;
    },
  };
  try {
    await eventually("systemd has started", async () => {
      const { stdout } = await enter("systemctl is-system-running");
      return /^(?:running|degraded)$/m.test(stdout.toString());
    });
  } catch (error) {
    await program.stop("SIGKILL").catch(() => {});
    throw new Error(`${(error as Error).message}; it had said:\n${program.output()}`);
  }
  return host;
}
