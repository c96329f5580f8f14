// From credentials to a verdict, for the auth process: asks the verifier, logs, holds refusals back, and seals the
// ticket for our login processes.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { maildirPath } from "../accounts/maildir-path.ts";
import type { Authentication, Verifier } from "../accounts/verifier.ts";
import type { Verdict, VerifyRequest } from "../auth/server.ts";
import type { Log } from "../log/log.ts";
import type { AuthSettings } from "./settings.ts";
import { sealTicket, type Ticket } from "./ticket.ts";

export interface VerdictContext {
  readonly verifier: Verifier;
  readonly settings: AuthSettings;
  readonly log: Log;
  /** Only a login process is given a ticket. */
  readonly client: "login" | "mta";
}

export async function reachVerdict(
  request: VerifyRequest,
  { verifier, settings, log, client }: VerdictContext,
): Promise<Verdict> {
  // Begun now: a refusal takes as long as it takes, whatever the checking took.
  const { failureDelayMs } = settings;
  const notBefore = delay(client === "mta" ? Math.min(failureDelayMs, MAX_MTA_DELAY_MS) : failureDelayMs);
  const { user, service, session, mechanism, remoteAddress } = request;
  const who = { session, user, address: remoteAddress, service, mechanism };
  const result = await authenticate(request, verifier);
  switch (result.kind) {
    case "unavailable":
      return { kind: "temporary-failure" };
    case "refused":
      log.info({ ...who, reason: result.reason }, "login refused");
      await notBefore;
      return { kind: "refused" };
    case "unusable":
      log.error({ ...who, reason: result.reason }, "account cannot be used");
      await notBefore;
      return { kind: "refused", code: "unusable" };
    case "ok":
      break;
    default:
      return result satisfies never;
  }
  const { account } = result;
  if (client === "mta") {
    log.info(who, "login accepted");
    return { kind: "ok", user: account.user };
  }
  const maildir = maildirPath(settings.maildir, account);
  if (maildir.kind === "unusable") {
    log.error({ ...who, line: account.lineNumber, reason: maildir.reason }, "account cannot be used");
    return { kind: "refused", code: "unusable" };
  }
  return {
    kind: "ok",
    user: account.user,
    fields: () => {
      const ticket = ticketFor(request, account.user, maildir.path);
      return new Map([["ticket", sealTicket(ticket, Buffer.from(settings.ticketKey, "base64"))]]);
    },
  };
}

function authenticate(
  { user, credentials, remoteAddress, isAwaited }: VerifyRequest,
  verifier: Verifier,
): Promise<Authentication> {
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

function ticketFor(
  { session, mechanism, secured, offered, remoteAddress }: VerifyRequest,
  account: string,
  maildir: string,
): Ticket {
  return {
    session: session ?? "",
    account,
    maildir,
    address: remoteAddress ?? "",
    mechanism,
    secured,
    offered: [...(offered ?? [])],
    nonce: randomBytes(16).toString("base64url"),
    issuedAtMs: Date.now(),
  };
}

/** Postfix gives up after ten seconds and calls it a lost connection. */
const MAX_MTA_DELAY_MS = 8_000;
