// The auth process, run as `dewey-auth`: the only one that reads the passwd file. Speaks Dovecot's auth protocol with
// our login processes on its first socket, where success brings a ticket for the mailbox process, and with the MTA's SASL
// clients on others, where it never does; answers the MTA's lookups by socketmap, and by map files that it keeps current.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { maildirPath } from "../accounts/maildir-path.ts";
import { PasswdFile, type PasswdFileEvent } from "../accounts/passwd-file.ts";
import { Verifier } from "../accounts/verifier.ts";
import { AuthServer, type AuthServerEvent, type Verdict, type VerifyRequest } from "../auth/server.ts";
import { type SocketmapEvent, SocketmapServer } from "../auth/socketmap-server.ts";
import type { Log } from "../log/log.ts";
import { mechanisms } from "../sasl/mechanisms.ts";
import { runChild, serveFd } from "./child.ts";
import { MtaLookups } from "./mta-lookups.ts";
import { PostfixMapKeeper } from "./postfix-map-keeper.ts";
import type { AuthSettings } from "./settings.ts";
import { sealTicket, type Ticket } from "./ticket.ts";

runChild("auth", async (given, { log, listenerFds }) => {
  let settings = given;
  const keeper = new PostfixMapKeeper(log);
  keeper.configure(settings);
  let accounts = await openAccounts(settings, log, keeper);

  const common = {
    mechanisms,
    pid: process.pid,
    randomBytes,
    onEvent: (event: AuthServerEvent) => logAuthEvent(log, event),
  };
  const forLogin = new AuthServer({
    ...common,
    temporaryFailure: "reply",
    verify: (request) => verify(request, accounts.verifier, settings, log, "login"),
  });
  // The MTA takes every FAIL for a wrong password, but a closed socket for what it is: it answers 454.
  const forMta = new AuthServer({
    ...common,
    temporaryFailure: "close",
    verify: (request) => verify(request, accounts.verifier, settings, log, "mta"),
  });
  const lookups = new MtaLookups(
    log,
    () => accounts.passwdFile,
    () => settings,
  );
  const forMaps = new SocketmapServer({
    lookup: (map, key) => lookups.lookup(map, key),
    onEvent: (event) => logSocketmapEvent(log, event),
  });
  const mtaServers = [
    ...Array<AuthServer>(settings.saslSockets).fill(forMta),
    ...Array<SocketmapServer>(settings.socketmapSockets).fill(forMaps),
  ];
  const servers = await Promise.all(
    [forLogin, ...mtaServers].map((server, index) =>
      serveFd(listenerFds[index]!, { allowHalfOpen: server === forMaps }, (socket) => server.serve(socket)),
    ),
  );

  return {
    configure: async (changed) => {
      const previous = accounts;
      const isSame =
        changed.passwdFile === settings.passwdFile &&
        changed.parallelVerifications === settings.parallelVerifications;
      settings = changed;
      keeper.configure(settings);
      if (isSame) return;
      const opened = await openAccounts(changed, log, keeper);
      if (!opened.passwdFile.isLoaded) {
        log.error({ path: changed.passwdFile }, "the new passwd file cannot be read, the old one stays");
        await opened.passwdFile.close();
        return;
      }
      accounts = opened;
      await previous.passwdFile.close();
    },
    drain: async () => {
      for (const server of servers) server.close();
      forLogin.close();
      forMta.close();
      forMaps.close();
      await keeper.close();
      await accounts.passwdFile.close();
    },
  };
});

interface Accounts {
  readonly passwdFile: PasswdFile;
  readonly verifier: Verifier;
}

async function openAccounts(
  { passwdFile: path, parallelVerifications }: AuthSettings,
  log: Log,
  keeper: PostfixMapKeeper,
): Promise<Accounts> {
  const passwdFile: PasswdFile = new PasswdFile({
    path,
    onEvent: (event) => {
      logPasswdFileEvent(log, event);
      if (event.kind === "reloaded") keeper.changed(passwdFile.accounts);
    },
  });
  await passwdFile.refresh();
  await passwdFile.watch();
  return { passwdFile, verifier: new Verifier({ passwdFile, maxParallel: parallelVerifications }) };
}

async function verify(
  request: VerifyRequest,
  verifier: Verifier,
  settings: AuthSettings,
  log: Log,
  client: "login" | "mta",
): Promise<Verdict> {
  // Begun now: a refusal takes as long as it takes, whatever the checking took.
  const { failureDelayMs } = settings;
  const notBefore = delay(client === "mta" ? Math.min(failureDelayMs, MAX_MTA_DELAY_MS) : failureDelayMs);
  const { user, password, service, session, mechanism, remoteAddress } = request;
  const who = { session, user, address: remoteAddress, service, mechanism };
  const result = await verifier.authenticate(user, password, remoteAddress, () => request.isAwaited());
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
  if (client === "login") {
    const maildir = maildirPath(settings.maildir, account);
    if (maildir.kind === "unusable") {
      log.error({ ...who, line: account.lineNumber, reason: maildir.reason }, "account cannot be used");
      return { kind: "refused", code: "unusable" };
    }
    const ticket = sealTicket(
      ticketFor(request, account.user, maildir.path),
      Buffer.from(settings.ticketKey, "base64"),
    );
    return { kind: "ok", user: account.user, fields: new Map([["ticket", ticket]]) };
  }
  log.info(who, "login accepted");
  return { kind: "ok", user: account.user };
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

function logPasswdFileEvent(log: Log, event: PasswdFileEvent): void {
  const { kind, ...details } = event;
  switch (kind) {
    case "reloaded":
      log.info(details, "passwd file read");
      return;
    case "invalid-line":
      log.error(details, "bad line in the passwd file, skipped");
      return;
    case "duplicate":
      log.error(details, "user stands twice in the passwd file, the first line holds");
      return;
    case "unreadable":
      log.error(details, "passwd file cannot be read, the accounts known before stay");
      return;
    case "unwatched":
      log.warn(details, "passwd file cannot be watched, changes are noticed at the next login");
      return;
    default:
      kind satisfies never;
  }
}

function logAuthEvent(log: Log, event: AuthServerEvent): void {
  switch (event.kind) {
    case "malformed":
      log.error({ clientPid: event.clientPid, reason: event.reason }, "malformed message on the auth socket");
      return;
    case "connection-error":
      log.warn({ clientPid: event.clientPid, cause: event.error.message }, "connection to auth broke");
      return;
    case "fault":
      log.error({ err: event.error }, "authentication failed for a fault of ours");
      return;
    default:
      event satisfies never;
  }
}

function logSocketmapEvent(log: Log, event: SocketmapEvent): void {
  switch (event.kind) {
    case "malformed":
      log.error({ reason: event.reason }, "malformed message on the socketmap socket");
      return;
    case "connection-error":
      log.warn({ cause: event.error.message }, "connection to the socketmap broke");
      return;
    case "fault":
      log.error({ err: event.error }, "lookup failed for a fault of ours");
      return;
    default:
      event satisfies never;
  }
}
