// What a SASL mechanism is on the server's side (RFC 4422): it turns responses into steps and does nothing itself.
// The auth process drives it and acts on the steps; a mechanism never sees an account.

export type Step =
  /** Send `data` to the client; its answer goes to `next`. */
  | { readonly kind: "challenge"; readonly data: Uint8Array }
  /**
   * The exchange is over: these are the credentials to check. The authorization identity is "" when the client named
   * none. `password` may share memory with the response given, so that overwriting it leaves no copy.
   */
  | {
      readonly kind: "password";
      readonly authorizationIdentity: string;
      readonly authenticationIdentity: string;
      readonly password: Uint8Array;
    }
  /** The exchange is over: the response breaks the mechanism's syntax. `reason` repeats nothing of the response. */
  | { readonly kind: "malformed"; readonly reason: string };

/** One exchange. `next` is called only after a challenge, nothing after any other step. */
export interface ServerMechanism {
  /** @param initialResponse undefined when the client sent none, which is not the same as an empty one */
  start(initialResponse: Uint8Array | undefined): Step;
  next(response: Uint8Array): Step;
}

export interface Mechanism {
  /** What Dovecot's MECH line says of it; Postfix's smtpd_sasl_security_options filters by these. */
  readonly parameters: readonly string[];
  create(): ServerMechanism;
}
