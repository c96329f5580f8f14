// The auth process, run as `dewey-auth`: the only one that reads the passwd file. Speaks Dovecot's auth protocol with
// our login processes on its first socket, where success brings a ticket for the mailbox process, and with the MTA's SASL
// clients on others, where it never does; answers the MTA's lookups by socketmap, and by map files that it keeps current;
// tells nginx's mail proxy which back end serves whom.
import { randomBytes } from "node:crypto";
import { Devices } from "../accounts/devices/devices.ts";
import { PasswdFile } from "../accounts/file/passwd-file.ts";
import { rehashReason, replaceHash } from "../accounts/file/rehash.ts";
import { decoySecret } from "../accounts/passwords/decoy-secret.ts";
import { saslprep } from "../accounts/passwords/saslprep.ts";
import { scramHashesOf } from "../accounts/passwords/scram-accounts.ts";
import { Verifier } from "../accounts/verifier.ts";
import { AuthHttpServer } from "../auth/auth-http-server.ts";
import { hashing } from "../auth/hashing.ts";
import { AuthServer } from "../auth/server.ts";
import type { AuthServerEvent, Verdict, VerifyRequest } from "../auth/server-options.ts";
import { SocketmapServer } from "../auth/socketmap-server.ts";
import type { Log } from "../log/log.ts";
import type { ScramHash } from "../sasl/mechanism.ts";
import { retentionOfAll } from "./account-mail-policy.ts";
import { AccountPlacement } from "./auth/account-placement.ts";
import { logAuthEvent, logAuthHttpEvent, logPasswdFileEvent, logSocketmapEvent } from "./auth/auth-log.ts";
import { mechanismsToOffer } from "./auth/auth-mechanisms.ts";
import { BackEnds } from "./auth/back-ends.ts";
import { LoginRehasher } from "./auth/login-rehasher.ts";
import { LoginThrottle, THAT_WAS_ALL } from "./auth/login-throttle.ts";
import { type LoginClient, reachVerdict } from "./auth/login-verdict.ts";
import { MtaLookups } from "./auth/mta-lookups.ts";
import { PlaceRequests } from "./auth/place-requests.ts";
import { PostfixMapKeeper } from "./auth/postfix-map-keeper.ts";
import { ProxyLogins } from "./auth/proxy-logins.ts";
import { TicketKeys } from "./auth/ticket-keys.ts";
import { runChild } from "./child/child.ts";
import { History } from "./child/history.ts";
import type { AuthSettings } from "./settings.ts";

