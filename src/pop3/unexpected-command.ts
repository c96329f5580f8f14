// The reply to a command that the state does not know: another state's command says so, any other is unknown.
import { err } from "./reply.ts";
import type { Texts } from "./texts/texts.ts";

export type State = "AUTHORIZATION" | "TRANSACTION";

export const AUTHORIZATION_COMMANDS: readonly string[] = [
  ...["CAPA", "LANG", "UTF8", "USER", "PASS", "AUTH", "QUIT"],
];
export const TRANSACTION_COMMANDS: readonly string[] = [
  ...["STAT", "LIST", "RETR", "DELE", "NOOP", "RSET", "TOP", "UIDL", "CAPA", "LANG", "QUIT"],
];

/** @param keyword in upper case, not one that the state knows */
export function unexpectedCommand(keyword: string, state: State, texts: Texts): string {
  if (state === "AUTHORIZATION") {
    return TRANSACTION_COMMANDS.includes(keyword) || keyword === "DEL"
      ? err(texts.logInFirst(keyword))
      : err(texts.unknownCommand(AUTHORIZATION_COMMANDS.join(" ")));
  }
  return AUTHORIZATION_COMMANDS.includes(keyword) || keyword === "STLS"
    ? err(texts.alreadyLoggedIn(keyword))
    : err(texts.unknownCommand(TRANSACTION_COMMANDS.join(" ")));
}
