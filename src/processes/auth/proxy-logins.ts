// nginx's question as a login: password and throttle as for every other client, then the back end that serves the account,
// in our own words. Runs in the auth process.
import type { Account } from "../../accounts/account.ts";
import type { AuthHttpReply, AuthHttpRequest, ParsedAuthHttp } from "../../auth/auth-http.ts";
import type { Verdict, VerifyRequest } from "../../auth/server-options.ts";
import type { Log } from "../../log/log.ts";
import { isLoopback } from "../../net/address.ts";
import { err } from "../../pop3/reply.ts";
import { english } from "../../pop3/texts/english.ts";
import type { AuthSettings } from "../settings.ts";
import type { BackEndChoice } from "./back-ends.ts";

export interface ProxyLoginContext {
  settings(): Pick<AuthSettings, "plaintextWithoutTls" | "maxUselessCommands">;
  verify(request: VerifyRequest): Promise<Verdict>;
  lookup(user: string): Account | undefined;
  choose(account: Account): BackEndChoice;
  readonly log: Log;
}

export class ProxyLogins {
  readonly #context: ProxyLoginContext;

  constructor(context: ProxyLoginContext) {
    this.#context = context;
  }

  async answer(
    asked: Exclude<ParsedAuthHttp, { kind: "malformed" }>,
    isAwaited: () => boolean,
  ): Promise<AuthHttpReply> {
    const { settings, verify, lookup, choose, log } = this.#context;
    switch (asked.kind) {
      case "malformed-login":
        return {
          kind: "refused",
          text: textOf(err(english.malformedResponse)),
          retryAfterSeconds: undefined,
        };
      case "unsupported":
        log.warn({ method: asked.method }, "nginx offers a mechanism that no back end can be reached with");
        return { kind: "refused", text: UNSUPPORTED, retryAfterSeconds: undefined };
      case "request":
        break;
      default:
        return asked satisfies never;
    }
    const { request } = asked;
    const { user, clientAddress: address } = request;
    const refused = (reply: string): AuthHttpReply => ({
      kind: "refused",
      text: textOf(reply),
      // The delay of a refusal is in the past by now. nginx closes the connection unless there is one more.
      retryAfterSeconds: request.attempt < settings().maxUselessCommands ? 1 : undefined,
    });
    const permanent = (account: Account, reason: string): AuthHttpReply => {
      log.error({ user, address, line: account.lineNumber, reason }, "account cannot be used");
      return refused(err(english.accountUnusable, "SYS/PERM"));
    };
    if (!mayCrossPlainly(request, settings().plaintextWithoutTls))
      return refused(err(english.passwordNeedsTls, "AUTH"));
    const verdict = await verify(asLogin(request, isAwaited));
    switch (verdict.kind) {
      case "temporary-failure":
        return refused(err(english.authenticationUnavailable, "SYS/TEMP"));
      case "refused":
        return verdict.code === "unusable"
          ? refused(err(english.accountUnusable, "SYS/PERM"))
          : refused(err(english.authenticationFailed, "AUTH"));
      case "ok":
        break;
      default:
        return verdict satisfies never;
    }
    const account = lookup(verdict.user);
    // Deleted a moment ago.
    if (account === undefined) return refused(err(english.authenticationFailed, "AUTH"));
    const choice = choose(account);
    switch (choice.kind) {
      case "unusable":
        return permanent(account, choice.reason);
      case "unavailable":
        log.warn({ user, address }, "no back end that has the account's mail serves");
        return refused(err(english.maildropUnavailable, "SYS/TEMP"));
      case "back-end":
        return { kind: "back-end", ...choice.address };
      default:
        return choice satisfies never;
    }
  }
}

/** It would have to tell nginx a password that it does not know. */
const UNSUPPORTED = textOf(err(english.mechanismNotOffered("PLAIN LOGIN"), "AUTH"));

/** nginx puts "-ERR " and the line end around it. */
function textOf(reply: string): string {
  return reply.slice("-ERR ".length, -"\r\n".length);
}

/** `auth.plaintext_without_tls`, which ends at nginx: behind it, nobody can tell any more. */
function mayCrossPlainly(
  { secured, clientAddress }: AuthHttpRequest,
  allowed: AuthSettings["plaintextWithoutTls"],
): boolean {
  if (secured || allowed === "always") return true;
  return allowed === "loopback" && (clientAddress === undefined || isLoopback(clientAddress));
}

function asLogin(
  { user, password, clientAddress, secured, tls }: AuthHttpRequest,
  isAwaited: () => boolean,
): VerifyRequest {
  return {
    user,
    credentials: { kind: "password", password },
    // nginx does not tell it from USER and PASS, or LOGIN.
    mechanism: "PLAIN",
    service: "pop3",
    secured,
    tls,
    session: undefined,
    remoteAddress: clientAddress,
    localAddress: undefined,
    remotePort: undefined,
    localPort: undefined,
    isAwaited,
  };
}
