// SASL EXTERNAL (RFC 4422 Appendix A): the client names nobody, or itself; who it is, TLS has told. Run by the auth
// process.
import { parsePreparedIdentity } from "./identity.ts";
import type { Mechanism, MechanismContext, Step } from "./mechanism.ts";

export const external: Mechanism = {
  parameters: [],
  create: (context) => ({
    start: (initialResponse) =>
      initialResponse === undefined
        ? { kind: "challenge", data: new Uint8Array(0) }
        : identify(context, initialResponse),
    next: (response) => identify(context, response),
  }),
};

const NUL = 0;

function identify(context: MechanismContext, response: Uint8Array): Step {
  const authorizationIdentity = response.includes(NUL) ? undefined : parsePreparedIdentity(response, context);
  if (authorizationIdentity === undefined) {
    return {
      kind: "malformed",
      reason:
        "EXTERNAL: the name is not UTF-8, has a NUL, is forbidden by SASLprep, or longer than 255 octets",
    };
  }
  const { certificateUser } = context;
  return certificateUser === undefined
    ? { kind: "refused", reason: "no verified client certificate" }
    : {
        kind: "certificate",
        authorizationIdentity,
        authenticationIdentity: context.prepareName(certificateUser) ?? certificateUser,
      };
}
