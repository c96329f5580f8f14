// SASL EXTERNAL (RFC 4422 Appendix A): the client names nobody, or itself; who it is, TLS has told. Run by the auth
// process.
import { parseIdentity } from "./identity.ts";
import type { Mechanism, Step } from "./mechanism.ts";

export const external: Mechanism = {
  parameters: [],
  create: ({ certificateUser }) => ({
    start: (initialResponse) =>
      initialResponse === undefined
        ? { kind: "challenge", data: new Uint8Array(0) }
        : identify(certificateUser, initialResponse),
    next: (response) => identify(certificateUser, response),
  }),
};

const NUL = 0;

function identify(certificateUser: string | undefined, response: Uint8Array): Step {
  const authorizationIdentity = response.includes(NUL) ? undefined : parseIdentity(response);
  if (authorizationIdentity === undefined) {
    return {
      kind: "malformed",
      reason: "EXTERNAL: the name is not UTF-8, has a NUL, or is longer than 255 octets",
    };
  }
  return certificateUser === undefined
    ? { kind: "refused", reason: "no verified client certificate" }
    : { kind: "certificate", authorizationIdentity, authenticationIdentity: certificateUser };
}
