// The servers that are measured: ours in both of its ways to run, and Dovecot in both of its own.
import { availableParallelism } from "node:os";
import { startDovecot } from "../peers/support/dovecot.ts";
import type { TestAccount } from "../support/accounts.ts";
import type { MailOwner } from "../support/mail-owner.ts";
import { startServer } from "../support/server.ts";

export interface RunningCandidate {
  readonly port: number;
  /** The root of its process tree. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Candidate {
  readonly name: string;
  readonly isDovecot: boolean;
  /** @param server further keys of our config's [server] */
  start(
    accounts: readonly TestAccount[],
    owner: MailOwner,
    server?: Readonly<Record<string, number>>,
  ): Promise<RunningCandidate>;
}

export const candidates: readonly Candidate[] = [
  ours("separate"),
  ours("combined"),
  // One login process and one mail process for each connection: what Debian's package does unless told otherwise.
  dovecot("dovecot, default", ""),
  // Processes that serve many connections, one after the other or at one time, and remembered passwords:
  // "high-performance mode" in Dovecot's documentation of its login processes.
  dovecot(
    "dovecot, fast",
    `
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
];

function ours(processes: "separate" | "combined"): Candidate {
  return {
    name: `dewey, ${processes}`,
    isDovecot: false,
    async start(accounts, owner, server = {}) {
      return await startServer({ accounts, owner, settings: { server: { processes, ...server } } });
    },
  };
}

function dovecot(name: string, settings: string): Candidate {
  return {
    name,
    isDovecot: true,
    async start(accounts, owner) {
      return await startDovecot({ accounts, owner, settings });
    },
  };
}
