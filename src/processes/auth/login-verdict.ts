// From credentials to a verdict, for the auth process: asks the verifier, logs, holds refusals back, and seals the
// ticket for our login processes.
import type { Authentication, Verifier } from "../../accounts/verifier.ts";
import type { Verdict, VerifyRequest } from "../../auth/server-options.ts";
import { count } from "../../control/counters/counters.ts";
import type { Log } from "../../log/log.ts";
import { accountMailPolicy } from "../account-mail-policy.ts";
import type { History } from "../child/history.ts";
import type { AuthSettings } from "../settings.ts";
import { issueTicket, MAX_DEVICE_NAME_CHARACTERS, sealTicket } from "../ticket.ts";
import type { AccountPlacement } from "./account-placement.ts";
import type { LoginRehasher } from "./login-rehasher.ts";
import type { Guess, LoginThrottle } from "./login-throttle.ts";
import type { TicketKeys } from "./ticket-keys.ts";

export interface VerdictContext {
  readonly verifier: Verifier;
  readonly throttle: LoginThrottle;
  /** `auth.rehash_on_login`. */
  readonly rehasher: LoginRehasher | undefined;
  readonly settings: AuthSettings;
  readonly ticketKeys: TicketKeys;
  readonly log: Log;
  readonly client: LoginClient;
  /** For our login processes; the others are given no ticket, and their logins need no mailbox process. */
  readonly placement: AccountPlacement | undefined;
  readonly history: History;
  /** Whether a login process may remember this login; asked when it is told of it. */
  mayRemember(): boolean;
}

/** Who asks: our login processes, the MTA, or nginx for a client of POP3 that it will bring to a back end. */
export type LoginClient = "pop3" | "mta" | "nginx";

export async function reachVerdict(request: VerifyRequest, context: VerdictContext): Promise<Verdict> {
  const { verifier, throttle, rehasher, settings, ticketKeys, log, history, client, placement } = context;
  const { user, credentials, service, session, mechanism, remoteAddress, isAwaited } = request;
  const who = { session, user, address: remoteAddress, service, mechanism };
  const longestMs = Math.max(settings.failureDelayMs, settings.maxFailureDelayMs);
  const maxDelayMs = client === "mta" ? Math.min(longestMs, MAX_MTA_DELAY_MS) : longestMs;
  const tell = (result: string, refusal?: string): void => {
    count("logins", [client, mechanism, result]);
    const address = remoteAddress ?? "";
    const about = { kind: "login" as const, atMs: Date.now(), address, service, mechanism };
    history.add(user, refusal === undefined ? about : { ...about, refusal });
  };
  const guess = throttle.guess({ account: user, address: remoteAddress, maxDelayMs, isAwaited });
  const password = credentials.kind === "password" ? credentials.password : undefined;
  const result = await authenticate(request, verifier, guess).catch((error: unknown) => {
    guess.undecided();
    throw error;
  });
  switch (result.kind) {
    case "unavailable":
      guess.undecided();
      tell("unavailable", "the passwd file cannot be read");
      return { kind: "temporary-failure" };
    case "throttled":
      // Not as a wrong password: the right one may have come, and nobody has looked at it.
      if (isAwaited()) log.warn(who, "login throttled after too many failures");
      tell("throttled", "throttled");
      return { kind: "temporary-failure" };
    case "refused":
      log.info({ ...who, reason: result.reason }, "login refused");
      tell("refused", result.reason);
      await guess.wrong(password);
      return { kind: "refused" };
    case "unusable":
      log.error({ ...who, reason: result.reason }, "account cannot be used");
      tell("unusable", result.reason);
      await guess.wrong(password);
      return { kind: "refused", code: "unusable" };
    case "ok":
      guess.right();
      break;
    default:
      return result satisfies never;
  }
  const { account, device, asOf } = result;
  // A device's password is not the one that the account's hash is of.
  if (password !== undefined && device === undefined) rehasher?.consider(account, password);
  if (placement === undefined) {
    log.info(device === undefined ? who : { ...who, device }, "login accepted");
    tell("ok");
    return { kind: "ok", user: account.user };
  }
  const mail = accountMailPolicy(account);
  if (mail.kind === "unusable") {
    log.error({ ...who, line: account.lineNumber, reason: mail.reason }, "account cannot be used");
    tell("unusable", mail.reason);
    return { kind: "refused", code: "unusable" };
  }
  const placed = await placement.place(account);
  switch (placed.kind) {
    case "unavailable":
      tell("unavailable", "its mailbox process cannot be started");
      return { kind: "temporary-failure" };
    case "unusable":
      log.error({ ...who, line: account.lineNumber, reason: placed.reason }, "account cannot be used");
      tell("unusable", placed.reason);
      return { kind: "refused", code: "unusable" };
    case "placed":
      tell("ok");
      return {
        kind: "ok",
        user: account.user,
        fields: () => {
          const ticket = issueTicket(request, {
            account: account.user,
            place: placed.place,
            maildir: placed.maildir,
            mail: mail.policy,
            // Somebody may have written a longer one than pop3-passwd takes: for the log its begin will do.
            device: device?.slice(0, MAX_DEVICE_NAME_CHARACTERS),
          });
          return new Map([
            ["ticket", sealTicket(ticket, ticketKeys.of(placed.place))],
            ["place", placed.place],
            ...(asOf !== undefined && context.mayRemember() ? ([["remember", asOf]] as const) : []),
          ]);
        },
      };
    default:
      return placed satisfies never;
  }
}

async function authenticate(
  { user, credentials, remoteAddress, isAwaited }: VerifyRequest,
  verifier: Verifier,
  guess: Guess,
): Promise<Authentication | { readonly kind: "throttled" }> {
  // Before anything is looked at, what is remembered of right passwords included: else the one guess that is answered at
  // once would be the right one. A certificate is no guess.
  if (credentials.kind !== "certificate" && !(await guess.admit())) return { kind: "throttled" };
  switch (credentials.kind) {
    case "password":
      return verifier.authenticate(user, credentials.password, remoteAddress, isAwaited);
    case "proof":
      return verifier.authenticateByProof(user, credentials, remoteAddress);
    case "certificate":
      return verifier.authenticateByCertificate(user, remoteAddress);
    default:
      return credentials satisfies never;
  }
}

/** Postfix gives up after ten seconds and calls it a lost connection. */
const MAX_MTA_DELAY_MS = 8_000;
