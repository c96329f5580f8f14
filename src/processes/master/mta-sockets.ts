// The sockets that other programs connect to, and who may: the config's names as numbers. Runs in master, before anything is
// bound.
import type { Config } from "../../config/schema.ts";
import { findGroup, findUser } from "../../host/user-database.ts";
import type { ListenAddress } from "../../net/address.ts";
import type { UnixSocketOwner } from "../../net/listen.ts";

export interface MtaSockets {
  readonly kind: "sockets";
  readonly sasl: readonly MtaSocket[];
  readonly socketmap: readonly MtaSocket[];
  readonly authHttp: MtaSocket | ListenAddress | undefined;
  /** For Prometheus. */
  readonly metrics: readonly (MtaSocket | ListenAddress)[];
}

export interface MtaSocket {
  readonly path: string;
  readonly owner: UnixSocketOwner;
}

/** `key` of the config that is to blame. */
export interface UnknownName {
  readonly kind: "unknown";
  readonly key: string;
  readonly message: string;
}

type SocketConfig = Config["mta"]["sasl_socket"][number];

export function mtaSockets({
  mta,
  cluster,
  metrics,
}: Pick<Config, "mta" | "cluster" | "metrics">): MtaSockets | UnknownName {
  const named: Record<"sasl" | "socketmap", MtaSocket[]> = { sasl: [], socketmap: [] };
  for (const kind of ["sasl", "socketmap"] as const) {
    for (const socket of mta[`${kind}_socket`]) {
      const owner = ownerOf(socket, `mta.${kind}_socket`, mta);
      if ("kind" in owner) return owner;
      named[kind].push({ path: socket.path, owner });
    }
  }
  const authHttp = authHttpSocket(cluster.auth_http);
  if (authHttp !== undefined && "kind" in authHttp) return authHttp;
  const places: (MtaSocket | ListenAddress)[] = [];
  for (const listed of metrics.listen) {
    const place = metricsPlace(listed);
    if ("kind" in place) return place;
    places.push(place);
  }
  return { kind: "sockets", ...named, authHttp, metrics: places };
}

/** A UNIX socket is the starter's alone unless the config says more. */
function metricsPlace(place: Config["metrics"]["listen"][number]): MtaSocket | ListenAddress | UnknownName {
  if ("port" in place) return place;
  const owner = ownerOf(place, "metrics.listen", { socket_mode: 0o600 });
  return "kind" in owner ? owner : { path: place.path, owner };
}

function authHttpSocket(
  socket: Config["cluster"]["auth_http"],
): MtaSocket | ListenAddress | UnknownName | undefined {
  if (socket === undefined) return undefined;
  if ("address" in socket) return socket.address;
  // [mta] says who the MTA is, not who nginx is.
  const owner = ownerOf(socket, "cluster.auth_http", { socket_mode: 0o660 });
  return "kind" in owner ? owner : { path: socket.path, owner };
}

function ownerOf(
  {
    user,
    group,
    mode,
  }: SocketConfig & { user?: string | undefined; group?: string | undefined; mode?: number | undefined },
  key: string,
  mta: Pick<Config["mta"], "socket_mode"> & Partial<Pick<Config["mta"], "socket_user" | "socket_group">>,
): UnixSocketOwner | UnknownName {
  const userName = user ?? mta.socket_user;
  const groupName = group ?? mta.socket_group;
  const uid = userName === undefined ? undefined : findUser(userName)?.uid;
  if (userName !== undefined && uid === undefined) {
    const at = user === undefined ? "mta.socket_user" : key;
    return { kind: "unknown", key: at, message: `no user "${userName}" on this host` };
  }
  const gid = groupName === undefined ? undefined : findGroup(groupName);
  if (groupName !== undefined && gid === undefined) {
    const at = group === undefined ? "mta.socket_group" : key;
    return { kind: "unknown", key: at, message: `no group "${groupName}" on this host` };
  }
  return { uid, gid, mode: mode ?? mta.socket_mode };
}
