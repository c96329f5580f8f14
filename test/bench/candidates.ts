// The servers that are measured: ours in both of its ways to run, Dovecot in both of its own, and Courier.
import { availableParallelism } from "node:os";
import type { MadeCertificate } from "../../scripts/certificate.mjs";
import { startCourier } from "../peers/support/courier.ts";
import { startDovecot } from "../peers/support/dovecot.ts";
import type { TestAccount } from "../support/accounts.ts";
import { type MailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { startServer } from "../support/server.ts";

export interface RunningCandidate {
  readonly port: number;
  readonly tlsPort: number;
  /** The root of its process tree. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Candidate {
  readonly name: string;
  readonly maker: "dewey" | "dovecot" | "courier";
  start(
    accounts: readonly TestAccount[],
    owner: MailOwner,
    certificate: MadeCertificate,
  ): Promise<RunningCandidate>;
}

// Limits, here and with the others, that no workload meets: what is measured is not where somebody has set them.
const dovecotLimits = `
default_process_limit = 20000
default_client_limit = 50000
mail_max_userip_connections = 1000
service pop3 {
  process_limit = 20000
}
`;

export const candidates: readonly Candidate[] = [
  ours("separate"),
  ours("combined"),
  // One login process and one mail process for each connection: what Debian's package does unless told otherwise.
  dovecot("dovecot, default", dovecotLimits),
  // Processes that serve many connections, one after the other or at one time, and remembered passwords:
  // "high-performance mode" in Dovecot's documentation of its login processes.
  dovecot(
    "dovecot, fast",
    `${dovecotLimits}
auth_cache_size = 10 M
auth_cache_ttl = 1 hour
service pop3-login {
  service_count = 0
  process_min_avail = ${availableParallelism()}
}
service pop3 {
  service_count = 10000
  process_min_avail = ${availableParallelism()}
}
`,
  ),
  // Its mount namespace takes root.
  ...(runsAsRoot() ? [courier()] : []),
];

function ours(processes: "separate" | "combined"): Candidate {
  return {
    name: `dewey, ${processes}`,
    maker: "dewey",
    async start(accounts, owner, certificate) {
      return await startServer({
        accounts,
        owner,
        certificates: [certificate],
        settings: { server: { processes }, limits: { sessions: 20_000, sessions_per_address: 20_000 } },
      });
    },
  };
}

function dovecot(name: string, settings: string): Candidate {
  return {
    name,
    maker: "dovecot",
    async start(accounts, owner, certificate) {
      return await startDovecot({ accounts, owner, settings, certificate });
    },
  };
}

function courier(): Candidate {
  return {
    name: "courier",
    maker: "courier",
    async start(accounts, _owner, certificate) {
      return await startCourier({ accounts, certificate });
    },
  };
}
