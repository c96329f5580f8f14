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
  /** Find what is stored for this user, make it up where nothing is, and let `proceed` go on with it. */
  | {
      readonly kind: "verifier";
      readonly hash: ScramHash;
      readonly authorizationIdentity: string;
      readonly authenticationIdentity: string;
      proceed(verifier: ScramVerifier): Step;
    }
  /**
   * The exchange is over but for what the server has to prove: whether the client knew the password, by the verifier
   * that it was measured by. `serverFinal` goes to a client that is let in; POP3 has no room for it beside +OK, and the
   * MTAs pass nothing on that comes with OK, so it is a last challenge, which an empty response answers.
   *
   * A client that is not let in gets no "e=" (RFC 5802 §5.1 makes it optional): it would have to answer it before it is
   * told of the failure, most answer by "*", and neither "[AUTH]" nor the MTA's 535 and its log would tell the truth.
   */
  | {
      readonly kind: "proof";
      readonly hash: ScramHash;
      readonly authorizationIdentity: string;
      readonly authenticationIdentity: string;
      readonly verifier: ScramVerifier;
      readonly isRight: boolean;
      readonly serverFinal: Uint8Array;
    }
  /** The exchange is over: TLS has told who the client is. */
  | {
      readonly kind: "certificate";
      readonly authorizationIdentity: string;
      readonly authenticationIdentity: string;
    }
  /** The exchange is over: the response breaks the mechanism's syntax. `reason` repeats nothing of the response. */
  | { readonly kind: "malformed"; readonly reason: string }
  /** The exchange is over, whoever the client is; `reason` is for the log. */
  | { readonly kind: "refused"; readonly reason: string };

export type ScramHash = "SHA-1" | "SHA-256";

/** What a server stores of a password for SCRAM (RFC 5802 §3): enough to check a proof, not enough to make one. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** What an exchange cannot have by itself. */
export interface MechanismContext {
  /** Printable ASCII without ",", never the same twice. */
  makeNonce(): string;
  /** SASLprep (RFC 4013). @returns undefined for a name that it forbids */
  prepareName(name: string): string | undefined;
  readonly hashing: {
    hash(name: ScramHash, octets: Uint8Array): Uint8Array;
    hmac(name: ScramHash, key: Uint8Array, octets: Uint8Array): Uint8Array;
  };
  /** `tls-exporter` of the client's connection, where -PLUS was offered on it. */
  readonly channelBinding: Uint8Array | undefined;
  /** Who the client is by its verified certificate. */
  readonly certificateUser: string | undefined;
}

/** One exchange. `next` is called only after a challenge, `proceed` only once, nothing after any other step. */
export interface ServerMechanism {
  /** @param initialResponse undefined when the client sent none, which is not the same as an empty one */
  start(initialResponse: Uint8Array | undefined): Step;
  next(response: Uint8Array): Step;
}

export interface Mechanism {
  /** What Dovecot's MECH line says of it; Postfix's smtpd_sasl_security_options filters by these. */
  readonly parameters: readonly string[];
  create(context: MechanismContext): ServerMechanism;
}
