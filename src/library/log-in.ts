// Stands where a server has its auth process: runs the SASL mechanisms, and asks the library's user or the passwd file.
import { randomBytes } from "node:crypto";
import { saslprep } from "../accounts/passwords/saslprep.ts";
import type { ScramProof } from "../accounts/verifier.ts";
import type { AuthFailure, AuthHandler, AuthRequest, Exchange } from "../auth/client.ts";
import { hashing } from "../auth/hashing.ts";
import { mechanismsToOffer } from "../processes/auth/auth-mechanisms.ts";
import { decodeBase64, encodeBase64 } from "../sasl/base64.ts";
import type { MechanismContext, ScramHash, ScramVerifier, ServerMechanism, Step } from "../sasl/mechanism.ts";
import { mechanisms } from "../sasl/mechanisms.ts";

/** Each rejects where nobody can tell. True: logged in; the maildrop is opened behind it. */
export interface LoginChecks {
  password(user: string, password: Buffer): Promise<boolean>;
  /** What SCRAM needs, where there is any. */
  readonly scram?: ScramChecks;
}

export interface ScramChecks {
  readonly hashes: ReadonlySet<ScramHash>;
  /** Made up for who has none. */
  verifier(user: string, hash: ScramHash): Promise<ScramVerifier>;
  proof(user: string, proof: ScramProof): Promise<boolean>;
}

/** By name, with what restricts them. PLAIN stands for USER and PASS, too. */
export function offeredBy({ scram }: LoginChecks): ReadonlyMap<string, readonly string[]> {
  const offered = mechanismsToOffer(undefined, scram?.hashes ?? new Set(), "login", false);
  // No certificates: whom one means is the server's config to say.
  return new Map([...offered].map(([name, { parameters }]) => [name, parameters]));
}

/** @param failureDelayMs a refused login is answered no sooner */
export function exchange(
  { mechanism, initialResponse, channelBinding }: AuthRequest,
  handler: AuthHandler,
  checks: LoginChecks,
  failureDelayMs: number,
): Exchange {
  const beganMs = performance.now();
  let isOver = false;
  /** The last challenge is out, and the client is let in once it has answered by nothing. */
  let letIn: (() => void) | undefined;
  const refused = (failure: Omit<AuthFailure, "reason">): void => {
    const waitMs = failure.temporary ? 0 : Math.max(0, failureDelayMs - (performance.now() - beganMs));
    setTimeout(() => {
      if (isOver) return;
      isOver = true;
      handler.failed({ reason: undefined, ...failure });
    }, waitMs);
  };
  const wrong = (): void => refused({ code: undefined, temporary: false });
  const malformed = (): void => refused({ code: "malformed", temporary: false });
  const unavailable = (): void => refused({ code: "temp_fail", temporary: true });
  const challenge = (data: Uint8Array): void => handler.challenge(encodeBase64(data));
  const accept = (user: string): void => {
    isOver = true;
    handler.ok(new Map([["user", user]]));
  };
  /** @param andThen for who is right */
  const decide = (check: Promise<boolean>, andThen: () => void): void => {
    check.then((isRight) => {
      if (isOver) return;
      if (isRight) andThen();
      else wrong();
    }, unavailable);
  };
  const act = (step: Step): void => {
    // Nobody logs in as somebody else.
    if ("authenticationIdentity" in step && !isOneself(step)) {
      wrong();
      return;
    }
    switch (step.kind) {
      case "challenge":
        challenge(step.data);
        break;
      case "password": {
        const { authenticationIdentity: user, password } = step;
        decide(checks.password(user, Buffer.from(password)), () => accept(user));
        break;
      }
      case "verifier":
        checks.scram!.verifier(step.authenticationIdentity, step.hash).then((verifier) => {
          if (!isOver) act(step.proceed(verifier));
        }, unavailable);
        break;
      case "proof": {
        const { authenticationIdentity: user, serverFinal } = step;
        decide(checks.scram!.proof(user, step), () => {
          letIn = () => accept(user);
          challenge(serverFinal);
        });
        break;
      }
      case "certificate":
      case "refused":
        wrong();
        break;
      case "malformed":
        malformed();
        break;
      default:
        step satisfies never;
    }
  };
  const server = serverMechanism(mechanism, channelBinding?.data);
  const decoded = initialResponse === undefined ? undefined : decodeBase64(initialResponse);
  // A handler may be called only behind this function's return.
  setImmediate(() => {
    if (server === undefined || (initialResponse !== undefined && decoded === undefined)) malformed();
    else act(server.start(decoded));
  });
  return {
    respond: (base64) => {
      const response = decodeBase64(base64);
      if (server === undefined || response === undefined)
        refused({ code: "invalid_base64", temporary: false });
      else if (letIn === undefined) act(server.next(response));
      else if (response.length > 0) malformed();
      else letIn();
    },
    cancel: () => {
      isOver = true;
    },
  };
}

function isOneself({
  authorizationIdentity,
  authenticationIdentity,
}: Readonly<Record<"authorizationIdentity" | "authenticationIdentity", string>>): boolean {
  return authorizationIdentity === "" || authorizationIdentity === authenticationIdentity;
}

function serverMechanism(name: string, channelBinding: string | undefined): ServerMechanism | undefined {
  const context: MechanismContext = {
    makeNonce: () => encodeBase64(randomBytes(18)),
    prepareName: saslprep,
    hashing,
    channelBinding: channelBinding === undefined ? undefined : decodeBase64(channelBinding),
    certificateUser: undefined,
  };
  return mechanisms.get(name)?.create(context);
}