runChild("auth", async (given, { log, send }) => {
  let settings = given;
  const ticketKeys = new TicketKeys(given.ticketKey);
  let forget = (_user: string): void => {};
  const throttle = new LoginThrottle(settings, log, (user) => forget(user));
  let rehasher = rehasherOf(settings, log);
  const requests = new PlaceRequests(send);
  const placement = new AccountPlacement(requests, () => settings);
  const keeper = new PostfixMapKeeper(log);
  keeper.configure(settings);
  const history = new History();
  let offerMechanisms = (): void => {};
  let announceRetention = (): void => {};
  const onReloaded = (passwdFile: PasswdFile): void => {
    keeper.changed(passwdFile.accounts);
    offerMechanisms();
    announceRetention();
  };
  let accounts = await openAccounts(settings, log, onReloaded);

  const verify = (client: LoginClient, request: VerifyRequest): Promise<Verdict> => {
    const asked = settings;
    return reachVerdict(request, {
      verifier: accounts.verifier,
      throttle,
      rehasher,
      settings,
      ticketKeys,
      log,
      history,
      client,
      placement: client === "pop3" ? placement : undefined,
      // The host's users change without a sign, and so would the Maildirs of those that it fills lines in for.
      mayRemember: () =>
        asked.mayRememberLogins && asked.accountsSource === "passwd-file" && asked === settings,
    });
  };
  const serverFor = (client: "pop3" | "mta"): AuthServer =>
    new AuthServer({
      // The MTA takes every FAIL for a wrong password, but a closed socket for what it is: it answers 454.
      temporaryFailure: client === "mta" ? "close" : "reply",
      // A login process has one request for each client at most: with fewer, who lets an exchange lie would shut others out.
      ...(client === "pop3" ? { maxOpenRequests: () => settings.maxSessions } : {}),
      mechanisms: new Map(),
      hashing,
      prepareName: saslprep,
      pid: process.pid,
      randomBytes,
      findVerifier: (user, hash) => accounts.verifier.findScramVerifier(user, hash),
      verify: (request) => verify(client, request),
      onEvent: (event: AuthServerEvent) => logAuthEvent(log, event),
    });
  const forLogin = serverFor("pop3");
  const forMta = serverFor("mta");
  // What login processes remember holds until the first wrong guess.
  forget = (user) => {
    const account = accounts.passwdFile.lookup(user);
    if (settings.mayRememberLogins && account !== undefined) forLogin.forget(account.user);
  };
  let offered: string | undefined;
  offerMechanisms = () => {
    const scramHashes = scramHashesOf(accounts.passwdFile.accounts);
    const [toLogin, toMta] = (["login", "mta"] as const).map((client) =>
      mechanismsToOffer(settings.mechanisms, new Set(scramHashes.keys()), client, settings.takesCertificates),
    );
    const names = [...toLogin!.keys()].join(" ");
    if (names === offered) return;
    offered = names;
    forLogin.offer(toLogin!, "all");
    forMta.offer(toMta!, "new-connections");
    logOffered(log, names, scramHashes);
  };
  offerMechanisms();
  announceRetention = () => {
    forLogin.announce(retentionOfAll(accounts.passwdFile.accounts.values(), settings.expireDays));
  };
  announceRetention();
  const lookups = new MtaLookups(
    log,
    () => accounts.passwdFile,
    () => settings,
  );
  const forMaps = new SocketmapServer({
    lookup: (map, key) => lookups.lookup(map, key),
    onEvent: (event) => logSocketmapEvent(log, event),
  });
  const backEnds = settings.authHttpSockets > 0 ? new BackEnds(settings, log) : undefined;
  const proxyLogins = new ProxyLogins({
    settings: () => settings,
    verify: (request) => verify("nginx", request),
    lookup: (user) => accounts.passwdFile.lookup(user),
    choose: (account) => backEnds?.choose(account) ?? { kind: "unavailable" },
    log,
  });
  const forNginx = new AuthHttpServer({
    answer: (asked, isAwaited) => proxyLogins.answer(asked, isAwaited),
    onEvent: (event) => logAuthHttpEvent(log, event),
  });
  const servers = [
    forLogin,
    ...Array<AuthServer>(settings.saslSockets).fill(forMta),
    ...Array<SocketmapServer>(settings.socketmapSockets).fill(forMaps),
    ...Array<AuthHttpServer>(settings.authHttpSockets).fill(forNginx),
  ];
  return {
    accept: (socket, index) => servers[index]?.serve(socket),
    allowsHalfOpen: (index) => servers[index] === forMaps,
    answers: [throttle.answers, history.answers],
    configure: async (changed) => {
      const previous = accounts;
      const isSame =
        changed.passwdFile === settings.passwdFile &&
        changed.parallelVerifications === settings.parallelVerifications &&
        changed.verificationMemoryKib === settings.verificationMemoryKib;
      settings = changed;
      if (settings.mayRememberLogins) forLogin.forget(undefined);
      keeper.configure(settings);
      throttle.configure(changed);
      backEnds?.configure(changed);
      rehasher = rehasherOf(changed, log);
      if (isSame) {
        offerMechanisms();
        announceRetention();
        return;
      }
      const opened = await openAccounts(changed, log, onReloaded);
      if (!opened.passwdFile.isLoaded) {
        log.error({ path: changed.passwdFile }, "the new passwd file cannot be read, the old one stays");
        await opened.passwdFile.close();
        return;
      }
      accounts = opened;
      offerMechanisms();
      announceRetention();
      await previous.devices.close();
      await previous.passwdFile.close();
    },
    placed: (id, answer) => requests.answered(id, answer),
    retire: async () => {
      forLogin.retire("tell");
      forMta.retire("close");
      forMaps.retire();
      await keeper.close();
      return THAT_WAS_ALL;
    },
    handOn: () => throttle.handOver(),
    succeed: (handed) => {
      if (!throttle.succeed(handed))
        log.warn("the process before this one has not left all failures, the others are forgotten");
    },
    whenIdle: async () => {
      await Promise.all([forLogin, forMta, forMaps, forNginx].map((server) => server.whenIdle()));
    },
    drain: async () => {
      forLogin.close();
      forMta.close();
      forMaps.close();
      forNginx.close();
      backEnds?.close();
      throttle.close();
      await keeper.close();
      await accounts.devices.close();
      await accounts.passwdFile.close();
    },
  };
});

interface Accounts {
  readonly passwdFile: PasswdFile;
  readonly devices: Devices;
  readonly verifier: Verifier;
}

async function openAccounts(
  { passwdFile: path, parallelVerifications, verificationMemoryKib, hashPolicy }: AuthSettings,
  log: Log,
  onReloaded: (passwdFile: PasswdFile) => void,
): Promise<Accounts> {
  const passwdFile: PasswdFile = new PasswdFile({
    path,
    onEvent: (event) => {
      logPasswdFileEvent(log, event);
      if (event.kind === "reloaded") onReloaded(passwdFile);
    },
  });
  await passwdFile.refresh();
  await passwdFile.watch();
  const devices = new Devices({
    passwdFile: path,
    onFault: (reason) => log.warn({ reason }, "device passwords"),
  });
  const verifier = new Verifier({
    passwdFile,
    devices,
    maxParallel: parallelVerifications,
    maxMemoryKib: verificationMemoryKib,
    argon2Cost: hashPolicy.argon2,
    decoySecret,
  });
  return { passwdFile, devices, verifier };
}

function rehasherOf(
  { rehashOnLogin, passwdFile: path, hashPolicy }: AuthSettings,
  log: Log,
): LoginRehasher | undefined {
  if (!rehashOnLogin) return undefined;
  return new LoginRehasher({
    path,
    log,
    reasonFor: (account) => rehashReason(account, hashPolicy),
    replace: (account, password) => replaceHash(path, account, password, hashPolicy),
  });
}

function logOffered(
  log: Log,
  mechanisms: string,
  scramHashes: ReadonlyMap<ScramHash, { readonly missing: number }>,
): void {
  log.info({ mechanisms }, "SASL mechanisms offered");
  for (const [hash, { missing }] of scramHashes) {
    if (missing === 0) continue;
    // Clients that find SCRAM take it, and don't fall back to PLAIN when it fails.
    log.warn({ accounts: missing }, `SCRAM-${hash} is offered, and accounts have no verifier for it`);
  }
}
