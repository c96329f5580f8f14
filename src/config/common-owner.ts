// Whose all mail is, where mail.user says so: the names in the config as the host's numbers.
import { findGroup, findUser, type HostUser } from "../host/user-database.ts";

export type CommonOwner =
  | { readonly kind: "owner"; readonly owner: Pick<HostUser, "uid" | "gid"> }
  | { readonly kind: "each-account" }
  /** `key` of the config that is to blame. */
  | { readonly kind: "unknown"; readonly key: "mail.user" | "mail.group"; readonly message: string };

export function commonOwner({
  user,
  group,
}: {
  readonly user?: string | undefined;
  readonly group?: string | undefined;
}): CommonOwner {
  if (user === undefined) return { kind: "each-account" };
  const found = findUser(user);
  if (found === undefined) return { kind: "unknown", key: "mail.user", message: noSuchUser(user) };
  const gid = group === undefined ? found.gid : findGroup(group);
  return gid === undefined
    ? { kind: "unknown", key: "mail.group", message: `no group "${group}" on this host` }
    : { kind: "owner", owner: { uid: found.uid, gid } };
}

export function noSuchUser(name: string): string {
  return `no user "${name}" on this host, make it with: useradd --system --no-create-home --shell /usr/sbin/nologin ${name}`;
}
