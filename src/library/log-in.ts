// Stands where a server has its auth process: runs the SASL mechanisms that show a password, and asks the library's user.

import { saslprep } from "../accounts/saslprep.ts";
import type { AuthFailure, AuthHandler, AuthRequest, Exchange } from "../auth/client.ts";
import { decodeBase64 } from "../sasl/base64.ts";
import type { MechanismContext, ServerMechanism, Step } from "../sasl/mechanism.ts";
import { mechanisms } from "../sasl/mechanisms.ts";

/** True: logged in; the maildrop is opened behind it. */
export type CheckPassword = (user: string, password: string) => Promise<boolean>;

/** PLAIN stands for USER and PASS, too. */
export const OFFERED: ReadonlyMap<string, readonly string[]> = new Map([
  ["PLAIN", ["plaintext"]],
  ["LOGIN", ["plaintext"]],
]);

/** @param failureDelayMs a refused login is answered no sooner */
export function exchange(
  { mechanism, initialResponse }: AuthRequest,
  handler: AuthHandler,
  check: CheckPassword,
  failureDelayMs: number,
): Exchange {
  const beganMs = performance.now();
  let isOver = false;
  const refused = (failure: Omit<AuthFailure, "reason">): void => {
    const waitMs = failure.temporary ? 0 : Math.max(0, failureDelayMs - (performance.now() - beganMs));
    setTimeout(() => {
      if (isOver) return;
      isOver = true;
      handler.failed({ reason: undefined, ...failure });
    }, waitMs);
  };
  const act = (step: Step): void => {
    switch (step.kind) {
      case "challenge":
        handler.challenge(Buffer.from(step.data).toString("base64"));
        return;
      case "password": {
        const { authenticationIdentity: user, authorizationIdentity, password } = step;
        // Nobody logs in as somebody else.
        if (authorizationIdentity !== "" && authorizationIdentity !== user) {
          refused({ code: undefined, temporary: false });
          return;
        }
        check(user, Buffer.from(password).toString()).then(
          (isRight) => {
            if (isOver) return;
            if (!isRight) return refused({ code: undefined, temporary: false });
            isOver = true;
            handler.ok(new Map([["user", user]]));
          },
          () => refused({ code: "temp_fail", temporary: true }),
        );
        return;
      }
      default:
        refused({ code: "malformed", temporary: false });
    }
  };
  const server = serverMechanism(mechanism);
  const decoded = initialResponse === undefined ? undefined : decodeBase64(initialResponse);
  // A handler may be called only behind this function's return.
  setImmediate(() => {
    if (server === undefined || (initialResponse !== undefined && decoded === undefined))
      refused({ code: "malformed", temporary: false });
    else act(server.start(decoded));
  });
  return {
    respond: (base64) => {
      const response = decodeBase64(base64);
      if (server === undefined || response === undefined)
        refused({ code: "invalid_base64", temporary: false });
      else act(server.next(response));
    },
    cancel: () => {
      isOver = true;
    },
  };
}

function serverMechanism(name: string): ServerMechanism | undefined {
  return OFFERED.has(name) ? mechanisms.get(name)?.create(PLAINTEXT_ALONE) : undefined;
}

/** What PLAIN and LOGIN ask for: no more than names. */
const PLAINTEXT_ALONE: MechanismContext = {
  makeNonce: () => "",
  prepareName: saslprep,
  hashing: { hash: (_, octets) => octets, hmac: (_, key) => key },
  channelBinding: undefined,
  certificateUser: undefined,
};
