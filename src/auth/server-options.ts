// What the auth server is given, and what it asks: who may come in is decided by `verify`, not by the protocol.
import type { Retention } from "../pop3/capability.ts";
import type { Mechanism, MechanismContext, ScramHash, ScramVerifier } from "../sasl/mechanism.ts";
import type { AuthParameters } from "./protocol/client-command.ts";
import type { StartTimer } from "./timer.ts";

export interface VerifyRequest extends AuthParameters {
  /** Has no control characters, is not empty. */
  readonly user: string;
  readonly credentials: Credentials;
  /** False once nobody waits for the verdict any more. */
  isAwaited(): boolean;
}

export type Credentials =
  /** Overwritten when the promise settles. */
  | { readonly kind: "password"; readonly password: Uint8Array }
  /** SCRAM has measured the client by this verifier. */
  | {
      readonly kind: "proof";
      readonly hash: ScramHash;
      readonly verifier: ScramVerifier;
      readonly isRight: boolean;
    }
  /** TLS has told who it is. */
  | { readonly kind: "certificate" };

export type Verdict =
  /**
   * `fields` go out with OK: what only our login process may learn (a ticket), so never on an MTA's listener. Asked for
   * when OK goes out, which may be one round after the verdict.
   */
  | { readonly kind: "ok"; readonly user: string; fields?(): ReadonlyMap<string, string> }
  /** `reason` is read by whoever tried: Postfix puts it into its reply. */
  | {
      readonly kind: "refused";
      readonly code?: "authz_fail" | "user_disabled" | "pass_expired" | "unusable";
      readonly reason?: string;
    }
  | { readonly kind: "temporary-failure" };

export interface AuthServerOptions {
  readonly mechanisms: ReadonlyMap<string, Mechanism>;
  readonly hashing: MechanismContext["hashing"];
  prepareName(name: string): string | undefined;
  /** @returns a made-up one for a user who has none; undefined when that cannot be told at the moment */
  findVerifier(user: string, hash: ScramHash): Promise<ScramVerifier | undefined>;
  verify(request: VerifyRequest): Promise<Verdict>;
  /**
   * What a temporary failure looks like. MTAs take every FAIL for a wrong password (535), but a closed socket for a
   * temporary failure (454): "close". Our login process understands `FAIL code=temp_fail`: "reply".
   */
  readonly temporaryFailure: "close" | "reply";
  readonly pid: number;
  randomBytes(size: number): Uint8Array;
  onEvent(event: AuthServerEvent): void;
  readonly startTimer?: StartTimer;
  /** From AUTH to the result. Postfix never says that its client gave up. */
  readonly requestTimeoutMs?: number;
  /** Of one connection, as of now: more end as temporary failures. */
  readonly maxOpenRequests?: () => number;
}

export type AuthServerEvent =
  /** The client broke the protocol and its connection was dropped. */
  | {
      readonly kind: "malformed";
      readonly connectionId: number;
      readonly clientPid: number | undefined;
      readonly reason: string;
    }
  | {
      readonly kind: "connection-error";
      readonly connectionId: number;
      readonly clientPid: number | undefined;
      readonly error: Error;
    }
  /** Not for a wrong password: the client did what no honest one does, or somebody changed what it said. */
  | { readonly kind: "refused"; readonly parameters: AuthParameters; readonly reason: string }
  /** `verify` rejected or its verdict could not be sent; the client was told of a temporary failure. */
  | { readonly kind: "fault"; readonly error: unknown };

/** With the defaults; `mechanisms` is replaced by `offer`, `retention` by `announce`. */
export type ServerOptions = Required<Omit<AuthServerOptions, "mechanisms">> & {
  mechanisms: ReadonlyMap<string, Mechanism>;
  retention?: Retention;
};
