// What a connection is offered to log in with; both states announce the same, since clients remember the first CAPA that
// they see. Used by login and mailbox processes. Pure.
import type { AuthParameters } from "../auth/protocol/client-command.ts";

export const POP3_IMPLEMENTATION = "dewey-pop3";

/** What decides which mechanisms make sense on a connection. */
export interface ConnectionFacts extends Pick<AuthParameters, "channelBinding" | "clientCertificateUser"> {
  /** Whether a password may cross it. SCRAM is none of that: it shows the password to nobody. */
  readonly passwordAllowed: boolean;
}

/**
 * @param known what auth told in its greeting: names and MECH parameters
 * @returns in auth's order
 */
export function offeredMechanisms(
  known: ReadonlyMap<string, readonly string[]>,
  { passwordAllowed, channelBinding, clientCertificateUser }: ConnectionFacts,
): readonly string[] {
  return [...known]
    .filter(([name, parameters]) => {
      if (parameters.includes("plaintext")) return passwordAllowed;
      if (parameters.includes("channel-binding")) return channelBinding !== undefined;
      if (name === "EXTERNAL") return clientCertificateUser !== undefined;
      return true;
    })
    .map(([name]) => name);
}
