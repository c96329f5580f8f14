// Whose mail is never served because the server's own processes run as them.
import { findUser } from "../host/user-database.ts";
import type { Config } from "./schema.ts";

/** @param find for whoever asks about many accounts, one that remembers */
export function ownUids(
  { login_user, auth_user, metrics_user }: Config["server"],
  find: typeof findUser = findUser,
): number[] {
  return [login_user, auth_user, metrics_user].flatMap((name) => find(name)?.uid ?? []);
}
