// The end of a connection's AUTHORIZATION part: the client, its ticket and what it sent already go to its TRANSACTION
// part. With "separate" processes its own connection is passed to a mailbox process, or, where TLS lies above it, relayed to
// that process's socket; with "combined" it is a call.
import type * as net from "node:net";
import { TLSSocket } from "node:tls";
import type { Connection } from "../../net/connection.ts";
import { Upstream } from "../../net/relay.ts";
import type { StallLimits } from "../../net/stall-watch.ts";
import type { Choices } from "../../pop3/choices.ts";
import { err } from "../../pop3/reply.ts";
import type { Texts } from "../../pop3/texts/texts.ts";
import type { MailboxService } from "../mailbox/mailbox-service.ts";
import { mailboxSocket } from "../placement.ts";
import { presentTicket } from "../presented-ticket.ts";
import type { MailboxLinks } from "./mailbox-links.ts";

export type HandOverResult =
  /** The client is served by its TRANSACTION part; this part is over and must not touch the socket again. */
  { readonly kind: "taken" } | { readonly kind: "refused"; readonly reply: string };

/** @param client its connection works on the login, so nothing is read from it meanwhile */
export type HandOver = (
  client: {
    readonly socket: net.Socket;
    readonly connection: Connection;
    readonly state: { readonly choices: Choices; readonly texts: Texts };
  },
  /** `place`: the mailbox process that accepts the ticket. */
  login: { readonly ticket: string; readonly place: string },
  told: {
    /** Its TRANSACTION part has the client's own connection, and needs nothing of this one. */
    onPassed(): void;
    /** A client that was taken is gone; called once. */
    onOver(): void;
  },
) => Promise<HandOverResult>;

/** Passes the client's own connection to a mailbox process. What cannot be passed, TLS above all, goes by `relay`. */
export function handOverByPassing(links: MailboxLinks, relay: HandOver): HandOver {
  return async (client, login, told) => {
    const { socket, connection, state } = client;
    if (socket instanceof TLSSocket) return await relay(client, login, told);
    const result = await links.pass(
      {
        socket,
        connection,
        presented: presentTicket(login.ticket, state.choices),
        onTaken: () => told.onPassed(),
        onOver: () => told.onOver(),
      },
      login.place,
    );
    switch (result.kind) {
      case "taken":
        return result;
      case "refused":
        return { ...result, reply: result.reply ?? err(state.texts.maildropUnavailable, "SYS/TEMP") };
      case "unpassed":
        return await relay(client, login, told);
      default:
        return result satisfies never;
    }
  };
}

/** Hands over to a mailbox process and relays from then on. @param limits as of now, for those that are relayed already, too */
export function handOverByRelay(runtimeDir: string, limits: () => StallLimits): HandOver {
  return ({ socket, connection, state }, { ticket, place }, told) =>
    new Promise((resolve) => {
      const read = connection.takeRest();
      let reply = "";
      let isDecided = false;
      const refuse = (text: string): void => {
        if (isDecided) return;
        isDecided = true;
        socket.off("close", onClientClose);
        connection.unread(read);
        upstream.destroy();
        resolve({ kind: "refused", reply: text });
      };
      const upstream = new Upstream(mailboxSocket(runtimeDir, place), {
        onReply: (octets) => {
          reply += octets.toString("latin1");
          if (!reply.includes("\n")) return false;
          if (!reply.startsWith("+OK")) {
            refuse(reply);
            return true;
          }
          isDecided = true;
          socket.off("close", onClientClose);
          // Its TRANSACTION part says it; this one passes it on.
          connection.output.text(reply);
          connection.detach();
          upstream.relay(socket, limits, () => told.onOver());
          resolve({ kind: "taken" });
          return true;
        },
        onClose: () => refuse(err(state.texts.maildropUnavailable, "SYS/TEMP")),
      });
      // A client that leaves now takes its session with it.
      const onClientClose = (): void => refuse("");
      socket.on("close", onClientClose);
      upstream.write(
        Buffer.concat([Buffer.from(`${presentTicket(ticket, state.choices)}\n`, "latin1"), read]),
      );
    });
}

/** Hands over within this process, to the service of the account's own index. */
export function handOverByCall(service: MailboxService): HandOver {
  return async ({ socket, connection, state }, { ticket }, told) => {
    const admission = await service.admit(ticket, state.choices);
    if (admission.kind === "refused") return admission;
    if (socket.destroyed) {
      admission.maildrop.close();
      return { kind: "refused", reply: "" };
    }
    const read = connection.takeRest();
    connection.detach();
    told.onPassed();
    // Alone, or it would keep all of this part as long as the session lasts.
    const { onOver } = told;
    socket.on("close", () => onOver());
    service.serve(socket, read, admission, { isRelayed: false });
    return { kind: "taken" };
  };
}
