// SASL PLAIN (RFC 4616): one message, [authorization identity] NUL authentication identity NUL password. Run by the
// auth process; USER and PASS come this way too.
import { parseIdentity } from "./identity.ts";
import type { Mechanism, Step } from "./mechanism.ts";

export const plain: Mechanism = {
  parameters: ["plaintext"],
  create: () => ({
    start: (initialResponse) =>
      initialResponse === undefined ? { kind: "challenge", data: new Uint8Array(0) } : parse(initialResponse),
    next: parse,
  }),
};

const NUL = 0;

function parse(message: Uint8Array): Step {
  const first = message.indexOf(NUL);
  const second = first === -1 ? -1 : message.indexOf(NUL, first + 1);
  if (second === -1) return malformed("PLAIN: expected two NUL octets");
  const password = message.subarray(second + 1);
  if (password.includes(NUL)) return malformed("PLAIN: more than two NUL octets");
  const authorizationIdentity = parseIdentity(message.subarray(0, first));
  const authenticationIdentity = parseIdentity(message.subarray(first + 1, second));
  if (authorizationIdentity === undefined || authenticationIdentity === undefined) {
    return malformed("PLAIN: an identity is not UTF-8 or longer than 255 octets");
  }
  if (authenticationIdentity === "") return malformed("PLAIN: empty authentication identity");
  if (password.length === 0) return malformed("PLAIN: empty password");
  // The password keeps its octets as they are: hashes were made of those, whatever their character set.
  return { kind: "password", authorizationIdentity, authenticationIdentity, password };
}

function malformed(reason: string): Step {
  return { kind: "malformed", reason };
}
