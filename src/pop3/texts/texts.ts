// What the server says to people (RFC 6856 §3), in every language the same places: status indicators, response codes and
// what programs read stand elsewhere. One catalogue a language in this folder; a session holds one and takes its texts by
// reference. Pure.

/** Commands whose syntax is told where it was not kept. */
export type UsageKeyword =
  | "CAPA"
  | "USER"
  | "PASS"
  | "STLS"
  | "UTF8"
  | "LANG"
  | "QUIT"
  | "STAT"
  | "LIST"
  | "UIDL"
  | "RETR"
  | "TOP"
  | "DELE"
  | "NOOP"
  | "RSET";

/** Each well below the 512 octets of a reply (RFC 2449 §4). */
export interface Texts {
  readonly expected: Readonly<Record<UsageKeyword, string>>;

  // Of both states.
  ready(serverName: string): string;
  signingOff(serverName: string): string;
  lineTooLong(maxOctets: number): string;
  unknownCommand(commands: string): string;
  readonly tooManyUselessCommands: string;
  readonly capabilitiesFollow: string;
  readonly languagesFollow: string;
  /** Already in the new language. */
  readonly languageChanged: string;
  unknownLanguage(languages: string): string;
  readonly shuttingDown: string;

  // Of the AUTHORIZATION state.
  readonly userAccepted: string;
  readonly passAccepted: string;
  readonly sendUserFirst: string;
  readonly beginTls: string;
  readonly utf8Enabled: string;
  logInFirst(keyword: string): string;
  readonly authenticationFailed: string;
  readonly malformedResponse: string;
  readonly authenticationUnavailable: string;
  readonly accountUnusable: string;
  expectedAuth(mechanisms: string): string;
  mechanismNotOffered(mechanisms: string): string;
  readonly initialResponseNotBase64: string;
  readonly responseNotBase64: string;
  readonly authenticationCancelled: string;
  readonly tlsActive: string;
  readonly tlsUnavailable: string;
  readonly tlsBeforeUtf8: string;
  passwordNotTaken(mechanisms: readonly string[]): string;
  readonly passwordNeedsTls: string;
  readonly passwordNeedsPop3s: string;
  readonly connectionKicked: string;
  readonly tooManyConnections: string;
  readonly tooManyConnectionsFromAddress: string;

  // Of the maildrop's opening.
  readonly maildropUnavailable: string;
  readonly loginImpossible: string;
  readonly tooManySessions: string;
  readonly maildropUnusable: string;
  readonly maildropLocked: string;
  /** @param since such as "2010-06-14T12:00:00Z" */
  maildropLockedFrom(address: string, since: string): string;

  // Of the TRANSACTION state.
  alreadyLoggedIn(keyword: string): string;
  maildrop(messages: number, octets: number): string;
  octets(octets: number): string;
  deleted(messageNumber: number): string;
  reset(messages: number, octets: number): string;
  noSuchMessage(messages: number): string;
  alreadyDeleted(messageNumber: number): string;
  removedByOther(messageNumber: number): string;
  unreadable(messageNumber: number): string;
  needsUtf8(messageNumber: number): string;
  signOff(serverName: string, messagesLeft: number): string;
  notRemoved(failed: number, marked: number): string;
  readonly takenOver: string;
  readonly shuttingDownUndeleted: string;
  readonly sessionKicked: string;
}
