// Opens listening sockets in the master, which hands them to its children as inherited descriptors: the master never
// accepts a connection, and while a child restarts, clients wait in the backlog and find nothing closed.
import { lchownSync, lstatSync, unlinkSync } from "node:fs";
import * as net from "node:net";
import { getSystemErrorName } from "node:util";
import { noticeVanishedPeers } from "../host/vanished-peer.ts";
import { formatListenAddress, type ListenAddress } from "./address.ts";

/** A bound socket; a child inherits `fd` and calls `net.Server.listen({ fd })` on it. */
export interface BoundSocket {
  readonly fd: number;
  /** What it is bound to, for people: "127.0.0.1:110" or a path. */
  readonly name: string;
  close(): void;
}

export type BindResult =
  | { readonly kind: "bound"; readonly socket: BoundSocket }
  | { readonly kind: "failed"; readonly name: string; readonly code: string };

/**
 * Binds a TCP socket without accepting from it. Port 0 takes a free one, which `socket.name` tells.
 * Fails with EADDRINUSE, EACCES (a port below 1024 without the right to it), EADDRNOTAVAIL …
 *
 * @param vanishedMs a client that acknowledges nothing for this long is gone
 */
export function bindTcp(address: ListenAddress, vanishedMs: number): BindResult {
  const name = formatListenAddress(address);
  const handle = createHandle(address.host, address.port, address.host.includes(":") ? 6 : 4);
  if (typeof handle === "number") return { kind: "failed", name, code: getSystemErrorName(handle) };
  // libuv reports EADDRINUSE late: asking for the name brings it out.
  const bound: { address?: string; port?: number } = {};
  const error = handle.getsockname?.(bound) ?? 0;
  if (error !== 0) {
    handle.close();
    return { kind: "failed", name, code: getSystemErrorName(error) };
  }
  noticeVanishedPeers(handle.fd, vanishedMs);
  const actual = { host: address.host, port: bound.port ?? address.port };
  return {
    kind: "bound",
    socket: { fd: handle.fd, name: formatListenAddress(actual), close: () => handle.close() },
  };
}

export type PassedResult =
  | { readonly kind: "passed"; readonly sockets: readonly PassedSocket[] }
  /** What stands behind this descriptor is no TCP socket. */
  | { readonly kind: "failed"; readonly fd: number; readonly code: string };

/** A listening socket that somebody else opened for us. */
export interface PassedSocket extends BoundSocket {
  readonly address: ListenAddress;
}

/** The sockets that a service manager opened, which is how a server without rights gets its ports below 1024. */
export function passedSockets(fds: readonly number[], vanishedMs: number): PassedResult {
  const sockets: PassedSocket[] = [];
  for (const fd of fds) {
    const handle = createHandle(null, 0, -1, fd);
    if (typeof handle === "number") return { kind: "failed", fd, code: getSystemErrorName(handle) };
    const bound: { address?: string; port?: number } = {};
    const error = handle.getsockname?.(bound);
    if (error !== 0) {
      handle.close();
      return { kind: "failed", fd, code: error === undefined ? "ENOTSUP" : getSystemErrorName(error) };
    }
    noticeVanishedPeers(fd, vanishedMs);
    const address = { host: bound.address ?? "", port: bound.port ?? 0 };
    sockets.push({ fd, address, name: formatListenAddress(address), close: () => handle.close() });
  }
  return { kind: "passed", sockets };
}

export interface UnixSocketOwner {
  /** Who may connect: the socket's owner and group; left as they are when undefined. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Permission bits, such as 0o600. */
  readonly mode: number;
}

/** Binds a UNIX socket, replacing a socket that an earlier run left behind; never replaces another kind of file. */
export function bindUnix(path: string, owner: UnixSocketOwner): BindResult {
  try {
    const handle = makeSocketFile(path, owner.mode, () => createHandle(path, -1, -1));
    if (typeof handle === "number") return { kind: "failed", name: path, code: getSystemErrorName(handle) };
    const { fd } = handle;
    const close = handle.close.bind(handle);
    if (owner.uid !== undefined || owner.gid !== undefined)
      lchownSync(path, owner.uid ?? -1, owner.gid ?? -1);
    return { kind: "bound", socket: { fd, name: path, close } };
  } catch (error) {
    return { kind: "failed", name: path, code: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

export type ServeResult =
  | { readonly kind: "serves"; readonly name: string; close(): void }
  | { readonly kind: "failed"; readonly name: string; readonly code: string };

/**
 * Serves on a UNIX socket in this very process, and replaces one as `bindUnix` does. `close` ends its connections, too.
 *
 * @param mode permission bits of the socket, such as 0o600
 */
export function serveUnix(
  path: string,
  mode: number,
  onConnection: (socket: net.Socket) => void,
): Promise<ServeResult> {
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    onConnection(socket);
  });
  const close = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({ kind: "failed", name: path, code: error.code ?? error.message });
    server.once("error", fail);
    try {
      // Node binds while `listen` runs, and tells later.
      makeSocketFile(path, mode, () =>
        server.listen(path, () => resolve({ kind: "serves", name: path, close })),
      );
    } catch (error) {
      fail(error as NodeJS.ErrnoException);
    }
  });
}

/**
 * The folder may belong to somebody else, who can put a link in the socket's place at any moment: the mode is right from
 * the begin, and the owner is set on whatever stands there itself, never on what it points to.
 */
function makeSocketFile<T>(path: string, mode: number, make: () => T): T {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
  const umask = process.umask(0o777 & ~mode);
  try {
    return make();
  } finally {
    process.umask(umask);
  }
}

interface BoundHandle {
  readonly fd: number;
  /** TCP sockets have it. */
  getsockname?(out: { address?: string; port?: number }): number;
  close(): void;
}

// Not in Node's documentation, but what its cluster module binds its workers' sockets with. The documented way,
// `server.listen`, also accepts, and a socket that the master accepts from can't be served by its children alone.
const createHandle = (
  net as unknown as {
    _createServerHandle(
      address: string | null,
      port: number,
      addressType: number,
      fd?: number,
    ): BoundHandle | number;
  }
)._createServerHandle;
