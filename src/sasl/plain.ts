// SASL PLAIN (RFC 4616): one message, [authorization identity] NUL authentication identity NUL password. Run by the
// auth process; USER and PASS come this way too.
import { parsePreparedIdentity } from "./identity.ts";
import type { Mechanism, MechanismContext, Step } from "./mechanism.ts";

export const plain: Mechanism = {
  parameters: ["plaintext"],
  create: (context) => ({
    start: (initialResponse) =>
      initialResponse === undefined
        ? { kind: "challenge", data: new Uint8Array(0) }
        : parse(initialResponse, context),
    next: (response) => parse(response, context),
  }),
};

const NUL = 0;

function parse(message: Uint8Array, context: MechanismContext): Step {
  const first = message.indexOf(NUL);
  const second = first === -1 ? -1 : message.indexOf(NUL, first + 1);
  if (second === -1) return malformed("PLAIN: expected two NUL octets");
  const password = message.subarray(second + 1);
  if (password.includes(NUL)) return malformed("PLAIN: more than two NUL octets");
  const authorizationIdentity = parsePreparedIdentity(message.subarray(0, first), context);
  const authenticationIdentity = parsePreparedIdentity(message.subarray(first + 1, second), context);
  if (authorizationIdentity === undefined || authenticationIdentity === undefined) {
    return malformed("PLAIN: an identity is not UTF-8, forbidden by SASLprep, or longer than 255 octets");
  }
  if (authenticationIdentity === "") return malformed("PLAIN: empty authentication identity");
  if (password.length === 0) return malformed("PLAIN: empty password");
  // The password keeps its octets as they are: the verifier knows which forms of it a hash may have been made of.
  return { kind: "password", authorizationIdentity, authenticationIdentity, password };
}

function malformed(reason: string): Step {
  return { kind: "malformed", reason };
}
