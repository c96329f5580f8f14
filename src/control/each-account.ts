// A command's work on accounts, one after the other: those that are named, or all. Ctrl-C ends it between two.
import type { Config } from "../config/schema.ts";
import { readAccounts } from "./mail-owner.ts";
import { Refusal } from "./refusal.ts";

export interface EachAccount<O> {
  readonly outcomes: readonly O[];
  readonly isStopped: boolean;
}

/** @throws Refusal unless it is either names or all */
export async function eachAccount<O>(
  config: Config,
  users: readonly string[],
  isAll: boolean,
  act: (user: string, number: number, total: number) => Promise<O>,
): Promise<EachAccount<O>> {
  if (isAll === users.length > 0) throw new Refusal("name the accounts, or say --all");
  const names = isAll ? [...(await readAccounts(config)).keys()] : users;
  let isStopped = false;
  // The process that works on the Maildir hears Ctrl-C as well, and ends in good order.
  process.on("SIGINT", () => {
    isStopped = true;
  });
  const outcomes: O[] = [];
  for (const [index, user] of names.entries()) {
    if (isStopped) break;
    outcomes.push(await act(user, index + 1, names.length));
  }
  return { outcomes, isStopped };
}
