// Who each kind of process runs as, found from the config's names. Runs in master, and for `pop3-server --check`.
import { commonOwner, noSuchUser } from "../../config/common-owner.ts";
import type { Config } from "../../config/schema.ts";
import { findUser, type HostUser } from "../../host/user-database.ts";
import { type MtaSockets, mtaSockets } from "./mta-sockets.ts";

export interface ProcessUsers {
  /** Who may connect to the MTA's sockets and nginx's. */
  readonly sockets: MtaSockets;
  /** Undefined: the starter itself, as are the others. */
  readonly auth: HostUser | undefined;
  readonly login: HostUser | undefined;
  readonly metrics: HostUser | undefined;
  /** The owner of all mail; "each-account": it belongs to the accounts' own users, who get processes of their own. */
  readonly mail: HostUser | "each-account" | undefined;
}

export type UsersResult =
  | { readonly kind: "users"; readonly users: ProcessUsers }
  /** `key` of the config that is to blame. */
  | { readonly kind: "unknown"; readonly key: string; readonly message: string };

/** Without root, or with `server.run_as = "starter"`, all keep the starter's uid. */
export function processUsers(config: Config, isRoot: boolean): UsersResult {
  const unknown = (key: string, message: string): UsersResult => ({ kind: "unknown", key, message });
  const sockets = mtaSockets(config);
  if (sockets.kind === "unknown") return sockets;
  if (!isRoot || config.server.run_as === "starter") {
    const starters = { auth: undefined, login: undefined, metrics: undefined, mail: undefined };
    return { kind: "users", users: { ...starters, sockets } };
  }
  const { login_user, auth_user, metrics_user } = config.server;
  const login = findUser(login_user);
  if (login === undefined) return unknown("server.login_user", noSuchUser(login_user));
  const auth = findUser(auth_user);
  if (auth === undefined) return unknown("server.auth_user", noSuchUser(auth_user));
  const metrics = sockets.metrics.length === 0 ? undefined : findUser(metrics_user);
  if (metrics === undefined && sockets.metrics.length > 0)
    return unknown("server.metrics_user", noSuchUser(metrics_user));
  const mail = mailUser(config);
  if (mail !== "each-account" && "kind" in mail) return mail;
  const own: [key: string, user: HostUser][] = [
    ["server.login_user", login],
    ["server.auth_user", auth],
    ...(metrics === undefined ? [] : [["server.metrics_user", metrics] as [string, HostUser]]),
    ...(mail === "each-account" ? [] : [["mail.user", mail] as [string, HostUser]]),
  ];
  for (const [key, user] of own) {
    if (user.uid === 0 || user.gid === 0) return unknown(key, "must not be root, nor in root's group");
    const same = own.find(([other, { uid }]) => other !== key && uid === user.uid);
    if (same !== undefined) return unknown(same[0], `must be another user than ${key}`);
  }
  return { kind: "users", users: { auth, login, metrics, mail, sockets } };
}

function mailUser({
  mail,
  server,
}: Config): HostUser | "each-account" | Extract<UsersResult, { kind: "unknown" }> {
  const common = commonOwner(mail);
  if (common.kind === "each-account") {
    if (server.processes === "separate") return "each-account";
    return {
      kind: "unknown",
      key: "server.processes",
      message:
        '"combined" needs all mail to belong to one user: set mail.user, or processes = "separate" where each account has a uid of its own',
    };
  }
  return common.kind === "owner" ? common.owner : common;
}
