// What the auth process says of the passwd file and of its clients.
import type { PasswdFileEvent } from "../../accounts/file/passwd-file.ts";
import type { AuthHttpEvent } from "../../auth/auth-http-server.ts";
import type { AuthServerEvent } from "../../auth/server-options.ts";
import type { SocketmapEvent } from "../../auth/socketmap-server.ts";
import type { Log } from "../../log/log.ts";

export function logPasswdFileEvent(log: Log, event: PasswdFileEvent): void {
  const { path } = event;
  switch (event.kind) {
    case "reloaded":
      log.info({ path, accounts: event.accounts }, "passwd file read");
      return;
    case "invalid-line":
      log.error(
        { path, line: event.lineNumber, reason: event.reason },
        "bad line in the passwd file, skipped",
      );
      return;
    case "duplicate": {
      const { lineNumber: line, firstLineNumber: firstLine, user } = event;
      log.error(
        { path, line, firstLine, user },
        "user stands twice in the passwd file, the first line holds",
      );
      return;
    }
    case "unreadable":
      log.error(
        { path, code: event.code },
        event.wasRead
          ? "passwd file cannot be read, the accounts known before stay"
          : "passwd file cannot be read, nobody can log in by it until it can",
      );
      return;
    case "unwatched":
      log.warn(
        { path, code: event.code },
        "passwd file cannot be watched, changes are noticed at the next login",
      );
      return;
    default:
      event satisfies never;
  }
}

export function logAuthEvent(log: Log, event: AuthServerEvent): void {
  switch (event.kind) {
    case "malformed":
      log.error({ clientPid: event.clientPid, reason: event.reason }, "malformed message on the auth socket");
      return;
    case "connection-error":
      log.warn({ clientPid: event.clientPid, cause: event.error.message }, "connection to auth broke");
      return;
    case "fault":
      log.error({ err: event.error }, "authentication failed for a fault of ours");
      return;
    case "refused": {
      const { session, remoteAddress: address, service, mechanism } = event.parameters;
      log.warn({ session, address, service, mechanism, reason: event.reason }, "SASL exchange refused");
      return;
    }
    default:
      event satisfies never;
  }
}

export function logSocketmapEvent(log: Log, event: SocketmapEvent): void {
  switch (event.kind) {
    case "malformed":
      log.error({ reason: event.reason }, "malformed message on the socketmap socket");
      return;
    case "connection-error":
      log.warn({ cause: event.error.message }, "connection to the socketmap broke");
      return;
    case "fault":
      log.error({ err: event.error }, "lookup failed for a fault of ours");
      return;
    default:
      event satisfies never;
  }
}

export function logAuthHttpEvent(log: Log, event: AuthHttpEvent): void {
  switch (event.kind) {
    case "malformed":
      log.error({ reason: event.reason }, "malformed request on cluster.auth_http");
      return;
    case "crowded":
      log.error("too many requests wait on cluster.auth_http, nginx tells its clients of an internal error");
      return;
    case "fault":
      log.error({ err: event.error }, "nginx was not answered for a fault of ours");
      return;
    default:
      event satisfies never;
  }
}
