// Opens the sockets that clients, MTAs and our own processes connect to, all of them or none. Runs in master, which accepts
// from none: its children inherit them.
import type { Config } from "../../config/schema.ts";
import { passedDescriptors } from "../../host/systemd.ts";
import { noticeVanishedPeers } from "../../host/vanished-peer.ts";
import { isSameAddress, type ListenAddress } from "../../net/address.ts";
import {
  type BindResult,
  type BoundSocket,
  bindTcp,
  bindUnix,
  passedSockets,
  type UnixSocketOwner,
} from "../../net/listen.ts";
import { authSocket, mailboxSocket, nthPlace } from "../placement.ts";
import { listenersOf } from "../settings.ts";
import type { ProcessUsers } from "./process-users.ts";
import { claimRuntimeDir, type RuntimeDirClaim } from "./runtime-dir.ts";

export interface OpenSockets {
  /** For POP3 clients, in the order of `listenersOf`. */
  readonly listeners: readonly BoundSocket[];
  /** Auth's: of login processes, then of the MTA's SASL clients, then of its socketmaps, then of nginx. */
  readonly auth: readonly BoundSocket[];
  /** For Prometheus. */
  readonly metrics: readonly BoundSocket[];
  /** One for each mailbox process that serves mail of one owner. */
  readonly mailboxes: readonly BoundSocket[];
  readonly claim: RuntimeDirClaim;
  /** Who may connect to a mailbox process. */
  readonly clientsOwner: UnixSocketOwner;
  /** After a reload: connections that come from now on. */
  configure(limits: Config["limits"]): void;
  close(): void;
}

export type OpenResult =
  | { readonly kind: "open"; readonly sockets: OpenSockets }
  /** One line that says what to do; nothing is open. */
  | { readonly kind: "failed"; readonly message: string };

export function openSockets(config: Config, users: ProcessUsers): OpenResult {
  const bound: { close(): void }[] = [];
  const close = (): void => {
    for (const socket of bound) socket.close();
  };
  const abandon = (message: string): OpenResult => {
    close();
    return { kind: "failed", message };
  };
  const keep = (result: BindResult): BoundSocket | string => {
    if (result.kind === "failed") return cannotListen(result.name, result.code);
    bound.push(result.socket);
    return result.socket;
  };

  const vanishedMs = vanishedMsOf(config.limits);
  const passed = passedSockets(passedDescriptors(), vanishedMs);
  if (passed.kind === "failed") {
    return abandon(`descriptor ${passed.fd}, passed by systemd, is no TCP socket (${passed.code})`);
  }
  const unclaimed = new Set(passed.sockets);
  const openTcp = (address: ListenAddress): BoundSocket | string => {
    const socket = [...unclaimed].find((each) => isSameAddress(each.address, address));
    if (socket === undefined) return keep(bindTcp(address, vanishedMs));
    unclaimed.delete(socket);
    bound.push(socket);
    return socket;
  };
  // The public addresses first: a second server on the same port stops here and disturbs nothing.
  const listeners: BoundSocket[] = [];
  for (const { address } of listenersOf(config)) {
    const socket = openTcp(address);
    if (typeof socket === "string") return abandon(socket);
    listeners.push(socket);
  }
  for (const { name } of unclaimed) {
    return abandon(
      `systemd passed a socket on ${name} that no key of [server] names: add it there, or take it out of the .socket unit`,
    );
  }
  const claim = claimRuntimeDir(config.server.runtime_dir);
  if (claim.kind === "failed") return abandon(claim.message);

  const { runtime_dir, processes, mailbox_processes } = config.server;
  const isCombined = processes === "combined";
  const sharedOwner = users.mail === "each-account" ? undefined : users.mail;
  // Only login processes may connect; they are the only ones with this uid.
  const clientUser = isCombined ? sharedOwner : users.login;
  const clientsOwner = { uid: clientUser?.uid, gid: clientUser?.gid, mode: 0o600 };
  const auth: BoundSocket[] = [];
  for (const { path, owner } of [
    { path: authSocket(runtime_dir), owner: clientsOwner },
    ...users.sockets.sasl,
    ...users.sockets.socketmap,
  ]) {
    const socket = keep(bindUnix(path, owner));
    if (typeof socket === "string") return abandon(socket);
    auth.push(socket);
  }
  const { authHttp } = users.sockets;
  if (authHttp !== undefined) {
    const socket = keep(
      "path" in authHttp ? bindUnix(authHttp.path, authHttp.owner) : bindTcp(authHttp, vanishedMs),
    );
    if (typeof socket === "string") return abandon(socket);
    auth.push(socket);
  }
  const metrics: BoundSocket[] = [];
  for (const place of users.sockets.metrics) {
    const socket = keep("port" in place ? bindTcp(place, vanishedMs) : bindUnix(place.path, place.owner));
    if (typeof socket === "string") return abandon(socket);
    metrics.push(socket);
  }
  const mailboxes: BoundSocket[] = [];
  const sharedProcesses = isCombined || users.mail === "each-account" ? 0 : mailbox_processes;
  for (let index = 0; index < sharedProcesses; index++) {
    const socket = keep(bindUnix(mailboxSocket(runtime_dir, nthPlace(index)), clientsOwner));
    if (typeof socket === "string") return abandon(socket);
    mailboxes.push(socket);
  }
  const overTcp = [
    ...listeners,
    ...(authHttp !== undefined && "port" in authHttp ? auth.slice(-1) : []),
    ...metrics.filter((_, index) => "port" in users.sockets.metrics[index]!),
  ];
  const configure = (limits: Config["limits"]): void => {
    for (const { fd } of overTcp) noticeVanishedPeers(fd, vanishedMsOf(limits));
  };
  return {
    kind: "open",
    sockets: { listeners, auth, metrics, mailboxes, claim, clientsOwner, configure, close },
  };
}

function vanishedMsOf({ stall_time }: Config["limits"]): number {
  return stall_time + VANISHED_GRACE_MS;
}

/** A client that is there and takes nothing is for the session to end, which can tell it apart in the log. */
const VANISHED_GRACE_MS = 5_000;

/** For people: why a socket cannot be opened, and what to do. */
export function cannotListen(name: string, code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return `cannot listen on ${name}: the address is in use by another program (ss -ltnp shows which)`;
    case "EACCES":
      return name.startsWith("/")
        ? `cannot listen on ${name}: permission denied (its folder must be writable for who starts the server)`
        : `cannot listen on ${name}: permission denied (ports below 1024 need root or socket activation)`;
    case "EADDRNOTAVAIL":
      return `cannot listen on ${name}: no such address on this host`;
    default:
      return `cannot listen on ${name}: ${code}`;
  }
}
