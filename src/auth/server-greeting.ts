// Collects what the auth server says before DONE, in the order that the protocol wants. Used by the auth client, in the
// login processes.
import type { Retention } from "../pop3/capability.ts";
import { PROTOCOL_MAJOR } from "./protocol/fields.ts";
import type { ServerReply } from "./protocol/server-reply.ts";

export class ServerGreeting {
  /** Parameters by name. */
  readonly mechanisms = new Map<string, readonly string[]>();
  serverPid: number | undefined;
  retention: Retention | undefined;
  #hasVersion = false;

  /** @returns what is wrong with the reply, if anything is */
  take(reply: ServerReply): string | undefined {
    if (reply.kind !== "VERSION" && !this.#hasVersion) return `${reply.kind} before VERSION`;
    switch (reply.kind) {
      case "VERSION":
        if (this.#hasVersion) return "second VERSION";
        this.#hasVersion = true;
        return reply.major === PROTOCOL_MAJOR ? undefined : "VERSION: another major version";
      case "MECH":
        this.mechanisms.set(reply.name, reply.parameters);
        return undefined;
      case "SPID":
        this.serverPid = reply.pid;
        return this.mechanisms.size === 0 ? "SPID before MECH: not a socket for authentication" : undefined;
      case "EXPIRE":
        this.retention = reply.retention;
        return undefined;
      case "CUID":
      case "COOKIE":
        return undefined;
      case "DONE":
        return this.serverPid === undefined ? "DONE before SPID" : undefined;
      case "OK":
      case "FAIL":
      case "CONT":
      case "RETIRE":
      case "FORGET":
        return `${reply.kind} before DONE`;
      default:
        return reply satisfies never;
    }
  }
}
