// The reply to a command that the state does not know: another state's command says so, any other is unknown.
import { err } from "./reply.ts";

export type State = "AUTHORIZATION" | "TRANSACTION";

export const AUTHORIZATION_COMMANDS: readonly string[] = ["CAPA", "USER", "PASS", "AUTH", "QUIT"];
export const TRANSACTION_COMMANDS: readonly string[] = [
  ...["STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL", "CAPA", "QUIT"],
];

/** @param keyword in upper case, not one that the state knows */
export function unexpectedCommand(keyword: string, state: State): string {
  if (state === "AUTHORIZATION") {
    return TRANSACTION_COMMANDS.includes(keyword) || keyword === "DEL"
      ? err(`${keyword} is a command of the TRANSACTION state, log in first`)
      : err(`unknown command, expected one of: ${AUTHORIZATION_COMMANDS.join(" ")}`);
  }
  return AUTHORIZATION_COMMANDS.includes(keyword) || keyword === "STLS"
    ? err(`${keyword} is a command of the AUTHORIZATION state, already logged in`)
    : err(`unknown command, expected one of: ${TRANSACTION_COMMANDS.join(" ")}`);
}
