// SASL LOGIN (draft-murchison-sasl-login, never an RFC, but what Outlook sends): asks for the name, then for the
// password. Run by the auth process.
import { parsePreparedIdentity } from "./identity.ts";
import type { Mechanism, MechanismContext, ServerMechanism, Step } from "./mechanism.ts";

export const login: Mechanism = {
  parameters: ["plaintext"],
  create: (context) => new LoginExchange(context),
};

// Word for word as in the draft: some clients compare them.
const ASK_NAME = new TextEncoder().encode("Username:");
const ASK_PASSWORD = new TextEncoder().encode("Password:");
const NUL = 0;

class LoginExchange implements ServerMechanism {
  readonly #context: MechanismContext;
  #name: string | undefined;

  constructor(context: MechanismContext) {
    this.#context = context;
  }

  start(initialResponse: Uint8Array | undefined): Step {
    return initialResponse === undefined ? { kind: "challenge", data: ASK_NAME } : this.next(initialResponse);
  }

  next(response: Uint8Array): Step {
    if (response.includes(NUL)) return { kind: "malformed", reason: "LOGIN: NUL octet" };
    return this.#name === undefined ? this.#takeName(response) : password(this.#name, response);
  }

  #takeName(response: Uint8Array): Step {
    const name = parsePreparedIdentity(response, this.#context);
    if (name === undefined) {
      return {
        kind: "malformed",
        reason: "LOGIN: the name is not UTF-8, forbidden by SASLprep, or longer than 255 octets",
      };
    }
    if (name === "") return { kind: "malformed", reason: "LOGIN: empty name" };
    this.#name = name;
    return { kind: "challenge", data: ASK_PASSWORD };
  }
}

function password(name: string, response: Uint8Array): Step {
  if (response.length === 0) return { kind: "malformed", reason: "LOGIN: empty password" };
  return {
    kind: "password",
    authorizationIdentity: "",
    authenticationIdentity: name,
    password: response,
  };
}
